"""Makes the frames between the frames of a film: by WanGP's own RIFE where it is there, else by ffmpeg."""

from __future__ import annotations

import contextlib
import json
import math
import os
import queue
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ...errors import SviError
from ..archive.store import read_json, regular
from ..headless.runner import FOREIGN
from ..headless.wangp import WanGP
from .rife import times

FFMPEG = "ffmpeg's motion interpolation"
# The newer one first: it knows every moment between two frames, the older one only the middle.
_MODELS = (
    ("v4", "RIFE_V4.py", "rife4.26.pkl", "WanGP's RIFE 4.26"),
    ("v3", "RIFE_HDv3.py", "flownet.pkl", "WanGP's RIFE 3"),
)
_FILTER = "minterpolate=fps={wanted}:mi_mode=mci:mc_mode=aobmc:me_mode=bidir:vsbmc=1:scd=none"


@dataclass(frozen=True)
class Rife:
    """The RIFE of a WanGP.

    Args:
        name: for people.
        version: v3 or v4.
        weights: the file.
    """

    name: str
    version: str
    weights: Path


@dataclass(frozen=True)
class Frames:
    """Frames of a video.

    Args:
        width: of each.
        height: of each.
        rate: frames a second.
        count: how many.
        cuts: numbers of those, from 0 on, that begin a scene.
    """

    width: int
    height: int
    rate: int
    count: int
    cuts: tuple[int, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of a frame."""
        return self.width * self.height * 3


def rife_of(wangp: WanGP) -> Rife | None:
    """Find WanGP's RIFE, the program and its weights; None where one of them is not there."""
    config = read_json(wangp.root / "wgp_config.json") or {}
    listed = config.get("checkpoints_paths")
    names = [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []
    folders = [wangp.root / name for name in (*names, "ckpts", ".")]
    for version, program, weights, name in _MODELS:
        if regular(wangp.root / "postprocessing/rife" / program) is None:
            continue
        for folder in folders:
            if regular(folder / weights):
                return Rife(name, version, folder / weights)
    return None


def frames_at(count: int, rate: int, wanted: int) -> int:
    """Return how many frames a video has at another rate: as long as before, to the nearest frame; a half rounds up."""
    return max(1, (2 * count * wanted + rate) // (2 * rate))


def by_rife(wangp: WanGP, rife: Rife, frames: Iterable[bytes], given: Frames, wanted: int) -> Iterator[bytes]:
    """Let WanGP's RIFE make a video's frames at another rate.

    Args:
        frames: RGB, 8 bits.
        wanted: frames a second.

    Raises:
        SviError: it failed; what it said is in the message.
    """
    asked = {
        "version": rife.version,
        "weights": str(rife.weights),
        "width": given.width,
        "height": given.height,
        "frames": given.count,
        "rate": given.rate,
        "wanted": wanted,
        "count": frames_at(given.count, given.rate, wanted),
        "cuts": list(given.cuts),
    }
    command = [str(wangp.python), str(Path(__file__).with_name("rife.py")), str(wangp.root)]

    def sent() -> Iterator[bytes]:
        yield json.dumps(asked).encode() + b"\n"
        yield from frames

    yield from through(command, sent(), given.size, cwd=wangp.root)


def by_ffmpeg(program: Path, frames: Iterable[bytes], given: Frames, wanted: int) -> Iterator[bytes]:
    """Let ffmpeg make a video's frames at another rate, each scene by itself.

    Raises:
        SviError: it failed.
    """
    plan = times(given.rate, wanted, frames_at(given.count, given.rate, wanted), given.count, frozenset(given.cuts))
    source = iter(frames)
    starts = [0, *(cut for cut in sorted(set(given.cuts)) if 0 < cut < given.count)]
    for start, end in zip(starts, [*starts[1:], given.count], strict=True):
        chosen = [number for number, (at, _, _) in enumerate(plan) if start <= at < end]
        scene = islice(source, end - start)
        made = 0
        if chosen:
            for frame in islice(
                _scene(program, scene, given, wanted, start), _skipped(given, wanted, start, chosen), None
            ):
                if made < len(chosen):
                    yield frame
                made += 1
        # What a scene of less than a frame has left of its own.
        for _ in scene:
            pass
        if made < len(chosen):
            raise SviError("ffmpeg", f"ffmpeg made {made} of {len(chosen)} frames between those of the film.")


def _padding(given: Frames, wanted: int, start: int) -> tuple[int, int]:
    """Frames before a scene, and the number of the first of them in the whole video: a moment of both rates."""
    step = given.rate // math.gcd(given.rate, wanted)
    # ffmpeg makes nothing between the first two frames that it gets.
    first = (start - 2) // step * step
    return start - first, first


def _skipped(given: Frames, wanted: int, start: int, chosen: Sequence[int]) -> int:
    _, first = _padding(given, wanted, start)
    return chosen[0] - first * wanted // given.rate


def _scene(program: Path, scene: Iterable[bytes], given: Frames, wanted: int, start: int) -> Iterator[bytes]:
    before, _ = _padding(given, wanted, start)

    def padded() -> Iterator[bytes]:
        last = b""
        for number, frame in enumerate(scene):
            yield from [frame] * (1 + (before if number == 0 else 0))
            last = frame
        # It holds the last frames back until further ones come; none is made from these, they only stand.
        yield from [last] * (3 + given.rate // wanted + given.rate // math.gcd(given.rate, wanted))

    raw = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{given.width}x{given.height}")
    command = [str(program), "-v", "error", *raw, "-r", str(given.rate), "-i", "-"]
    command += ["-vf", _FILTER.format(wanted=wanted), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    yield from through(command, padded(), given.size)


def through(command: Sequence[str], content: Iterable[bytes], size: int, cwd: Path | None = None) -> Iterator[bytes]:
    """Send frames through a program.

    Args:
        content: what it reads.
        size: bytes of each frame that it writes.

    Yields:
        Each frame that it writes.

    Raises:
        SviError: it failed, or wrote half a frame.
    """
    env = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command, cwd=cwd, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
        )
        failed: queue.Queue[BaseException] = queue.Queue()
        sender = threading.Thread(target=_send, args=(process, content, failed), daemon=True)
        sender.start()
        pipe = process.stdout
        assert pipe is not None
        try:
            while frame := pipe.read(size):
                if len(frame) < size:
                    break
                yield frame
            sender.join()
            code = process.wait()
        finally:
            # Nobody wants the rest, or it has ended already.
            process.kill()
            process.wait()
            sender.join()
            pipe.close()
        if not failed.empty():
            raise failed.get()
        errors.seek(0)
        said = errors.read().decode("utf-8", "replace").strip().splitlines()
        if code or frame:
            raise SviError("between", f"{Path(command[0]).name}: {said[-1] if said else 'it gave no reason'}.")


def _send(process: subprocess.Popen[bytes], content: Iterable[bytes], failed: queue.Queue[BaseException]) -> None:
    assert process.stdin is not None
    try:
        for piece in content:
            process.stdin.write(piece)
    except OSError:
        pass  # it says why on its error output
    except BaseException as error:  # noqa: BLE001  (told to whoever waits for the frames)
        failed.put(error)
    with contextlib.suppress(OSError):
        process.stdin.close()
