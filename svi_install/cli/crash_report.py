"""Unexpected errors: a plain sentence for the person, the whole story in a log file."""

from __future__ import annotations

import os
import platform
import sys
import time
import traceback
from collections.abc import Sequence

from .. import __version__
from ..bootstrap import data_folder
from ..checkout.locate import home_folder
from ..errors import SviError

_KEPT = 20


def explain(error: Exception, arguments: Sequence[str]) -> SviError:
    """Turn any error into one that a person can act on.

    Args:
        arguments: the command line, for the log.

    Returns:
        For a failed system call its reason and file; otherwise a pointer to a new log file.
    """
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        wrapped = SviError(
            "os-error",
            f"{error.filename}: {error.strerror}.",
            "Check that the file is there and that you have permission to use it.",
        )
    elif isinstance(error, RuntimeError) and "home directory" in str(error):
        # What pathlib says of ~ or ~name when there is no such user.
        wrapped = SviError(
            "no-home",
            "A path begins with ~, but that home folder could not be found.",
            "Write the path out in full, in variables such as HF_HOME too.",
        )
    else:
        where = _write_log(error, arguments)
        wrapped = SviError(
            "unexpected",
            f"An unexpected error stopped svi-install: {type(error).__name__}: {error}\n{where}",
            "Run the command again; if that fails too, please report it and attach the log file.",
        )
    wrapped.__cause__ = error
    return wrapped


def _write_log(error: Exception, arguments: Sequence[str]) -> str:
    folder = data_folder(sys.platform, os.environ, home_folder()) / "logs"
    path = folder / time.strftime("error-%Y%m%d-%H%M%S.txt")
    text = "".join(
        [
            f"svi-install {__version__}, Python {sys.version}, {platform.platform()}\n",
            f"arguments: {list(arguments)!r}\n\n",
            *traceback.format_exception(error),
        ]
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8", errors="backslashreplace")
        for old in sorted(folder.glob("error-*.txt"))[:-_KEPT]:
            old.unlink()
    except OSError as failure:
        return f"The log file {path} could not be written: {failure.strerror}."
    return f"Details are in {path}"
