"""The command lines of docs/updates.md, and what each of them leads to."""

from __future__ import annotations

import functools
import http.server
import json
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from svi_install.commands.install import install
from svi_install.history import compat
from tests import miniature
from tests.crash.layer import tree
from tests.person import Person, run

GITS = "git itself, as people run it; tests/gitfilter/test_ways.py runs it"
NOT_RUN = {
    **dict.fromkeys(("git pull", "git reset --hard", "git checkout", "git stash", "git status", "git archive"), GITS),
    **dict.fromkeys(("git clean -fdx", "git config --remove-section filter.svi-install"), GITS),
}


def cloned(person: Person) -> Path:
    """A WanGP of a git that has a newer one."""
    told = person.home.parent / "newer"
    git = ("git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main", "-C")
    miniature.write(told, "old")
    for words in (("init", "-q"), ("add", "-f", "."), ("commit", "-qm", "9.91")):
        subprocess.run([*git, str(told), *words], check=True)
    subprocess.run([*git, str(person.home), "clone", "-q", str(told), str(person.wangp)], check=True)
    install(person.wangp)
    miniature.write(told, "newer")
    subprocess.run([*git, str(told), "commit", "-qam", "13.141"], check=True)
    return person.wangp


def updates(person: Person, line: str) -> None:
    cloned(person)
    assert "was updated to 13.141; SVI is in it." in run(person, line)


def tries_updates(person: Person, line: str) -> None:
    before = tree(cloned(person))
    assert run(person, line).count("SVI is in the new WanGP") == 3
    assert tree(person.wangp) == before


def reads_the_page(person: Person, line: str) -> None:
    """Every WanGP of the stand-in's history is judged, and the page is read from this computer."""
    cloned(person)
    known = {"version": "9.91", "placed": True}
    commit = subprocess.run(
        ["git", "-C", str(person.wangp), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout[: compat.DIGITS]
    raw = {"schema": 1, "made": "2026-11-29", "svi_install": "0.1.0", "patch_set": "", "newest": commit}
    page = person.home / "page"
    page.mkdir()
    (page / "compat.json").write_text(json.dumps({**raw, "commits": {commit: known}}))
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(page))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        person.variables["SVI_INSTALL_PAGE"] = f"http://127.0.0.1:{server.server_port}"
        assert "on this WanGP 9.91: SVI goes in, but was not run on it yet" in run(person, line)
        server.shutdown()


def makes_a_shortcut(person: Person, line: str) -> None:
    miniature.write(person.wangp)
    (person.home / "Desktop").mkdir()
    if "--remove" in line:
        run(person, "svi-install shortcut")
    run(person, line)
    assert len(list((person.home / "Desktop").iterdir())) == ("--remove" not in line)


RUN: dict[str, Callable[[Person, str], None]] = {
    "svi-install status --online": reads_the_page,
    "svi-install update --online": reads_the_page,
    "svi-install update": updates,
    "svi-install doctor --try-updates": tries_updates,
    "svi-install shortcut": makes_a_shortcut,
    "svi-install shortcut --remove": makes_a_shortcut,
}
