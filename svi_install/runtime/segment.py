"""A clip that is a task of its own: it starts from files of the clip before and leaves files for the next one.

Only for headless use: `svi-install render` makes films of any length this way, because a task of one clip costs
the same at the end of a film as at its beginning.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import options, png

if TYPE_CHECKING:
    from torch import Tensor

FRAMES = "frames.rgb"
LATENTS = "latents.pt"
DONE = "segment.json"
BEGUN = "begun"
TAIL_NAME = "tail-{:03d}.png"


@dataclass(frozen=True)
class Segment:
    """Where one clip comes from and where it goes.

    Attributes:
        before: folder that the clip before has left, None for the first clip of a scene.
        out: folder that this clip fills: all frames, the tail as PNG, and last of all ``segment.json``.
    """

    before: Path | None
    out: Path

    def check(self, motion_frames: int) -> None:
        """Makes sure that the clip before has left everything, and leaves a mark: SVI has taken this clip.

        Args:
            motion_frames: frames that this clip continues.

        Raises:
            ValueError: something is missing; the message names it.
        """
        if not self.out.is_dir():
            raise ValueError(f"the folder {self.out} does not exist")
        before = () if self.before is None else (self.before / DONE, *_tail_files(self.before, motion_frames))
        for path in before:
            if not path.is_file():
                raise ValueError(f"the previous clip is not finished: {path} is missing")
        # Whoever waits for the clip need not wait for its end to see that SVI is off.
        (self.out / BEGUN).touch()

    def motion_frames(self, count: int) -> Tensor | None:
        """The last frames of the clip before, (3, count, height, width), uint8; None for the first clip of a scene."""
        if self.before is None:
            return None
        import torch

        pictures = [png.read(path) for path in _tail_files(self.before, count)]
        frames = [
            torch.frombuffer(bytearray(each.pixels), dtype=torch.uint8).view(each.height, each.width, 3)
            for each in pictures
        ]
        return torch.stack(frames).permute(3, 0, 1, 2)

    def latents(self) -> Tensor | None:
        """What the clip before has left of its latents, for SVI 2 Pro; None for the first clip of a scene."""
        if self.before is None:
            return None
        import torch

        latents: Tensor = torch.load(self.before / LATENTS, map_location="cpu", weights_only=True)
        return latents

    def save(self, levels: Tensor, tail: Tensor, facts: Mapping[str, Any], latents: Tensor | None = None) -> None:
        """Writes what this clip leaves, ``segment.json`` last: where it is, everything is.

        Args:
            levels: all frames, (3, F, height, width), uint8.
            tail: the last of them as the next clip continues them, (3, n, height, width), uint8.
            facts: further values for ``segment.json``.
            latents: for SVI 2 Pro, what the next clip continues.
        """
        _, count, height, width = levels.shape
        # A film's clips are compressed once, from these, not from the compressed video of WanGP.
        with (self.out / FRAMES).open("wb") as file:
            for pixels in _pixels(levels):
                file.write(pixels)
        for path, pixels in zip(_tail_files(self.out, tail.shape[1]), _pixels(tail), strict=True):
            png.write(path, png.Picture(width, height, pixels))
        if latents is not None:
            import torch

            torch.save(latents.detach().cpu().contiguous(), self.out / LATENTS)
        done = {"frames": count, "width": width, "height": height, "motion_frames": tail.shape[1], **facts}
        partial = self.out / f"{DONE}.part"
        partial.write_text(json.dumps(done), "utf-8")
        partial.replace(self.out / DONE)


def of_keys(keys: Mapping[str, Any]) -> Segment | None:
    """The segment that a task's settings describe, None for an ordinary task."""
    out = keys.get(options.SEGMENT_OUT)
    before = keys.get(options.SEGMENT_BEFORE)
    return Segment(Path(before) if before else None, Path(out)) if out else None


def _pixels(levels: Tensor) -> Iterator[bytes]:
    for frame in levels.permute(1, 2, 3, 0):
        yield frame.contiguous().cpu().numpy().tobytes()


def _tail_files(folder: Path, count: int) -> list[Path]:
    """Numbered from the last frame backwards, so that fewer motion frames are found too; in the order of time."""
    return [folder / TAIL_NAME.format(back) for back in range(count, 0, -1)]
