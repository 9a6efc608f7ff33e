"""``doctor``: one check, one id, and for each fault the exact command that mends it."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .. import __version__
from ..checkout.inspection import Checkout, inspect
from ..checkout.locate import home_folder
from ..checkout.profiles import profile_files
from ..errors import EXIT_DONE, EXIT_FAILED, SviError, counted, quoted
from ..gitfilter.outlook import ways
from ..gitfilter.plan import is_set
from ..loras.inventory import seen
from ..package_data import runtime_files
from ..patching import hooks, patchset, state
from ..patching.patchset import PatchSet
from ..patching.pristine import extended
from ..patching.state import State
from ..patching.tested import caution, newest_run
from ..report.result import Line, Result
from ..storyboard.headless.wangp import python_of
from ..writing.files import FOLDER, digest
from .exchange import way_out
from .interrupted import recover

_WINDOWS = sys.platform == "win32"
_ROOM = 64 * 1024 * 1024
_STYLES: Mapping[str, str] = {"ok": "green", "warning": "yellow", "problem": "red"}


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        id: stable name, for programs and for reports.
        level: ``ok``, ``warning`` (SVI works, something is left to do) or ``problem``.
        text: what was found.
        mend: the command or action that mends it, empty when there is nothing to mend.
    """

    id: str
    level: Literal["ok", "warning", "problem"]
    text: str
    mend: str = ""


@dataclass(frozen=True)
class _Patient:
    checkout: Checkout
    patches: PatchSet
    now: State
    env: Mapping[str, str]

    @property
    def root(self) -> Path:
        return self.checkout.root

    @property
    def install(self) -> str:
        return f"svi-install {quoted(self.root)}"


def doctor(root: Path, *, report: bool = False, updates: bool = False, env: Mapping[str, str] = os.environ) -> Result:
    """Look at everything that SVI needs in a checkout.

    Args:
        root: the folder that holds ``wgp.py``.
        updates: try the ways to update on a copy.
        report: show a text that can be pasted into a report instead, without private paths and names.

    Returns:
        The checks; the exit code is 1 when one of them found a problem.

    Raises:
        SviError: the folder is no WanGP that svi-install knows.
    """
    checkout = inspect(root)
    recovered = recover(checkout.root)
    patches = patchset.load()
    patient = _Patient(checkout, patches, state.read(checkout.root, patches), env)
    checks = (
        Check("interrupted", "ok", " ".join(recovered) or "No command was interrupted."),
        *(check for examine in _EXAMINATIONS for check in examine(patient)),
        *(_tried(patient) if updates else ()),
    )
    bad = [check for check in checks if check.level == "problem"]
    open_ends = [check for check in checks if check.level == "warning"]
    headline = "Everything is fine." if not bad and not open_ends else _count(len(bad), len(open_ends))
    body = [line for check in checks for line in _lines(check)]
    text = _paste(patient, checks)
    if report:
        body = [((row, ""),) for row in text.splitlines()]
    mends = [check.mend for check in (*bad, *open_ends) if check.mend]
    return Result(
        "doctor",
        "done",
        headline,
        body=tuple(body),
        # What is to be pasted must not name the folder.
        checkout=None if report else checkout,
        state=patient.now.name,
        next_command=mends[0] if mends and not report else "",
        extra={
            "checks": [{"id": one.id, "level": one.level, "text": one.text, "mend": one.mend} for one in checks],
            **({"report": text} if report else {}),
        },
        exit_code=EXIT_FAILED if bad else EXIT_DONE,
    )


def _state(patient: _Patient) -> Iterator[Check]:
    name = patient.now.name
    said = " ".join(patient.now.details)
    texts: dict[str, tuple[Literal["ok", "warning", "problem"], str, str]] = {
        "installed": ("ok", "SVI is in.", ""),
        "absent": ("problem", "SVI is not in.", patient.install),
        "outdated": ("warning", "SVI is in, installed by another version of svi-install.", patient.install),
        "wiped": ("problem", "SVI was removed, most likely by WanGP's updater.", patient.install),
        "partial": ("problem", "SVI is only partly in.", patient.install),
        "edited": ("problem", "Lines or files of SVI were changed by hand.", ""),
        "foreign": ("problem", "Another SVI patch is in.", _exchanged(patient)),
        "unsupported": ("problem", "This WanGP cannot be patched.", "Update WanGP and svi-install"),
    }
    level, text, mend = texts[name]
    yield Check("state", level, f"{text} {said}".strip(), mend)


def _release(patient: _Patient) -> Iterator[Check]:
    newer = caution(patient.checkout.version, patient.patches)
    covered = f"SVI has been run on releases up to {newest_run(patient.patches)}; this one is among those it fits."
    yield Check("release", "ok", newer or covered)


def _exchanged(patient: _Patient) -> str:
    way = way_out(patient.root, patient.patches, patient.now)
    return patient.install if way else f"{_fresh(patient)}, then: {patient.install}"


def _fresh(patient: _Patient) -> str:
    if patient.checkout.kind == "zip":
        return f"put {', '.join(patient.patches.paths)} back from WanGP's zip"
    return f"git -C {quoted(patient.root)} checkout -- {' '.join(patient.patches.paths)}"


def _edited(patient: _Patient) -> Iterator[Check]:
    """Name each changed line and each changed file, and how to come out of it."""
    old = patient.now.receipt
    back = way_out(patient.root, patient.patches, patient.now)
    for path in patient.patches.paths:
        variants = extended(patient.patches.variants[path], None if old is None else old.of(path))
        for number, text in hooks.edited_lines(variants, (patient.root / path).read_bytes()):
            mend = patient.install if back else f"delete line {number} of {path}, then: {patient.install}"
            yield Check("changed-line", "problem", f"{path}, line {number}, was changed: {text}", mend)
    for path, data in runtime_files().items():
        try:
            now = (patient.root / path).read_bytes()
        except OSError:
            continue
        known = {digest(data), "" if old is None else old.added.get(path, "")}
        if digest(now) not in known:
            yield Check(
                "changed-file",
                "problem",
                f"{path} was changed.",
                f"move {path} away, then: {patient.install}",
            )


def _receipt(patient: _Patient) -> Iterator[Check]:
    old = patient.now.receipt
    if old is None:
        if patient.now.name not in ("absent", "foreign", "unsupported"):
            yield Check("receipt", "warning", "The receipt is missing or damaged.", patient.install)
        return
    damaged = [entry.path for entry in old.patched if entry.pristine_bytes() is None]
    if damaged:
        text = f"The receipt's copy of {', '.join(damaged)} is damaged; SVI can still be taken out by its lines alone."
        yield Check("receipt", "warning", text, f"svi-install --revert {quoted(patient.root)}, then: {patient.install}")
        return
    proofs = {"published": "its known content", "git": "git", "hooks": "svi-install's own lines"}
    how = ", ".join(f"{entry.path} by {proofs.get(entry.proof, entry.proof)}" for entry in old.patched)
    yield Check("receipt", "ok", f"Written {old.time} by svi-install {old.version}; pristine files proven: {how}.")


def _updates(patient: _Patient) -> Iterator[Check]:
    """Say what each way to update will do."""
    if patient.now.name != "installed":
        return
    fixable = (patient.root / ".git").exists() and not is_set(patient.root)
    for way in ways(patient.checkout):
        level: Literal["ok", "warning"] = "warning" if fixable and not way.stays else "ok"
        yield Check("updates", level, f"{way.name}: {way.text}", patient.install if level == "warning" else "")


def _tried(patient: _Patient) -> Iterator[Check]:
    """Do it on a copy and say what came of it."""
    if not (patient.root / ".git").exists():
        yield Check("tried", "ok", "There is no git in this WanGP, so there is nothing to try.")
        return
    from .rehearsal import rehearse

    try:
        for tried in rehearse(patient.checkout):
            text = f"{tried.name}: tried on a copy; SVI is {'in the new WanGP' if tried.stays else 'not in it'}."
            yield Check(
                "tried", "ok" if tried.stays else "warning", f"{text} {'' if tried.stays else tried.said}".strip()
            )
    except SviError as error:
        yield Check("tried", "warning", f"The ways to update could not be tried: {error.message}", error.hint)


def _profiles(patient: _Patient) -> Iterator[Check]:
    if patient.now.name not in ("installed", "outdated"):
        return
    missing = [path for path in profile_files(patient.root) if not (patient.root / path).exists()]
    if missing:
        yield Check("profiles", "warning", f"{counted(len(missing), 'SVI profile')} missing.", patient.install)
    else:
        yield Check("profiles", "ok", "All of SVI's profiles are in place.")


def _loras(patient: _Patient) -> Iterator[Check]:
    found = seen(patient.root)
    for one in found:
        if one.look.fault:
            mend = f"remove {quoted(one.path)}, then: svi-install fetch {one.lora.name} {quoted(patient.root)}"
            yield Check("loras", "problem", f"{one.path} {one.look.fault}; WanGP cannot load it.", mend)
    missing = [one.lora.name for one in found if not one.look.present and not one.look.fault]
    if missing:
        text = f"{', '.join(missing)} has not been downloaded yet; WanGP does so on first use."
        yield Check("loras", "warning", text, f"svi-install fetch {quoted(patient.root)}")
    elif not any(one.look.fault for one in found):
        yield Check("loras", "ok", "SVI's LoRA is in place.")


def _writable(patient: _Patient) -> Iterator[Check]:
    closed = [path for path in (".", *patient.patches.paths) if not os.access(patient.root / path, os.W_OK)]
    if closed:
        mend = f"sudo chown -R $USER {quoted(patient.root)}"
        if _WINDOWS:
            mend = "Clear 'Read-only' in the properties of that file or folder"
        yield Check("writable", "problem", f"You do not have permission to write to {', '.join(closed)}.", mend)
    else:
        yield Check("writable", "ok", "WanGP's folder is writable.")
    free = shutil.disk_usage(patient.root).free
    if free < _ROOM:
        yield Check("room", "problem", f"Only {free // 1024**2} MB free on this disk.", "Make room on this disk")
    else:
        yield Check("room", "ok", f"{free // 1024**3} GB free on this disk.")


def _wangp(patient: _Patient) -> Iterator[Check]:
    if patient.checkout.newline == "mixed":
        yield Check("line-ends", "ok", "WanGP's files have mixed line endings; they are kept as they are.")
    try:
        program = python_of(patient.root, None, patient.env)
    except SviError as error:
        yield Check("python", "warning", "WanGP's Python was not found; launch and render need it.", error.hint)
    else:
        yield Check("python", "ok", f"WanGP's Python is {program}.")


_EXAMINATIONS: tuple[Callable[[_Patient], Iterator[Check]], ...] = (
    _state,
    _release,
    _edited,
    _receipt,
    _updates,
    _profiles,
    _loras,
    _writable,
    _wangp,
)


def _count(bad: int, open_ends: int) -> str:
    parts = []
    if bad:
        parts.append(f"{bad} problem{'s' if bad > 1 else ''}")
    if open_ends:
        parts.append(f"{open_ends} thing{'s' if open_ends > 1 else ''} left to do")
    return f"{' and '.join(parts)}."


def _lines(check: Check) -> Iterator[Line]:
    yield ((f"  {check.level:8}", _STYLES[check.level]), (f"{check.id:13}", ""), (check.text, ""))
    if check.mend:
        yield ((" " * 23 + "fix:  ", "dim"), (check.mend, "bold"))


def _paste(patient: _Patient, checks: tuple[Check, ...]) -> str:
    """Return what helps somebody else to help, without the person's folders and name."""
    checkout, old = patient.checkout, patient.now.receipt
    commit = f"{checkout.branch or 'no branch'} {(checkout.commit or 'no commit')[:12]}"
    rows = [
        f"svi-install {__version__}, patch set {patient.patches.version}",
        f"Python {platform.python_version()}, {platform.system()} {platform.release()} {platform.machine()}",
        f"WanGP {checkout.version}, {checkout.kind}, {commit}, {checkout.newline}",
        f"state {patient.now.name}; receipt {'none' if old is None else f'{old.version} {old.patch_set} {old.time}'}",
        *(f"{path} {_sum(patient.root / path)}" for path in patient.patches.paths),
        f"{FOLDER}: {', '.join(_content(patient.root / FOLDER)) or 'nothing'}",
        *(f"{check.level} {check.id}: {check.text}" for check in checks),
    ]
    return _private("\n".join(rows), patient)


def _private(text: str, patient: _Patient) -> str:
    home = home_folder()
    names = {str(patient.root): "<WanGP>", str(patient.root.resolve()): "<WanGP>", str(home): "~", sys.prefix: "<env>"}
    for name in sorted((name for name in names if Path(name).name), key=len, reverse=True):
        for spelling in (name, Path(name).as_posix(), name.replace("\\", "\\\\")):
            text = text.replace(spelling, names[name])
    user = home.name
    return re.sub(rf"\b{re.escape(user)}\b", "<user>", text) if len(user) > 2 else text


def _sum(path: Path) -> str:
    return digest(path.read_bytes())[:16] if path.is_file() else "missing"


def _content(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
