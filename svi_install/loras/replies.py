"""What a refusal or a broken connection means, in words for people and without what nobody else is to see."""

from __future__ import annotations

import email.utils
import http.client
import socket
import ssl
import time
import urllib.error

from . import web
from .failures import TransferError


def refusal(status: int, response: http.client.HTTPResponse, url: str, token: bool, start: int) -> TransferError:
    """Say which failure a status stands for.

    Args:
        status: of the answer.
        response: the answer.
        url: address that was asked.
        token: True when a token was at hand.
        start: offset that was asked for.

    Returns:
        The failure.
    """
    host = web.host(url)
    code = response.headers.get("X-Error-Code", "")
    wait = _retry_after(response.headers.get("Retry-After"))
    if status == 407:
        return TransferError("proxy", f"The proxy wants a user name and a password ({status}).", url)
    if status == 401 or (status == 403 and code in ("GatedRepo", "DisabledRepo")):
        why = "does not accept the access token" if token and code != "GatedRepo" else "asks for an access token"
        return TransferError("token", f"{host} {why} ({status}).", url)
    if status == 403:
        return TransferError("forbidden", f"{host} refuses the file (403).", url)
    if status in (404, 410):
        return TransferError("missing", f"{host} has no such file ({status}): {web.shown(url)}", url)
    if status == 416 and start:
        return TransferError("range", f"{host} has no more bytes at offset {start} (416).", url)
    if status == 429:
        return TransferError("busy", f"{host} asks for fewer requests (429).", url, wait)
    if status >= 500 or status == 408:
        return TransferError("server", f"{host} has a fault of its own ({status}).", url, wait)
    return TransferError("refused", f"{host} answers {status} {web.clean(response.reason)}.", url)


def _retry_after(value: str | None) -> float | None:
    if not value:
        return None
    seconds = web.number(value)
    if seconds is not None:
        return float(seconds)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value[:100]).timestamp() - time.time())
    except (TypeError, ValueError, IndexError, OverflowError, OSError):
        return None


def of_exception(error: BaseException, url: str) -> TransferError:
    """Say which failure an exception of a request or of a read stands for.

    Args:
        error: what was raised.
        url: address that was asked.

    Returns:
        The failure, in words for people.
    """
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    host = web.host(url)
    if isinstance(reason, ssl.SSLCertVerificationError):
        why = web.clean(reason.verify_message)
        return TransferError("tls", f"The certificate of {host} cannot be trusted ({why}).", url)
    if isinstance(reason, ssl.SSLError) and "EOF" not in str(reason):
        return TransferError("tls", f"No encrypted connection to {host} ({web.clean(reason)}).", url)
    if isinstance(reason, socket.gaierror):
        return TransferError("dns", f"The name {host} cannot be found.", url)
    if isinstance(reason, TimeoutError):
        return TransferError("timeout", f"{host} does not answer.", url)
    if isinstance(reason, OSError) and "Tunnel connection failed" in str(reason):
        return TransferError("proxy", f"The proxy lets nothing through to {host} ({web.clean(reason)}).", url)
    if isinstance(reason, http.client.InvalidURL):
        # Its text holds the address, and that of a proxy may hold a password.
        return TransferError("refused", f"{host} cannot be asked for, or the address of the proxy is wrong.", url)
    if isinstance(reason, http.client.HTTPException) and not isinstance(reason, OSError):
        return TransferError("connection", f"{host} answers with what is no answer of a web server.", url)
    if isinstance(reason, OSError):
        said = web.clean(reason) or type(reason).__name__
        return TransferError("connection", f"The connection to {host} broke ({said}).", url)
    # What a ValueError says may hold a token.
    return TransferError("refused", f"{host} cannot be asked for ({type(reason).__name__}).", url)
