"""Every command as a real process whose outside fails: what was done decides the exit code, the words and the JSON."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from svi_install import bootstrap
from svi_install.commands.install import install
from tests import miniature, story
from tests.crash.layer import tree
from tests.hatchery import Ended, Hatchery
from tests.trees import posix

pytestmark = posix


class Command(NamedTuple):
    """A command line in which ROOT stands for WanGP's folder, and what is to be known about it."""

    words: tuple[str, ...]
    changes: bool = False
    installed: bool = False
    only_says: bool = False
    json: bool = True


COMMANDS = {
    "install": Command(("ROOT", "--no-lora"), changes=True),
    "install, LoRA left to do": Command(("ROOT",), changes=True),
    "install, LoRA wanted": Command(("ROOT", "--yes"), changes=True),
    "install, nothing to do": Command(("ROOT", "--no-lora"), installed=True),
    "install --dry-run": Command(("ROOT", "--dry-run"), only_says=True),
    "revert": Command(("revert", "ROOT"), changes=True, installed=True),
    "revert --loras": Command(("revert", "ROOT", "--loras"), changes=True, installed=True),
    "revert --dry-run": Command(("revert", "ROOT", "--dry-run"), installed=True, only_says=True),
    "revert, nothing to do": Command(("revert", "ROOT")),
    "status": Command(("status", "ROOT"), only_says=True),
    "doctor": Command(("doctor", "ROOT"), only_says=True),
    "fetch": Command(("fetch", "ROOT")),
    "fetch --list": Command(("fetch", "ROOT", "--list"), only_says=True),
    "fetch --verify": Command(("fetch", "ROOT", "--verify"), only_says=True),
    "render --lint": Command(("render", "ROOT/start.png", "a | b", "--lint", "--wangp", "ROOT"), only_says=True),
    "render": Command(("render", "ROOT/start.png", "a | b", "--wangp", "ROOT", "--python", "/nowhere/python")),
    "update": Command(("update", "ROOT")),
    "launch": Command(("launch", "ROOT", "--python", "ROOT/python"), changes=True),
    "check": Command(("check", "GIT"), only_says=True),
    "repair-patches": Command(("repair-patches", "HEAD", "GIT", "--no-smoke"), only_says=True),
    "no WanGP": Command(("status", "ROOT/loras/nowhere")),
    "wrong command line": Command(("--nothing",)),
    "--help": Command(("--help",), only_says=True, json=False),
    "--version": Command(("--version",), only_says=True, json=False),
}
# What becomes of the standard output and of the error output.
OUTSIDES = {
    "as usual": ("file", "file"),
    "full disk": ("full", "file"),
    "closed standard output": ("closed", "file"),
    "reader gone": ("gone", "file"),
    "closed error output": ("file", "closed"),
    "full error output": ("file", "full"),
    "reader of errors gone": ("file", "gone"),
    "both closed": ("closed", "closed"),
    "both full": ("full", "full"),
}


@pytest.fixture(scope="module")
def hatchery() -> Iterator[Hatchery]:
    made = Hatchery()
    yield made
    made.close()


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> story.Story:
    return story.tell(tmp_path_factory.mktemp("story"))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A WanGP without and one with SVI, to be copied."""
    folder = tmp_path_factory.mktemp("prepared")
    plain = miniature.write(folder / "plain")
    (plain / "start.png").write_bytes(bytes.fromhex("89504e470d0a1a0a0000000d4948445200000040000000400802000000"))
    # What WanGP makes of its own outputs is its own affair.
    (plain / "python").write_text("#!/bin/sh\nexit 3\n", "utf-8")
    (plain / "python").chmod(0o755)
    shutil.copytree(plain, folder / "with", symlinks=True)
    install(folder / "with")
    return plain, folder / "with"


def words_of(command: Command, root: Path, git: Path) -> list[str]:
    return [word.replace("ROOT", str(root)).replace("GIT", str(git)) for word in command.words]


@pytest.mark.parametrize("name", COMMANDS)
def test_outputs_that_fail(
    *,
    name: str,
    prepared: tuple[Path, Path],
    told: story.Story,
    tmp_path: Path,
    hatchery: Hatchery,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = COMMANDS[name]
    untouched = without_times(tree(prepared[command.installed]))
    plain: dict[bool, tuple[Ended, dict[str, object]]] = {}
    tried = 0
    for outside, (out, err) in OUTSIDES.items():
        # A program wants its object as long as one output works.
        for as_json in (False, True) if command.json and "file" in (out, err) else (False,):
            tried += outside != "as usual"
            place = tmp_path / "place"
            root = Path(shutil.copytree(prepared[command.installed], place / "WanGP", symlinks=True))
            words = [*words_of(command, root, told.git), *(["--json"] if as_json else [])]
            ended, left = hatchery.run(words, place, out=out, err=err), without_times(tree(root))
            shutil.rmtree(place)
            usual, effect = plain.setdefault(as_json, (ended, left))
            case = f"{name}, {outside}, json {as_json}: {ended}"
            assert left == effect, case
            assert (left != untouched) is command.changes, case
            assert "Traceback" not in ended.out + ended.err, case
            assert "Exception ignored" not in ended.out + ended.err, case
            unprinted = out != "file" and command.only_says
            assert ended.code == (1 if unprinted else usual.code), case
            assert ended.code in range(6), case
            if "file" not in (out, err):
                continue
            if as_json:
                assert len((ended.out + ended.err).splitlines()) == 1, case
                same_object(ended.object(), usual.object(), unprinted, case)
            elif out == "file":
                assert ended.out == usual.out, case
            elif command.changes:
                assert name == "launch" or usual.out.splitlines()[0] in ended.err, case
            elif command.only_says:
                assert ("Nothing was changed" in ended.err) is (out != "gone"), case

    with capsys.disabled():
        print(f"\n{name}: {tried} ways in which its outputs fail, all survived", end="")


def same_object(data: dict[str, Any], usual: dict[str, Any], unprinted: bool, case: str) -> None:
    if unprinted:
        assert data["error"]["code"] == "not-printed", case
        return
    for key in ("command", "status", "state", "error"):
        assert data.get(key) == usual.get(key), case
    assert [each["path"] for each in data["changes"]] == [each["path"] for each in usual["changes"]], case


def without_times(left: dict[str, Any]) -> dict[str, object]:
    """Forget what differs between two installs that are the same: the receipt holds the time."""
    return {path: value for path, value in left.items() if not path.endswith("receipt.json")}


@pytest.mark.skipif(sys.platform == "win32", reason="a shell closes the streams")
@pytest.mark.parametrize("streams", [">&-", "2>&-", ">&- 2>&-", ">/dev/full", "2>/dev/full", ">/dev/full 2>/dev/full"])
@pytest.mark.parametrize("words", [[], ["--json"]])
def test_streams_of_the_start_script_that_fail(tmp_path: Path, streams: str, words: list[str]) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {streams}', "sh", sys.executable, "-I", bootstrap.__file__, *words],
        env={**os.environ, "SVI_INSTALL_HOME": str(tmp_path / "file")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    if words and " " not in streams:
        assert json.loads(done.stdout or done.stderr)["error"]["code"] == "no-environment"
