"""Films on many workers: real Dask, its scheduler and workers as processes, and the stand-in for WanGP."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from svi_install.errors import SviError
from svi_install.storyboard.farm import cluster, filming
from svi_install.storyboard.farm.crew import Crew
from svi_install.storyboard.film import film
from svi_install.storyboard.film.model_choice import ModelChoice
from svi_install.storyboard.headless import wangp
from svi_install.storyboard.script.story import Shot, Story
from svi_install.storyboard.script.variants import variant_of
from tests.documented import ROOT
from tests.every import ALL
from tests.trees import posix

from . import standin
from .conftest import SIZE

pytestmark = posix
CHOICE = ModelChoice(None, None, 4.0, (), ())
# Kills in one test; SVI_TEST_ALL=1 makes as many as the issue of this part asked for.
KILLS = 20 if ALL else 2
LONG = pytest.mark.skipif(not ALL, reason="half a minute: runs with SVI_TEST_ALL=1")
Stories = Callable[..., Story]


def scenes(story: Stories, number: int = 4, clips: int = 3, word: str = "") -> Story:
    """Scenes of several clips each; what the stand-in shows follows from all that it was given."""
    shots = [
        Shot(f"{word} scene {scene} clip {clip}", new_shot=clip == 0)
        for scene in range(number)
        for clip in range(clips)
    ]
    return story(shots=tuple(shots))


class Place:
    """A stand-in for WanGP and the folders of films."""

    def __init__(self, folder: Path, program: Path) -> None:
        self.folder, self.program = folder, program
        self.root = standin.make(folder / "WanGP", "api")
        self.wangp = wangp.find(self.root)
        self.said: list[str] = []

    def plan(self, story: Story, name: str) -> film.Film:
        return film.plan(story, variant_of(story.variant), self.folder / name / "film.mp4")

    def prepare(self, story: Story, name: str) -> film.Film:
        planned = self.plan(story, name)
        planned.store.root.mkdir(parents=True, exist_ok=True)
        return planned

    def farm(self, planned: film.Film, wish: cluster.Wish, **arguments: Any) -> tuple[film.Clip, ...]:
        part = filming.Part(planned, CHOICE, self.program, **{"report": lambda progress: None, **arguments})
        return filming.alone(part, wish, self.wangp, self.said.append)

    def bits(self, planned: film.Film) -> bytes:
        joined = planned.store.root / "joined.mp4"
        film.join(planned, self.program, joined)
        return joined.read_bytes()


@pytest.fixture
def place(tmp_path: Path, ffmpeg_program: Path) -> Place:
    return Place(tmp_path, ffmpeg_program)


@pytest.fixture
def alone(place: Place, story: Stories) -> Callable[[Story], bytes]:
    """The film as one WanGP makes it."""

    def make(wanted: Story) -> bytes:
        from svi_install.storyboard.film import making
        from svi_install.storyboard.headless import runner

        planned = place.prepare(wanted, "alone")
        making.make(
            planned, runner.Job(place.wangp, planned.store.root / "wangp"), place.program, lambda progress: None
        )
        return place.bits(planned)

    return make


def ours(folder: Path) -> list[int]:
    """The processes that were started for this folder."""
    found = subprocess.run(["pgrep", "-f", str(folder)], capture_output=True, text=True, check=False)
    return [int(line) for line in found.stdout.split() if int(line) != os.getpid()]


def gone(folder: Path) -> bool:
    until = time.monotonic() + 60
    while ours(folder) and time.monotonic() < until:
        time.sleep(0.2)
    return not ours(folder)


def test_two_cards_make_the_film_of_one(place: Place, story: Stories, alone: Callable[[Story], bytes]) -> None:
    wanted = scenes(story)
    whole = alone(wanted)
    planned = place.prepare(wanted, "two")
    told: list[film.Progress] = []
    after: list[str] = []
    made = place.farm(
        planned, cluster.Wish(cards=(0, 1)), report=told.append, after=lambda clip: after.append(clip.key)
    )
    assert place.bits(planned) == whole
    assert sorted(clip.segment.number for clip in made) == list(range(1, 13))
    assert after == [clip.key for clip in made]
    assert {each.worker for each in told} == {each.worker for each in told if each.finished} == {"card 0", "card 1"}
    assert told[-1].left == 0
    # Each worker has loaded one WanGP and kept it.
    assert (place.root / "options").exists()
    assert place.farm(place.plan(wanted, "two"), cluster.Wish(cards=(0,))) == (), "nothing is lacking any more"
    assert gone(place.root), "no WanGP is left behind"


def test_takes_and_what_the_last_run_has_left(place: Place, story: Stories, alone: Callable[[Story], bytes]) -> None:
    wanted = scenes(story, 1, 2)
    whole = alone(wanted)
    planned = place.prepare(story(shots=wanted.shots, takes=2), "takes")
    assert len(place.farm(planned, cluster.Wish(cards=(0, 1)))) == 4
    assert place.bits(planned) == whole
    assert [planned.store.finished(clip.key) for each in planned.segments for clip in planned.clips(each)] == [True] * 4


def worker_of(driver: int) -> int | None:
    """The worker that has started a WanGP, None when it has gone and somebody else has inherited that."""
    try:
        parent = int(Path(f"/proc/{driver}/stat").read_text().rpartition(")")[2].split()[1])
        return parent if b"multiprocessing" in Path(f"/proc/{parent}/cmdline").read_bytes() else None
    except OSError:
        return None


def test_workers_that_are_killed_cost_one_clip_each(
    place: Place, story: Stories, alone: Callable[[Story], bytes]
) -> None:
    if not Path("/proc/self/stat").exists():
        pytest.skip("needs /proc")
    wanted = scenes(story, 4, KILLS // 4 + 1 if KILLS > 4 else 3, word="slow")
    count = len(wanted.shots)
    whole = alone(wanted)
    planned = place.prepare(wanted, "killed")
    chance, killed, kills = random.Random(7), [], []

    def kill() -> None:
        time.sleep(chance.random())
        workers = [victim for each in ours(place.root) if (victim := worker_of(each)) and victim not in killed]
        if workers and len(killed) < KILLS:
            killed.append(chance.choice(workers))
            with contextlib.suppress(ProcessLookupError):
                os.kill(killed[-1], signal.SIGKILL)

    def after(clip: film.Clip) -> None:
        kills.append(threading.Thread(target=kill))
        kills[-1].start()

    made = place.farm(planned, cluster.Wish(cards=(0, 1)), after=after)
    for each in kills:
        each.join()
    assert len(killed) == KILLS
    assert place.bits(planned) == whole
    assert len(made) == count, "none is kept twice"
    # What the worker had finished lies in the folder that all of them share, whether it had arrived or not.
    assert len(standin.asked(place.root)) - count <= count + len(killed), "a kill costs the clip that was being made"
    assert gone(place.root)


@pytest.mark.skipif(not ALL, reason="waits; test_runner has a WanGP that hangs")
def test_a_wangp_that_hangs_costs_one_clip(
    place: Place, story: Stories, alone: Callable[[Story], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = scenes(story, 1, 2, word="hang")
    (place.root / "hung").touch()
    whole = alone(wanted)
    (place.root / "hung").unlink()
    # Longer than a start of the stand-in and of its Python takes where others are at work too.
    monkeypatch.setattr(cluster, "MOST_SILENT", 20.0)
    planned = place.prepare(wanted, "hangs")
    place.farm(planned, cluster.Wish(cards=(0, 1)))
    assert place.bits(planned) == whole
    lines = [line for line in place.said if line.startswith("  segment")]
    assert lines
    assert re.fullmatch(
        r"  segment 1 failed on card [01]: WanGP has said nothing for 20 seconds.*another one\.", lines[0]
    )
    assert gone(place.root), "the one that hung is ended"


class Where(Protocol):
    """What a cluster has to know."""

    @property
    def folder(self) -> Path: ...

    @property
    def root(self) -> Path: ...


class Cluster:
    """A scheduler and workers, as people start them."""

    def __init__(self, place: Where) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.place, self.address = place, f"tcp://127.0.0.1:{self.port}"
        self.started: list[subprocess.Popen[bytes]] = []
        self.scheduler = self.schedule()

    def schedule(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--no-dashboard"]
        self.scheduler = self.start([*command, "--port", str(self.port)])
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with socket.socket() as door:
                if door.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self.scheduler
            time.sleep(0.1)
        raise AssertionError("no scheduler")

    def work(self, name: str, *more: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "svi_install", "worker", str(self.place.root), "--scheduler", self.address]
        return self.start([*command, "--name", name, "--folder", str(self.place.folder / name), *more])

    def start(self, command: list[str]) -> subprocess.Popen[bytes]:
        paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        env = {**os.environ, "PYTHONPATH": paths}
        with (self.place.folder / f"log-{len(self.started)}").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=env)
        self.started.append(process)
        return process

    def said(self, number: int) -> str:
        return (self.place.folder / f"log-{number}").read_text()

    def close(self) -> None:
        for process in self.started:
            process.send_signal(signal.SIGINT)
        for process in self.started:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture
def running(place: Place) -> Iterator[Cluster]:
    found = Cluster(place)
    yield found
    found.close()


@LONG
def test_a_cluster_whose_scheduler_and_client_go_away(
    place: Place, story: Stories, running: Cluster, alone: Callable[[Story], bytes]
) -> None:
    wanted = scenes(story, 2, 3, word="slow")
    whole = alone(wanted)
    wish = cluster.Wish(address=running.address)
    running.work("Zoë")
    planned = place.prepare(wanted, "cluster")

    def kill(clip: film.Clip) -> None:
        running.scheduler.kill()

    with pytest.raises(SviError, match="does not answer") as refused:
        place.farm(planned, wish, after=kill)
    assert "svi-install worker" in refused.value.hint
    kept = [segment.number for segment in planned.segments if planned.finished(segment)]
    assert len(kept) == 1
    running.scheduler.wait()
    running.schedule()
    # The worker comes back by itself; then whoever asked is killed in the middle of a clip.
    code = (
        "import sys; from pathlib import Path; from tests.storyboard.test_farm import again;"
        "again(*map(Path, sys.argv[1:3]), *sys.argv[3:])"
    )
    story_file = place.folder / "story.yaml"
    lines = "".join(f"- {{prompt: '{shot.prompt}', new_shot: {str(shot.new_shot).lower()}}}\n" for shot in wanted.shots)
    head = f"image: start.png\ndefaults: {{resolution: {SIZE}, clip_frames: 9, steps: 3, variant: shot, settings: "
    story_file.write_text(f"{head}{{activated_loras: [], loras_multipliers: ''}}}}\nshots:\n{lines}")
    command = [sys.executable, "-c", code, str(place.root), str(story_file), running.address]
    client = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    again_film = place.folder / "story-film.svi"
    until = time.monotonic() + 90
    while not list(again_film.glob("segments/*/done.json")) and time.monotonic() < until:
        time.sleep(0.1)
    client.kill()
    client.wait()
    before = len(list(again_film.glob("segments/*/done.json")))
    assert 1 <= before < 6
    asked = len(standin.asked(place.root))
    made = place.farm(planned, wish)
    assert len(made) == 5
    assert place.bits(planned) == whole
    # What the worker had made for the one who went away, it has not made again.
    assert len(standin.asked(place.root)) - asked <= 6 - before


def again(root: Path, story_file: Path, address: str) -> None:
    """What the killed client runs."""
    from svi_install.commands.render import render
    from svi_install.storyboard.film.model_choice import RenderOptions
    from svi_install.storyboard.film.request import Request

    render(root, Request(story_file), RenderOptions(), wish=cluster.Wish(address=address))


def test_workers_that_do_not_fit_are_named_and_left_out(place: Place, story: Stories, running: Cluster) -> None:
    other = Place(place.folder / "other", place.program)
    (other.root / "wgp.py").write_text((other.root / "wgp.py").read_text().replace("12.60", "12.59"))
    place.root, mine = other.root, place.root
    running.work("old")
    place.root = mine
    plain = [sys.executable, "-m", "distributed.cli.dask_worker", running.address, "--no-nanny", "--name", "plain"]
    running.start([*plain, "--resources", "CARD=1", "--no-dashboard"])
    planned = place.prepare(scenes(story, 1, 1), "misfits")
    with cluster.opened(cluster.Wish(address=running.address), place.wangp) as client:
        client.wait_for_workers(2, timeout=90)
        crew = Crew(client, place.wangp, place.said.append)
        with pytest.raises(SviError, match="No worker that fits is there") as refused:
            filming.make(planned, crew, CHOICE, place.program, lambda progress: None, patience=0.5)
    assert "old" in refused.value.message
    assert any("old is left out: it has WanGP 12.59, and this computer 12.60" in line for line in place.said)
    assert any("plain is left out" in line for line in place.said)


@LONG
def test_a_worker_whose_disk_is_full_is_named_and_costs_nothing(
    place: Place, story: Stories, running: Cluster, alone: Callable[[Story], bytes]
) -> None:
    # A WanGP that waits at each step leaves the other one time to fail.
    wanted = scenes(story, 5, 2, word="slow")
    whole = alone(wanted)
    disk = place.folder / "small disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=48k", "tmpfs", str(disk)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no small disk can be mounted here")
    try:
        running.work("small disk")
        running.work("large disk")
        planned = place.prepare(wanted, "disks")
        with cluster.opened(cluster.Wish(address=running.address), place.wangp) as client:
            client.wait_for_workers(2, timeout=90)
            made = filming.make(planned, Crew(client, place.wangp, place.said.append), CHOICE, place.program, print)
        assert len(made) == 10
        assert place.bits(planned) == whole
        failed = [line for line in place.said if "failed on small disk: " in line]
        assert failed
        assert all("No space left" in line or "disk is full" in line for line in failed)
        assert "  small disk is left out from here on: 2 clips failed there that others could make." in place.said
    finally:
        running.close()
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_wangp_without_svi_is_no_worker(place: Place, running: Cluster) -> None:
    (place.root / "svi_wangp" / "run.py").unlink()
    worker = running.work("bare")
    assert worker.wait(60) == 1
    assert "SVI cannot run in the WanGP" in running.said(1)
