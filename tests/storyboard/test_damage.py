"""Whatever is damaged in a film's folder: only what is broken is made again, or the finished film stays as it was."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from svi_install.cli import main
from svi_install.runtime import png
from svi_install.storyboard.archive.store import digest

from . import standin
from .conftest import fault

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes, links and the stand-in's Python")
SMALL = ("--steps", "1", "--resolution", "64x32", "--clip-frames", "9", "--set", "activated_loras=[]")
WORDS = ("one | two | three", *SMALL, "--set", "loras_multipliers=", "--variant", "shot")


class Studio:
    """A finished film of three segments, which each test damages in a copy."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys
        self.root, self.target, self.store = folder / "WanGP", folder / "film.mp4", folder / "film.svi"

    def render(self, *further: object) -> tuple[int, dict[str, Any]]:
        words = ["render", self.folder / "start.png", *WORDS, "-o", self.target, "--wangp", self.root, *further]
        code = main.main([*map(str, words), "--json"])
        return code, json.loads(self._capsys.readouterr().out)

    def segment(self, number: int) -> Path:
        """Folder of a segment."""
        order = json.loads((self.folder / "order.json").read_text())
        return self.store / "segments" / order[number - 1]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("ffmpeg") is None:
        pytest.skip("needs ffmpeg")
    folder = tmp_path_factory.mktemp("finished")
    png.write(folder / "start.png", png.Picture(64, 32, bytes(range(256)) * 24))
    standin.make(folder / "WanGP")
    words = ["render", folder / "start.png", *WORDS, "-o", folder / "film.mp4", "--wangp", folder / "WanGP", "-q"]
    assert main.main([str(word) for word in words]) == 0
    made = [(json.loads(path.read_text()), path.parent.name) for path in folder.glob("film.svi/segments/*/done.json")]
    order = sorted(made, key=lambda each: ("one", "two", "three").index(each[0]["prompt"]))
    (folder / "order.json").write_text(json.dumps([name for _, name in order]))
    return folder


@pytest.fixture
def studio(finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Studio:
    shutil.copytree(finished, tmp_path / "work")
    (tmp_path / "work/WanGP/asked.jsonl").unlink()
    return Studio(tmp_path / "work", capsys)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def to_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def to_pipe(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def to_link(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


def fact(studio: Studio, **values: object) -> None:
    path = studio.segment(2) / "done.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def old(studio: Studio, *numbers: int) -> None:
    """As a version that kept no hashes has left it."""
    for number in numbers:
        path = studio.segment(number) / "done.json"
        facts = json.loads(path.read_text())
        path.write_text(json.dumps({name: value for name, value in facts.items() if name not in ("files", "before")}))


def part(number: int) -> Callable[[Studio], Path]:
    return lambda studio: studio.segment(number) / "segment.mp4"


def done(studio: Studio) -> Path:
    return studio.segment(2) / "done.json"


def tail(studio: Studio) -> Path:
    return studio.segment(3) / "tail-001.png"


Damage = Callable[[Studio], object]
# Each with the segments that are made again.
SEGMENTS: dict[str, tuple[Damage, list[int]]] = {
    "part missing": (lambda s: part(2)(s).unlink(), [2]),
    "part empty": (lambda s: part(2)(s).write_bytes(b""), [2]),
    "part cut": (lambda s: part(2)(s).write_bytes(part(2)(s).read_bytes()[:-100]), [2]),
    "part longer": (lambda s: part(2)(s).write_bytes(part(2)(s).read_bytes() + b"x"), [2]),
    "one bit of a part": (lambda s: flip(part(2)(s)), [2]),
    "part of zeros": (lambda s: part(2)(s).write_bytes(bytes(part(2)(s).stat().st_size)), [2]),
    "another segment's part": (lambda s: shutil.copyfile(part(1)(s), part(2)(s)), [2]),
    "text as a part": (lambda s: part(2)(s).write_text("no video"), [2]),
    "a folder as a part": (lambda s: to_folder(part(2)(s)), [2]),
    "a pipe as a part": (lambda s: to_pipe(part(2)(s)), [2]),
    "a device as a part": (lambda s: to_link(part(2)(s), "/dev/zero"), [2]),
    "a link to nothing as a part": (lambda s: to_link(part(2)(s), "nothing"), [2]),
    "two parts": (lambda s: [part(n)(s).unlink() for n in (1, 3)], [1, 3]),
    "all parts": (lambda s: [part(n)(s).unlink() for n in (1, 2, 3)], [1, 2, 3]),
    "mark missing": (lambda s: done(s).unlink(), [2]),
    "mark empty": (lambda s: done(s).write_bytes(b""), [2]),
    "mark cut": (lambda s: done(s).write_bytes(done(s).read_bytes()[:-20]), [2]),
    "mark of zeros": (lambda s: done(s).write_bytes(bytes(100)), [2]),
    "mark is a list": (lambda s: done(s).write_text("[]"), [2]),
    "mark is deep": (lambda s: done(s).write_text("[" * 100_000), [2]),
    "mark is a huge number": (lambda s: done(s).write_text("9" * 9000), [2]),
    "mark is no text": (lambda s: done(s).write_bytes(b"\xff\xfe{}"), [2]),
    "mark is a folder": (lambda s: to_folder(done(s)), [2]),
    "mark is a pipe": (lambda s: to_pipe(done(s)), [2]),
    "mark of another address": (lambda s: fact(s, key="0" * 64), [2]),
    "mark without frames": (lambda s: fact(s, frames="9"), [2]),
    "mark with a wrong svi": (lambda s: fact(s, svi=[1]), [2]),
    "mark with wrong hashes": (lambda s: fact(s, files={"segment.mp4": [1, "x"]}), [2]),
    "mark with hashes that are none": (lambda s: fact(s, files={"segment.mp4": 3}), [2]),
    "folder missing": (lambda s: shutil.rmtree(s.segment(2)), [2]),
    "folder empty": (lambda s: [path.unlink() for path in s.segment(2).iterdir()], [2]),
    "a file as a folder": (lambda s: (path := s.segment(2), shutil.rmtree(path), path.write_text("x")), [2]),
    "a link as a folder": (lambda s: (path := s.segment(2), shutil.rmtree(path), path.symlink_to(s.folder)), [2]),
    "all folders": (lambda s: shutil.rmtree(s.store / "segments"), [1, 2, 3]),
    "last tail missing": (lambda s: tail(s).unlink(), [3]),
    "last tail empty": (lambda s: tail(s).write_bytes(b""), [3]),
    "one bit of the last tail": (lambda s: flip(tail(s)), [3]),
    "another tail": (lambda s: shutil.copyfile(s.segment(2) / "tail-001.png", tail(s)), [3]),
    "a pipe as the last tail": (lambda s: to_pipe(tail(s)), [3]),
    "a tail that nobody needs": (lambda s: (s.segment(1) / "tail-001.png").unlink(), []),
    "a tail that is needed again": (
        lambda s: ((s.segment(1) / "tail-001.png").unlink(), part(2)(s).unlink()),
        [1, 2],
    ),
    "what is handed on has no facts": (
        lambda s: ((s.segment(1) / "segment.json").unlink(), part(2)(s).unlink()),
        [1, 2],
    ),
    "end damaged": (lambda s: flip(s.segment(3) / "end.mp4"), []),
    "end is a folder": (lambda s: to_folder(s.segment(3) / "end.mp4"), []),
    "end missing": (lambda s: (s.segment(3) / "end.mp4").unlink(), []),
    "old: part missing": (lambda s: (old(s, 1, 2, 3), part(2)(s).unlink()), [2]),
    "old: part cut": (lambda s: (old(s, 1, 2, 3), part(2)(s).write_bytes(part(2)(s).read_bytes()[:900])), [2]),
    "old: another length": (lambda s: (old(s, 1, 2, 3), shutil.copyfile(s.target, part(2)(s))), [2]),
    "old: last tail damaged": (lambda s: (old(s, 1, 2, 3), flip(tail(s))), [3]),
    "old: a tail is a pipe": (lambda s: (old(s, 1, 2, 3), to_pipe(tail(s))), [3]),
    "old: nothing damaged": (lambda s: old(s, 1, 2, 3), []),
    "journal missing": (lambda s: (s.store / "journal.jsonl").unlink(), []),
    "journal cut": (lambda s: (s.store / "journal.jsonl").write_bytes(b'{"event": "fin'), []),
    "journal of noise": (lambda s: (s.store / "journal.jsonl").write_bytes(bytes(range(256)) * 40), []),
    "journal is deep": (lambda s: (s.store / "journal.jsonl").write_text("[" * 100_000 + "\n"), []),
    "journal of wrong values": (
        lambda s: (s.store / "journal.jsonl").write_text(
            '{"event": "redo"}\n{"event": "redo", "segment": "x"}\n{"event": "redo", "segment": 1e999}\n'
            '{"event": "finished", "seconds": "x"}\n{"event": "finished", "seconds": NaN}\n'
            '{"event": "finished"}\n{"event": "start", "log": -5}\n{"event": ["x"]}\n'
        ),
        [],
    ),
    "console is missing": (lambda s: shutil.rmtree(s.store / "wangp"), []),
    "record of the film is damaged": (lambda s: (s.store / "film.json").write_text("{"), []),
    "pictures are missing": (lambda s: shutil.rmtree(s.store / "images"), []),
    "a picture is damaged": (lambda s: [(flip(path), part(1)(s).unlink()) for path in s.store.glob("images/*")], [1]),
    "a picture is a pipe": (lambda s: [(to_pipe(path), part(1)(s).unlink()) for path in s.store.glob("images/*")], [1]),
    "left from a crash": (
        lambda s: [(s.store / name).write_bytes(b"x") for name in ("film.mp4", "film.part.mp4", "film.mp4.parts.txt")],
        [],
    ),
}


@pytest.mark.parametrize("name", SEGMENTS)
def test_only_what_is_broken_is_made_again(studio: Studio, name: str) -> None:
    damage, again = SEGMENTS[name]
    before = studio.target.read_bytes()
    with fault("damage in a film's folder"):
        damage(studio)
        code, result = studio.render()
        assert code == 0, result["error"]
        assert result["film"]["made"] == again
        prompts = [("one", "two", "three")[number - 1] for number in again]
        assert [task["prompt"] for task in standin.asked(studio.root)] == prompts
        assert studio.target.read_bytes() == before
        for each in result["film"]["damaged"]:
            assert any(f"Segment {each['number']} was damaged" in note for note in result["notes"])
        for number in (1, 2, 3):
            path = studio.segment(number)
            for file, known in json.loads((path / "done.json").read_text())["files"].items():
                if name != "a tail that nobody needs" or (number, file) != (1, "tail-001.png"):
                    assert [(path / file).stat().st_size, digest(path / file)] == known


# Nothing can be done about these but to say so; the finished film stays.
REFUSED: dict[str, tuple[Damage, str]] = {
    "a file as the film's folder": (lambda s: (shutil.rmtree(s.store), s.store.write_text("x")), "is in the way"),
    "a pipe as the film's folder": (lambda s: (shutil.rmtree(s.store), to_pipe(s.store)), "is in the way"),
    "a file as the segments": (
        lambda s: (shutil.rmtree(s.store / "segments"), (s.store / "segments").write_text("x")),
        "segments",
    ),
    "a folder as the journal": (
        lambda s: (to_folder(s.store / "journal.jsonl"), part(2)(s).unlink()),
        r"journal\.jsonl",
    ),
    "a pipe as the journal": (lambda s: (to_pipe(s.store / "journal.jsonl"), part(2)(s).unlink()), r"journal\.jsonl"),
    "a file as WanGP's folder": (
        lambda s: (shutil.rmtree(s.store / "wangp"), (s.store / "wangp").write_text("x"), part(2)(s).unlink()),
        "wangp",
    ),
    "a pipe as the console": (
        lambda s: (to_pipe(s.store / "wangp/wangp.log"), part(2)(s).unlink()),
        r"wangp\.log",
    ),
    "a file as the pictures": (
        lambda s: (shutil.rmtree(s.store / "images"), (s.store / "images").write_text("x"), part(2)(s).unlink()),
        "images",
    ),
    "a folder as the film": (lambda s: (s.target.unlink(), s.target.mkdir()), "is a folder"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_in_the_way_is_named(studio: Studio, name: str) -> None:
    damage, why = REFUSED[name]
    before = studio.target.read_bytes()
    with fault("damage in a film's folder"):
        damage(studio)
        code, result = studio.render()
        assert code in (1, 2), result
        error = result["error"]
        assert error["code"] != "unexpected", error
        assert re.search(why, error["message"]), error
        if name != "a folder as the film":
            assert studio.target.read_bytes() == before


def test_a_segment_that_comes_out_differently_is_said(studio: Studio) -> None:
    """Another card or another WanGP: what was made from its old end may no longer fit."""
    part(2)(studio).unlink()
    clip = studio.root / "clip.py"
    clip.write_text(clip.read_text().replace("bytes([number])", "bytes([number + 1])"))
    code, result = studio.render()
    assert (code, result["film"]["made"]) == (0, [2])
    assert any("--from 3" in note for note in result["notes"])
    code, result = studio.render("--from", 3)
    assert (code, result["film"]["made"]) == (0, [3])
    assert not any("--from" in note for note in result["notes"])


def test_lint_sees_a_folder_in_the_way(studio: Studio) -> None:
    shutil.rmtree(studio.store)
    studio.store.write_text("x")
    code, result = studio.render("--lint")
    assert code == 1
    assert "is in the way" in result["film"]["findings"][0]["text"]


def test_hashes_of_an_earlier_versions_segments_are_kept_from_now_on(studio: Studio) -> None:
    old(studio, 1, 2, 3)
    with (studio.store / "wangp/wangp.log").open("a") as log:
        log.write("[load] Warning: File not found for 'image_start': start.png\n")
    before = studio.target.read_bytes()
    code, result = studio.render()
    assert (code, result["film"]["made"]) == (0, [])
    assert any("--from 1 makes them again" in note for note in result["notes"])
    assert sorted(json.loads(done(studio).read_text())["files"]) == ["segment.json", "segment.mp4", "tail-001.png"]
    flip(part(2)(studio))
    code, result = studio.render()
    assert (code, result["film"]["made"]) == (0, [2])
    assert not any("--from 1" in note for note in result["notes"])
    assert studio.target.read_bytes() == before
