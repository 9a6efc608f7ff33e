"""What git's smudge gets: hooks, or the text as it is and one line."""

from __future__ import annotations

import io
import json
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from svi_install.commands.install import install
from svi_install.gitfilter import hooking, smudge
from svi_install.gitfilter.hooking import hooked
from svi_install.package_data import PATCHED
from svi_install.patching import placement
from tests import miniature

WGP = PATCHED[0]


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    root = miniature.write(tmp_path / "WanGP")
    install(root)
    return root


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("path", PATCHED)
def test_hooks_go_in_and_once(installed: Path, path: str, end: bytes) -> None:
    text = miniature.files("newer")[path].replace(b"\n", end)
    out, said = hooked(installed, path, text)
    assert not said
    assert out != text
    assert hooked(installed, path, out) == (out, "")
    assert out.count(b"\n") == out.count(end)


@pytest.mark.parametrize("flavour", ["conflict"])
def test_a_text_without_a_place_passes(installed: Path, flavour: str) -> None:
    text = miniature.files(flavour)[WGP]
    out, said = hooked(installed, WGP, text)
    assert out == text
    assert said.startswith(f"SVI is not in {WGP}: ")


def test_other_files_and_other_folders_pass(installed: Path, tmp_path: Path) -> None:
    assert hooked(installed, "other.py", b"x") == (b"x", "")
    assert hooked(tmp_path, WGP, miniature.files()[WGP]) == (miniature.files()[WGP], "")


def test_a_svi_install_of_another_day_passes(installed: Path) -> None:
    receipt = installed / ".svi-install" / "receipt.json"
    raw = json.loads(receipt.read_bytes())
    receipt.write_text(json.dumps({**raw, "patch_set": "another"}))
    out, said = hooked(installed, WGP, miniature.files()[WGP])
    assert out == miniature.files()[WGP]
    assert "svi-install was changed since" in said


def run_here(monkeypatch: pytest.MonkeyPatch, root: Path, text: bytes) -> tuple[bytes, str]:
    """Run what git runs, in this process."""
    out, err = io.BytesIO(), io.StringIO()
    monkeypatch.chdir(root)
    monkeypatch.setattr(sys, "argv", [smudge.__file__, WGP])
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(text)))
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=out))
    monkeypatch.setattr(sys, "stderr", err)
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(smudge.__file__, run_name="__main__")
    assert ended.value.code == 0
    return out.getvalue(), err.getvalue()


def test_what_git_runs(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = miniature.files("newer")[WGP]
    assert run_here(monkeypatch, installed, text) == (hooked(installed, WGP, text)[0], "")


def test_a_published_text_is_not_searched(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its places are known; here they are those that the search finds."""
    text = miniature.files()[WGP]
    searched, said = hooked(installed, WGP, text)
    monkeypatch.setattr(hooking.known, "place", placement.place)
    monkeypatch.setattr(placement, "place", None)
    assert hooked(installed, WGP, text) == (searched, said)


def test_a_fault_of_ours_lets_the_text_through(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("of ours\nin two lines")

    monkeypatch.setattr(hooking, "hooked", fail)
    text = b"\r\n\xff\0 any bytes"
    out, said = run_here(monkeypatch, installed, text)
    assert out == text
    assert said == f"svi-install: SVI is not in {WGP}: of ours in two lines\n"


def test_a_package_that_is_damaged_lets_the_text_through(installed: Path, tmp_path: Path) -> None:
    """Only the file that git starts is left of it."""
    script = tmp_path / "svi_install" / "gitfilter" / "smudge.py"
    script.parent.mkdir(parents=True)
    script.write_bytes(Path(smudge.__file__).read_bytes())
    text = miniature.files()[WGP]
    # -S keeps Python from the package of this test.
    command = [sys.executable, "-I", "-S", str(script), WGP]
    done = subprocess.run(command, cwd=installed, input=text, capture_output=True, check=True)
    assert done.stdout == text
    assert b"SVI is not in wgp.py" in done.stderr
