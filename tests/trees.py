"""A small folder and plans for it, for the tests of everything that writes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from svi_install.errors import SviError
from svi_install.writing import transaction
from svi_install.writing.change import Change, Plan
from tests.crash.layer import tree

posix = pytest.mark.skipif(sys.platform == "win32", reason="forks, modes, links and signals as POSIX has them")


def small(parent: Path) -> Path:
    """Make a folder with three files."""
    folder = parent / "WanGP"
    (folder / "models" / "wan").mkdir(parents=True)
    (folder / "wgp.py").write_bytes(b"old wgp\n")
    (folder / "models" / "wan" / "any2video.py").write_bytes(b"old any\n")
    (folder / "gone.py").write_bytes(b"to go\n")
    return folder


def make(root: Path, *changes: Change, sweep: tuple[str, ...] = ()) -> Plan:
    """Return a plan of these changes."""
    return Plan("install", root, changes, {}, (), sweep)


def standard(root: Path) -> Plan:
    """Return a plan that adds, changes and removes files of `small`."""
    return make(
        root,
        Change(".svi-install/receipt.json", None, b"{}"),
        Change("svi_wangp/__init__.py", None, b"new\n"),
        Change("loras/wan_i2v/a b.json", None, b"{}\n"),
        Change("models/wan/any2video.py", b"old any\n", b"new any\n"),
        Change("gone.py", b"to go\n", None),
        Change("wgp.py", b"old wgp\n", b"new wgp\n"),
    )


def back(root: Path) -> Plan:
    """Return the plan that takes `standard` back."""
    return make(
        root,
        Change("wgp.py", b"new wgp\n", b"old wgp\n"),
        Change("gone.py", None, b"to go\n"),
        Change("models/wan/any2video.py", b"new any\n", b"old any\n"),
        Change("loras/wan_i2v/a b.json", b"{}\n", None),
        Change("svi_wangp/__init__.py", b"new\n", None),
        Change(".svi-install/receipt.json", b"{}", None),
        sweep=("svi_wangp", "loras/wan_i2v", "loras"),
    )


def refused(plan: Plan) -> SviError:
    """Run a plan that must be refused with nothing changed, and return the error."""
    before = tree(plan.root)
    with pytest.raises(SviError) as caught:
        transaction.run(plan)
    assert tree(plan.root) == before
    return caught.value
