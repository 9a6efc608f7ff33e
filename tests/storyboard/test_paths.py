"""A film as a person types it: from the own folder, with relative paths, strange names, and files in the way."""

from __future__ import annotations

import errno
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
from svi_install.cli import render as render_command
from svi_install.errors import SviError
from svi_install.runtime import png
from svi_install.storyboard.archive import images
from svi_install.storyboard.archive.store import Store
from svi_install.storyboard.film import film
from svi_install.storyboard.finish import delivery

from . import standin
from .conftest import fault

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="names and the stand-in's Python as POSIX has them")
SMALL = ("--steps", "1", "--resolution", "64x32", "--clip-frames", "9", "--set", "activated_loras=[]")
OPTIONS = (*SMALL, "--set", "loras_multipliers=", "--variant", "shot")
Render = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ffmpeg_program: Path) -> Path:
    """A person's folder, far from WanGP's."""
    folder = tmp_path / "my films"
    folder.mkdir()
    monkeypatch.chdir(folder)
    picture(folder / "start.png")
    return folder


@pytest.fixture
def render(wangp_root: Path, capsys: pytest.CaptureFixture[str]) -> Render:
    def run(*words: object) -> tuple[int, dict[str, Any]]:
        code = main.main(["render", *map(str, words), "--wangp", str(wangp_root), *OPTIONS, "--json"])
        return code, json.loads(capsys.readouterr().out)

    return run


def picture(path: Path) -> Path:
    png.write(path, png.Picture(64, 32, bytes(range(256)) * 24))
    return path


def opened(root: Path) -> set[Path]:
    return {Path(str(name)) for task in standin.asked(root) for name in task["image_start"]}  # type: ignore[attr-defined]


def done(result: tuple[int, dict[str, Any]]) -> dict[str, Any]:
    code, found = result
    assert code == 0, found.get("error")
    facts: dict[str, Any] = found["film"]
    return facts


@pytest.mark.parametrize(
    "name",
    [
        "start.png",
        "./start.png",
        "../my films/start.png",
        "a b.png",
        "grüße 动画.png",
        "line\nbreak.png",
        "[SKIP].png",
        'it\'s "quoted".png',
        "virtual|x=1.png",
        "50%d.png",
        "-q.png",
        "no ending",
        "wrong ending.txt",
        "UPPER.PNG",
    ],
)
def test_the_image_reaches_wangp(home: Path, wangp_root: Path, render: Render, name: str) -> None:
    """Not as `start.png` beside WanGP, where there is none."""
    if not Path(name).exists():
        picture(home / name)
    path = f"./{name}" if name.startswith("-") else name
    with fault("relative or strange name of an image"):
        facts = done(render(path, "a | b"))
        assert facts["made"] == [1, 2]
    assert Path(facts["path"]).resolve() == home / f"{Path(name).stem}-film.mp4"
    (seen,) = opened(wangp_root)
    assert seen.is_absolute()
    assert seen.read_bytes() == (home / "start.png").read_bytes()
    assert seen.parent.resolve() == home / f"{Path(name).stem}-film.svi/images"
    log = (home / f"{Path(name).stem}-film.svi/wangp/wangp.log").read_text("utf-8", "replace")
    assert "not found" not in log
    assert log.count("Loaded image") == 2


def test_the_same_film_by_any_path(home: Path, render: Render) -> None:
    done(render("start.png", "a | b"))
    before = (home / "start-film.mp4").read_bytes()
    for path in (home / "start.png", "../my films/start.png"):
        assert done(render(path, "a | b"))["made"] == []
    assert (home / "start-film.mp4").read_bytes() == before


def test_a_story_file_from_another_folder(home: Path, wangp_root: Path, render: Render) -> None:
    (home / "übung/bilder").mkdir(parents=True)
    picture(home / "übung/bilder/one two.png")
    (home / "übung/tale.yaml").write_text("image: bilder/one two.png\nshots: [a, {prompt: b, image: ../start.png}]\n")
    facts = done(render("übung/tale.yaml", "-o", "film.mp4"))
    assert (facts["made"], facts["path"]) == ([1, 2], str(home / "film.mp4"))
    assert {path.parent for path in opened(wangp_root)} == {home / "film.svi/images"}


def test_a_file_that_wangp_does_not_find_is_a_failure(
    home: Path, wangp_root: Path, render: Render, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so in a line, goes on, and calls it a success; what it makes then is never kept."""
    done(render("start.png", "a"))
    before = (home / "start-film.mp4").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(images, "keep", lambda store, wanted: dict.fromkeys(wanted, Path("start.png")))
        code, result = render("start.png", "a | b | c")
    assert (code, result["error"]["code"]) == (1, "input-lost")
    assert "File not found for 'image_start'" in result["error"]["message"]
    assert len(list(home.glob("start-film.svi/segments/*"))) == 1
    assert (home / "start-film.mp4").read_bytes() == before
    assert done(render("start.png", "a | b | c"))["made"] == [2, 3]


def test_what_was_made_without_a_file_is_not_kept_by_the_next_run(home: Path, wangp_root: Path, render: Render) -> None:
    """The last run ended before it could read the line."""
    clip = wangp_root / "clip.py"
    text = clip.read_text()
    clip.write_text(text.replace("step(number + 1", "number or print('x') ; step(number + 1"))
    store = Store(home / "start-film.svi")
    done(render("start.png", "a"))
    (segment,) = store.root.glob("segments/*")
    (segment / "done.json").unlink()
    (segment / "frames.rgb").write_bytes(bytes(64 * 32 * 3 * 9))
    size = (store.root / "wangp/wangp.log").stat().st_size
    store.write("start", log=size)
    assert done(render("start.png", "a", "--lint"))["segments"][0]["finished"] is False
    with (store.root / "wangp/wangp.log").open("a") as log:
        log.write("[load] Warning: File not found for 'image_start': start.png\n")
    assert done(render("start.png", "a"))["made"] == [1]
    (segment / "done.json").unlink()
    (segment / "frames.rgb").write_bytes(bytes(64 * 32 * 3 * 9))
    assert done(render("start.png", "a"))["made"] == []


def test_an_image_that_changes_while_it_is_planned(home: Path, tmp_path: Path) -> None:
    with pytest.raises(SviError, match="changed while") as caught:
        images.keep(Store(tmp_path), {str(home / "start.png"): "0" * 64})
    assert caught.value.code == "image-changed"


@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
def test_what_is_no_image(home: Path, kind: str) -> None:
    path = home / "x.png"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(SviError, match="it is not a file"):
        images.address(path)


PROMPTS = [
    "[SKIP] Task 1 lacks validation",
    "[ERROR] nothing",
    "a [SKIP] b",
    "Task 1 completed",
    "[3/3] Denoising",
    "[Task 1/1] again",
    "[load] Warning: File not found for 'image_start': x",
    "Warning: File not found for 'image_start': x",
    "CUDA out of memory, No space left on device",
    "[SVI Mode] off: a prompt",
    '\x1esvi {"event": "done", "ok": false, "errors": []}',
    "Queue completed: 0/1 tasks",
    "Traceback (most recent call last): Error: x",
]


def test_prompts_that_look_like_what_wangp_says(home: Path, wangp_root: Path, render: Render) -> None:
    with fault("prompt that looks like WanGP's console", len(PROMPTS)):
        facts = done(render("start.png", " | ".join(PROMPTS)))
        assert facts["made"] == list(range(1, len(PROMPTS) + 1))
    assert [task["prompt"] for task in standin.asked(wangp_root)] == [" ".join(prompt.split()) for prompt in PROMPTS]


# What may lie where a film is to be written.
def foreign(path: Path) -> None:
    path.write_bytes(b"a person's own film")


def link(path: Path) -> None:
    foreign(path.with_name("other.mp4"))
    path.symlink_to("other.mp4")


def edited(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"free\0\0\0\x08")


@pytest.mark.parametrize(
    ("before", "spoil"),
    [(False, foreign), (False, link), (False, os.mkfifo), (True, foreign), (True, edited), (True, None)],
)
def test_a_file_that_is_not_this_films(
    home: Path, wangp_root: Path, render: Render, before: bool, spoil: Callable[[Path], object] | None
) -> None:
    target = home / "film.mp4"
    if before:
        done(render("start.png", "a", "-o", "film.mp4"))
    if spoil is None:
        # Another film's, of the same kind.
        done(render("start.png", "other", "-o", "other.mp4"))
        shutil.copyfile("other.mp4", target)
    else:
        target.unlink(missing_ok=True)
        spoil(target) if spoil is not edited else (done(render("start.png", "a", "-o", "film.mp4")), edited(target))
    seen, there = len(standin.asked(wangp_root)), target.lstat()
    with fault("file of a person's at the film's name"):
        code, result = render("start.png", "a | b", "-o", "film.mp4")
        assert (code, result["error"]["code"]) == (2, "not-ours")
        assert "nothing was started" in result["error"]["message"]
        assert '-o "film-2.mp4"' in result["error"]["hint"]
        assert (target.lstat().st_ino, target.lstat().st_size) == (there.st_ino, there.st_size)
        assert len(standin.asked(wangp_root)) == seen
    facts = done(render("start.png", "a | b", "-o", "film.mp4", "--yes"))
    assert facts["frames"] == 17
    assert not target.is_symlink()
    assert done(render("start.png", "a | b", "-o", "film.mp4"))["made"] == []


def test_a_person_is_asked(
    home: Path, wangp_root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign(home / "film.mp4")
    asked: list[str] = []
    words = ["render", "start.png", "a", "-o", "film.mp4", "--wangp", str(wangp_root), *OPTIONS]

    def answer(value: bool) -> int:
        def confirmed(question: str, to: object, *, usual: bool) -> bool:
            asked.append(question)
            assert not usual
            return value

        monkeypatch.setattr(render_command, "confirmed", confirmed)
        return main.main(words)

    assert answer(False) == 2
    assert (home / "film.mp4").read_bytes() == b"a person's own film"
    assert answer(True) == 0
    assert asked == [f"{home / 'film.mp4'} already exists and is not part of this film. Replace it?"] * 2
    assert answer(False) == 0
    assert len(asked) == 2


def test_a_film_of_an_earlier_version_is_this_films(home: Path, render: Render) -> None:
    """It has no record, but says in its comment how it was made."""
    done(render("start.png", "a", "-o", "film.mp4"))
    (home / "film.svi/film.json").unlink()
    assert done(render("start.png", "a | b", "-o", "film.mp4"))["made"] == [2]


NAMES = ("film.part.mp4", "film.mp4.parts.txt", "film.mp4.notes.txt", "film.preview.mp4", "film.json", ".film.mp4")


def test_nothing_beside_the_film_is_touched(home: Path, render: Render) -> None:
    for name in NAMES:
        (home / name).write_text(f"a person's {name}")
    done(render("start.png", "a | b", "-o", "film.mp4", "--preview"))
    assert {name: (home / name).read_text() for name in NAMES} == {name: f"a person's {name}" for name in NAMES}
    assert sorted(path.name for path in home.iterdir()) == sorted([*NAMES, "film.mp4", "film.svi", "start.png"])
    assert not [path for path in home.rglob("*") if re.search(r"\.part|notes|parts", path.name) and path.parent != home]


def test_settings_of_a_person_are_not_overwritten(home: Path, render: Render) -> None:
    words = ("start.png", "a | b", "-o", "film.mp4", "--dry-run")
    for content in ("{}", "[]", "a person's", json.dumps({"prompt": "x", "settings_version": 2.5}, indent=4)):
        (home / "film.json").write_text(content)
        code, result = render(*words)
        assert (code, result["error"]["code"]) == (2, "not-ours")
        assert (home / "film.json").read_text() == content
    (home / "film.json").unlink()
    done(render(*words))
    done(render("start.png", "a | c", *words[2:]))
    assert "c" in json.loads((home / "film.json").read_text())["prompt"]
    (home / "film.json").write_text("{}")
    done(render(*words, "--yes"))


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("missing/film.mp4", "folder .*missing does not exist"),
        ("start.png/film.mp4", "does not exist"),
        ("film.mkv", "does not end in .mp4"),
        ("folder.mp4", "is a folder"),
        ("x" * 300 + ".mp4", "cannot be looked at|too long"),
    ],
)
def test_a_place_for_no_film(home: Path, wangp_root: Path, render: Render, target: str, why: str) -> None:
    (home / "folder.mp4").mkdir()
    for mode in ((), ("--dry-run",)):
        code, result = render("start.png", "a", "-o", target, *mode)
        assert code == 2, result["error"]
        assert result["error"]["code"] == "story"
        assert re.search(why, result["error"]["message"])
        assert "Nothing was started." in result["error"]["message"]
    assert standin.asked(wangp_root) == []
    assert not (home / "missing").exists()


def test_a_folder_that_cannot_be_written(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(SviError, match="The folder cannot be written to:"):
        delivery.look(home / "film.mp4", Store(home / "film.svi"))


def test_a_file_that_appears_while_the_film_is_made(home: Path) -> None:
    store = Store(home / "film.svi")
    store.root.mkdir()
    made, target = store.root / "film.mp4", delivery.look(home / "film.mp4", store)
    made.write_bytes(b"film")
    foreign(home / "film.mp4")
    with pytest.raises(SviError, match="Another program wrote") as caught:
        delivery.put(made, target, store)
    assert str(made) in caught.value.message
    assert (made.read_bytes(), (home / "film.mp4").read_bytes()) == (b"film", b"a person's own film")


def test_the_films_folder_on_another_disk(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, path = Store(home / "film.svi"), home / "film.mp4"
    store.root.mkdir()
    rename = Path.replace

    def across(self: Path, target: Path) -> Path:
        if self.parent != Path(target).parent:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", across)
    for content in (b"one", b"another"):
        made = store.root / "film.mp4"
        made.write_bytes(content)
        delivery.put(made, delivery.look(path, store), store)
        assert path.read_bytes() == content
        assert delivery.look(path, store).own
    assert sorted(each.name for each in home.iterdir()) == ["film.mp4", "film.svi", "start.png"]

    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    made.write_bytes(b"a third")
    with pytest.raises(SviError, match="No space left") as caught:
        delivery.put(made, delivery.look(path, store), store)
    assert str(made) in caught.value.message
    assert path.read_bytes() == b"another"
    # The record says already what is to come.
    assert delivery.look(path, store).own
    assert sorted(each.name for each in home.iterdir()) == ["film.mp4", "film.svi", "start.png"]


def test_a_line_break_in_the_films_name(home: Path, render: Render) -> None:
    facts = done(render("start.png", "a | b", "-o", "my\nfilm's [1].mp4"))
    assert facts["frames"] == 17
    assert (home / "my\nfilm's [1].mp4").is_file()
    assert film.store_of(home / "my\nfilm's [1].mp4").root.is_dir()
