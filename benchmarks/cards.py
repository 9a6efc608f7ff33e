"""How much faster two cards are than one, and whether no card is ever used twice at a time.

    python benchmarks/cards.py [--cards 0,1] [--seconds 20] [--scenes 4] [--clips 3] [--held] [--dry]

Runs `svi-install render --cards` as a person does, with a stand-in for WanGP whose clips do real work on the card: a
fixed number of matrix products with torch, as many as take --seconds on the first card. What they come to is in the
picture, so that a card which computes anything else makes another film. Each clip notes the card's own number (UUID),
when it began and ended, and which other processes the driver saw on that card meanwhile; a lock for each card refuses a
second clip at once. The film is made on the first card alone, on those of --cards, and with --cards all.

--held: once more, with clips a tenth as long, while another process holds the memory of the last card, and with a card
that is not there.
--dry: clips wait instead of working on a card. For a look at this program only.
The Python that runs this needs torch (with CUDA) and svi-install with its extra farm.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from svi_install.runtime import png  # noqa: E402
from tests.storyboard import standin  # noqa: E402

# In the folder of the stand-in, and put before its clips.
WORK = '''
import fcntl, hashlib, json, os, subprocess, time
from pathlib import Path

HERE = Path(__file__).resolve().parent
SIDE, MODEL = 8192, 4 * 2**30

def others(uuid):
    """Processes of others on a card, as the driver tells; None where it does not list this one."""
    query = ["nvidia-smi", "--query-compute-apps=gpu_uuid,pid", "--format=csv,noheader"]
    answer = subprocess.run(query, capture_output=True, text=True).stdout
    found = [int(line.split(",")[1]) for line in answer.splitlines() if line.split(",")[0].strip() == uuid]
    return [each for each in found if each != os.getpid()] if os.getpid() in found else None

def products(count):
    import torch
    torch.manual_seed(1)
    # As large as a small model, so that a card that is full already refuses it.
    model = torch.empty(MODEL, device="cuda", dtype=torch.uint8)
    grown, turned = (torch.randn(SIDE, SIDE, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    turned /= SIDE**0.5
    for _ in range(count):
        grown = torch.tanh(grown @ turned)
    torch.cuda.synchronize()
    return hashlib.sha256(grown.cpu().view(torch.uint8).numpy().tobytes()).hexdigest()

def card():
    import torch
    return "GPU-" + str(torch.cuda.get_device_properties(0).uuid).removeprefix("GPU-")

def work():
    wanted = json.loads((HERE / "work.json").read_text())
    began = time.time()
    dry = wanted["dry"]
    uuid = "dry " + os.environ.get("CUDA_VISIBLE_DEVICES", "") if dry else card()
    with (HERE / f"{uuid}.lock").open("w") as lock:
        # Whoever has it works on this card at this moment.
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if dry:
            time.sleep(wanted["seconds"])
            came, beside = "dry", []
        else:
            half = wanted["count"] // 2
            came, beside = products(half), others(uuid)
            came += products(wanted["count"] - half)
    with (HERE / "worked.jsonl").open("a") as log:
        line = {"card": uuid, "pid": os.getpid(), "began": began, "ended": time.time(), "others": beside}
        log.write(json.dumps(line) + "\\n")
    return hashlib.sha256(came.encode()).hexdigest()
'''
CLIP = """
_pictures = make

def make(task, step):
    import work
    _pictures({**task, "prompt": f"{task['prompt']} {work.work()}"}, step)
"""
CALIBRATE = """
import sys, time
sys.path.insert(0, sys.argv[1])
import work
work.products(200)
began = time.time()
work.products(1000)
print((time.time() - began) / 1000)
"""
HOLD = """
import sys, time
import torch
free = torch.cuda.mem_get_info()[0]
kept = [torch.empty(free - 2 * 2**30, dtype=torch.uint8, device="cuda")]
print("held", flush=True)
sys.stdin.read()
"""


class Run(NamedTuple):
    """What came of one film: its hash, seconds of the command, and what each clip noted."""

    film: str
    seconds: float
    clips: list[dict[str, Any]]
    said: str

    @property
    def span(self) -> float:
        """Seconds from the first clip's beginning to the last one's end."""
        return float(max(each["ended"] for each in self.clips) - min(each["began"] for each in self.clips))


class Place:
    """A stand-in whose clips do work, a story, and the folder of its films."""

    def __init__(self, folder: Path, asked: argparse.Namespace) -> None:
        self.folder, self.root = folder, standin.make(folder / "WanGP")
        (self.root / "work.py").write_text(WORK)
        with (self.root / "clip.py").open("a") as file:
            file.write(CLIP)
        count = 0 if asked.dry else round(asked.seconds / self.product(asked.cards[0]))
        self.wanted = {"dry": asked.dry, "seconds": asked.seconds, "count": count}
        self.shorter(1)
        png.write(folder / "start.png", png.Picture(64, 32, bytes(64 * 32 * 3)))
        shots = "".join(
            f"- {{prompt: scene {scene} clip {clip}, new_shot: {str(not clip).lower()}}}\n"
            for scene in range(asked.scenes)
            for clip in range(asked.clips)
        )
        settings = "settings: {activated_loras: [], loras_multipliers: ''}"
        head = f"image: start.png\ndefaults: {{resolution: 64x32, clip_frames: 9, steps: 2, variant: shot, {settings}}}"
        (folder / "story.yaml").write_text(f"{head}\nshots:\n{shots}")
        if count:
            print(f"A clip is {count} products of matrices of 8192 x 8192 in bfloat16.")

    def shorter(self, share: int) -> None:
        """Let a clip be that part of what was asked for."""
        seconds, count = self.wanted["seconds"] / share, self.wanted["count"] // share
        (self.root / "work.json").write_text(json.dumps({**self.wanted, "seconds": seconds, "count": count}))

    def product(self, card: int) -> float:
        """Seconds of one product on a card."""
        command = [sys.executable, "-c", CALIBRATE, str(self.root)]
        return float(subprocess.run(command, env=seeing(card), check=True, capture_output=True, text=True).stdout)

    def render(self, name: str, *how: str) -> Run:
        """Make the film once."""
        (self.root / "worked.jsonl").unlink(missing_ok=True)
        target = self.folder / name / "film.mp4"
        target.parent.mkdir()
        command = [sys.executable, "-m", "svi_install", "render", "story.yaml", "-o", str(target), "--wangp", "WanGP"]
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))}
        began = time.monotonic()
        done = subprocess.run([*command, *how], cwd=self.folder, env=env, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - began
        said = done.stdout + done.stderr
        worked = self.root / "worked.jsonl"
        clips = [json.loads(line) for line in worked.read_text().splitlines()] if worked.exists() else []
        film = (
            hashlib.sha256(target.read_bytes()).hexdigest() if done.returncode == 0 else f"exit code {done.returncode}"
        )
        return Run(film, seconds, clips, said)


def seeing(card: int) -> dict[str, str]:
    """The environment of a process that sees one card."""
    return {**os.environ, "CUDA_VISIBLE_DEVICES": str(card), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}


@contextmanager
def held(card: int, *, dry: bool) -> Iterator[None]:
    """Take nearly all memory of a card."""
    command = [sys.executable, "-c", "print('held', flush=True); input()" if dry else HOLD]
    with subprocess.Popen(command, env=seeing(card), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield
        process.kill()


def twice(clips: Sequence[dict[str, Any]]) -> int:
    """How many clips of a card began before the one before them had ended."""
    count = 0
    for uuid in {each["card"] for each in clips}:
        own = sorted((each["began"], each["ended"]) for each in clips if each["card"] == uuid)
        count += sum(later[0] < earlier[1] for earlier, later in itertools.pairwise(own))
    return count


def watched(clips: Sequence[dict[str, Any]]) -> str:
    """In how many clips the driver saw another process on the card."""
    told = [each["others"] for each in clips if each["others"] is not None]
    return f"{sum(bool(each) for each in told)} of {len(told)}" if told else "not told"


def main() -> int:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cards", default="0,1", type=lambda text: [int(each) for each in text.split(",")])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--scenes", type=int, default=4)
    parser.add_argument("--clips", type=int, default=3)
    parser.add_argument("--held", action="store_true")
    parser.add_argument("--dry", action="store_true")
    asked = parser.parse_args()
    first, several = str(asked.cards[0]), ",".join(map(str, asked.cards))
    wrong = 0
    with tempfile.TemporaryDirectory() as name:
        place = Place(Path(name), asked)
        alone = None
        print(
            f"{'':>12}{'clips':>8}{'on cards':>10}{'seconds':>9}{'of clips':>10}{'speed-up':>10}{'of clips':>10}"
            f"{'card twice':>12}{'others there':>14}  film"
        )
        for cards in (first, several, *(() if asked.dry else ("all",))):
            run = place.render(f"on {cards}", "--cards", cards)
            if not run.clips:
                print(run.said)
                return 1
            alone = alone or run
            wrong += run.film != alone.film or twice(run.clips) > 0
            used = len({each["card"] for each in run.clips})
            print(
                f"{f'--cards {cards}':>12}{len(run.clips):>8}{used:>10}{run.seconds:>9.1f}{run.span:>10.1f}"
                f"{alone.seconds / run.seconds:>10.3f}{alone.span / run.span:>10.3f}"
                f"{twice(run.clips):>12}{watched(run.clips):>14}  {run.film[:16]}",
                flush=True,
            )
        assert alone is not None
        if asked.held:
            last = str(asked.cards[-1])
            place.shorter(10)
            with held(asked.cards[-1], dry=asked.dry):
                for cards in (several, last):
                    run = place.render(f"held {cards}", "--cards", cards)
                    print(f"\nThe memory of card {last} held by another process, --cards {cards}:\n{run.said}")
            print(f"\n--cards {first},57:\n{place.render('none', '--cards', f'{first},57').said}")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
