"""Gives files back that somebody else has edited, once the person agrees: another patch set, or changed hook lines."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ..checkout import git_index
from ..errors import EXIT_UNSUPPORTED, SviError, quoted
from ..patching import hooks, known, others
from ..patching.patchset import PatchSet
from ..patching.plan import Cleared
from ..patching.pristine import extended, hook_lines
from ..patching.state import State
from ..writing import files
from ..writing.files import FOLDER, digest
from ..writing.receipt import Patched

KEPT = f"{FOLDER}/edited"


class Way(NamedTuple):
    """What to ask, what each file is to count as, and what to say when it is done."""

    question: str
    cleared: Mapping[str, Cleared]
    notes: tuple[str, ...] = ()


def way_out(root: Path, patches: PatchSet, now: State) -> Way | None:
    """Find what every edited file was before, proven; None where one of them cannot be told."""
    if now.name == "foreign":
        return _from_others(root, patches)
    return _from_edits(root, patches, now) if now.name == "edited" else None


def refusal(root: Path, now: State, way: Way) -> SviError:
    """Say that nobody agreed, and what agrees at once."""
    said = " ".join(now.details)
    return SviError(
        "not-agreed",
        f"{said} Nothing was changed.\n{way.question}",
        f"svi-install --yes {quoted(root)}",
        EXIT_UNSUPPORTED,
    )


def _from_others(root: Path, patches: PatchSet) -> Way | None:
    cleared: dict[str, Cleared] = {}
    for path in patches.paths:
        data = files.read(root / path) or b""
        if not hooks.foreign(data, path):
            continue
        clean = others.take_out(path, data)
        copy = ""
        if clean is None:
            clean, copy = _committed(root, path, data), f"{KEPT}/{path}"
        if clean is None:
            return None
        cleared[path] = Cleared(data, clean, copy)
    copied = [path for path, one in cleared.items() if one.copy]
    how = "It comes out line by line, as it went in."
    if copied:
        how = (
            f"{', '.join(copied)} was changed by hand besides, so it goes back to what git has for it; "
            f"a copy of it as it is now stays in {KEPT}."
        )
    notes = ["The patches of wan2gp-svi were taken out. Its profiles stay where they are and work with this SVI."]
    notes += [f"{path} as it was is kept in {KEPT}/{path}." for path in copied]
    question = f"This WanGP has the patches of wan2gp-svi in it. {how} Take them out and put this SVI in?"
    return Way(question, cleared, tuple(notes)) if cleared else None


def _committed(root: Path, path: str, data: bytes) -> bytes | None:
    """Return what git has for a file, with the line ends that the file has; None without git or where it is unsure."""
    if not (root / ".git").exists():
        return None
    from ..history import gitcall

    try:
        text = gitcall.git(root, "show", f"HEAD:{path}")
    except SviError:
        return None
    if data.count(b"\r\n") == data.count(b"\n") > 0:
        text = text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return text if git_index.is_committed(root, path, text) and not hooks.foreign(text, path) else None


def _from_edits(root: Path, patches: PatchSet, now: State) -> Way | None:
    cleared: dict[str, Cleared] = {}
    shown: list[str] = []
    for path in patches.paths:
        recorded = None if now.receipt is None else now.receipt.of(path)
        variants = extended(patches.variants[path], recorded)
        data = files.read(root / path) or b""
        strange = hooks.edited_lines(variants, data)
        if not strange:
            continue
        lines = data.splitlines(keepends=True)
        rest = b"".join(line for number, line in enumerate(lines, 1) if number not in dict(strange))
        try:
            clean = hooks.remove_hooks(variants, path, rest)
        except SviError:
            return None
        if not _proven(root, path, clean, recorded):
            return None
        cleared[path] = Cleared(data, clean)
        for number, text in strange:
            shown += [
                f"{path}, line {number}",
                f"  was  {closest(text, hook_lines(patches.variants[path]))}",
                f"  is   {text}",
            ]
    if not cleared:
        return None
    one = len(shown) == 3
    listing = "\n".join(shown)
    ask = "Put this line back as it was?" if one else "Put these lines back as they were?"
    done = "A line of SVI that somebody had changed is" if one else "The lines of SVI that somebody had changed are"
    return Way(f"{listing}\n{ask}", cleared, (f"{done} back.",))


def _proven(root: Path, path: str, data: bytes, recorded: Patched | None) -> bool:
    if recorded is not None and digest(data) == recorded.before:
        return True
    return known.is_published(path, data) or git_index.is_committed(root, path, data)


def closest(text: str, lines: tuple[str, ...]) -> str:
    """Return the hook line that a changed line was made of."""
    import difflib

    return max(lines, key=lambda line: difflib.SequenceMatcher(None, text, line, autojunk=False).ratio())
