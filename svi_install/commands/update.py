"""``update``: brings WanGP up to date and keeps SVI in it; when that fails, everything is as it was."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..checkout.inspection import Checkout, inspect
from ..checkout.profiles import profile_files
from ..errors import EXIT_INTERRUPTED, EXIT_UNSUPPORTED, SviError, quoted
from ..gitfilter.refresh import refresh
from ..history.gitcall import git, line, names
from ..history.repository import read_blobs
from ..package_data import runtime_files
from ..patching import patchset, placement, state
from ..patching.patchset import PatchSet
from ..patching.plan import plan_revert
from ..report.result import Result
from ..writing import files, receipt, transaction
from ..writing.change import Change, Plan
from .install import install
from .interrupted import recover

_WITH_SVI = ("installed", "outdated", "wiped", "partial", "edited")


def update(root: Path, say: Callable[[str], None] = lambda _line: None, *, online: bool = False) -> Result:
    """Take the hooks out, pull WanGP, and put the hooks in again.

    The new WanGP is looked at before anything is touched: when SVI cannot go into it, nothing happens. Only the lines
    in WanGP's own files go out for the pull, so a command that is ended half way leaves what every ``svi-install``
    repairs. A WanGP without SVI is pulled and stays without.

    Args:
        root: the folder that holds ``wgp.py``.
        say: told what is going on, line by line.
        online: read first what the project's page says of this WanGP and of the newest.

    Raises:
        SviError: git could not pull, or the new WanGP cannot be patched; the checkout is as it was.
    """
    checkout = inspect(root)
    notes = recover(checkout.root)
    patches = patchset.load()
    if online:
        from .online import fetch, told

        notes = (*notes, *told(fetch(), checkout, patches))
    before = state.read(checkout.root, patches)
    wanted = before.name in _WITH_SVI
    old, new = _ends(checkout, say)
    if old == new:
        return _no_news(checkout, wanted, before, notes)
    if wanted:
        _check_new(checkout, patches, new)
    _pull(checkout, patches, old, new, wanted)
    try:
        return _moved(checkout, wanted, before, notes, _ids(old, new))
    except KeyboardInterrupt as stop:
        message = f"Stopped. WanGP {checkout.version} was updated, but SVI may not be in it yet."
        again = f"svi-install {quoted(root)}"
        raise SviError("interrupted", message, again, EXIT_INTERRUPTED) from stop
    except SviError as error:
        why = error.message.replace(" Nothing was changed.", "").replace("; nothing was changed", "")
        message = f"WanGP {checkout.version} was updated, but SVI is not in it any more: {why}"
        raise SviError(error.code, message, error.hint, error.exit_code) from error


def _moved(
    checkout: Checkout, wanted: bool, before: state.State, notes: tuple[str, ...], ids: dict[str, object]
) -> Result:
    after = inspect(checkout.root)
    moved = f"WanGP {checkout.version} was updated to {after.version}"
    if not wanted:
        return Result("update", "done", f"{moved}; SVI is not in it.", after, before.name, notes=notes, extra=ids)
    result = install(checkout.root)
    return result._replace(
        command="update",
        status="done",
        headline=f"{moved}; SVI is in it.",
        notes=(*notes, *result.notes),
        extra=ids,
    )


def _ids(old: str, new: str) -> dict[str, object]:
    return {"commit_before": old, "commit_after": new}


def _no_news(checkout: Checkout, wanted: bool, before: state.State, notes: tuple[str, ...]) -> Result:
    headline = f"WanGP {checkout.version} is up to date"
    if wanted and before.name != "installed":
        result = install(checkout.root)
        headline = f"{headline}; SVI is in it again."
        return result._replace(command="update", headline=headline, notes=(*notes, *result.notes))
    headline += "; SVI is in it." if wanted else "; SVI is not in it."
    return Result("update", "unchanged", headline, checkout, before.name, notes=notes)


def _ends(checkout: Checkout, say: Callable[[str], None]) -> tuple[str, str]:
    """Fetch, and return the commit that is checked out and the one to go to."""
    root = checkout.root
    if not (root / ".git").exists():
        raise SviError(
            "no-history",
            f"{root} is an unpacked zip without git, so it cannot be pulled. Nothing was changed.",
            f"Update WanGP with its own updater or a new zip, then run: svi-install {quoted(root)}",
        )
    if not _same_folder(line(root, "rev-parse", "--show-toplevel"), root):
        raise SviError(
            "no-history",
            f"git in {root} works on another folder (core.worktree), so it cannot be pulled. Nothing was changed.",
            f"git -C {quoted(root)} config --unset core.worktree",
        )
    try:
        line(root, "rev-parse", "--abbrev-ref", "@{upstream}")
    except SviError as error:
        if error.code != "git-failed":
            raise
        raise SviError(
            "no-branch",
            f"WanGP in {root} is on no branch that follows another one, so git cannot pull. Nothing was changed.",
            f"git -C {quoted(root)} checkout main",
        ) from error
    say("Asking for the newest WanGP ...")
    _fetch(root, say)
    old, new = line(root, "rev-parse", "HEAD"), line(root, "rev-parse", "@{upstream}")
    base = line(root, "merge-base", old, new)
    if base == new:
        return old, old
    if base != old:
        raise SviError(
            "diverged",
            f"WanGP in {root} has commits of its own, so git cannot simply move it forward. Nothing was changed.",
            f"git -C {quoted(root)} pull --rebase, then: svi-install {quoted(root)}",
        )
    return old, new


def _same_folder(top: str, root: Path) -> bool:
    try:
        return Path(top).samefile(root)
    except OSError:
        return False


def _fetch(root: Path, say: Callable[[str], None]) -> None:
    told: list[str] = []

    def tell(what: str, done: int, total: int) -> None:
        if what not in told:
            told.append(what)
            say(f"{what} ...")

    try:
        git(root, "fetch", "--progress", progress=tell)
    except SviError as error:
        message = f"{error.message}. The checkout is as it was."
        raise SviError(error.code, message, "Check the network, then run the same command again.") from error


def _check_new(checkout: Checkout, patches: PatchSet, new: str) -> None:
    for path in patches.paths:
        try:
            (data,) = read_blobs(checkout.root, [f"{new}:{path}"])
            placement.place(patches.variants[path], path, data)
        except SviError as error:
            raise SviError(
                "new-wangp-unsupported",
                f"The newest WanGP cannot be patched safely yet, so it was not pulled and nothing was changed. "
                f"{error.message}",
                "Update svi-install, then run svi-install update again.",
                EXIT_UNSUPPORTED,
            ) from error


def _pull(checkout: Checkout, patches: PatchSet, old: str, new: str, wanted: bool) -> None:
    root = checkout.root
    undo = _unhooked(root, patches) if wanted else Plan("update", root, (), {})
    times = {change.path: (root / change.path).stat().st_mtime_ns for change in undo.changes}
    transaction.run(undo)
    # Git goes by the sizes that it knows, and those may be the ones with hooks.
    refresh(root)
    difference: _Difference | None = None
    try:
        found = _difference(root, old, new)
        _refuse_losses(root, found, _ours(root))
        difference = found
        git(root, "merge", "--quiet", "--ff-only", new)
    except BaseException as error:
        try:
            if difference is not None:
                _reset_half_done(root, difference)
        finally:
            transaction.run(_hooked_again(undo, times))
            refresh(root)
        if isinstance(error, SviError) and error.code == "git-failed":
            raise SviError(error.code, f"{error.message}. The checkout is as it was.") from error
        raise


def _unhooked(root: Path, patches: PatchSet) -> Plan:
    """Return the plan that takes the lines out of WanGP's own files and leaves everything else."""
    whole = plan_revert(root, patches, runtime_files(), profile_files(root))
    changes = tuple(change for change in whole.changes if change.path in patches.paths)
    return Plan("update", root, changes, {})


def _hooked_again(undo: Plan, times: Mapping[str, int]) -> Plan:
    changes = reversed(undo.changes)
    back = (Change(change.path, change.after, change.before, times[change.path]) for change in changes)
    return undo._replace(changes=tuple(back))


@dataclass(frozen=True)
class _Difference:
    """What a pull changes: files of the old commit, files that only the new one has, folders that it makes."""

    old: str
    known: tuple[str, ...]
    added: tuple[str, ...]
    folders: tuple[str, ...]


def _difference(root: Path, old: str, new: str) -> _Difference:
    changed = names(root, "diff", "--name-only", "--no-renames", "-z", old, new)
    there = set(names(root, "ls-tree", "-r", "--name-only", "-z", old))
    added = tuple(path for path in changed if path not in there)
    parents = {str(parent) for path in added for parent in PurePosixPath(path).parents}
    folders = sorted((parent for parent in parents if not os.path.lexists(root / parent)), key=len, reverse=True)
    return _Difference(old, tuple(path for path in changed if path in there), added, tuple(folders))


def _ours(root: Path) -> frozenset[str]:
    """Return the files that are as an install put them there: where WanGP ships one of that name, its own wins."""
    old = receipt.load(root)
    added = {} if old is None else old.added
    return frozenset(
        path for path, recorded in added.items() if files.digest(files.read(root / path) or b"") == recorded
    )


def _refuse_losses(root: Path, difference: _Difference, ours: frozenset[str]) -> None:
    """Stop before git does, and say it in plain words, when the pull would run over files of a person's own."""
    edited = set(names(root, "diff", "--name-only", "--no-renames", "-z", difference.old))
    blocked = [path for path in difference.known if path in edited]
    blocked += [path for path in difference.added if path not in ours and os.path.lexists(root / path)]
    if blocked:
        more = f" and {len(blocked) - 5} more" if len(blocked) > 5 else ""
        raise SviError(
            "own-changes",
            f"The update of WanGP changes files that you changed or made: {', '.join(blocked[:5])}{more}. "
            "The checkout is as it was.",
            "Move your changes away (git stash), run svi-install update again, then bring them back.",
        )


def _reset_half_done(root: Path, difference: _Difference) -> None:
    """Put back what a failing merge had written; `_refuse_losses` made sure that nothing of a person's own is in it."""
    for path in difference.known:
        git(root, "checkout", "--quiet", "--force", difference.old, "--", path)
    for path in difference.added:
        (root / path).unlink(missing_ok=True)
    for folder in difference.folders:
        with contextlib.suppress(OSError):
            (root / folder).rmdir()
