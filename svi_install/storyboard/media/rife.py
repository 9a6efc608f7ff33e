"""Runs inside WanGP's own Python: lets WanGP's RIFE make the frames between the frames of a film.

    rife.py ROOT

Only the standard library and torch, and nothing of svi-install. The first line of the standard input is a JSON object:
``version`` (v3 or v4), ``weights``, ``width``, ``height``, ``frames`` (how many come), ``rate`` (frames a second that
come), ``wanted`` (frames a second that go), ``count`` (how many go), ``cuts`` (numbers of frames that begin a scene).
Then the frames follow, RGB, 8 bits. The new frames go to the standard output in the same form.

WanGP's own loop over a video is not used: it holds the whole video in memory, only doubles, and smears every frame
after the hundredth.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import Any, BinaryIO

# WanGP shows the frame before, too, where two frames have as little in common as this.
CUT = 0.2
# RIFE 3 only knows the middle between two frames; 1/32 of a frame is nearer than an eye can tell.
HALVINGS = 5


def times(rate: int, wanted: int, count: int, frames: int, cuts: frozenset[int]) -> list[tuple[int, int, int]]:
    """Return for each new frame the frame before it, and how far it is on the way to the next one.

    Args:
        rate: frames a second that there are.
        wanted: frames a second that there are to be.
        count: of new frames.
        frames: how many there are.
        cuts: frames that no frame before them leads to.

    Returns:
        Number of the frame, numerator and denominator of the way; on the way to a cut, and behind the last frame, none.
    """
    found = []
    for number in range(count):
        at, part = divmod(number * rate, wanted)
        if at + 1 >= frames or at + 1 in cuts:
            at, part = min(at, frames - 1), 0
        found.append((at, part, wanted))
    return found


def main(root: str) -> None:
    """Read frames, write frames."""
    source, target = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    # What WanGP's modules print must not get among the frames.
    os.dup2(2, 1)
    asked = json.loads(source.readline())
    sys.path[0] = root
    os.chdir(root)
    import torch

    width, height = asked["width"], asked["height"]
    with torch.no_grad():
        between = _between(asked["version"], asked["weights"])
        store = _Frames(source, width, height)
        plan = times(asked["rate"], asked["wanted"], asked["count"], asked["frames"], frozenset(asked["cuts"]))
        for at, part, whole in plan:
            if part == 0:
                target.write(store.raw(at))
                continue
            first, second = store.tensor(at), store.tensor(at + 1)
            if store.differ(at):
                target.write(store.raw(at))
                continue
            made = between(first, second, part / whole)[0, :, :height, :width]
            levels = made.clamp(0, 1).mul(255).round().to(torch.uint8).permute(1, 2, 0).contiguous()
            target.write(levels.cpu().numpy().tobytes())
        target.flush()
        # Whoever sends must not meet a closed pipe.
        while source.read(1 << 20):
            pass


class _Frames:
    """The two frames that are needed now."""

    def __init__(self, source: BinaryIO, width: int, height: int) -> None:
        self._source, self._width, self._height = source, width, height
        self._raw: dict[int, bytes] = {}
        self._tensors: dict[int, Any] = {}
        self._differ: dict[int, bool] = {}
        self._next = 0

    def raw(self, number: int) -> bytes:
        """A frame as it came."""
        while self._next <= number:
            data = self._source.read(self._width * self._height * 3)
            if len(data) != self._width * self._height * 3:
                raise EOFError(f"frame {self._next} did not come")
            self._raw[self._next] = data
            self._next += 1
            for kept in (self._raw, self._tensors, self._differ):
                kept.pop(self._next - 4, None)
        return self._raw[number]

    def tensor(self, number: int) -> Any:
        """A frame for RIFE, (1, 3, height, width), 0..1, both a multiple of 64."""
        import torch

        if number not in self._tensors:
            levels = torch.frombuffer(bytearray(self.raw(number)), dtype=torch.uint8).view(self._height, self._width, 3)
            frame = levels.to(_device()).permute(2, 0, 1).float().div_(255).unsqueeze(0)
            room = (0, -self._width % 64, 0, -self._height % 64)
            self._tensors[number] = torch.nn.functional.pad(frame, room)
        return self._tensors[number]

    def differ(self, number: int) -> bool:
        """Whether the picture changes so much after a frame that there is nothing in between, by WanGP's measure."""
        import torch

        if number not in self._differ:
            small = [
                torch.nn.functional.interpolate(self.tensor(each), (32, 32), mode="bilinear", align_corners=False)
                for each in (number, number + 1)
            ]
            measure = importlib.import_module("postprocessing.rife.ssim").ssim_matlab
            self._differ[number] = bool(measure(small[0], small[1]) < CUT)
        return self._differ[number]


def _between(version: str, weights: str) -> Any:
    """A function of two frames and a way from 0 to 1 that makes the frame there."""
    module = importlib.import_module(f"postprocessing.rife.{'RIFE_V4' if version == 'v4' else 'RIFE_HDv3'}")
    model = module.Model()
    model.load_model(weights, -1, device=_device())
    model.eval()
    model.to(_device())
    if version == "v4":
        return lambda first, second, way: model.inference(first, second, way, 1)

    known: dict[float, Any] = {}
    pair: list[Any] = [None, None]

    def halved(first: Any, second: Any, way: float) -> Any:
        if first is not pair[0] or second is not pair[1]:
            # Nearly every moment between two frames has the same middles on its way.
            pair[:] = [first, second]
            known.clear()
        low, high = 0.0, 1.0
        for _ in range(HALVINGS):
            here = (low + high) / 2
            if here not in known:
                known[here] = model.inference(first, second, 1)
            if abs(here - way) < 2.0 ** -(HALVINGS + 1):
                return known[here]
            if here < way:
                first, low = known[here], here
            else:
                second, high = known[here], here
        # The nearer end: it may be one of the frames that there were before.
        return first if way - low < high - way else second

    return halved


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


if __name__ == "__main__":
    main(sys.argv[1])
