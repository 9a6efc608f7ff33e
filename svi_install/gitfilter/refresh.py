"""After a change of WanGP's files: git is asked to look at them again, since it goes by their size first."""

from __future__ import annotations

from pathlib import Path

from ..checkout import git_index
from ..errors import SviError, quoted
from ..package_data import MARKER, PATCHED
from ..writing import files, git_folder, index


def without_ours(data: bytes) -> bytes:
    """Return what git's clean filter makes of a file."""
    kept: list[bytes] = []
    marker = MARKER.encode()
    done = 0
    while (at := data.find(marker, done)) >= 0:
        end = data.find(b"\n", at) + 1 or len(data)
        # The mark says something only at the end of a line.
        ours = not data[data.rfind(marker, at, end) + len(marker) : end].strip()
        kept.append(data[done : data.rfind(b"\n", done, at) + 1 or done] if ours else data[done:end])
        done = end
    return b"".join([*kept, data[done:]])


def refresh(root: Path) -> str:
    """Let git look again at each of WanGP's files that is, but for our lines, as the index has it.

    Nothing is staged: the index keeps what it holds of every file, and a file with edits of a person's own is left out.

    Returns:
        What a person should know, empty when git will see what is there.
    """
    try:
        git = git_folder.find(root)
    except OSError as error:
        # The files are changed by now: what git sees is not worth an error.
        return _later(root, files.plain(error, root / ".git", "read").message.rstrip("."))
    if git is None:
        return ""
    place = git.own / "index"
    try:
        before = files.read(place)
        if before is None:
            return ""
        stale = [entry for path, entry in git_index.entries(before, PATCHED).items() if _is_stale(root / path, entry)]
        if not stale or index.replace(place, before, git_index.look_again(before, stale)):
            return ""
    except git_index.UnknownIndexError:
        return "" if _by_git(root) else _later(root, f"{place} is of a kind that svi-install does not change")
    except SviError as error:
        return _later(root, error.message.rstrip("."))
    return _later(root, f"git is at work in {git.own}")


def _is_stale(file: Path, entry: git_index.Entry) -> bool:
    data = files.read(file)
    if data is None or entry.size in (0, len(data) & 0xFFFFFFFF):
        return False
    return git_index.is_blob(entry, without_ours(data))


def _by_git(root: Path) -> bool:
    """Have git itself forget the sizes, where there is one: it is given what it has, and reads no file for that."""
    from ..history.gitcall import git, line

    try:
        for path in PATCHED:
            data = files.read(root / path)
            mode, blob, stage = (*line(root, "ls-files", "--stage", "--", path).split()[:3], "", "", "")[:3]
            if data is not None and stage == "0" and blob in git_index.ids(without_ours(data)):
                git(root, "update-index", "--cacheinfo", f"{mode},{blob},{path}")
    except SviError:
        return False
    return True


def _later(root: Path, why: str) -> str:
    again = f"until you run svi-install {quoted(root)} again"
    return f"{why}, so git may call WanGP's files modified and refuse to pull {again}."
