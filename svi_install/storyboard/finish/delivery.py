"""The finished film: whether its name is free, what render itself has put there before, and how it gets there."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ...checkout.mp4 import comment
from ...errors import EXIT_USAGE, SviError
from ..archive.store import JOURNAL, Store, digest, plainly, read_json, regular, write_json
from ..script.story import usage

RECORD = "film.json"
# Of one film there are as many published files as there are wishes.
KEPT = 24
Stamp = tuple[int, int, int]


@dataclass(frozen=True)
class Target:
    """The name of a film as it was before anything was made.

    Args:
        path: the video to be.
        own: nothing is there, or what render has put there for this film.
        stamp: tells one file of that name from another, None where there was none.
        record: file in the film's folder that says what render has put there.
    """

    path: Path
    own: bool
    stamp: Stamp | None
    record: str = RECORD


def look(path: Path, store: Store, record: str = RECORD) -> Target:
    """Look at the name that a film is to get, before anything is made.

    Args:
        record: file in the film's folder that says what render has put there.

    Raises:
        SviError: no film can be written there.
    """
    folder = path.parent
    if not folder.is_dir():
        raise usage(
            f"The folder {folder} does not exist. Nothing was started.", "Create it, or choose another folder: -o FILE"
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise usage(
            f"The folder cannot be written to: {folder}. Nothing was started.", "Choose another folder: -o FILE"
        )
    stamp = _stamp(path)
    if path.is_dir() and not path.is_symlink():
        raise usage(f"{path} is a folder. Nothing was started.", "Choose another name for the film: -o FILE")
    if store.root.exists() and not store.root.is_dir():
        raise usage(
            f"{store.root} is in the way: the film keeps its segments in a folder of that name. Nothing was started.",
            "Move it away, or choose another name for the film: -o FILE",
        )
    return Target(path, stamp is None or _is_own(path, store, record), stamp, record)


def refusal(path: Path) -> SviError:
    """Return the error for a file that is not to be replaced without a person's word."""
    free = next(each for number in range(2, 10_000) if not _stamp(each := path.with_stem(f"{path.stem}-{number}")))
    return SviError(
        "not-ours",
        f"{path} already exists and is not part of this film. It was left alone; nothing was started.",
        f'Choose another name for the film: -o "{free.name}", or add --yes to replace the file.',
        EXIT_USAGE,
    )


def put(made: Path, target: Target, store: Store) -> None:
    """Give a checked film its name.

    Args:
        made: the film, in the film's folder.
        target: the name as it was before.

    Raises:
        SviError: the name was taken meanwhile, or the disk refuses; the film stays where it was made.
    """
    path = target.path
    if _stamp(path) != target.stamp and not _is_own(path, store, target.record):
        raise SviError(
            "not-ours",
            f"Another program wrote {path} while the film was being made. That "
            f"file was left alone; the film is {made}.",
            "Move one of the two away, then run the same command again.",
        )
    # Before the film gets its name, with the one that is still there: whatever happens in between, both are its own.
    films = [[made.stat().st_size, digest(made)], *_films(store, target.record)]
    known = read_json(store.root / target.record) or {}
    write_json(store.root / target.record, {**known, "name": path.name, "films": films[:KEPT]})
    try:
        _rename(made, path)
    except OSError as error:
        raise SviError(
            "file-in-use",
            f"{path} cannot be replaced: {error.strerror or error}. The film is {made}.",
            "Close the program that plays it, then run the same command again.",
        ) from error


def is_settings(path: Path) -> bool:
    """Tell whether nothing has the name of a film's settings, or settings as a dry run writes them."""
    if _stamp(path) is None:
        return True
    found = read_json(path)
    if found is None or not {"pause_seconds", "settings_version", "multi_prompts_gen_type"} <= set(found):
        return False
    with plainly(path, "read"):
        # WanGP and people write the same settings in another form.
        return path.read_bytes() == json.dumps(found, indent=1).encode()


def _is_own(path: Path, store: Store, record: str) -> bool:
    if path.is_symlink() or regular(path) is None:
        return False
    films = _films(store, record)
    if films:
        with plainly(path, "read"):
            size = regular(path)
            return any(size == each[0] for each in films) and [size, digest(path)] in films
    if record != RECORD:
        return False
    # A film of an earlier version has no record, but says what it is.
    try:
        facts = json.loads(comment(path) or "")
        return regular(store.root / JOURNAL) is not None and isinstance(facts["svi"]["segments"], int)
    except (SviError, ValueError, KeyError, TypeError, RecursionError):
        return False


def _films(store: Store, record: str) -> list[list[object]]:
    """Size and hash of what render has put under the film's name last."""
    films = (read_json(store.root / record) or {}).get("films")
    return [each for each in films if isinstance(each, list) and len(each) == 2] if isinstance(films, list) else []


def _rename(made: Path, path: Path) -> None:
    try:
        made.replace(path)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # The film's folder is on another disk. A name that nothing else can have.
        handle, name = tempfile.mkstemp(prefix=".", suffix=path.suffix, dir=path.parent)
        try:
            with made.open("rb") as source, os.fdopen(handle, "wb") as copy:
                shutil.copyfileobj(source, copy, 1 << 20)
                copy.flush()
                os.fsync(copy.fileno())
            Path(name).chmod(stat.S_IMODE(made.stat().st_mode))
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        with suppress(OSError):
            made.unlink()


def _stamp(path: Path) -> Stamp | None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise usage(
            f"{path} cannot be checked: {getattr(error, 'strerror', '') or error}. Nothing was started."
        ) from error
    return found.st_ino, found.st_size, found.st_mtime_ns
