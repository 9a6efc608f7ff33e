"""What can go wrong with a download, in words for people, and what they can do about it.

huggingface_hub tells which refusal an answer of the hub is; the words are ours, its own are a screen long.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from ...errors import EXIT_DOWNLOAD, SviError
from ...writing.files import plain
from .. import catalogue
from .progress import human_size

_AGAIN = "Run the same command again; it continues where it stopped."
_HINTS = {
    "connection": "Check the internet connection. " + _AGAIN,
    "timeout": "Check the internet connection. " + _AGAIN,
    "dns": "Check the internet connection, or try a mirror: svi-install fetch --mirror https://hf-mirror.com",
    "tls": "Check this computer's date. If a company network or an antivirus inspects encrypted connections, "
    "set REQUESTS_CA_BUNDLE to its certificate file.",
    "proxy": "Check HTTPS_PROXY and HTTP_PROXY; the form is http://user:password@host:port.",
    "token": "Accept the terms on the page of the repository, make a read token at "
    "https://huggingface.co/settings/tokens and set HF_TOKEN to it.",
    "token-form": "Set it to the token alone, without quotes or spaces, or unset it. Then run the same command again.",
    "gated": "Accept them in a browser, make a read token at https://huggingface.co/settings/tokens and set HF_TOKEN "
    "to it. Then run the same command again.",
    "offline": "Unset HF_HUB_OFFLINE, then run the same command again.",
    "forbidden": "Open the address in a browser. If it needs an account, set HF_TOKEN to a read token.",
    "missing": "The file may have moved. Update svi-install, or try a mirror: svi-install fetch --mirror URL",
    "busy": "Wait a few minutes. " + _AGAIN + " A read token in HF_TOKEN raises the limit.",
    "server": "Wait a few minutes. " + _AGAIN,
    "slow": _AGAIN,
    "cut": "Check the internet connection. " + _AGAIN,
    "range": _AGAIN,
    "length": "Try a mirror: svi-install fetch --mirror URL",
    "encoded": "Try a mirror or another network: svi-install fetch --mirror URL",
    "redirects": "Try a mirror: svi-install fetch --mirror URL",
    "refused": "Try a mirror: svi-install fetch --mirror URL",
    "other-file": "Update svi-install, or try a mirror: svi-install fetch --mirror URL",
    "endless": "Try a mirror or another network: svi-install fetch --mirror URL",
    "changed": "Close that program; it may be one that syncs folders, or another download. " + _AGAIN,
    "wrong-bytes": "Try a mirror or another network: svi-install fetch --mirror URL",
    "restarts": "Try a mirror: svi-install fetch --mirror URL",
}
_PASSING = {"connection", "timeout", "dns", "busy", "server", "slow", "cut", "range"}


class TransferError(Exception):
    """A request that did not get what it asked for.

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
    """Turn a failure into the error that ends a command."""
    rest = f" {human_size(kept)} are kept for the next run." if kept else ""
    message = f"{filename} was not downloaded. {failure.message}{rest} The installation is untouched."
    return SviError(f"download-{failure.kind}", message, _HINTS[failure.kind], EXIT_DOWNLOAD)


def disk_error(error: OSError, path: Path, doing: str) -> SviError:
    """Turn a failure of the disk into the error that ends a command."""
    found = plain(error, path, doing)
    message = f"{found.message} What has already arrived is kept, and the installation is untouched."
    hint = (
        f"It is often an antivirus, so wait a minute. {_AGAIN}" if found.code == "file-held" else found.hint or _AGAIN
    )
    return SviError(found.code, message, hint, EXIT_DOWNLOAD)


_NUMBER = re.compile(r"[0-9]{1,18}")
_LONGEST = 200


def number_in(text: str | None) -> int | None:
    """Read a number of bytes or seconds out of a header."""
    stripped = (text or "").strip(" \t")
    return int(stripped) if _NUMBER.fullmatch(stripped) else None


def clean(text: object) -> str:
    """Make one short line, which cannot move the cursor of a terminal, out of another computer's text."""
    line = "".join(sign if " " <= sign <= "~" else "?" for sign in str(text)[: _LONGEST + 1])
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."


def shown(url: str) -> str:
    """Return an address as it may be shown: without what signs it and without a password."""
    text = url.split("?", 1)[0].split("#", 1)[0]
    scheme, mark, rest = text.partition("://")
    if not mark:
        return clean(text)
    authority, slash, path = rest.partition("/")
    return clean(f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}")


def host_of(url: str) -> str:
    """Return the name of the computer in an address; the address as it may be shown where it has none."""
    try:
        name = urlsplit(url).hostname
    except ValueError:
        name = None
    return clean(name) if name else shown(url)


def origin_of(url: str) -> tuple[str, str]:
    """Return what a token may be sent to."""
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def address_fault(url: str) -> str:
    """Say why an address cannot be asked."""
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            return "is not a web address"
        parts.hostname.encode("idna")
        if parts.port == 0:
            return "has an impossible port"
        if "@" in parts.netloc:
            return "contains a user name"
    except ValueError:
        return "is not a web address"
    if any(sign <= " " or sign == "\x7f" for sign in parts.netloc):
        return "is not a web address"
    return ""


# Windows and WanGP itself need room to breathe.
RESERVE = 256 * 1024 * 1024


def existing_parent(folder: Path) -> Path:
    """Find the folder whose disk will hold another folder."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def free_space(folder: Path) -> int:
    """Tell how much room there is."""
    import shutil

    return shutil.disk_usage(existing_parent(folder)).free


def require_room(folder: Path, needed: int, what: str) -> None:
    """Make sure that something fits.

    Raises:
        SviError: there is not enough room.
    """
    try:
        room = free_space(folder)
    except OSError:
        return
    if room < needed + RESERVE:
        raise SviError(
            "disk-full",
            f"{what} needs {human_size(needed)} in {folder}, and {human_size(RESERVE)} must stay free, "
            f"but only {human_size(room)} are free. Nothing was downloaded.",
            "Free up some space, or point WanGP's loras_root to another disk. Then run the same command again.",
            EXIT_DOWNLOAD,
        )


# What huggingface_hub is shown of an answer. Without ETag, which need not be a hash: only the linked one states it.
_SHOWN = ("Content-Type", "Location", "X-Linked-Etag", "X-Repo-Commit", "X-Error-Code", "X-Error-Message")
_NUMBERS = ("X-Linked-Size", "Content-Length")


class _Headers(Protocol):
    def get(self, name: str, /) -> str | None: ...


def status_of(error: Exception) -> int:
    """Return the HTTP status behind an error of huggingface_hub, 0 without one."""
    return getattr(getattr(error, "response", None), "status_code", 0)


def refused(status: int, headers: _Headers, url: str, token: bool) -> TransferError:
    """Let huggingface_hub say what a refusal of the hub means; an older one, as WanGP has it, cannot be asked so."""
    try:
        import httpx2
        from huggingface_hub.utils._http import hf_raise_for_status
    except ImportError:
        return _in_words(_kind_of(status, headers), status, url, token)
    try:
        request = httpx2.Request("GET", url)
        hf_raise_for_status(httpx2.Response(status, headers=shown_headers(headers), request=request))
    except Exception as error:  # noqa: BLE001 - an address that httpx2 does not take is a refusal, too
        return failure_of(error, url, token)
    return TransferError("refused", f"{host_of(url)} answers with status {status} instead of sending the file.", url)


def _kind_of(status: int, headers: _Headers) -> str:
    """Read a refusal as huggingface_hub reads it."""
    code, words = headers.get("X-Error-Code") or "", headers.get("X-Error-Message") or ""
    kinds = {
        "RevisionNotFound": "revision",
        "EntryNotFound": "entry",
        "GatedRepo": "gated",
        "RepoNotFound": "repository",
    }
    if words == "Access to this resource is disabled.":
        return "disabled"
    # To people without an account, a repository that is not there and a private one look the same.
    unknown = status == 401 and words != "Invalid credentials in Authorization header"
    return kinds.get(code, "repository" if unknown else "")


def failure_of(error: Exception, url: str, token: bool) -> TransferError:
    """Turn what huggingface_hub raises into our words; its own texts hold addresses and may be a screen long."""
    from huggingface_hub import errors

    if isinstance(error, errors.OfflineModeIsEnabled):
        return TransferError("offline", "HF_HUB_OFFLINE does not allow asking the hub.", url)
    kinds: tuple[tuple[type[Exception], str], ...] = (
        # A gated repository is one that was not found, for huggingface_hub.
        (errors.GatedRepoError, "gated"),
        (errors.DisabledRepoError, "disabled"),
        (errors.RevisionNotFoundError, "revision"),
        (errors.EntryNotFoundError, "entry"),
        (errors.RepositoryNotFoundError, "repository"),
    )
    kind = next((kind for each, kind in kinds if isinstance(error, each)), "")
    status = status_of(error)
    if not kind and not status:
        why = f"The answer of {host_of(url)} cannot be read ({type(error).__name__})."
        return TransferError("refused", why, url)
    return _in_words(kind, status, url, token)


def _in_words(kind: str, status: int, url: str, token: bool) -> TransferError:
    host, place = host_of(url), catalogue.place_of(url)
    repository = clean(place.repository) if place else "the repository"
    if kind == "gated":
        return TransferError(
            "gated", f"The authors of {repository} ask you to accept their terms on {host} first ({status}).", url
        )
    if kind == "disabled":
        return TransferError("forbidden", f"{host} has taken {repository} offline ({status}).", url)
    if kind == "revision":
        return TransferError("missing", f"{host} no longer has that version of {repository} ({status}).", url)
    if kind == "entry":
        name = clean(place.path) if place else "that file"
        return TransferError("missing", f"{host} has no {name} in {repository} ({status}).", url)
    if status == 401 and token:
        return TransferError("token", f"{host} does not accept the access token ({status}).", url)
    if status == 401:
        return TransferError("token", f"{host} shows {repository} only to people with an access token ({status}).", url)
    if kind == "repository":
        return TransferError("missing", f"{host} has no repository {repository} ({status}).", url)
    if status == 403:
        return TransferError("forbidden", f"{host} refuses to send the file ({status}).", url)
    if status in (404, 410):
        return TransferError("missing", f"{host} has no such file ({status}): {shown(url)}", url)
    if status == 429:
        return TransferError("busy", f"{host} asks us to slow down ({status}).", url)
    if status >= 500 or status == 408:
        return TransferError("server", f"{host} has a problem of its own ({status}).", url)
    return TransferError("refused", f"{host} answers with status {status} instead of sending the file.", url)


def shown_headers(headers: _Headers) -> dict[str, str]:
    """Return what huggingface_hub is to see of an answer."""
    kept = {
        name: text for name in _SHOWN if (text := headers.get(name) or "") and text.isprintable() and text.isascii()
    }
    numbers = {name: number_in(headers.get(name)) for name in _NUMBERS}
    return kept | {name: str(number) for name, number in numbers.items() if number is not None}
