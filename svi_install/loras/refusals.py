"""What a refusal of the hub means: huggingface_hub tells which it is, the words are ours."""

from __future__ import annotations

from typing import Protocol

from . import catalogue
from .failures import TransferError, clean, host_of, number_in, shown

# What huggingface_hub is shown of an answer. Without ETag, which need not be a hash: only the linked one states it.
_SHOWN = ("Content-Type", "Location", "X-Linked-Etag", "X-Repo-Commit", "X-Error-Code", "X-Error-Message")
_NUMBERS = ("X-Linked-Size", "Content-Length")


class _Headers(Protocol):
    def get(self, name: str, /) -> str | None: ...


def status_of(error: Exception) -> int:
    """Return the HTTP status behind an error of huggingface_hub, 0 without one."""
    return getattr(getattr(error, "response", None), "status_code", 0)


def refused(status: int, headers: _Headers, url: str, token: bool) -> TransferError:
    """Let huggingface_hub say what a refusal of the hub means."""
    import httpx2
    from huggingface_hub.utils._http import hf_raise_for_status

    try:
        request = httpx2.Request("GET", url)
        hf_raise_for_status(httpx2.Response(status, headers=shown_headers(headers), request=request))
    except Exception as error:  # noqa: BLE001 - an address that httpx2 does not take is a refusal, too
        return failure_of(error, url, token)
    return TransferError("refused", f"{host_of(url)} answers with status {status} instead of sending the file.", url)


def failure_of(error: Exception, url: str, token: bool) -> TransferError:
    """Turn what huggingface_hub raises into our words; its own texts hold addresses and may be a screen long."""
    from huggingface_hub import errors

    host, status = host_of(url), status_of(error)
    place = catalogue.place_of(url)
    repository = clean(place.repository) if place else "the repository"
    if isinstance(error, errors.OfflineModeIsEnabled):
        return TransferError("offline", "HF_HUB_OFFLINE does not allow asking the hub.", url)
    if isinstance(error, errors.GatedRepoError):
        return TransferError(
            "gated", f"The authors of {repository} ask you to accept their terms on {host} first ({status}).", url
        )
    if isinstance(error, errors.DisabledRepoError):
        return TransferError("forbidden", f"{host} has taken {repository} offline ({status}).", url)
    if isinstance(error, errors.RevisionNotFoundError):
        return TransferError("missing", f"{host} no longer has that version of {repository} ({status}).", url)
    if isinstance(error, errors.EntryNotFoundError):
        name = clean(place.path) if place else "that file"
        return TransferError("missing", f"{host} has no {name} in {repository} ({status}).", url)
    if status == 401 and token:
        return TransferError("token", f"{host} does not accept the access token ({status}).", url)
    if status == 401:
        return TransferError("token", f"{host} shows {repository} only to people with an access token ({status}).", url)
    if isinstance(error, errors.RepositoryNotFoundError):
        return TransferError("missing", f"{host} has no repository {repository} ({status}).", url)
    if status == 403:
        return TransferError("forbidden", f"{host} refuses to send the file ({status}).", url)
    if status in (404, 410):
        return TransferError("missing", f"{host} has no such file ({status}): {shown(url)}", url)
    if status == 429:
        return TransferError("busy", f"{host} asks us to slow down ({status}).", url)
    if status >= 500 or status == 408:
        return TransferError("server", f"{host} has a problem of its own ({status}).", url)
    if status:
        return TransferError("refused", f"{host} answers with status {status} instead of sending the file.", url)
    return TransferError("refused", f"The answer of {host} cannot be read ({type(error).__name__}).", url)


def shown_headers(headers: _Headers) -> dict[str, str]:
    """Return what huggingface_hub is to see of an answer."""
    kept = {
        name: text for name in _SHOWN if (text := headers.get(name) or "") and text.isprintable() and text.isascii()
    }
    numbers = {name: number_in(headers.get(name)) for name in _NUMBERS}
    return kept | {name: str(number) for name, number in numbers.items() if number is not None}
