"""Everything that can keep SVI from running in a WanGP is seen in its files, before a film is begun."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from svi_install.commands.in_plugin import install as install_plugin
from svi_install.errors import SviError
from svi_install.package_data import RUNTIME_FOLDER, runtime_files
from svi_install.runtime import wgp as hooked
from svi_install.storyboard.headless import svi_files, wangp
from tests import miniature

from . import standin
from .conftest import fault

PATCHES = Path(__file__).resolve().parents[2] / "patches"
HOOKS = [(path, line) for path, lines in {**hooked.HOOKS, **svi_files.LORAS}.items() for line in lines]
FILES = sorted(path for path in runtime_files() if path not in (f"{RUNTIME_FOLDER}/__init__.py", svi_files.FILMS))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return standin.make(tmp_path / "WanGP")


def refused(root: Path) -> SviError:
    with fault("SVI that cannot run"):
        with pytest.raises(SviError) as caught:
            wangp.find(root, env={})
        error = caught.value
        assert error.code == "not-installed"
        assert "Nothing was started" in error.message
        # `status` of a stand-in is "unsupported", for which the doctor is the next command.
        assert error.hint == f"svi-install doctor {root}"
    return error


def test_all_is_there(root: Path) -> None:
    assert svi_files.lacking(root) == ""
    assert wangp.find(root, env={}).says_begun
    assert svi_files.next_command(root).startswith("svi-install doctor")


@pytest.mark.parametrize(("path", "line"), HOOKS)
def test_the_lines_that_are_looked_for_are_those_that_an_install_writes(path: str, line: str) -> None:
    texts = [diff.read_text("utf-8") for diff in PATCHES.glob("*.diff")]
    added = [re.findall(r"^\+(?!\+\+).*", text, re.MULTILINE) for text in texts if f"+++ b/{path}\n" in text]
    assert added
    assert all(any(line in written for written in each) for each in added)


@pytest.mark.parametrize(("path", "line"), HOOKS)
def test_each_hook(root: Path, path: str, line: str) -> None:
    text = (root / path).read_text()
    (root / path).write_text(text.replace(line, "gone("))
    assert f"svi-install's lines are gone from {path}" in refused(root).message
    (root / path).write_text(text)
    assert svi_files.lacking(root) == ""


def test_all_files_that_lost_hooks_are_named(root: Path) -> None:
    for path in ("models/wan/any2video.py", "models/wan/modules/model.py"):
        (root / path).write_text("")
    assert "gone from models/wan/any2video.py and models/wan/modules/model.py" in refused(root).message


@pytest.mark.parametrize("path", FILES)
def test_each_file_of_the_runtime(root: Path, path: str) -> None:
    whole = (root / path).read_bytes()
    (root / path).unlink()
    assert f"{path} is missing" in refused(root).message
    for damage in (whole + b"\0", b"def broken(:\n" + whole, b"\xff\xfe"):
        (root / path).write_bytes(damage)
        assert f"{path} is damaged" in refused(root).message


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (shutil.rmtree, "the folder svi_wangp with SVI is missing"),
        (lambda folder: (folder / "__init__.py").unlink(), "the folder svi_wangp with SVI is missing"),
        (lambda folder: (folder / "segment.py").unlink(), "too old to render films"),
    ],
)
def test_no_runtime_or_an_old_one(root: Path, spoil: Callable[[Path], object], why: str) -> None:
    spoil(root / RUNTIME_FOLDER)
    assert why in refused(root).message


def test_the_installed_runtime_says_which_lines_it_needs(root: Path) -> None:
    path = root / RUNTIME_FOLDER / "wgp.py"
    path.write_text(path.read_text().replace(f'"{hooked.HOOKS["wgp.py"][0]}"', '"another_name.attach("'))
    assert "gone from wgp.py" in refused(root).message
    with (root / "wgp.py").open("a") as file:
        file.write("# another_name.attach(\n")
    assert svi_files.lacking(root) == ""
    path.write_text("HOOKS = dict(a=1)\n")
    assert svi_files.lacking(root) == ""


def test_a_file_that_cannot_be_read(root: Path) -> None:
    path = root / RUNTIME_FOLDER / "run.py"
    path.unlink()
    path.mkdir()
    with pytest.raises(SviError, match=r"run\.py"):
        wangp.find(root, env={})


def test_without_a_receipt_the_files_of_this_version_count(root: Path) -> None:
    assert not (root / ".svi-install").exists()
    assert set(svi_files._runtime(root)) == set(runtime_files())


def test_the_plugin_alone_will_do(tmp_path: Path) -> None:
    """WanGP has SVI in memory then; hooks in a file make it step aside, and the files count again."""
    root = miniature.write(tmp_path / "WanGP")
    assert svi_files.lacking(root)
    wgp = root / "wgp.py"
    wgp.write_bytes(wgp.read_bytes() + b"# discover_plugin_model_extensions\n")
    (root / "wgp_config.json").write_text('{"enabled_plugins": []}', "utf-8")
    install_plugin(root)
    assert svi_files.lacking(root) == ""
    assert svi_files.films(root).is_file()
    wgp.write_bytes(wgp.read_bytes() + b"pass  # svi-install\n")
    assert svi_files.lacking(root)
