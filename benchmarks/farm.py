"""How well many workers are used, and what a segment costs the scheduler and the person's computer.

    python benchmarks/farm.py [--workers 2,8,64] [--clips N] [--seconds T] [--kilobytes K]

Real Dask, its scheduler and its workers as threads of one process; in the place of WanGP they wait T seconds and answer
with files of K kilobytes. This process is the person's computer, whose memory is printed. Efficiency is the time that
workers spent on clips, of the time that they were there: what is missing is Dask, this program, and the disk of the
computer that collects. Each worker gets two scenes of the same length.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import multiprocessing
import resource
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from svi_install import __version__
from svi_install.runtime import png
from svi_install.runtime.segment import DONE, TAIL_NAME
from svi_install.storyboard.farm import cluster, filming, needs, parcel, work
from svi_install.storyboard.farm.crew import Crew
from svi_install.storyboard.film import film
from svi_install.storyboard.film.model_choice import ModelChoice
from svi_install.storyboard.script.story import Shot, Story
from svi_install.storyboard.script.variants import variant_of

VERSION = "12.60"


def story_of(scenes: int, clips: int, image: Path) -> Story:
    """A story of scenes of the same length."""
    shots = [Shot(f"scene {scene} clip {clip}", new_shot=clip == 0) for scene in range(scenes) for clip in range(clips)]
    return Story(image, tuple(shots), resolution="64x32", clip_frames=9)


def answers(seconds: float, kilobytes: int, image: Path) -> None:
    """Put waiting in the place of WanGP."""
    facts = {"frames": 9, "width": 64, "height": 32, "motion_frames": 1, "svi": {"variant": "shot"}}
    files = {
        "segment.mp4": bytes(kilobytes * 1024),
        DONE: json.dumps(facts).encode(),
        TAIL_NAME.format(1): image.read_bytes(),
    }
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}

    def make(order: parcel.Order, tell: work.Tell = lambda said: None) -> parcel.Outcome:
        time.sleep(seconds)
        return parcel.Outcome("simulated", facts, dict(files), hashes, seconds)

    work.make = make
    work.introduce = lambda: {
        "program": __version__, "runtime": work.runtime_digest(), "name": "", "card": "", "why": "",
        "wangp": VERSION,
    }  # fmt: skip


def serve(workers: int, seconds: float, kilobytes: int, image: Path, line: Connection) -> None:
    """Be the scheduler and all workers until somebody says a word, then tell the processor seconds of all that."""
    import dask
    from distributed import LocalCluster

    answers(seconds, kilobytes, image)
    # All workers are in this process, and each would look at it a hundred times a second.
    dask.config.set({"distributed.worker.profile.enabled": False, "distributed.admin.system-monitor.interval": "30s"})
    resources = {cluster.RESOURCE: 1, work.kind(VERSION): 1}
    with LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=False,
        dashboard_address=None,
        host="127.0.0.1",
        protocol="tcp",
        resources=resources,
        memory_limit=0,
    ) as local:
        line.send(local.scheduler_address)
        line.recv()
        line.send(time.process_time())


@contextlib.contextmanager
def room(*arguments: object) -> Iterator[tuple[str, Connection]]:
    """Start `serve` in a process of its own; gives the scheduler's address and the line to it."""
    spawning = multiprocessing.get_context("spawn")
    ours, theirs = spawning.Pipe()
    process = spawning.Process(target=serve, args=(*arguments, theirs))
    process.start()
    theirs.close()
    try:
        yield str(ours.recv()), ours
    finally:
        process.join(30)
        process.kill()


def peak() -> float:
    """Return the peak memory of this process in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(workers: int, clips: int, seconds: float, kilobytes: int, folder: Path) -> None:
    """Print one line."""
    from distributed import Client

    image = folder / "start.png"
    planned = film.plan(story_of(2 * workers, clips, image), variant_of("shot"), folder / f"{workers}" / "film.mp4")
    planned.store.root.mkdir(parents=True)
    ours = SimpleNamespace(version=VERSION, root=folder)
    marks: list[float] = []
    spent = time.process_time()
    with room(workers, seconds, kilobytes, image) as (address, line):
        with Client(address, set_as_default=False) as client:
            crew = Crew(client, ours, print)
            client.wait_for_workers(workers)
            crew.look()
            began = time.monotonic()
            made = filming.make(
                planned,
                crew,
                ModelChoice(None, None, 4.0, (), ()),
                Path("ffmpeg"),
                lambda progress: marks.append(peak()) if progress.finished else None,
            )
            took = time.monotonic() - began
        spent = time.process_time() - spent
        line.send("end")
        theirs = float(line.recv())
    share = len(made) * seconds / (workers * took)
    print(
        f"{workers:>8}{len(made):>10}{took:>10.1f}{share:>12.3f}{1000 * theirs / len(made):>12.1f}"
        f"{1000 * spent / len(made):>10.1f}{marks[len(marks) // 4]:>12.0f}{marks[-1]:>8.0f}",
        flush=True,
    )


def main() -> int:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", default="2,8,64")
    parser.add_argument("--clips", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--kilobytes", type=int, default=100)
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    needs.check()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        png.write(folder / "start.png", png.Picture(64, 32, bytes(64 * 32 * 3)))
        print(
            f"{'workers':>8}{'segments':>10}{'seconds':>10}{'efficiency':>12}{'ms, farm':>12}{'here':>10}"
            f"{'MiB at 1/4':>12}{'end':>8}"
        )
        for workers in map(int, chosen.workers.split(",")):
            measure(workers, chosen.clips, chosen.seconds, chosen.kilobytes, folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
