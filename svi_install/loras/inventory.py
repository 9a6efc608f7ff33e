"""Where this WanGP looks for LoRAs, and what is there: only a file that could load counts."""

from __future__ import annotations

import functools
import json
import os
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from .catalogue import Catalogue, Folder, Lora, LoraFile, load, urls_of

How = Literal["have", "linked", "copied", "downloaded"]
Proof = Literal["pinned", "published", "layout"]


class Need(NamedTuple):
    """One LoRA and where it stands on this computer.

    Args:
        file: in the chosen precision.
        target: where WanGP looks for it.
        why: what decided the folder.
        size: bytes of the file as far as known, None when nothing is known.
        present: True when the file is there and could load.
        kept: bytes that an interrupted download has left.
        fault: why the file that is there cannot load, in words that go behind its name; empty otherwise.
    """

    lora: Lora
    file: LoraFile
    target: Path
    why: str
    size: int | None
    present: bool
    kept: int
    fault: str = ""


class Fetched(NamedTuple):
    """One LoRA that is in its place.

    Args:
        name: what people call it.
        size: bytes.
        proof: what vouches for its bytes: a hash in the catalogue, one that a hub publishes, or nothing but its layout
            and size.
        fetched: bytes that came over the network in this run.
        resumed: bytes that earlier runs had left.
        host: hub that publishes the hash, empty without one.
    """

    name: str
    path: Path
    how: How
    size: int
    sha256: str
    proof: Proof
    fetched: int = 0
    resumed: int = 0
    host: str = ""

    @property
    def vouched(self) -> str:
        """Who vouches for its bytes, in words."""
        if self.proof == "pinned":
            return "matches the pinned hash"
        return (
            f"matches the hash published by {self.host or 'the hub'}"
            if self.proof == "published"
            else "checked by layout and size only"
        )


class Problem(NamedTuple):
    """A file that is not what it should be."""

    name: str
    path: Path
    why: str


CONFIG = "wgp_config.json"
_OPTION = re.compile(
    r"(?<![\w-])--(loras|config|lora-config|lora-dir-wan-i2v|lora-dir-i2v|lora-dir-wan|lora-dir)(?:=|[ \t]+)"
    r"(?:\"([^\"\r\n]+)\"|'([^'\r\n]+)'|([^\s\"']+))"
)
_COMMENT = re.compile(r"^\s*(#|::|//|rem\b)", re.IGNORECASE)
_SCRIPTS = ("*.bat", "*.cmd", "*.sh", "*.ps1", "*.command")
_LARGEST_SCRIPT = 256 * 1024


class Destination(NamedTuple):
    """A LoRA folder of one WanGP."""

    folder: Path
    why: str


def locate(root: Path, folder: Folder) -> Destination:
    """Find the folder in which this WanGP looks for a kind of LoRA."""
    release = _release(root)
    options = _options(root)
    names: tuple[str, ...] = ()
    if release.old:
        # Before 9.72 the folders stood beside each other, and --lora-dir also moved the one for image-to-video.
        names = ("lora-dir", "lora-dir-i2v") if folder == "wan_i2v" else ("lora-dir",)
        for name in names:
            if name in options:
                return Destination(_under(root, options[name]), f"--{name} in a start script")
        base = root / ("loras_i2v" if folder == "wan_i2v" else "loras")
        inner = base / "14B"
        return Destination(inner if inner.is_dir() else base, "this release's own folder")
    if release.one_file:
        named = _from_file(root, options["lora-config"], folder) if "lora-config" in options else None
        if named is not None:
            return named
    else:
        names = ("lora-dir-wan-i2v", "lora-dir-i2v") if folder == "wan_i2v" else ("lora-dir-wan", "lora-dir")
    for name in names:
        if name in options:
            return Destination(_under(root, options[name]), f"--{name} in a start script")
    if release.configurable:
        if "loras" in options:
            return Destination(_under(root, options["loras"]) / folder, "--loras in a start script")
        configured = _configured_root(_under(root, options["config"]) if "config" in options else root)
        if configured:
            return Destination(_under(root, configured) / folder, f"loras_root in {CONFIG}")
    return Destination(root / "loras" / folder, "WanGP's own folder")


def known_folders(root: Path) -> tuple[Path, ...]:
    """List every existing folder of this WanGP that may already hold a LoRA."""
    found: list[Path] = []
    bases = [locate(root, "wan_i2v").folder, locate(root, "wan").folder]
    for base in [*bases, *(path.parent for path in bases), root / "loras", root / "loras_i2v"]:
        if base != root and base.is_dir() and base not in found:
            found.append(base)
    return tuple(found)


class _Release(NamedTuple):
    old: bool
    configurable: bool
    # From 13.0 on one JSON file, --lora-config, takes the place of the --lora-dir options.
    one_file: bool


def _release(root: Path) -> _Release:
    path = root / "wgp.py"
    try:
        found = path.stat()
        return _release_of(path, found.st_mtime_ns, found.st_size)
    except OSError:
        return _Release(old=False, configurable=True, one_file=False)


@functools.lru_cache(maxsize=2)
def _release_of(path: Path, _mtime_ns: int, _size: int) -> _Release:
    """Read wgp.py once for all the LoRAs that an install asks about; it is nearly a megabyte."""
    text = path.read_bytes()
    return _Release(
        old=b'root_lora_dir = "loras_i2v"' in text,
        configurable=b'"loras_root"' in text,
        one_file=b"args.lora_config" in text,
    )


def _options(root: Path) -> dict[str, str]:
    """Collect LoRA options of the start scripts; an option with two different values counts as none."""
    found: dict[str, set[str]] = {}
    fixed: dict[str, str] = {}
    for script in _scripts(root):
        for name, value in _options_of(script):
            found.setdefault(name, set()).add(value)
            if script.name == "args.txt":
                fixed[name] = value
    return {name: next(iter(values)) for name, values in found.items() if len(values) == 1} | fixed


def _scripts(root: Path) -> Iterator[Path]:
    yield from (path for path in (root / "scripts" / "args.txt", root / "args.txt") if path.is_file())
    # Pinokio keeps its start script in the folder above the checkout.
    pinokio = root.parent / "start.js"
    if root.name == "app" and pinokio.is_file():
        yield pinokio
    for pattern in _SCRIPTS:
        yield from sorted(root.glob(pattern))


def _options_of(script: Path) -> Iterator[tuple[str, str]]:
    try:
        if script.stat().st_size > _LARGEST_SCRIPT:
            return
        text = script.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for line in text.splitlines():
        if not _COMMENT.match(line) and ("wgp.py" in line or script.name == "args.txt"):
            for match in _OPTION.finditer(line):
                value = match[2] or match[3] or match[4]
                # A value that only the shell can work out is no folder name.
                if not any(sign in value for sign in "$%!{`"):
                    yield match[1], value


def _from_file(root: Path, value: str, folder: Folder) -> Destination | None:
    """Read the folder out of a --lora-config; None where the file cannot be read or does not name it.

    Its keys are the names of the folders below the root, its values lie beside the file where they are relative (WanGP
    13.0, docs/CLI.md).
    """
    file = _under(root, value)
    try:
        named = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    given = named.get(folder) if isinstance(named, dict) else None
    if not isinstance(given, str) or not given.strip():
        return None
    return Destination(_under(file.parent, given.strip()), f"--lora-config {file.name} in a start script")


def _configured_root(folder: Path) -> str:
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    value = config.get("loras_root") if isinstance(config, dict) else None
    return value.strip() if isinstance(value, str) else ""


def _under(root: Path, value: str) -> Path:
    return Path(os.path.normpath(root / Path(value).expanduser()))


class Look(NamedTuple):
    """What lies where a LoRA belongs.

    Args:
        present: True when it could load.
        size: bytes of the file, None when there is none.
        fault: why the file that is there cannot load, in words that go behind its name; empty otherwise.
    """

    present: bool
    size: int | None = None
    fault: str = ""


class Seen(NamedTuple):
    """One LoRA and the file of it that is in WanGP's folder."""

    lora: Lora
    file: LoraFile
    path: Path
    look: Look


def look(path: Path) -> Look:
    """Look at the place of a LoRA.

    What could load counts, also when it is another LoRA than the published one: it may be a person's own, and `fetch`
    says so.
    """
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return Look(present=False, fault="is a link to a file that does not exist" if path.is_symlink() else "")
    except OSError as error:
        return Look(present=False, fault=f"cannot be read ({error.strerror or error})")
    size = status.st_size if stat.S_ISREG(status.st_mode) else None
    fault = _fault(path, (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns))
    return Look(not fault, size, fault)


@functools.lru_cache(maxsize=256)
def _fault(path: Path, _stamp: tuple[int, int, int, int]) -> str:
    """Say why a file cannot load. An install asks once for each profile, which need not read the head again."""
    # Where no LoRA is there, nothing that reads one has to be imported.
    from .proof import lora_file

    return lora_file.problem(path) or ""


class Places:
    """Finds the folders of one WanGP, each looked for only once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._found: dict[Folder, Destination] = {}

    def of(self, folder: Folder) -> Destination:
        """Return the folder for a kind of LoRA and what decided it."""
        if folder not in self._found:
            self._found[folder] = locate(self._root, folder)
        return self._found[folder]


def seen(root: Path, catalogue: Catalogue | None = None) -> tuple[Seen, ...]:
    """Look at the place of every LoRA.

    Raises:
        SviError: a folder or file that says where LoRAs belong cannot be read.
    """
    try:
        return _seen(root, catalogue or load())
    except OSError as error:
        from ..writing.files import plain

        raise plain(error, Path(error.filename or root), "read") from error


def _seen(root: Path, known: Catalogue) -> tuple[Seen, ...]:
    places = Places(root)
    found: list[Seen] = []
    for lora in known.loras:
        folder = places.of(lora.folder).folder
        looks = [Seen(lora, file, path, look(path)) for file in lora.files for path in (folder / file.filename,)]
        there = [one for one in looks if one.look.present or one.look.fault]
        found += there or (looks[:1] if lora.name in known.default else [])
    return tuple(found)


def needs(
    root: Path, names: Sequence[str] | None, *, precision: str = "fp32", catalogue: Catalogue | None = None
) -> tuple[Need, ...]:
    """Say what a pre-fetch would have to do, without asking the network or reading more than the head of a file.

    Raises:
        SviError: a name is unknown.
    """
    found = []
    places = Places(root)
    for lora in (catalogue or load()).select(names):
        file = lora.file(precision)
        where = places.of(lora.folder)
        target = where.folder / file.filename
        there = look(target)
        size = there.size if there.size is not None else file.size or file.tensor_bytes
        found.append(Need(lora, file, target, where.why, size, there.present, _kept(target), there.fault))
    return tuple(found)


def _kept(target: Path) -> int:
    """Tell how many bytes an earlier run has left; what reads them is imported only where something is."""
    if not os.path.lexists(f"{target}.part.state"):
        return 0
    from .transfer.part_state import left_over

    return left_over(target)


def profile_url(root: Path, lora: Lora, precision: str = "fp32", places: Places | None = None) -> str:
    """Choose the address that a profile should name, so that WanGP finds the file that is there."""
    folder = (places or Places(root)).of(lora.folder).folder
    preferred = lora.file(precision)
    there = [file for file in (preferred, *lora.files) if look(folder / file.filename).present]
    return (there or [preferred])[0].url


def with_present_files(
    root: Path, profile: bytes, catalogue: Catalogue | None = None, places: Places | None = None
) -> bytes:
    """Let a profile name the files that are in WanGP's folder, so that WanGP does not load another precision."""
    known = catalogue or load()
    for url in urls_of(profile):
        found = known.by_url(url)
        if found is not None:
            lora, file = found
            profile = profile.replace(
                json.dumps(url).encode(), json.dumps(_choose(root, lora, file.precision, url, places)).encode()
            )
    return profile


def _choose(root: Path, lora: Lora, precision: str, url: str, places: Places | None) -> str:
    chosen = profile_url(root, lora, precision, places)
    # Another address of the same file stays as the profile has it.
    return url if chosen == lora.file(precision).url else chosen
