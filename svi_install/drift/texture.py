"""How fine the detail of a video is, picture by picture, without following anything in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .measure import NOTHING, detail_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# A line needs cells that differ: so little is added to what the predictors vary by.
RIDGE = 1e-4


class Texture:
    """Compares the detail of pictures in two ways, whose mean errs less than each.

    One is `measure.detail_of`. But a pan brings in places with coarser and finer things, which says nothing about the
    lens. So, for the other one, the fine detail of a cell is predicted from its coarse detail: a parabola over the log2
    of their gradient energies, which all pictures share, while each has a level of its own (an analysis of covariance).
    Only sums are kept: memory does not grow with the cells.
    """

    def __init__(self) -> None:
        self._plain: list[float] = []
        self._fine: list[float] = []
        self._coarse: list[NDArray[np.float64]] = []
        self._spread: NDArray[np.float64] | float = 0.0
        self._common: NDArray[np.float64] | float = 0.0

    def add(self, energy: NDArray[np.float32]) -> None:
        """Take in one picture.

        Args:
            energy: as `measure.Looks.energy`.
        """
        import numpy as np

        fine, coarse = (np.log2(energy[size].reshape(-1).astype(float) + NOTHING) for size in (0, 2))
        weights = np.sqrt(energy[0].reshape(-1) + 1e-6)
        weights = weights / weights.sum()
        predictors = np.stack([coarse, np.square(coarse)])
        mean, level = predictors @ weights, float(weights @ fine)
        rest = predictors - mean[:, None]
        self._spread = self._spread + (rest * weights) @ rest.T
        self._common = self._common + (rest * weights) @ (fine - level)
        self._plain.append(detail_of(energy))
        self._fine.append(level)
        self._coarse.append(mean)

    def levels(self) -> NDArray[np.float64]:
        """Return one level per picture, in log2: more is sharper. Only differences mean something."""
        import numpy as np

        if not self._fine:
            return np.zeros(0)
        slopes = np.linalg.solve(self._spread + RIDGE * np.eye(2), self._common)
        found: NDArray[np.float64] = (np.array(self._plain) + self._fine - np.array(self._coarse) @ slopes) / 2
        return found
