"""Films made inside WanGP: those of the terminal, byte for byte; stopped, gone on with; takes; errors in a line."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from svi_install.errors import SviError
from svi_install.plugin import filming, shelf, standing, wangp_queue
from svi_install.plugin.shelf import Asked
from svi_install.runtime import png
from svi_install.storyboard.archive import images
from svi_install.storyboard.film import making
from svi_install.storyboard.finish import delivery, finishing
from svi_install.storyboard.headless import runner
from svi_install.storyboard.headless.wangp import find

from ..loras.conftest import svi_file
from ..storyboard import standin
from .session import Scripted, Session, stops_at

TEXT = "one\ntwo\nthree"
Film = Callable[..., list[str]]


@pytest.fixture(scope="module")
def wangp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("ffmpeg") is None:
        pytest.skip("needs ffmpeg")
    root = standin.make(tmp_path_factory.mktemp("computer") / "WanGP")
    svi_file(root / "loras/wan_i2v/SVI_Wan2.1-I2V-14B_lora_v2.0.safetensors")
    return root


@pytest.fixture
def outputs(wangp: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(wangp)
    folder = tmp_path / "outputs"
    folder.mkdir()
    return folder


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    path = tmp_path / "start.png"
    png.write(path, png.Picture(64, 32, bytes(range(256)) * 24))
    return Asked(str(path), TEXT, "2.0", 0, 7, 9, 3, "64x32")


@pytest.fixture
def make(wangp: Path, outputs: Path, asked: Asked) -> Film:
    """Makes the film as the page does, and returns what it said."""

    def make(session: Session | None = None, target: Path = outputs / "film.mp4", **how: Any) -> list[str]:
        wanted = how.pop("asked", asked)

        def begun(planned: Any) -> None:
            shelf.keep(target, wanted, planned.images)

        story = shelf.story(wanted, target)
        seen = filming.make(session or Session(), wangp, story, target, begun=begun, **how)
        return [each.said for each in seen]

    return make


def keys(film: Path) -> list[str]:
    planned = filming.plan(shelf.begun(film), film)
    return [planned.keys[segment.number] for segment in planned.segments]


def in_the_terminal(wangp: Path, asked: Asked, target: Path) -> list[str]:
    """Makes a film as `render` does, returns the prompts of the clips that were made."""
    planned, program = filming.plan(shelf.story(asked, target), target), Path(str(shutil.which("ffmpeg")))
    place, outside = delivery.look(target, planned.store), find(wangp)
    planned.store.root.mkdir(exist_ok=True)
    job = runner.Job(outside, planned.store.root / runner.OUT)
    made = making.make(planned, job, program, lambda progress: None)
    finishing.finish(planned, place, program, outside, beginning=None, report=lambda done, total: None)
    return [clip.segment.prompt for clip in made]


def test_it_is_the_film_of_the_terminal(make: Film, wangp: Path, outputs: Path, asked: Asked, tmp_path: Path) -> None:
    said = make()
    assert said[-1] == f"The film is done: {outputs / 'film.mp4'}, 1.1 seconds."
    assert [each for each in said if "done." in each and "Segment" in each] == [
        f"Segment {number} of 3: done." for number in (1, 2, 3)
    ]
    assert in_the_terminal(wangp, asked, tmp_path / "film.mp4") == ["one", "two", "three"]
    assert (tmp_path / "film.mp4").read_bytes() == (outputs / "film.mp4").read_bytes()
    # Stopped here, it is gone on with there; and then nothing is left to make here.
    target = outputs / "again.mp4"
    said = make(stops_at("two"), target)
    assert said[-1] == "Stopped. 1 of 3 segments are finished and kept. Continue goes on with the next one."
    assert not target.exists()
    assert in_the_terminal(wangp, asked, target) == ["two", "three"]
    session = Session()
    assert make(session, target)[-1].startswith("The film is done")
    assert session.asked == []
    assert target.read_bytes() == (outputs / "film.mp4").read_bytes()


def test_stopped_and_gone_on_with_it_is_the_same_film(make: Film, outputs: Path) -> None:
    make(target=outputs / "whole.mp4")
    assert "2 of 3" in make(stops_at("three"))[-1]
    assert filming.now() == ""
    session = Session()
    assert make(session)[-1].startswith("The film is done")
    assert [[task["prompt"] for task in row] for row in session.asked] == [["three"]]
    assert (outputs / "film.mp4").read_bytes() == (outputs / "whole.mp4").read_bytes()


def test_another_take_and_back(make: Film, outputs: Path) -> None:
    make()
    first, names = (outputs / "film.mp4").read_bytes(), keys(outputs / "film.mp4")
    session = Session()
    said = make(session, redo=(2,))
    assert "Segment 2 of 3, take 2: done." in said
    # What follows goes on from another end.
    assert [task["prompt"] for row in session.asked for task in row] == ["two", "three"]
    assert (outputs / "film.mp4").read_bytes() != first
    assert [one == other for one, other in zip(keys(outputs / "film.mp4"), names, strict=True)] == [True, False, False]
    nothing = Session()
    make(nothing, picks=((2, 1),))
    assert nothing.asked == []
    assert (outputs / "film.mp4").read_bytes() == first


FIVE = "one\ntwo\nthree\nfour\nfive"


def test_a_long_film_comes_in_rows(make: Film, asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wangp_queue, "MOST", 2)
    session = Session()
    make(session, asked=asked._replace(text=FIVE))
    assert [len(row) for row in session.asked] == [2, 2, 1]


def test_a_page_that_is_closed_passes_nothing_on(
    make: Film, asked: Asked, monkeypatch: pytest.MonkeyPatch, outputs: Path
) -> None:
    """What is in the queue is made; then the film ends, says so to whoever looks, and goes on in another page."""
    monkeypatch.setattr(wangp_queue, "MOST", 2)
    monkeypatch.setattr(wangp_queue, "PAGE_PATIENCE", 0.2)
    monkeypatch.setattr(wangp_queue, "page_closed", lambda: lambda: True)

    class Closed(Session):
        def submit_manifest(self, tasks: list[Mapping[str, Any]]) -> Any:
            return super().submit_manifest(tasks) if not self.asked else Scripted(("status", "Queued in WanGP..."))

    five = asked._replace(text=FIVE)
    with pytest.raises(SviError, match="The page was closed before WanGP's queue took the next clips"):
        make(Closed(), asked=five)
    assert filming.now() == ""
    seen = filming.last()
    assert seen is not None
    assert seen.said == wangp_queue.CLOSED
    assert [seen.film.finished(segment) for segment in seen.film.segments] == [True, True, False, False, False]
    session = Session()
    assert make(session, asked=five)[-1].startswith("The film is done")
    assert [task["prompt"] for row in session.asked for task in row] == ["three", "four", "five"]


def test_a_story_that_is_changed_meanwhile(make: Film, asked: Asked, wangp: Path, outputs: Path) -> None:
    """The film is the one that was asked for; asked for once more, what has changed is made."""
    changed = asked._replace(text="one\ntwo\nelse")

    def meanwhile(task: Mapping[str, Any]) -> None:
        if task["prompt"] == "two":
            with pytest.raises(SviError, match="is being made already"):
                make(Session(), asked=changed)

    session = Session(meanwhile)
    assert make(session)[-1].startswith("The film is done")
    assert [task["prompt"] for row in session.asked for task in row] == ["one", "two", "three"]
    again = Session()
    assert make(again, asked=changed)[-1].startswith("The film is done")
    assert [task["prompt"] for row in again.asked for task in row] == ["else"]


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("fail_at_once", "WanGP gave up: fail at once. Finished segments are kept."),
        ("silent", "WanGP made a clip without SVI, so it cannot be used. Look at State, above."),
    ],
)
def test_what_goes_wrong_is_said_in_one_line(make: Film, asked: Asked, outputs: Path, prompt: str, said: str) -> None:
    with pytest.raises(SviError) as caught:
        make(asked=asked._replace(text=f"one\n{prompt}\nthree"))
    assert caught.value.message == said
    assert filming.now() == ""
    # What was finished is kept.
    session = Session()
    assert make(session)[-1].startswith("The film is done")
    assert [task["prompt"] for row in session.asked for task in row] == ["two", "three"]
    assert (outputs / "film.mp4").is_file()


def test_a_queue_that_takes_nothing(make: Film) -> None:
    class Full(Session):
        def submit_manifest(self, tasks: list[Mapping[str, Any]]) -> Any:
            raise RuntimeError("WanGP session already has a generation in progress")

    with pytest.raises(SviError, match=r"WanGP's queue does not take the clips: .* in progress"):
        make(Full())


def test_what_wangp_lacks_is_fetched_first(
    make: Film, asked: Asked, outputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the resume and the proof of every download here; and a person may stop meanwhile."""
    asked_for: list[tuple[str, str]] = []

    def download(root: Path, name: str, precision: str) -> Iterator[str]:
        asked_for.append((name, precision))
        yield "svi-shot.safetensors: downloading"
        filming.stop()
        yield "svi-shot.safetensors: 2.3 GB"

    monkeypatch.setattr(standing, "download", download)
    session = Session()
    said = make(session, asked=asked._replace(profile="shot"))
    assert asked_for == [("svi-shot", "fp32")]
    assert said[0] == "svi-shot.safetensors: downloading"
    assert said[-1].startswith("Stopped. 0 of 3")
    assert session.asked == []


def test_one_film_at_a_time(make: Film, wangp: Path, asked: Asked, outputs: Path) -> None:
    other = outputs / "other.mp4"

    def meanwhile(task: Mapping[str, Any]) -> None:
        assert filming.now() == "film"
        with pytest.raises(SviError, match=r"The film film is being made already. Stop it first."):
            next(filming.make(Session(), wangp, shelf.story(asked, other), other))

    assert make(Session(meanwhile))[-1].startswith("The film is done")
    assert not other.exists()
    assert filming.stop() == "No film is being made."


def test_what_is_not_ours_is_left_alone(make: Film, outputs: Path) -> None:
    (outputs / "film.mp4").write_bytes(b"a holiday")
    with pytest.raises(SviError, match="is there already and is not this film"):
        make()
    assert (outputs / "film.mp4").read_bytes() == b"a holiday"
    assert not (outputs / "film.svi").exists()


def test_a_film_that_cannot_be_made_is_not_begun(make: Film, asked: Asked, outputs: Path) -> None:
    with pytest.raises(SviError, match="must be WIDTHxHEIGHT in multiples of 16"):
        make(asked=asked._replace(resolution="65x32"))
    assert filming.now() == ""
    assert not (outputs / "film.mp4").exists()


def test_damage_is_mended(make: Film, outputs: Path) -> None:
    make()
    before = (outputs / "film.mp4").read_bytes()
    (outputs / "film.svi/segments" / keys(outputs / "film.mp4")[1][:16] / "segment.mp4").write_bytes(b"torn")
    said = make()
    assert (
        said[0] == "Segment 2 is damaged and is made again: segment.mp4 has 4 bytes instead of " + said[0].split()[-1]
    )
    assert (outputs / "film.mp4").read_bytes() == before


def test_a_film_is_found_again(make: Film, asked: Asked, outputs: Path) -> None:
    make()
    assert shelf.names(outputs) == ["film"]
    assert shelf.kept(outputs / "film.mp4") == asked
    known = images.address(Path(str(asked.image)))
    Path(str(asked.image)).unlink()
    found = shelf.kept(outputs / "film.mp4")
    assert found is not None
    # Its own copy; the segments are the same.
    assert images.address(Path(str(found.image))) == known
    session = Session()
    assert make(session, asked=found)[-1].startswith("The film is done")
    assert session.asked == []


def test_a_film_of_the_terminal_is_found_too(make: Film, asked: Asked, outputs: Path) -> None:
    make()
    (outputs / "film.svi" / shelf.FORM).unlink()
    (Path(str(asked.image))).rename(outputs / "start.png")
    assert shelf.kept(outputs / "film.mp4") is None
    assert [shot.prompt for shot in shelf.begun(outputs / "film.mp4").shots] == ["one", "two", "three"]


def test_what_was_kept_may_be_damaged(outputs: Path) -> None:
    (outputs / "film.svi").mkdir()
    for text in ("", "[]", '{"image": 3}', '{"image": "x", "text": "y", "seed": true}', "{"):
        (outputs / "film.svi" / shelf.FORM).write_text(text)
        assert shelf.kept(outputs / "film.mp4") is None


def test_names(asked: Asked, outputs: Path) -> None:
    assert shelf.target(outputs, "", asked) == outputs / "start-film.mp4"
    assert shelf.target(outputs, " night.mp4 ", asked) == outputs / "night.mp4"
    for name in ("../x", "a/b", ".."):
        with pytest.raises(SviError, match="cannot be the name of a film"):
            shelf.target(outputs, name, asked)
    with pytest.raises(SviError, match="There is no start image yet"):
        shelf.target(outputs, "", Asked())
    with pytest.raises(SviError, match=r"The film x cannot go on by itself\."):
        shelf.begun(outputs / "x.mp4")


def test_the_text_of_a_story(asked: Asked, outputs: Path) -> None:
    text = "defaults:\n  seed: 5\nshots:\n  - one\n  - prompt: two\n    new_shot: true\n"
    story = shelf.story(asked._replace(text=text), outputs / "film.mp4")
    assert (story.seed, story.variant, str(story.image)) == (5, "2.0", asked.image)
    assert [(shot.prompt, shot.new_shot) for shot in story.shots] == [("one", False), ("two", True)]
    # What stands in the fields wins.
    assert shelf.story(asked._replace(text=text, seed=9), outputs / "film.mp4").seed == 9


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"image": None}, "There is no start image yet"),
        ({"text": " \n"}, "There is no prompt yet"),
        ({"profile": "none such"}, "There is no variant"),
        ({"clip_frames": 5000}, "maximum"),
    ],
)
def test_what_is_missing_is_said(asked: Asked, outputs: Path, changed: dict[str, Any], said: str) -> None:
    with pytest.raises(SviError, match=said):
        filming.plan(shelf.story(asked._replace(**changed), outputs / "film.mp4"), outputs / "film.mp4")


def test_a_prompt_is_never_the_name_of_a_file(asked: Asked, outputs: Path) -> None:
    story = shelf.story(asked._replace(text="notes.txt"), outputs / "film.mp4")
    assert [shot.prompt for shot in story.shots] == ["notes.txt"]


@pytest.fixture(autouse=True)
def idle() -> Iterator[None]:
    yield
    assert filming.now() == ""
