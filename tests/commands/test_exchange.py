"""From another patch set to this one, and a hook line that somebody changed: asked, proven, and back again."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from svi_install.cli.main import main
from svi_install.commands.doctor import doctor
from svi_install.commands.install import install
from svi_install.commands.revert import revert
from svi_install.commands.status import status
from svi_install.errors import EXIT_UNSUPPORTED, SviError
from svi_install.patching import others
from tests import miniature, theirs
from tests.crash.layer import tree
from tests.miniature import WGP

TABLE = theirs.table(miniature.files()[WGP].decode())
PROFILE = "loras/wan_i2v/SVI-Shot Infinite - 50 Steps (theirs).json"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(others, "_read", lambda _file: TABLE)
    monkeypatch.setenv("SVI_INSTALL_HOME", str(tmp_path / "data"))
    return miniature.write(tmp_path / "Wan2GP")


def committed(root: Path) -> None:
    for words in (["init", "-q"], ["add", "-A"], ["-c", "user.name=a", "-c", "user.email=a", "commit", "-qm", "x"]):
        subprocess.run(["git", "-C", str(root), *words], check=True)


@pytest.mark.parametrize("older", [True, False])
def test_it_goes_and_ours_comes_without_git(root: Path, older: bool) -> None:
    before = tree(root)
    (root / PROFILE).write_bytes(b'{"svi_mode": true}')
    theirs.put_in(root, older=older)
    assert status(root).state == "foreign"
    assert "line by line" in " ".join(status(root).notes)
    assert status(root).next_command == doctor(root).next_command == f"svi-install {root}"
    asked: list[str] = []
    result = install(root, agree=lambda question: not asked.append(question))
    assert "wan2gp-svi" in asked[0]
    assert (result.status, result.state) == ("done", "installed")
    assert "work with this SVI" in " ".join(result.notes)
    assert (root / PROFILE).read_bytes() == b'{"svi_mode": true}'
    revert(root)
    (root / PROFILE).unlink()
    assert tree(root) == before


def test_nobody_agrees_and_nothing_changes(root: Path) -> None:
    theirs.put_in(root)
    before = tree(root)
    with pytest.raises(SviError) as caught:
        install(root)
    assert (caught.value.code, caught.value.exit_code) == ("not-agreed", EXIT_UNSUPPORTED)
    assert caught.value.hint == f"svi-install --yes {root}"
    assert install(root, dry_run=True).status == "planned"
    assert tree(root) == before


def test_yes_is_an_answer_on_the_command_line(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    theirs.put_in(root)
    assert main([str(root), "--no-lora"]) == EXIT_UNSUPPORTED
    error = capsys.readouterr().err
    assert "Take them out and put this SVI in?" in error
    assert error.endswith(f"Next: svi-install --yes {root}\n")
    assert main([str(root), "--no-lora", "--yes"]) == 0
    assert status(root).state == "installed"


def test_with_edits_besides_git_has_what_was_there_and_a_copy_stays(root: Path) -> None:
    committed(root)
    pristine = (root / WGP).read_bytes()
    theirs.put_in(root)
    (root / WGP).write_bytes((root / WGP).read_bytes().replace(b"# endless", b"# my own words"))
    edited = (root / WGP).read_bytes()
    asked: list[str] = []
    result = install(root, agree=lambda question: not asked.append(question))
    assert "a copy of it" in asked[0]
    assert result.state == "installed"
    assert (root / ".svi-install" / "edited" / WGP).read_bytes() == edited
    revert(root)
    assert (root / WGP).read_bytes() == pristine
    assert (root / ".svi-install" / "edited" / WGP).read_bytes() == edited


def test_with_edits_besides_and_no_git_it_is_refused(root: Path) -> None:
    theirs.put_in(root)
    (root / WGP).write_bytes((root / WGP).read_bytes().replace(b"# endless", b"# my own words"))
    before = tree(root)
    with pytest.raises(SviError) as caught:
        install(root, agree=lambda _question: True)
    assert caught.value.exit_code == EXIT_UNSUPPORTED
    assert tree(root) == before
    assert doctor(root).next_command.startswith("put wgp.py") or "back from WanGP's zip" in doctor(root).next_command


def test_a_changed_line_is_shown_as_it_was_and_is_and_put_back(root: Path) -> None:
    install(root)
    whole = tree(root)
    text = (root / WGP).read_bytes()
    (root / WGP).write_bytes(text.replace(b"svi_wangp.install(globals())", b"svi_wangp.install(globals(), 1)"))
    assert doctor(root).next_command == f"svi-install {root}"
    asked: list[str] = []
    result = install(root, agree=lambda question: not asked.append(question))
    number = text[: text.index(b"svi_wangp.install(globals())")].count(b"\n") + 1
    where, was, now, question = asked[0].splitlines()
    assert where == f"wgp.py, line {number}"
    assert "install(globals())" in was
    assert "install(globals(), 1)" in now
    assert question == "Put this line back as it was?"
    assert result.state == "installed"
    changed = {path for path, data in tree(root).items() if whole.get(path) != data}
    assert {path.partition(":")[2] for path in changed} <= {".svi-install/receipt.json"}


def test_a_changed_line_in_a_file_that_was_changed_elsewhere_is_left_to_the_person(root: Path) -> None:
    install(root)
    text = (root / WGP).read_bytes().replace(b"svi_wangp.install(globals())", b"svi_wangp.install(globals(), 1)")
    (root / WGP).write_bytes(b"import os  # mine\n" + text)
    before = tree(root)
    with pytest.raises(SviError):
        install(root, agree=lambda _question: True)
    assert tree(root) == before
