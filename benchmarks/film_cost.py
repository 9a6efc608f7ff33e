"""What a clip costs at the end of a film beside one at its beginning, in time and memory, by stand-in or WanGP.

    python benchmarks/film_cost.py [--segments 60] [--size 416x240] [--frames 33] [--wangp WANGP]

Prints, for the 5th and the last segment, processor time of svi-install with ffmpeg, and memory of svi-install and of
WanGP's process, each as the median of neighbouring segments, and the ratios. With --wangp it is a real WanGP that makes
the clips, without LoRAs.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import sys
import tempfile
import tracemalloc
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from svi_install.commands import render  # noqa: E402
from svi_install.runtime import png  # noqa: E402
from svi_install.storyboard.film.film import Progress  # noqa: E402
from svi_install.storyboard.film.model_choice import RenderOptions  # noqa: E402
from svi_install.storyboard.film.request import Request  # noqa: E402
from tests.storyboard import standin  # noqa: E402


def resident(process: int) -> float:
    """Memory of a process in MB."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def children() -> float:
    """Memory of the programs that this process has started and that are still at work, in MB."""
    listed = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return sum(resident(int(each)) for each in listed)


def processor() -> float:
    """Seconds of this process and of the programs that it has waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def main() -> None:
    """Render a film and print what its segments cost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--segments", type=int, default=60)
    parser.add_argument("--size", default="416x240")
    parser.add_argument("--frames", type=int, default=33)
    parser.add_argument("--wangp", type=Path)
    parser.add_argument("--where", action="store_true", help="say which lines hold what memory has grown")
    asked = parser.parse_args()
    costs: list[tuple[float, float, float]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = asked.wangp or standin.make(folder / "WanGP")
        png.write(folder / "start.png", png.Picture(64, 32, bytes(64 * 32 * 3)))
        last, early = processor(), None

        def report(progress: Progress) -> None:
            nonlocal last, early
            if progress.finished is None:
                return
            now = processor()
            costs.append((now - last, resident(os.getpid()), children()))
            last = now
            if asked.where and progress.segment == 5:
                tracemalloc.start(12)
                early = tracemalloc.take_snapshot()

        request = Request(
            folder / "start.png",
            " | ".join(f"she walks, {number}" for number in range(asked.segments)),
            folder / "film.mp4",
            steps=2,
            resolution=asked.size,
            clip_frames=asked.frames,
            settings=("activated_loras=[]", "loras_multipliers="),
        )
        render.render(root, request, RenderOptions(preview=True), report=report)
        if early is not None:
            for line in tracemalloc.take_snapshot().compare_to(early, "lineno")[:12]:
                print(line)
    names = ("processor time of a segment, s", "memory of svi-install, MB", "memory of WanGP, MB")
    for at, what in enumerate(names):
        first = statistics.median(cost[at] for cost in costs[2:7])
        end = statistics.median(cost[at] for cost in costs[-5:])
        print(f"{what:32} {first:8.3f} (5th) {end:8.3f} ({len(costs)}th)  ratio {end / first:.3f}")


if __name__ == "__main__":
    main()
