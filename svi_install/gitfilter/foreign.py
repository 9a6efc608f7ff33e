"""Which of WanGP's files somebody else's filter already has: those are left to it."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from ..checkout.locate import home_folder
from ..writing import files
from ..writing.git_folder import ATTRIBUTES, CONFIG, GitFolder
from . import sections

_NAMES_FILE = re.compile(rb"(?im)^\s*attributesfile\s*=\s*\"?([^\"\r\n]+?)\"?\s*$")
_FILTER = re.compile(rb"[-!]?filter(=\S*)?")


def filtered(root: Path, git: GitFolder, paths: Sequence[str]) -> tuple[str, ...]:
    """Return the files that an attribute of somebody else's gives to a filter, or keeps from one.

    Args:
        paths: files to ask for, relative to the checkout.

    Raises:
        SviError: a file of attributes is there and cannot be read.
    """
    found: set[str] = set()
    for folder, data in _attribute_files(root, git, paths):
        rows = [row.split() for row in data.splitlines()]
        # A macro is a name for several attributes; one that sets a filter counts like the filter itself.
        macros = {row[0][6:] for row in rows if row and row[0].startswith(b"[attr]") and _sets(row[1:], set())}
        for row in rows:
            if row and not row[0].startswith((b"#", b"[attr]")) and _sets(row[1:], macros):
                pattern = row[0].strip(b'"').decode("utf-8", "replace")
                found.update(path for path in paths if _matches(pattern, folder, path))
    return tuple(path for path in paths if path in found)


def _sets(attributes: Sequence[bytes], macros: set[bytes]) -> bool:
    return any(_FILTER.fullmatch(word) or word in macros for word in attributes)


def _attribute_files(root: Path, git: GitFolder, paths: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Yield each file of attributes that counts for these files: the folder it is for, and its bytes without ours."""
    folders = {str(parent) for path in paths for parent in PurePosixPath(path).parents}
    places = [(folder, root / folder / ".gitattributes") for folder in sorted(folders)]
    places.append((".", git.common / ATTRIBUTES))
    places += [(".", file) for file in _general(git)]
    for folder, file in places:
        if files.kind(file) == "file" and (data := sections.take(files.read(file))):
            yield folder, data


def _general(git: GitFolder) -> Iterator[Path]:
    """Yield the attributes that the person has for every repository."""
    home = home_folder()
    base = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "git"
    yield base / "attributes"
    for settings in (git.common / CONFIG, home / ".gitconfig", base / "config"):
        data = files.read(settings) if files.kind(settings) == "file" else None
        for named in _NAMES_FILE.findall(data or b""):
            text = named.decode("utf-8", "replace")
            yield home / text[2:] if text.startswith("~/") else Path(text)


def _matches(pattern: str, folder: str, path: str) -> bool:
    """Tell whether a pattern may mean a file; whether case counts, only git knows, so here it does not."""
    if folder != "." and not path.startswith(f"{folder}/"):
        return False
    names = (path if folder == "." else path[len(folder) + 1 :]).lower().split("/")
    if "/" not in pattern:
        return fnmatch.fnmatchcase(names[-1], pattern.lower())
    return _match(pattern.removeprefix("/").lower().split("/"), names)


def _match(parts: Sequence[str], names: Sequence[str]) -> bool:
    if not parts:
        return not names
    if parts[0] == "**":
        return any(_match(parts[1:], names[at:]) for at in range(len(names) + 1))
    return bool(names) and fnmatch.fnmatchcase(names[0], parts[0]) and _match(parts[1:], names[1:])
