"""What can go wrong with a download, and what a person can do about it."""

from __future__ import annotations

import errno
from pathlib import Path

from ..errors import EXIT_DOWNLOAD, SviError
from .progress import human_size

_AGAIN = "Run the same command again; it goes on where it stopped."
_HINTS = {
    "connection": "Check the internet connection. " + _AGAIN,
    "timeout": "Check the internet connection. " + _AGAIN,
    "dns": "Check the internet connection, or choose a mirror: svi-install fetch --mirror https://hf-mirror.com",
    "tls": "Check the date of this computer. If a company network or an antivirus reads encrypted connections, "
    "name its certificate file in REQUESTS_CA_BUNDLE.",
    "proxy": "Check HTTPS_PROXY and HTTP_PROXY; the form is http://user:password@host:port.",
    "token": "Accept the terms on the page of the repository, make a read token at "
    "https://huggingface.co/settings/tokens and set HF_TOKEN to it.",
    "token-form": "Set it to the token alone, without quotes and blanks, or unset it. Then run the same command again.",
    "forbidden": "Open the address in a browser. If it needs an account, set HF_TOKEN to a read token.",
    "missing": "The file may have moved. Update svi-install, or choose a mirror: svi-install fetch --mirror URL",
    "busy": "Wait some minutes. " + _AGAIN + " A read token in HF_TOKEN raises the limit.",
    "server": "Wait some minutes. " + _AGAIN,
    "slow": _AGAIN,
    "cut": "Check the internet connection. " + _AGAIN,
    "range": _AGAIN,
    "length": "Choose a mirror: svi-install fetch --mirror URL",
    "encoded": "Choose a mirror or another network: svi-install fetch --mirror URL",
    "redirects": "Choose a mirror: svi-install fetch --mirror URL",
    "refused": "Choose a mirror: svi-install fetch --mirror URL",
    "other-file": "Update svi-install, or choose a mirror: svi-install fetch --mirror URL",
    "endless": "Choose a mirror or another network: svi-install fetch --mirror URL",
    "changed": "Close the program that does so, such as one that syncs folders or another download. " + _AGAIN,
    "wrong-bytes": "Choose a mirror or another network: svi-install fetch --mirror URL",
    "restarts": "Choose a mirror: svi-install fetch --mirror URL",
}
_PASSING = {"connection", "timeout", "dns", "busy", "server", "slow", "cut", "range"}
_NO_SPACE = {errno.ENOSPC, 112}
_WINDOWS_HELD = {5, 32, 33}


class TransferError(Exception):
    """A request that did not bring what was asked for.

    Args:
        kind: stable name of the kind of failure.
        message: what happened, for people.
        url: address that was asked.
        wait: seconds that the server asked to wait, None when it did not.
    """

    def __init__(self, kind: str, message: str, url: str = "", wait: float | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.url = url
        self.wait = wait

    @property
    def passing(self) -> bool:
        """True when the same request may well succeed a little later."""
        return self.kind in _PASSING


def download_error(failure: TransferError, filename: str, kept: int) -> SviError:
    """Turn a failure into the error that ends a command.

    Args:
        failure: the last failure.
        filename: base name of the file.
        kept: bytes that stay on disk for the next run.

    Returns:
        The error, with the exit code for downloads.
    """
    rest = f" {human_size(kept)} are kept for the next run." if kept else ""
    message = f"{filename} was not downloaded. {failure.message}{rest} The installation is untouched."
    return SviError(f"download-{failure.kind}", message, _HINTS[failure.kind], EXIT_DOWNLOAD)


def disk_error(error: OSError, path: Path, doing: str) -> SviError:
    """Turn a failure of the disk into the error that ends a command.

    Args:
        error: what the system said.
        path: file or folder that it is about.
        doing: what was being done, such as ``write``.

    Returns:
        The error, with the exit code for downloads.
    """
    winerror = getattr(error, "winerror", None)
    code = error.errno
    if code in _NO_SPACE or winerror == 112:
        message = f"The disk of {path.parent} is full. What had arrived is kept. The installation is untouched."
        return SviError("disk-full", message, "Free some space. " + _AGAIN, EXIT_DOWNLOAD)
    if code == getattr(errno, "EDQUOT", -1):
        message = f"Your quota for {path.parent} is used up. What had arrived is kept. The installation is untouched."
        return SviError("disk-quota", message, "Free some space. " + _AGAIN, EXIT_DOWNLOAD)
    if winerror in _WINDOWS_HELD and doing == "rename":
        message = f"Another program, often an antivirus, holds {path}. The download is complete and kept beside it."
        return SviError("file-held", message, "Close the program or wait a minute. " + _AGAIN, EXIT_DOWNLOAD)
    if code in (errno.EACCES, errno.EPERM, errno.EROFS):
        message = f"Nothing can be written to {path.parent} ({error.strerror}). The installation is untouched."
        hint = "Give yourself the right to write there, or run WanGP's folder from a disk that can be written."
        return SviError("folder-read-only", message, hint, EXIT_DOWNLOAD)
    message = f"Cannot {doing} {path} ({error.strerror or error}). The installation is untouched."
    return SviError("disk-error", message, "Check the disk. " + _AGAIN, EXIT_DOWNLOAD)
