"""The parts of a farm, one by one: what a worker does, what travels, whom it is trusted to."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from svi_install.errors import EXIT_USAGE, SviError
from svi_install.runtime.segment import Segment
from svi_install.storyboard.archive.store import Store
from svi_install.storyboard.farm import cluster, filming, parcel, scratch, work
from svi_install.storyboard.farm.crew import Crew
from svi_install.storyboard.film import film
from svi_install.storyboard.headless import estimate
from tests.documented import ROOT
from tests.trees import posix

from . import standin
from .test_farm import CHOICE, Place, Stories, place, scenes

__all__ = ["place"]
pytestmark = posix


@pytest.fixture
def worker(place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """This process as a worker."""
    for name, value in cluster.environment(place.wangp, tmp_path / "worker", "here").items():
        monkeypatch.setenv(name, value)
    yield tmp_path / "worker"
    work.end()


def order(planned: film.Film, number: int, **further: Any) -> parcel.Order:
    clip = planned.lacking()[number]
    pictures = {path: ("a.png", Path(path).read_bytes()) for path in planned.images}
    return parcel.Order(clip, planned.variant, pictures, {}, **further)


def test_what_was_made_is_not_made_again_unless_it_changed(place: Place, story: Stories, worker: Path) -> None:
    planned = place.prepare(scenes(story, 2, 1), "work")
    said: list[Any] = []
    first = work.make(order(planned, 0), said.append)
    assert first.error is None
    assert [each.get("step") for each in said] == [None, 1, 2, 3]
    assert work.make(order(planned, 0)) == first
    assert len(standin.asked(place.root)) == 1
    folder = Store(worker).folder(work.address(order(planned, 0), place.wangp.version))
    (folder / "segment.mp4").write_bytes(b"x")
    repaired = work.make(order(planned, 0))
    assert (repaired.files, repaired.hashes) == (first.files, first.hashes)
    assert len(standin.asked(place.root)) == 2


def test_workers_that_share_a_folder_make_a_clip_once(
    place: Place, story: Stories, worker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned, shared = place.prepare(scenes(story, 2, 1), "shared"), tmp_path / "shärd"
    monkeypatch.setenv(work.SHARED, str(shared))
    first = work.make(order(planned, 0))
    monkeypatch.setenv(work.FOLDER, str(tmp_path / "other"))
    assert work.make(order(planned, 0)) == first
    assert len(standin.asked(place.root)) == 1
    # What was damaged there is made again, and what another one threw away.
    kept = Store(shared).folder(work.address(order(planned, 0), place.wangp.version))
    (kept / "segment.mp4").write_bytes(b"x")
    assert work.make(order(planned, 0)).files == first.files
    assert work.make(order(planned, 0)).files == first.files
    assert len(standin.asked(place.root)) == 2
    assert [path.name for path in kept.parent.iterdir()] == [kept.name], "nothing half done is left"
    # A file where the folder belongs costs the others the clip, and nobody the film.
    monkeypatch.setenv(work.SHARED, str(place.root / "wgp.py"))
    assert work.make(order(planned, 1)).error is None


def test_a_clip_is_only_handed_on_where_it_would_be_the_same(place: Place, story: Stories) -> None:
    planned = place.prepare(scenes(story, 2, 1), "same")
    first = work.address(order(planned, 0), "12.60")
    others = [
        work.address(order(planned, 0), "12.59"),
        work.address(order(planned, 1), "12.60"),
        work.address(order(planned, 0, model="i2v_Q4_K_M"), "12.60"),
        work.address(order(planned, 0, options=("--profile", "5")), "12.60"),
    ]
    assert len({first, *others}) == 5
    assert work.address(order(planned, 0), "12.60") == first


def test_only_the_newest_clips_stay_on_a_worker(
    place: Place, story: Stories, worker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "KEPT", 2)
    planned = place.prepare(scenes(story, 3, 1), "kept")
    # The first one is asked for once more before the third is made.
    for number in (0, 1, 0, 2):
        assert work.make(order(planned, number)).error is None
    kept = {Store(worker).folder(work.address(order(planned, number), place.wangp.version)) for number in (0, 2)}
    assert set((worker / "segments").iterdir()) == kept


def test_a_shared_folder_that_is_none_is_refused_before_anything_starts(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "fïle"
    file.write_text("a person's", "utf-8")
    command = [sys.executable, "-m", "svi_install", "worker", str(place.root), "--scheduler", "tcp://127.0.0.1:9"]
    done = subprocess.run(
        [*command, "--shared", file.name],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert str(file) in done.stderr
    assert "Traceback" not in done.stderr
    assert file.read_text("utf-8") == "a person's"


def test_what_travels_is_all_that_the_runtime_asks_for(
    place: Place, story: Stories, worker: Path, tmp_path: Path
) -> None:
    planned = place.prepare(scenes(story, 1, 2), "tail")
    assert work.make(order(planned, 0)).error is None
    before, out = tmp_path / "before", tmp_path / "out"
    before.mkdir()
    out.mkdir()
    made = Store(worker).folder(work.address(order(planned, 0), place.wangp.version))
    parcel.unpack(parcel.tail(made), before)
    Segment(before, out).check(planned.variant.motion_frames)


def test_what_goes_wrong_on_a_worker_arrives_in_words(
    place: Place, story: Stories, worker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = place.prepare(story("fail_for_a_reason"), "fails")
    told = work.make(order(failing, 0))
    assert told.error is not None
    assert "fail for a reason" in told.error[1]
    silent = place.prepare(story("silent"), "silent")
    assert (work.make(order(silent, 0)).error or ("",))[0] == "svi-off"
    full = place.prepare(story("fine"), "full")

    def no_room(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device", str(self))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", no_room)
        said = work.make(order(full, 0)).error
    assert said is not None
    assert "no space" in said[1].lower() or "full" in said[1].lower()
    monkeypatch.setattr(work, "_wangp", lambda: 1 / 0)
    assert "ZeroDivisionError" in (work.make(order(full, 0)).error or ("", ""))[1]


def test_a_clip_that_one_worker_cannot_make_goes_to_another(place: Place, story: Stories) -> None:
    planned = place.prepare(scenes(story, 1, 1), "retried")
    clip = planned.lacking()[0]
    crew = Crew(None, place.wangp, place.said.append)  # type: ignore[arg-type]
    crew.fit = {"a": "A", "b": "B"}
    part = filming.Part(planned, CHOICE, place.program, lambda progress: None)
    row = filming._Row([part], crew)
    row._again(part, clip, "A", ("disk", "The disk is full. Finished segments are kept.\nIt said:\n  more", ""))
    assert [key for *_, key in row.ready] == [clip.key]
    assert place.said == ["  segment 1 failed on A: The disk is full. It goes to another one."]
    with pytest.raises(SviError, match=r"On B: The disk is full\."):
        row._again(part, clip, "B", ("disk", "The disk is full.", ""))
    fresh = filming.Part(planned, CHOICE, place.program, lambda progress: None)
    with pytest.raises(SviError, match="On A: lost"):
        filming._Row([fresh], crew)._again(fresh, clip, "A", ("input-lost", "lost", ""))


def test_a_worker_that_fails_where_others_do_not_gets_no_more(place: Place) -> None:
    crew = Crew(None, place.wangp, place.said.append)  # type: ignore[arg-type]
    crew.fit = {"a": "A", "b": "B", "c": "C"}
    assert crew.places(()) is None
    assert crew.places(("A",)) == {"b", "c"}
    crew.made("B", ["A"])
    crew.made("A", [])
    crew.made("B", ["A", "a worker"])
    assert (crew.places(()), place.said) == (None, [])
    crew.made("C", ["A"])
    assert (crew.places(()), crew.places(("B",))) == ({"b", "c"}, {"c"})
    assert place.said == ["  A is left out from here on: 2 clips failed there that others could make."]


def test_patience_is_longer_than_any_step() -> None:
    steps = [2 * estimate.work(1280, 720, 81) / speed.effective for speed in estimate.speeds()]
    assert 2 * max(steps) < cluster.MOST_SILENT


def test_the_longest_way_goes_first(place: Place, story: Stories) -> None:
    shots = (*scenes(story, 1, 1).shots, *scenes(story, 1, 3, word="long").shots)
    planned = place.prepare(story(shots=shots, takes=2), "ways")
    lacking = {clip.key: clip for clip in planned.lacking()}
    ways = filming._ways(lacking)
    assert [ways[clip.key] for clip in lacking.values()] == [1, 1, 3, 1, 2, 1, 1, 1]


def test_only_what_was_sent_is_kept(tmp_path: Path) -> None:
    for files, hashes in (
        ({"../a": b"x"}, None),
        ({"a": b"x"}, {"a": "0" * 64}),
        ({"a": b"x"}, {}),
    ):
        with pytest.raises(SviError, match="did not arrive as it was sent"):
            parcel.unpack(files, tmp_path, hashes)
    assert list(tmp_path.iterdir()) == []


def test_folders_of_killed_runs_are_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    code = (
        "import os, signal, sys; sys.path.insert(0, sys.argv[1]);"
        "from svi_install.storyboard.farm import scratch; held = scratch.folder(); place = held.__enter__();"
        "(place / 'card-0').mkdir(); (place / 'card-0' / 'clip').touch(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, str(ROOT)], env={**os.environ, "TMPDIR": str(tmp_path)}, check=False)
    left = next(tmp_path.glob("svi-farm-*"))
    other = tmp_path / "svi-farm-of-somebody"
    other.mkdir()
    (other / scratch.OWNER).write_text('{"host": "another computer", "pid": 999999, "started": "1"}')
    link = tmp_path / "svi-farm-link"
    link.symlink_to(other)
    (tmp_path / "svi-farm-file").touch()
    with scratch.folder() as place:
        assert not left.exists()
        scratch.sweep()
        assert place.is_dir(), "its owner lives"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["svi-farm-file", "svi-farm-link", other.name]


@pytest.mark.parametrize(
    ("address", "keys", "said"),
    [
        ("studio", cluster.Keys(), "is not the address of a Dask scheduler"),
        ("tcp://studio:99999999", cluster.Keys(), "is not the address"),
        ("http://studio:1", cluster.Keys(), "is not the address"),
        ("tcp://studio:8786", cluster.Keys(), "leads over a network"),
        ("tls://studio:8786", cluster.Keys(ca=Path("a")), "all three are needed"),
        ("tls://studio:8786", cluster.Keys(Path("no"), Path("no"), Path("no")), "There is no file no"),
    ],
)
def test_addresses_and_keys(address: str, keys: cluster.Keys, said: str) -> None:
    with pytest.raises(SviError, match=said) as refused:
        cluster.security(address, keys)
    assert refused.value.exit_code == EXIT_USAGE
    assert cluster.security("tcp://studio:8786", cluster.Keys(insecure=True)) is None
    assert cluster.security("tcp://127.0.0.1:8786", cluster.Keys()) is None
