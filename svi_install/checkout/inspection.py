"""What a WanGP folder is: version, kind, branch, commit and newline style, read without git or importing it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, NamedTuple

from ..errors import EXIT_NO_CHECKOUT, EXIT_UNSUPPORTED, SviError
from ..package_data import PATCHED
from ..writing import files

# Version strings cannot be ordered, but releases before 9.0 have a major number up to 8, and later ones none of these.
_BEFORE_9 = r"[0-8](\.|$)"
_COMMIT = r"[0-9a-f]{40}([0-9a-f]{24})?"
_PREFIX = "ref: "

Kind = Literal["git", "zip", "pinokio"]
Newline = Literal["lf", "crlf", "mixed"]


class Checkout(NamedTuple):
    """One WanGP folder.

    Args:
        root: absolute path of the folder that holds ``wgp.py``.
        kind: how it came here: cloned with git, unpacked from a zip, or installed by Pinokio.
        version: WanGP's own version string; shown to people, never compared.
        branch: name of the checked-out branch, None without git or on a detached HEAD.
        commit: full id of HEAD, None without git or before the first commit.
        newline: line ends of the files that an install changes.
    """

    root: Path
    kind: Kind
    version: str
    branch: str | None
    commit: str | None
    newline: Newline


def version_in(source: bytes, name: str = "WanGP_version") -> str | None:
    """Return the text that a source assigns to a name in column 0, None where it does not; nothing is run."""
    found = re.search(rb"(?m)^%b\s*=\s*([\"'])([^\"'\r\n]*)\1" % name.encode(), source)
    return found[2].decode("utf-8", "replace") if found else None


def missing_marker(folder: Path) -> str:
    """Say what keeps a folder from being a WanGP checkout.

    Returns:
        The missing marker in words, or an empty string when the folder is a checkout. A WanGP that is too old or
        incomplete counts as a checkout, so that `inspect` can name the reason.
    """
    try:
        if not folder.exists():
            return "no such folder"
        if not folder.is_dir():
            return "not a folder"
        wgp = folder / "wgp.py"
        if not wgp.is_file():
            return "no wgp.py"
        if version_in(wgp.read_bytes()) is None and not all((folder / marker).is_file() for marker in PATCHED):
            return "its wgp.py has no WanGP_version"
    except PermissionError:
        return "no permission to look inside"
    except OSError as error:
        return error.strerror or "cannot be read"
    return ""


def is_comfyui(folder: Path) -> bool:
    """Tell whether a folder is ComfyUI's, the usual mix-up; looks only at names in the folder."""
    return (folder / "comfyui_version.py").exists() or (folder / "custom_nodes").is_dir()


def holds_comfyui(folder: Path) -> bool:
    """Tell whether a folder is the one around ComfyUI, as its portable build has it."""
    return is_comfyui(folder / "ComfyUI")


def inspect(root: Path) -> Checkout:
    """Read what a checkout is from its files.

    Args:
        root: the folder that holds ``wgp.py``.

    Raises:
        SviError: not a WanGP folder (exit code 3), older than 9.0 or incomplete (exit code 4); or the disk refused.
    """
    try:
        return _inspect(root.absolute())
    except OSError as error:
        raise files.plain(error, Path(error.filename or root), "read") from error


def _inspect(root: Path) -> Checkout:
    why = missing_marker(root)
    if why:
        raise SviError(
            "no-checkout",
            f"{root} is not a WanGP folder: {why}. Nothing was changed.",
            "Give the folder that contains wgp.py: svi-install PATH",
            EXIT_NO_CHECKOUT,
        )
    version = version_in((root / "wgp.py").read_bytes()) or "unknown"
    if re.match(_BEFORE_9, version):
        raise SviError(
            "too-old",
            f"{root} is WanGP {version}; SVI needs 9.0 or newer. Nothing was changed.",
            "Update WanGP first (git pull, or WanGP's own updater), then run this command again.",
            EXIT_UNSUPPORTED,
        )
    for marker in PATCHED:
        if not (root / marker).is_file():
            raise SviError(
                "incomplete",
                f"WanGP {version} in {root} is incomplete: {marker} is missing. Nothing was changed.",
                "Update or reinstall WanGP, then run this command again.",
                EXIT_UNSUPPORTED,
            )
    branch, commit = head(root)
    return Checkout(root, kind_of(root), version, branch, commit, newline_of(root))


def kind_of(root: Path) -> Kind:
    """Say how a checkout was installed, from its place and the presence of ``.git``."""
    parent = root.parent
    if root.name == "app" and (parent.name.endswith(".git") or (parent / "pinokio.js").exists()):
        return "pinokio"
    return "git" if (root / ".git").exists() else "zip"


def newline_of(root: Path) -> Newline:
    """Say which line ends the files that an install changes have on disk."""
    crlf = lf = False
    for marker in PATCHED:
        data = (root / marker).read_bytes()
        pairs = data.count(b"\r\n") if b"\r" in data else 0
        crlf = crlf or pairs > 0
        lf = lf or (b"\n" in data if not pairs else data.count(b"\n") > pairs)
    if crlf and lf:
        return "mixed"
    return "crlf" if crlf else "lf"


def head(root: Path) -> tuple[str | None, str | None]:
    """Read the branch and commit of HEAD without git.

    Args:
        root: a folder that may hold ``.git``, as a directory or as the file of a worktree or submodule.

    Returns:
        Branch and commit; each is None where it does not exist or cannot be read.
    """
    try:
        folder = root / ".git"
        if folder.is_file():
            folder = (root / folder.read_text("utf-8").removeprefix("gitdir:").strip()).resolve()
        text = (folder / "HEAD").read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None, None
    if not text.startswith(_PREFIX):
        return None, text if re.fullmatch(_COMMIT, text) else None
    ref = text.removeprefix(_PREFIX)
    branch = ref.removeprefix("refs/heads/")
    # A repository with the reftable format keeps this placeholder in HEAD and its refs elsewhere.
    if branch == ".invalid":
        return None, None
    return branch, _resolve(folder, ref)


def _resolve(folder: Path, ref: str) -> str | None:
    try:
        common = (folder / (folder / "commondir").read_text("utf-8").strip()).resolve()
    except (OSError, UnicodeDecodeError):
        common = folder
    for base in (folder, common):
        try:
            text = (base / ref).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            continue
        return text if re.fullmatch(_COMMIT, text) else None
    try:
        packed = (common / "packed-refs").read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    for line in packed.splitlines():
        commit, _, name = line.partition(" ")
        if name == ref and re.fullmatch(_COMMIT, commit):
            return commit
    return None
