"""What is interrupted: installs, reverts, upgrades, repairs, and the recovery from each of them."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from svi_install.patching import patchset, plan
from svi_install.writing import transaction
from tests import miniature
from tests.crash.layer import Fault, in_child, layer, tree
from tests.older import OTHER_PROFILES, OTHER_RUNTIME, PROFILES, RUNTIME, install, install_other, other

PATCHES = patchset.load()
PATHS = ("wgp.py", "models/wan/any2video.py", "models/wan/modules/model.py")


@dataclass(frozen=True)
class Scenario:
    """A command, the tree it starts from, and the two trees that may come out.

    Attributes:
        name: for people.
        start: the folder to copy for each case.
        action: runs the command on a copy.
        old: what the tree must be when the command did not happen.
        new: what the tree must be when it did.
        done: the plan of the whole command, to tell which files change.
    """

    name: str
    start: Path
    action: Callable[[Path], object]
    old: dict[str, object]
    new: dict[str, object]


def scenarios(base: Path) -> list[Scenario]:
    """Build all scenarios below a folder."""
    absent = miniature.write(base / "absent")
    shutil.rmtree(absent / "profiles")
    (absent / "wgp.py").chmod(0o755)
    with contextlib.suppress(OSError, AttributeError):  # where the system or the disk knows none
        os.setxattr(absent / "wgp.py", "user.tag", b"a person's")
    (absent / "models" / "wan" / "modules" / "model.py").rename(absent / "models" / "real_model.py")
    (absent / "models" / "wan" / "modules" / "model.py").symlink_to("../../real_model.py")
    installed = _copy(absent, base / "installed")
    install(installed, PATCHES)
    cache = installed / "svi_wangp" / "__pycache__"
    cache.mkdir()
    (cache / "clip.cpython-311.pyc").write_bytes(b"cached")
    outdated = _copy(absent, base / "outdated")
    install_other(outdated, PATCHES)
    wiped = _copy(installed, base / "wiped")
    for path in PATHS[:2]:
        shutil.copy(absent / path, wiped / path)

    def to_install(root: Path) -> plan.Plan:
        return plan.plan_install(root, PATCHES, RUNTIME, PROFILES)

    def to_downgrade(root: Path) -> plan.Plan:
        return plan.plan_install(root, other(PATCHES), OTHER_RUNTIME, OTHER_PROFILES)

    def to_revert(root: Path) -> plan.Plan:
        return plan.plan_revert(root, PATCHES, RUNTIME, PROFILES)

    plans = (
        ("install", absent, to_install),
        ("revert", installed, to_revert),
        ("upgrade", outdated, to_install),
        ("downgrade", installed, to_downgrade),
        ("repair", wiped, to_install),
    )
    found = [_scenario(base, name, start, make(start)) for name, start, make in plans]
    return [*found, *(recovery for first in found[:3] for recovery in _recoveries(base, first))]


def _scenario(base: Path, name: str, start: Path, whole: plan.Plan) -> Scenario:
    def action(root: Path) -> None:
        transaction.run(whole._replace(root=root))

    ended = _copy(start, base / f"{name}-ended")
    action(ended)
    return Scenario(name, start, action, tree(start), tree(ended))


def _recoveries(base: Path, first: Scenario) -> list[Scenario]:
    """Interrupt a command half way, just before and just after its commit; recovering is the command then."""
    with layer() as seen:
        first.action(_copy(first.start, base / "probe"))
    shutil.rmtree(base / "probe")
    renames = [number for number, name in enumerate(seen.calls) if name == "replace"]
    points = (("undo", renames[-1], "before"), ("undo-half", renames[len(renames) // 2], "after"))
    found = []
    for name, at, how in (*points, ("finish", renames[-1], "after")):
        crashed = _copy(first.start, base / f"{first.name}-{name}")
        in_child(lambda crashed=crashed: first.action(crashed), Fault(at, how))
        end = first.new if name == "finish" else first.old
        found.append(Scenario(f"{name} of {first.name}", crashed, transaction.recover, end, end))
    return found


def _copy(source: Path, target: Path) -> Path:
    shutil.copytree(source, target, symlinks=True)
    return target
