"""The table by which `render --lint` says how long a film takes: seconds for a clip, by card and profile.

    python benchmarks/clip_times.py [--size WxH] [--frames N] [GPU_COST.json ...]

A clip is what the transformer computes for it, from its layer sizes, divided by what a card's data sheet says it can
compute and by the share of it that a clip gets; the rest, nearly all of it the VAE's, was measured on an H200 and goes
in the same proportion. `svi_install/storyboard/headless/clip_times.json` holds each of these figures with its source.

Below the table stands what was measured beside what the table says, and behind it what any further file says that
`python benchmarks/gpu_cost.py WANGP --json FILE` has written on a card.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from svi_install.report.film_progress import span
from svi_install.storyboard.headless import estimate
from svi_install.storyboard.headless.hardware import Card
from svi_install.storyboard.script.variants import variant_of

VARIANTS = ("shot-fast", "2.0-fast", "wan22-fast", "SVI-2.0 FusioniX - 10 Steps", "shot", "wan22")
KINDS = ("clips", "short")


def show(size: str, frames: int) -> None:
    """Prints the table."""
    width, height = map(int, size.split("x"))
    print(
        f"{size}, {frames} frames; a pass of the transformer computes {estimate.work(width, height, frames):.0f} TFLOP"
    )
    print(f"{'card':<14}{'TFLOPS':>7}{'share':>7}  {'basis':<10}" + "".join(f"{name[:16]:>18}" for name in VARIANTS))
    for speed in sorted(estimate.speeds(), key=lambda each: -each.effective):
        row = []
        for name in VARIANTS:
            task = {**variant_of(name).settings, "resolution": size, "video_length": frames}
            cost = estimate.clip(task, Card(speed.name, 0, 8.0))
            row.append("" if cost is None else span(cost.seconds))
        head = f"{speed.name:<14}{speed.tflops:>7.0f}{speed.share.share:>7.2f}  {speed.share.basis:<10}"
        print(head + "".join(f"{text:>18}" for text in row))


def point_of(numbers: Mapping[str, Any]) -> dict[str, Any]:
    """What `benchmarks/gpu_cost.py` has written, as the table holds it.

    Clips of one step tell what a step takes: all that a longer clip takes more.
    """
    setting, sides = numbers["setting"], [side for side in numbers["sides"] if side["short"]]
    long, short = (statistics.median(clip["seconds"] for side in sides for clip in side[key]) for key in KINDS)
    point = {name: setting[name] for name in ("card", "size", "frames", "steps", "guidance")}
    more = estimate.passes(task_of(point)) - estimate.passes({**task_of(point), "num_inference_steps": 1})
    return {**point, "pass": (long - short) / more, "seconds": long}


def task_of(point: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a clip that was measured."""
    task = {"resolution": point["size"], "video_length": point["frames"]}
    return {**task, "num_inference_steps": point["steps"], "guidance_scale": point["guidance"]}


def compare(points: Iterable[Mapping[str, Any]]) -> None:
    """Prints what was measured beside what the table says."""
    heads = f"{'a pass: measured, table':>32}{'a clip':>24}"
    print(f"\n{'measured':<14}{'size':>9}{'frames':>8}{'passes':>8}{'share':>7}{heads}")
    for point in points:
        task, card = task_of(point), Card(point["card"], 0, 8.0)
        speed, cost = estimate.speed_of(card), estimate.clip(task, card)
        if speed is None or cost is None:
            raise SystemExit(f"the table does not know {point['card']}")
        work = estimate.work(*map(int, point["size"].split("x")), point["frames"])
        print(
            f"{speed.name:<14}{point['size']:>9}{point['frames']:>8}{estimate.passes(task):>8.0f}"
            f"{work / point['pass'] / speed.tflops:>7.2f}"
            f"{beside(point['pass'], work / speed.effective):>32}{beside(point['seconds'], cost.seconds):>24}"
        )


def beside(measured: float, said: float) -> str:
    """Two times, and how far the second is off."""
    return f"{measured:.2f} s {said:.2f} s {100 * said / measured - 100:+.0f} %"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("measured", nargs="*", type=Path, help="what gpu_cost.py has written")
    parser.add_argument("--size", default="832x480")
    parser.add_argument("--frames", type=int, default=81)
    options = parser.parse_args()
    show(options.size, options.frames)
    files = [json.loads(path.read_text("utf-8")) for path in options.measured]
    compare([*estimate.table()["measured"], *map(point_of, files)])


if __name__ == "__main__":
    main()
