"""The steps of the notebook, and the notebook itself with a stand-in for WanGP."""

from __future__ import annotations

import re
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from svi_install.cli import notebook
from svi_install.errors import SviError
from svi_install.storyboard import hardware
from svi_install.storyboard.hardware import Card
from tests.storyboard import standin
from tests.storyboard.conftest import ffmpeg_program, image

__all__ = ["ffmpeg_program", "image"]

NOTEBOOK = Path(__file__).parents[2] / "notebooks/svi_wangp_colab.ipynb"
SMALL: dict[str, Any] = {
    "resolution": "64x32",
    "clip_frames": 9,
    "steps": 1,
    "settings": ("activated_loras=[]", "loras_multipliers="),
}


def test_a_colab_computer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(hardware, "find_card", lambda: Card("Tesla T4", 15.0, 7.5))
    monkeypatch.setattr(hardware, "ram", lambda: 12.7)
    monkeypatch.setattr(notebook, "LEAST_DISK", 0)
    lines = notebook.computer(tmp_path).splitlines()
    assert lines[0] == "GPU   Tesla T4, 15 GB"
    assert lines[-1] == "fits  Q4_K_M, 832x480, WanGP options --profile 3.5 --attention sdpa --fp16"
    monkeypatch.setattr(notebook, "LEAST_DISK", 1 << 60)
    with pytest.raises(SviError, match="space is free"):
        notebook.computer(tmp_path)


def test_a_computer_without_a_card(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(hardware, "find_card", lambda: None)
    with pytest.raises(SviError) as caught:
        notebook.computer(tmp_path)
    assert "T4 GPU" in caught.value.hint
    assert "GPU" not in notebook.computer(tmp_path, need_card=False)


def fake_programs(asked: list[list[str]]) -> Callable[..., None]:
    def run(words: list[str], check: bool, env: object) -> None:
        asked.append(words)
        if words[0] == "git":
            standin.make(Path(words[-1]))
            Path(words[-1], "requirements.txt").write_text("mmgp\n")
        elif "venv" in words:
            Path(words[-1]).mkdir(exist_ok=True)

    return run


def test_wangp_comes_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    installed: list[Path] = []
    monkeypatch.setattr("svi_install.commands.install.install", installed.append)
    asked: list[list[str]] = []
    root = notebook.prepare(tmp_path / "Wan2GP", {}, fake_programs(asked))
    assert root == tmp_path / "Wan2GP"
    assert [words[0] for words in asked] == ["git", sys.executable, sys.executable]
    assert "--system-site-packages" in asked[1]
    assert asked[2][-1] == str(root / "requirements.txt")
    notebook.prepare(tmp_path / "Wan2GP", {}, fake_programs(asked))
    assert len(asked) == 3
    (root / "requirements.txt").write_text("mmgp==4\n")
    notebook.prepare(tmp_path / "Wan2GP", {}, fake_programs(asked))
    assert len(asked) == 5
    assert installed == [root] * 3


def test_a_wangp_that_is_there_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("svi_install.commands.install.install", lambda root: None)
    root = standin.make(tmp_path / "mine")
    asked: list[list[str]] = []
    assert notebook.prepare(tmp_path / "Wan2GP", {"WANGP_HOME": str(root)}, fake_programs(asked)) == root
    assert asked == []


def test_a_clone_that_fails(tmp_path: Path) -> None:
    def run(words: list[str], check: bool, env: object) -> None:
        raise subprocess.CalledProcessError(128, words)

    with pytest.raises(SviError, match="git clone"):
        notebook.prepare(tmp_path / "Wan2GP", {}, run)
    assert not (tmp_path / "Wan2GP").exists()


def test_each_segment_is_shown_and_kept(
    image: Path, ffmpeg_program: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, drive, shown = standin.make(tmp_path / "WanGP"), tmp_path / "drive", []
    target = tmp_path / "one" / "film.mp4"
    target.parent.mkdir()
    notebook.render(root, image, "one | two", target=target, drive=drive, show=shown.append, **SMALL)
    assert [path.name for path in shown] == ["segment.mp4", "segment.mp4", "film.mp4"]
    assert (drive / "film.mp4").read_bytes() == target.read_bytes()
    assert len(list(drive.glob("film.svi/segments/*/done.json"))) == 2
    assert "segment 1/2 done" in capsys.readouterr().out
    # A disconnect: the computer is new, only the drive is left.
    other = tmp_path / "two" / "film.mp4"
    other.parent.mkdir()
    result = notebook.render(
        root, image, "one | two | three", target=other, drive=drive, show=lambda path: None, **SMALL
    )
    assert result.extra["film"]["made"] == [3]
    assert len(standin.asked(root)) == 3
    assert notebook.copy_segments(other.with_suffix(".svi"), drive / "film.svi") == 0


def test_a_film_of_a_person_on_the_drive_stays(
    image: Path, ffmpeg_program: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, drive, target = standin.make(tmp_path / "WanGP"), tmp_path / "drive", tmp_path / "film.mp4"
    drive.mkdir()
    (drive / "film.mp4").write_text("a person's")
    notebook.render(root, image, "one", target=target, drive=drive, show=lambda path: None, **SMALL)
    assert (drive / "film.mp4").read_text() == "a person's"
    assert "Not copied" in capsys.readouterr().out
    (drive / "film.mp4").unlink()
    for prompts in ("one", "one | two"):
        notebook.render(root, image, prompts, target=target, drive=drive, show=lambda path: None, **SMALL)
        assert (drive / "film.mp4").read_bytes() == target.read_bytes()
    assert "Not copied" not in capsys.readouterr().out


def test_what_was_mended_is_renewed_on_the_drive(tmp_path: Path) -> None:
    here, there = tmp_path / "here.svi", tmp_path / "there.svi"
    segment = here / "segments/0001-abc"
    segment.mkdir(parents=True)
    (segment / "segment.mp4").write_text("video")
    (segment / "done.json").write_text("{}")
    assert notebook.copy_segments(here, there) == 1
    copy = there / "segments/0001-abc"
    (copy / "segment.mp4").write_text("cut")
    assert notebook.copy_segments(here, there) == 0
    assert notebook.copy_segments(here, there, renew=True) == 1
    assert (copy / "segment.mp4").read_text() == "video"
    (segment / "done.json").write_text("[]")
    assert notebook.copy_segments(here, there, renew=True) == 1
    assert notebook.copy_segments(here, there, renew=True) == 0
    (copy / "done.json").unlink()
    assert notebook.copy_segments(here, there) == 1


def test_paths_of_the_notebook_are_whole(
    image: Path, ffmpeg_program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a person types or uploads counts from the notebook's folder, and WanGP runs in another one."""
    monkeypatch.chdir(tmp_path)
    root = standin.make(tmp_path / "WanGP")
    monkeypatch.setattr("svi_install.commands.install.install", lambda root: None)
    assert notebook.prepare(Path("Wan2GP"), {"WANGP_HOME": "WanGP"}, fake_programs([])) == root
    assert notebook.upload("start.png") == image
    colab = types.ModuleType("google.colab.files")
    colab.upload = lambda: {"start.png": b""}  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "google.colab.files", colab)
    assert notebook.upload() == image
    notebook.render(Path("WanGP"), Path("start.png"), "one", target=Path("f.mp4"), show=lambda path: None, **SMALL)
    assert (tmp_path / "f.mp4").is_file()
    (name,) = standin.asked(root)[0]["image_start"]  # type: ignore[attr-defined]
    assert Path(name).read_bytes() == image.read_bytes()


def test_the_start_image(image: Path, tmp_path: Path) -> None:
    assert notebook.upload(str(image)) == image
    with pytest.raises(SviError, match="There is no file"):
        notebook.upload(str(tmp_path / "missing.png"))
    with pytest.raises(SviError, match="not Colab"):
        notebook.upload()


def cells(values: dict[str, Any]) -> Any:
    """The notebook with other values in its form fields."""
    import nbformat

    book = nbformat.read(NOTEBOOK, as_version=4)
    seen = set()
    for cell in book.cells:
        lines = cell.source.splitlines()
        for index, text in enumerate(lines):
            name = text.partition(" = ")[0]
            if "#@param" in text or "# @param" in text:
                seen.add(name)
                if name in values:
                    lines[index] = f"{name} = {values[name]!r}"
        cell.source = "\n".join(lines)
    assert set(values) <= seen
    # Google Drive is not to be had here.
    book.cells = [cell for cell in book.cells if cell.id != "drive"]
    return book


def execute(book: Any, folder: Path) -> str:
    """Runs all cells and returns what they print."""
    from nbclient import NotebookClient

    NotebookClient(book, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(folder)}}).execute()
    outputs = [output for cell in book.cells for output in cell.get("outputs", ())]
    return "".join(output.get("text", "") for output in outputs)


def test_the_form_fields() -> None:
    source = NOTEBOOK.read_text("utf-8")
    assert "share" not in source.lower().replace("is shared", "")
    book = cells({})
    assert [cell.id for cell in book.cells] == ["intro", "install", "image", "smoke", "story"]
    fields = [text for cell in book.cells for text in cell.source.splitlines() if "@param" in text]
    assert len(fields) == 14
    assert all(re.match(r"[A-Z_]+ = \S", text) for text in fields)
    assert all(not cell.get("outputs") for cell in book.cells)
