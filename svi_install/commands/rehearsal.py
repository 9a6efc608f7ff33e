"""Tries the ways to update on a copy: WanGP's three files as they are here, and a release of ours that follows."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import NamedTuple

from ..checkout.inspection import Checkout
from ..errors import SviError
from ..gitfilter import sections
from ..history import gitcall
from ..patching import patchset, state
from ..writing import files, git_folder
from ..writing.git_folder import ATTRIBUTES
from .install import install

_WAYS = (
    ("git pull", (("pull", "--quiet"),)),
    ("git fetch, git reset --hard", (("fetch", "--quiet"), ("reset", "--quiet", "--hard", "@{upstream}"))),
    (
        "git stash, git pull, git stash pop",
        (("add", "own.txt"), ("stash", "--quiet"), ("pull", "--quiet"), ("stash", "pop", "--quiet")),
    ),
)
# What decides how git writes a file, besides attributes.
_SETTINGS = ("core.autocrlf", "core.eol", "core.safecrlf", "core.fileMode", "core.attributesFile")
_PERSON = tuple(f"user.{name}=svi-install" for name in ("name", "email"))


class Tried(NamedTuple):
    """One way that was tried: what was run, whether SVI was in afterwards, and what git said where it was not."""

    name: str
    stays: bool
    said: str


def rehearse(checkout: Checkout) -> tuple[Tried, ...]:
    """Do each way to update on a copy, with this checkout's own settings and attributes.

    Raises:
        SviError: there is no git, or git knows none of WanGP's files here.
    """
    patches = patchset.load()
    root = checkout.root
    with tempfile.TemporaryDirectory(prefix="svi-install-", ignore_cleanup_errors=True) as name:
        upstream = Path(name) / "upstream"
        upstream.mkdir()
        _run(upstream, "init", "--quiet", "--initial-branch=main")
        for path in patches.paths:
            _write(upstream / path, gitcall.git(root, "cat-file", "blob", f":{path}"))
        for found in (root / ".gitattributes", *sorted((root / "models").rglob(".gitattributes"))):
            if (data := files.read(found)) is not None:
                _write(upstream / found.relative_to(root), data)
        for folder in ("profiles/wan_2_2", "loras/wan_i2v"):
            _write(upstream / folder / ".keep", b"")
        _commit(upstream, "this release")
        for number, _ in enumerate(_WAYS):
            _clone(root, upstream, Path(name) / str(number))
        for path in patches.paths:
            _write(upstream / path, (files.read(upstream / path) or b"") + b"\n# The next release.\n")
        _commit(upstream, "the next release")
        return tuple(_try(Path(name) / str(number), way, steps) for number, (way, steps) in enumerate(_WAYS))


def _try(copy: Path, way: str, steps: tuple[tuple[str, ...], ...]) -> Tried:
    try:
        install(copy)
        _write(copy / "own.txt", b"A file of one's own.\n")
        said = [_run(copy, *words) for words in steps]
        now = state.read(copy, patchset.load())
    except SviError as error:
        return Tried(way, False, error.message)
    new = all(b"# The next release." in (files.read(copy / path) or b"") for path in patchset.load().paths)
    return Tried(way, new and now.name == "installed", " ".join((*now.details, *filter(None, said))))


def _clone(root: Path, upstream: Path, copy: Path) -> None:
    values = {
        key: gitcall.answer(root, "config", "--get", key)[1].decode("utf-8", "replace").strip() for key in _SETTINGS
    }
    settings = [f"{key}={value}" for key, value in values.items() if value]
    _run(
        upstream.parent,
        "clone",
        "--quiet",
        "--no-checkout",
        *(f"--config={each}" for each in settings),
        str(upstream),
        str(copy),
    )
    found, there = git_folder.find(root), git_folder.find(copy)
    if found is not None and there is not None and (data := sections.take(files.read(found.common / ATTRIBUTES))):
        _write(there.common / ATTRIBUTES, data)
    _run(copy, "checkout", "--quiet", "main")


def _commit(folder: Path, text: str) -> None:
    _run(folder, "add", "--force", ".")
    _run(folder, "commit", "--quiet", "--no-verify", "-m", text)


def _write(file: Path, data: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)


def _run(folder: Path, *words: str) -> str:
    code, out, said = gitcall.answer(folder, *words, filtered=True, settings=_PERSON)
    said = said or out.decode("utf-8", "replace").strip()
    if code:
        raise SviError("git-failed", f"git {words[0]}: {said}")
    return said
