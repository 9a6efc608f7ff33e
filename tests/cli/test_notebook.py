"""The steps of the notebook, and the notebook itself with a stand-in for WanGP."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from svi_install import __version__
from svi_install.cli import notebook, notebook_setup
from svi_install.errors import SviError
from svi_install.patching import patchset
from svi_install.storyboard.headless import hardware
from svi_install.storyboard.headless.hardware import Card
from tests.storyboard import standin
from tests.storyboard.conftest import ffmpeg_program, image

__all__ = ["ffmpeg_program", "image"]

NOTEBOOK = Path(__file__).parents[2] / "notebooks/svi_wangp_colab.ipynb"
SMALL: dict[str, Any] = {
    "resolution": "64x32",
    "clip_frames": 9,
    "steps": 1,
    "settings": ("activated_loras=[]", "loras_multipliers="),
    "variant": "shot",
}


def test_a_colab_computer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(hardware, "find_card", lambda: Card("Tesla T4", 15.0, 7.5))
    monkeypatch.setattr(hardware, "ram", lambda: 12.7)
    monkeypatch.setattr(notebook, "LEAST_DISK", 0)
    lines = notebook.computer(tmp_path).splitlines()
    assert lines[0] == "GPU   Tesla T4, 15 GB"
    assert lines[-2] == "fits  Q3_K_M, 832x480, WanGP options --profile 5 --attention sdpa --fp16"
    assert "24 GB of RAM" in lines[-1]
    monkeypatch.setattr(notebook, "LEAST_DISK", 1 << 60)
    with pytest.raises(SviError, match="space is free"):
        notebook.computer(tmp_path)


def test_a_computer_without_a_card(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(hardware, "find_card", lambda: None)
    with pytest.raises(SviError) as caught:
        notebook.computer(tmp_path)
    assert "T4 GPU" in caught.value.hint
    assert "GPU" not in notebook.computer(tmp_path, need_card=False)


class Programs:
    """Stands for git, uv and WanGP's start: notes what was asked, and fails where it is told to."""

    def __init__(self, *failing: str) -> None:
        self.asked: list[tuple[str, list[str]]] = []
        self.failing = failing

    def __call__(self, what: str, words: Sequence[str], folder: Path) -> str:
        self.asked.append((what, list(words)))
        if any(word.startswith(self.failing) for word in words if self.failing):
            raise SviError("notebook", f"{what} failed", "Run the cell again; finished steps are not repeated.")
        if "checkout" in words:
            standin.make(folder / "new")
            for path in (folder / "new").iterdir():
                path.rename(folder / path.name)
        elif "venv" in words:
            Path(words[-1]).mkdir(exist_ok=True)
        return ""

    @property
    def steps(self) -> list[str]:
        return [what for what, _ in self.asked]


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    found: list[Path] = []
    monkeypatch.setattr("svi_install.commands.install.install", found.append)
    monkeypatch.setattr(notebook_setup.shutil, "which", lambda name: "/usr/bin/uv" if name == "uv" else None)
    return found


def test_wangp_comes_once(installed: list[Path], tmp_path: Path) -> None:
    programs = Programs()
    root = notebook_setup.prepare(tmp_path / "Wan2GP", {}, programs)
    assert (root, installed) == (tmp_path / "Wan2GP", [root])
    version, commit = list(patchset.load().commits.items())[-1]
    assert programs.steps == [
        *("Preparing", f"WanGP {version}", "Unpacking it"),
        *("Python 3.11", "torch for cu128", "WanGP's packages", "Starting WanGP once"),
    ]
    assert programs.asked[1][1][-2:] == [notebook_setup.WANGP, commit]
    assert programs.asked[4][1][-2:] == ["--index-url", "https://download.pytorch.org/whl/cu128"]
    assert [word for word in programs.asked[4][1] if "==" in word] == list(notebook_setup.TORCH)
    notebook_setup.prepare(tmp_path / "Wan2GP", {}, programs)
    assert len(programs.asked) == 7
    (root / "env" / notebook_setup.MARK).write_text("another version")
    notebook_setup.prepare(tmp_path / "Wan2GP", {}, programs)
    assert programs.steps[7:] == programs.steps[3:7]


def test_what_cannot_be_had_is_left_out(
    installed: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Everything else is installed, and WanGP's start says whether it can do without."""
    programs = Programs("-r", "onnx-weekly")
    root = notebook_setup.prepare(tmp_path / "Wan2GP", {}, programs)
    assert "left out: onnx-weekly==" in capsys.readouterr().out
    pins = [line for line in notebook_setup.PACKAGES.read_text().splitlines() if not line.startswith("#")]
    assert [words[-1] for _, words in programs.asked if "--no-deps" in words][1:] == pins
    assert programs.steps[-1] == "Starting WanGP once"
    (root / "env" / notebook_setup.MARK).unlink()
    with pytest.raises(SviError, match="Starting WanGP once failed"):
        notebook_setup.prepare(tmp_path / "Wan2GP", {}, Programs("wgp.py"))
    assert not (root / "env" / notebook_setup.MARK).exists()


def test_a_fetch_that_fails_leaves_nothing(installed: list[Path], tmp_path: Path) -> None:
    with pytest.raises(SviError) as caught:
        notebook_setup.prepare(tmp_path / "Wan2GP", {}, Programs("fetch"))
    assert "Run the cell again" in caught.value.hint
    assert not (tmp_path / "Wan2GP").exists()
    assert installed == []


def test_the_packages_are_those_of_the_newest_proven_wangp() -> None:
    head, *pins = notebook_setup.PACKAGES.read_text("utf-8").splitlines()
    version, commit = list(patchset.load().commits.items())[-1]
    assert head.startswith(f"# WanGP {version} ({commit})")
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", pin) for pin in pins)
    names = {pin.partition("==")[0] for pin in pins}
    assert {"mmgp", "gradio", "diffusers", "onnxruntime-gpu", "rembg"} <= names
    assert not names & {"torch", "torchvision", "torchaudio", "insightface", "chumpy"}


@pytest.mark.parametrize(
    ("driver", "build"), [("550.54.15", "cu128"), ("580.65.06", "cu130"), ("591.44", "cu130"), (None, "cu128")]
)
def test_torch_for_the_driver(driver: str | None, build: str) -> None:
    assert notebook_setup.cuda_of(driver) == build


def test_a_step_shows_that_it_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert notebook_setup.step("A short one", (sys.executable, "-c", "print(7)"), tmp_path) == "7\n"
    assert "A short one: " in capsys.readouterr().out
    with pytest.raises(SviError, match=r"(?s)A short one failed:.*why it did"):
        notebook_setup.step("A short one", (sys.executable, "-c", "print('why it did'); exit(1)"), tmp_path)
    with pytest.raises(SviError, match="A short one failed"):
        notebook_setup.step("A short one", (str(tmp_path / "nothing"),), tmp_path)


def test_an_error_is_shown_with_what_to_do(
    image: Path, ffmpeg_program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = standin.make(tmp_path / "WanGP")
    with pytest.raises(notebook.StoppedError) as caught:
        notebook.render(root, image, "fail CUDA out of memory", target=tmp_path / "f.mp4", **SMALL)
    shown = caught.value._render_traceback_()
    assert shown[0].startswith("The graphics card ran out of memory")
    assert shown[-1].endswith("set QUALITY to auto")
    assert notebook.in_the_form("Make it again from the first segment: add --from 1").endswith("set FROM to 1")
    assert notebook.in_the_form("svi-install doctor /content/Wan2GP") == "Run the cells again from the top."
    monkeypatch.setattr(notebook.command, "render", lambda *args, **more: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(notebook.StoppedError, match="Stopped"):
        notebook.render(root, image, "one", target=tmp_path / "f.mp4", **SMALL)


def test_the_fields_of_the_form(
    image: Path, ffmpeg_program: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = standin.make(tmp_path / "WanGP")
    (root / "loras/wan/other.safetensors").write_bytes(b"")
    more = {**SMALL, "settings": (), "negative_prompt": "blurry", "seconds": 0, "variant": "wan22"}
    arguments = {"guidance": 4, "split": 850.0, "loras": "other.safetensors:0.8, ", "profile": 4.0, "redo": " "}
    settings = ("activated_loras=[]", "loras_multipliers=")
    more["settings"] = settings
    shown: list[Path] = []
    notebook.render(root, image, "one", target=tmp_path / "f.mp4", show=shown.append, **arguments, **more)
    task: dict[str, Any] = standin.asked(root)[0]
    assert (task["guidance_scale"], task["guidance2_scale"], task["switch_threshold"]) == (4, 4, 850)
    assert (task["activated_loras"], task["loras_multipliers"]) == (["other.safetensors"], "0.8")
    assert (task["negative_prompt"], (root / "options").read_text()) == ("blurry", "--profile 4")
    assert [path.suffix for path in shown] == [".mp4", ".png"]
    assert tmp_path / "f.mp4" not in shown
    notebook.render(
        root, image, "one", target=tmp_path / "f.mp4", show=shown.append, **{**arguments, "redo": "1"}, **more
    )
    assert standin.asked(root)[1]["seed"] != task["seed"]
    with pytest.raises(notebook.StoppedError, match="not a list of segment numbers"):
        notebook.render(root, image, "one", target=tmp_path / "f.mp4", redo="one", **more)
    capsys.readouterr()
    notebook.render(root, image, "one", target=tmp_path / "g.mp4", split=9, show=shown.append, **SMALL)
    assert "only Wan 2.2" in capsys.readouterr().out


def test_each_segment_is_shown_and_kept(
    image: Path, ffmpeg_program: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, drive, shown = standin.make(tmp_path / "WanGP"), tmp_path / "drive", []
    target = tmp_path / "one" / "film.mp4"
    target.parent.mkdir()
    notebook.render(root, image, "one | two", target=target, drive=drive, show=shown.append, **SMALL)
    small = sorted(target.with_suffix(".svi").glob("sheet/*.mp4"), key=lambda path: path.stat().st_mtime_ns)
    assert shown == [*small, target.with_suffix(".svi") / "film.png"]
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
    assert notebook_setup.prepare(Path("Wan2GP"), {"WANGP_HOME": "WanGP"}, Programs()) == root
    assert notebook.upload("start.png") == image
    colab = types.ModuleType("google.colab.files")
    monkeypatch.setitem(sys.modules, "google.colab.files", colab)
    for name in ("start.png", str(image)):
        colab.upload = lambda name=name: {name: b""}  # type: ignore[attr-defined]
        assert notebook.upload() == image
    colab.upload = lambda: {"elsewhere.png": b""}  # type: ignore[attr-defined]
    with pytest.raises(SviError, match="did not arrive"):
        notebook.upload()
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


def code_cell(source: str) -> Any:
    import nbformat

    return nbformat.v4.new_code_cell(source)


def newest_python() -> Path:
    """Python 3.13, as Colab has it, or the newest one that is here."""
    found = [Path(sys.executable)]
    for number in range(10, 14):
        name = f"python3.{number}"
        places = [*Path.home().glob(f".pyenv/versions/3.{number}.*/bin/{name}"), Path(shutil.which(name) or "/nowhere")]
        # What pyenv puts on the PATH may be there without a Python behind it.
        works = (each for each in places if each.is_file() and _runs(each))
        found += list(works)[:1]
    return found[-1]


def _runs(program: Path) -> bool:
    return subprocess.run([program, "--version"], capture_output=True, check=False).returncode == 0


def fresh_kernel(folder: Path) -> Path:
    """Makes an environment with nothing but a kernel in it, called "fresh", and returns its JUPYTER_PATH."""
    python = folder / "env/bin/python"
    for words in ((newest_python(), "-m", "venv", folder / "env"), (python, "-m", "pip", "install", "-q", "ipykernel")):
        done = subprocess.run([*map(str, words)], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no environment for the notebook: {done.stderr.strip()[-200:]}")
    spec = folder / "kernels/fresh/kernel.json"
    spec.parent.mkdir(parents=True)
    command = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec.write_text(json.dumps({"argv": command, "display_name": "fresh", "language": "python"}))
    return folder


def execute(book: Any, folder: Path, kernel: str = "python3") -> str:
    """Runs all cells and returns what they print."""
    from nbclient import NotebookClient

    NotebookClient(book, timeout=600, kernel_name=kernel, resources={"metadata": {"path": str(folder)}}).execute()
    outputs = [output for cell in book.cells for output in cell.get("outputs", ())]
    return "".join(output.get("text", "") for output in outputs)


def test_the_notebook_brings_this_version() -> None:
    source = NOTEBOOK.read_text("utf-8")
    project = (NOTEBOOK.parents[1] / "pyproject.toml").read_text("utf-8")
    address = re.search(r'^Repository = "(.+)"', project, re.MULTILINE)
    assert address is not None
    assert f'REPOSITORY = \\"{address[1]}\\"' in source
    assert f'VERSION = \\"v{__version__}\\"' in source


def test_the_form_fields() -> None:
    source = NOTEBOOK.read_text("utf-8")
    assert "share" not in source.lower().replace("is shared", "")
    book = cells({})
    assert [cell.id for cell in book.cells] == ["intro", "install", "image", "smoke", "story", "download"]
    fields = [text for cell in book.cells for text in cell.source.splitlines() if "@param" in text]
    assert len(fields) == 22
    assert all(re.match(r"[A-Z_]+ = \S", text) for text in fields)
    assert all(not cell.get("outputs") for cell in book.cells)
