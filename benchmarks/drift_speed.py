"""What measuring a minute of 832x480 film costs: processor time beside that of decoding alone, and memory by length.

python benchmarks/drift_speed.py
python benchmarks/drift_speed.py once       the minute alone, one time
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import av  # noqa: E402
import drift_scenes  # noqa: E402
import numpy as np  # noqa: E402

FRAMES = 960


def main() -> int:
    """Measure in processes of their own, three times, and print the best."""
    if len(sys.argv) == 3:
        return one(sys.argv[1], Path(sys.argv[2]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "minute.mp4"
        drift_scenes.write(path, frames(FRAMES))
        long = Path(folder) / "five.mp4"
        once, processor = sys.argv[1:] == ["once"], {}
        if not once:
            drift_scenes.write(long, frames(5 * FRAMES))
        for name, film in (("decode", path), ("measure", path), *(() if once else (("measure", long),))):
            runs = [measured(name, film) for _ in range(3 if film is path and not once else 1)]
            (seconds, _, memory), wall = min(runs), min(run[1] for run in runs)
            processor.setdefault(name, seconds)
            length = f"{FRAMES * (1 if film is path else 5)} frames"
            print(f"{name:8} {length:12} {seconds:6.1f} s of processor, {wall:6.1f} s in all, {memory:5.0f} MB")
    print(f"measuring takes {processor['measure'] / processor['decode']:.1f} times the processor time of decoding")
    print(f"{os.cpu_count()} cores")
    return 0


def frames(count: int):
    """A film of a real size in which things move."""
    small = drift_scenes.scene(8, 160)
    big = np.repeat(np.repeat(small, 3, axis=1), 3, axis=2)[:, :480, :832]
    for number in range(count):
        yield big[number % len(big)]


def measured(name: str, path: Path) -> tuple[float, float, float]:
    """Run one of the two in a process of its own."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    said = subprocess.run([sys.executable, __file__, name, str(path)], capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, time.perf_counter() - start, float(said.stdout)


def one(name: str, path: Path) -> int:
    """Decode or measure, and print the memory in MB."""
    if name == "decode":
        with av.open(str(path)) as file:
            file.streams.video[0].thread_type = "AUTO"
            for _ in file.decode(video=0):
                pass
    else:
        from svi_install.drift.report import look

        look(path, clip_frames=81)
    print(peak())
    return 0


def peak() -> float:
    """The most memory that this process had, in MB; what the system counts for it begins with that of its parent."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
