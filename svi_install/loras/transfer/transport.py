"""One HTTP request with everything checked: redirects, TLS, proxies, ranges; failures become errors of one kind.

By http.client, not by httpx: it lets us read into our own buffers and cut a connection from another thread.
"""

from __future__ import annotations

import email.utils
import http.client
import importlib
import re
import socket
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from ... import __version__
from .failures import TransferError, address_fault, clean, host_of, number_in, origin_of, refused, shown
from .settings import Settings
from .stream import Asked, Body, Handler, Line, SecureHandler, encoding

_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")
_REDIRECTS = {301, 302, 303, 307, 308}
_SHA256 = re.compile(r"[0-9a-f]{64}")
# Etags of a thousand characters would not fit into the state of a download.
_LONGEST_ETAG = 256


@dataclass(frozen=True)
class Answer:
    """What a server says about a file, and its bytes.

    Args:
        start: offset of the first byte that follows.
        size: bytes of the whole file, None when the server does not say.
        ranges: True when the server can send parts of the file.
        validator: strong etag for ``If-Range``, empty without one.
        sha256: hash that the hub states for the file, empty without one.
        etag: strong etag of the file, for files outside the hub's large-file storage.
        host: who states the hash, empty without one.
        body: the bytes.
    """

    start: int
    size: int | None
    ranges: bool
    validator: str
    sha256: str
    etag: str
    host: str
    body: Body


class _Linked(NamedTuple):
    """What the hub says of a file before it sends the request to its storage."""

    etag: str = ""
    size: str = ""
    host: str = ""


class _Reply(NamedTuple):
    """One answer with what came before it."""

    response: http.client.HTTPResponse
    line: Line
    linked: _Linked
    url: str


class Transport:
    """Makes requests with the settings of one run."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._trusted = settings.endpoint
        self._openers: dict[str, urllib.request.OpenerDirector] = {}
        self._guard = threading.Lock()

    def get(self, url: str, start: int = 0, end: int | None = None, validator: str = "") -> Answer:
        """Ask for a file from an offset on, or up to `end`, as long as it still has the etag `validator`.

        The body starts at ``answer.start``, which is 0 where the server ignores the range or the file is another one.

        Raises:
            TransferError: no answer, or one that cannot be used.
        """
        headers = {}
        if start or end is not None:
            headers["Range"] = f"bytes={start}-{'' if end is None else end - 1}"
            if validator:
                headers["If-Range"] = validator
        line = Line()
        try:
            return self._asked(line, url, headers, (start, end))
        except BaseException:
            line.close()
            raise
        finally:
            line.unlimited()

    def exchange(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes, most: int
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Make one request for huggingface_hub and read at most so many bytes of the answer, whatever its status.

        Raises:
            TransferError: no answer, or one that does not end.
        """
        limits, line = self._settings.limits, Line()
        sent = {name: text for name, text in headers.items() if name != "Authorization" or self._is_hub(url)}
        line.limit(limits.connect + limits.stall_seconds)
        try:
            response = self._send(line, url, sent, "", (method, content or None))
            with response:
                body = Body(response, url, line, limits.stall_seconds)
                found = b"" if method == "HEAD" else body.whole(most, limits.connect + limits.stall_seconds)
            return response.status, response.headers, found
        finally:
            line.close()

    def _asked(self, line: Line, url: str, headers: Mapping[str, str], stretch: tuple[int, int | None]) -> Answer:
        limits = self._settings.limits
        # One limit for all heads together, however slowly they come and however often they send it on.
        line.limit(limits.connect + limits.stall_seconds)
        linked = _Linked()
        seen = {url}
        token = self._token_for(url)
        while True:
            response = self._send(line, url, headers, token)
            status = response.status
            if status == 401 and token and self._is_hub(url):
                # The hub refuses even public files to a token that has run out.
                token = ""
                response.close()
                continue
            if not linked.etag:
                linked = _linked(response, url, linked)
            if status not in _REDIRECTS:
                break
            response.close()
            url = self._next(url, response.headers.get("Location") or "")
            if url in seen or len(seen) > limits.redirects:
                raise TransferError("redirects", f"{host_of(url)} redirects in circles.", url)
            seen.add(url)
        try:
            if status not in (200, 206):
                raise refusal(status, response, url, bool(self._settings.token), stretch[0])
            return self._checked(_Reply(response, line, linked, url), stretch)
        except TransferError:
            response.close()
            raise

    def _token_for(self, url: str) -> str:
        if self._settings.token_fault and self._is_hub(url):
            raise TransferError("token-form", self._settings.token_fault, url)
        return self._settings.token

    def _is_hub(self, url: str) -> bool:
        return not address_fault(url) and origin_of(url) == origin_of(self._trusted)

    def _send(
        self,
        line: Line,
        url: str,
        headers: Mapping[str, str],
        token: str,
        what: tuple[str, bytes | None] = ("GET", None),
    ) -> http.client.HTTPResponse:
        if why := address_fault(url):
            raise TransferError("refused", f"{shown(url)} {why}.", url)
        try:
            # What is encoded already stays as it is.
            address = urllib.parse.quote(url, safe="%/:=&?~#+!$,;'@()*[]")
            request = Asked(address, what[1], dict(headers), method=what[0])
            request.line = line
            request.add_header("User-Agent", f"svi-install/{__version__}")
            request.add_header("Accept-Encoding", "identity")
            if token and self._is_hub(url):
                request.add_unredirected_header("Authorization", f"Bearer {token}")
            opener = self._opener(urlsplit(url).scheme)
            response = opener.open(request, timeout=self._settings.limits.connect)
        except (OSError, http.client.HTTPException, ValueError) as error:
            if line.late:
                why = f"{host_of(url)} starts to answer but never finishes."
                raise TransferError("timeout", why, url) from error
            raise of_exception(error, url) from error
        assert isinstance(response, http.client.HTTPResponse)
        if line.late:
            response.close()
            raise TransferError("timeout", f"{host_of(url)} starts to answer but never finishes.", url)
        return response

    def _opener(self, scheme: str) -> urllib.request.OpenerDirector:
        with self._guard:
            if scheme not in self._openers:
                opener = urllib.request.OpenerDirector()
                # urllib would add its own User-agent beside ours.
                opener.addheaders = []
                handlers = [urllib.request.ProxyHandler(), Handler(), _AnyStatus()]
                by_tls = any(proxy.startswith("https:") for proxy in urllib.request.getproxies().values())
                if scheme == "https" or by_tls:
                    # Reading all the certificates of a system takes a tenth of a second.
                    handlers.append(SecureHandler(_tls(self._settings)))
                for handler in handlers:
                    opener.add_handler(handler)
                self._openers[scheme] = opener
            return self._openers[scheme]

    def _next(self, url: str, location: str) -> str:
        host = host_of(url)
        if not location:
            raise TransferError("redirects", f"{host} redirects without saying where to.", url)
        try:
            target = urljoin(url, location)
        except ValueError:
            target = location
        if why := address_fault(target):
            raise TransferError("redirects", f"{host} redirects to {shown(target)}, which {why}", url)
        if target.startswith("http:") and url.startswith("https:"):
            raise TransferError("redirects", f"{host} redirects to an unencrypted address.", url)
        return target

    def _answer(self, reply: _Reply, start: int, size: int | None) -> Answer:
        response, linked = reply.response, reply.linked
        own = response.headers.get("ETag") or ""
        bare = linked.etag.removeprefix("W/").strip('"')
        sha256 = bare if _SHA256.fullmatch(bare) else ""
        stated = number_in(linked.size)
        return Answer(
            start=start,
            size=size if stated is None else stated,
            ranges=response.status == 206 or (response.headers.get("Accept-Ranges") or "").strip().lower() == "bytes",
            validator=own if _strong(own) else "",
            sha256=sha256,
            etag=next((tag.strip('"') for tag in (linked.etag, own) if _strong(tag)), ""),
            host=linked.host if sha256 else "",
            body=Body(response, reply.url, reply.line, self._settings.limits.stall_seconds),
        )

    def _checked(self, reply: _Reply, stretch: tuple[int, int | None]) -> Answer:
        response, url = reply.response, reply.url
        (start, end), host = stretch, host_of(url)
        packed = encoding(response)
        if packed not in ("", "identity") and (packed != "gzip" or response.status != 200):
            why = f"{host} or a proxy compresses the file ({clean(packed)}), which makes it useless."
            raise TransferError("encoded", why, url)
        length = response.length
        if response.status == 200:
            # The length of a compressed answer is not that of the file.
            answer = self._answer(reply, 0, None if packed == "gzip" else length)
            if packed != "gzip" and answer.size is not None and length not in (None, answer.size):
                raise TransferError("length", f"{host} sends {length} bytes of a file that has {answer.size}.", url)
            return answer
        match = _CONTENT_RANGE.fullmatch((response.headers.get("Content-Range") or "").strip())
        if not match:
            raise TransferError("range", f"{host} sends a part of the file but does not say which.", url)
        first, last = int(match[1]), int(match[2])
        total = None if match[3] == "*" else int(match[3])
        wrong_end = last >= (end if end is not None else last + 1) or (total is not None and last >= total)
        if first != start or last < first or wrong_end or (length is not None and length != last - first + 1):
            raise TransferError("range", f"{host} sends a different part of the file than it was asked for.", url)
        answer = self._answer(reply, first, total)
        if total is not None and answer.size not in (None, total):
            why = f"{host} has a file of {total} bytes instead of {answer.size}."
            raise TransferError("length", why, url)
        return answer


def _linked(response: http.client.HTTPResponse, url: str, before: _Linked) -> _Linked:
    headers = response.headers
    etag = headers.get("X-Linked-Etag") or ""
    return _Linked(
        etag=etag,
        size=before.size or headers.get("X-Linked-Size") or "",
        host=host_of(url) if etag else "",
    )


def _strong(etag: str) -> bool:
    return len(etag) > 2 and etag[0] == etag[-1] == '"' and len(etag) <= _LONGEST_ETAG and etag.isprintable()


def _tls(settings: Settings) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if settings.ca_bundle is not None:
        try:
            context.load_verify_locations(settings.ca_bundle)
        except (OSError, ssl.SSLError) as error:
            message = f"The certificates in {settings.ca_bundle} cannot be read ({error})."
            raise TransferError("tls", message, settings.endpoint) from error
    elif not context.cert_store_stats()["x509_ca"] and not ssl.get_default_verify_paths().capath:
        # A Python without certificates of its own, as python.org ships it for macOS.
        try:
            certifi = importlib.import_module("certifi")
        except ImportError:
            return context
        context.load_verify_locations(certifi.where())
    return context


class _AnyStatus(urllib.request.HTTPErrorProcessor):
    def http_response(
        self, request: urllib.request.Request, response: http.client.HTTPResponse
    ) -> http.client.HTTPResponse:
        return response

    https_response = http_response


def refusal(status: int, response: http.client.HTTPResponse, url: str, token: bool, start: int) -> TransferError:
    """Say which failure a status stands for."""
    if status == 407:
        return TransferError("proxy", f"The proxy asks for a user name and a password ({status}).", url)
    if status == 416 and start:
        return TransferError("range", f"{host_of(url)} has no more bytes at offset {start} (416).", url)
    failure = refused(status, response.headers, url, token)
    if failure.kind in ("busy", "server"):
        failure.wait = _retry_after(response.headers.get("Retry-After"))
    return failure


def _retry_after(value: str | None) -> float | None:
    if not value:
        return None
    seconds = number_in(value)
    if seconds is not None:
        return float(seconds)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value[:100]).timestamp() - time.time())
    except (TypeError, ValueError, IndexError, OverflowError, OSError):
        return None


def of_exception(error: BaseException, url: str) -> TransferError:
    """Say which failure an exception of a request or of a read stands for."""
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    host = host_of(url)
    if isinstance(reason, ssl.SSLCertVerificationError):
        why = clean(reason.verify_message)
        return TransferError("tls", f"The certificate of {host} cannot be trusted ({why}).", url)
    if isinstance(reason, ssl.SSLError) and "EOF" not in str(reason):
        return TransferError("tls", f"There is no encrypted connection to {host} ({clean(reason)}).", url)
    if isinstance(reason, socket.gaierror):
        return TransferError("dns", f"The address {host} cannot be found.", url)
    if isinstance(reason, TimeoutError):
        return TransferError("timeout", f"{host} does not answer.", url)
    if isinstance(reason, OSError) and "Tunnel connection failed" in str(reason):
        return TransferError("proxy", f"The proxy blocks {host} ({clean(reason)}).", url)
    if isinstance(reason, http.client.InvalidURL):
        # Its text holds the address, and that of a proxy may hold a password.
        return TransferError("refused", f"{host} cannot be reached, or the address of the proxy is wrong.", url)
    if isinstance(reason, http.client.HTTPException) and not isinstance(reason, OSError):
        return TransferError("connection", f"{host} does not answer like a web server.", url)
    if isinstance(reason, OSError):
        said = clean(reason) or type(reason).__name__
        return TransferError("connection", f"The connection to {host} broke ({said}).", url)
    # What a ValueError says may hold a token.
    return TransferError("refused", f"{host} cannot be reached ({type(reason).__name__}).", url)
