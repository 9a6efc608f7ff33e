"""How much of a reference picture's structure is still there, whatever became of its colours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Structure:
    """A picture's brightness with its mean and contrast taken out.

    Args:
        gray: (height, width), float32, mean 0, deviation 1.
    """

    gray: NDArray[np.float32]

    def likeness(self, rgb: NDArray[np.uint8]) -> float:
        """Return SSIM against another picture of any size, 1 for the same structure."""
        from skimage.metrics import structural_similarity

        other = _plain(rgb, self.gray.shape)
        return float(structural_similarity(self.gray, other, data_range=4.0))  # type: ignore[no-untyped-call]


def structure(rgb: NDArray[np.uint8]) -> Structure:
    """Prepare a reference picture.

    Args:
        rgb: (height, width, 3) of any size.
    """
    from .frames import size_within

    width, height = size_within(rgb.shape[1], rgb.shape[0], 96 * 54)
    return Structure(_plain(rgb, (max(7, height), max(7, width))))


def _plain(rgb: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.float32]:
    import numpy as np
    from skimage.transform import resize

    gray = rgb.astype(np.float32) @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    small: NDArray[np.float32] = resize(  # type: ignore[no-untyped-call]
        gray, shape, order=1, anti_aliasing=gray.shape[0] > shape[0], preserve_range=True
    ).astype(np.float32)
    plain: NDArray[np.float32] = (small - small.mean()) / np.float32(max(float(small.std()), 1.0))
    return plain
