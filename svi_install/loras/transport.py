"""One HTTP request with everything checked: redirects, TLS, proxies, ranges; failures become errors of one kind."""

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
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from .. import __version__
from .failures import TransferError
from .settings import Settings

_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)$")
_REDIRECTS = {301, 302, 303, 307, 308}
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Body:
    """The bytes of a response.

    Args:
        response: what the server sent.
        url: address that was asked, for messages.
    """

    def __init__(self, response: http.client.HTTPResponse, url: str) -> None:
        self._response = response
        self._url = url
        self._left = response.length
        packed = _encoding(response) == "gzip"
        self._unpack = zlib.decompressobj(wbits=31) if packed else None

    def readinto(self, view: memoryview) -> int:
        """Fill a buffer as far as one read goes.

        Args:
            view: the buffer.

        Returns:
            Number of bytes, 0 at the end of the body.

        Raises:
            TransferError: the connection broke or ended too early.
        """
        try:
            if self._unpack is not None:
                return self._readinto_packed(view, self._unpack)
            if self._response.chunked:
                return _put(view, self._response.read1(len(view)))
            if self._left is not None:
                view = view[: self._left]
            # HTTPResponse.readinto would wait until the whole buffer is full.
            count = self._response.fp.readinto1(view) if view else 0
        except (OSError, http.client.HTTPException, ValueError, zlib.error) as error:
            raise of_exception(error, self._url) from error
        if self._left is not None:
            if not count and self._left:
                raise TransferError("cut", f"{_host(self._url)} ended the connection too early.", self._url)
            self._left -= count
        return count

    def _readinto_packed(self, view: memoryview, unpack: zlib._Decompress) -> int:
        while True:
            data = unpack.decompress(unpack.unconsumed_tail or self._response.read1(65536), len(view))
            if data or unpack.eof:
                return _put(view, data)
            if not unpack.unconsumed_tail and self._response.isclosed():
                raise TransferError("cut", f"{_host(self._url)} ended the connection too early.", self._url)

    def close(self) -> None:
        """Give the connection back."""
        self._response.close()


@dataclass(frozen=True)
class Answer:
    """What a server says about a file, and its bytes.

    Args:
        start: offset of the first byte that follows.
        size: bytes of the whole file, None when the server does not say.
        ranges: True when the server can send parts of the file.
        validator: strong etag for ``If-Range``, empty without one.
        sha256: hash that the hub states for the file, empty without one.
        etag: the hub's etag of the file, for files outside its large-file storage.
        commit: commit that the hub resolved the address to.
        body: the bytes.
    """

    start: int
    size: int | None
    ranges: bool
    validator: str
    sha256: str
    etag: str
    commit: str
    body: Body


class Transport:
    """Makes requests with the settings of one run.

    Args:
        settings: hub, token, certificates and limits.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._trusted = _origin(settings.endpoint)
        self._openers: dict[str, urllib.request.OpenerDirector] = {}
        self._guard = threading.Lock()

    def get(self, url: str, start: int = 0, end: int | None = None, validator: str = "") -> Answer:
        """Ask for a file or a part of it.

        Args:
            url: address of the file on a hub or anywhere else.
            start: offset of the first byte.
            end: offset behind the last byte, None for all that follows.
            validator: etag from an earlier answer; the server then sends the part only of the unchanged file.

        Returns:
            The answer; its body starts at ``answer.start``, which is 0 when the server ignored the range.

        Raises:
            TransferError: no answer, or one that cannot be used.
        """
        headers = {}
        if start or end is not None:
            headers["Range"] = f"bytes={start}-{'' if end is None else end - 1}"
            if validator:
                headers["If-Range"] = validator
        return self._ask("GET", url, headers, start, end)

    def head(self, url: str) -> Answer:
        """Ask what a server knows about a file, without its bytes.

        Args:
            url: address of the file.

        Returns:
            The answer, with an empty body.

        Raises:
            TransferError: no answer, or one that cannot be used.
        """
        return self._ask("HEAD", url, {}, 0, None)

    def _ask(self, method: str, url: str, headers: Mapping[str, str], start: int, end: int | None) -> Answer:
        linked: dict[str, str] = {}
        seen = {url}
        token = self._settings.token
        while True:
            response = self._send(method, url, headers, token)
            status = response.status
            if status == 401 and token and _origin(url) == self._trusted:
                # The hub refuses even public files to a token that has run out.
                token = ""
                response.close()
                continue
            for name in ("X-Repo-Commit", "X-Linked-Etag", "X-Linked-Size"):
                if name not in linked and response.headers.get(name):
                    linked[name] = response.headers[name]
            if status not in _REDIRECTS:
                break
            response.close()
            if method == "HEAD" and "X-Linked-Etag" in linked:
                break
            url = self._next(url, response.headers.get("Location") or "")
            if url in seen or len(seen) > self._settings.limits.redirects:
                raise TransferError("redirects", f"{_host(url)} sends the request round in circles.", url)
            seen.add(url)
        if status in _REDIRECTS:
            return _answer(response, url, linked, 0)
        if status not in (200, 206):
            response.close()
            raise _refusal(status, response, url, bool(self._settings.token), start)
        if method == "HEAD":
            response.close()
            return _answer(response, url, linked, 0, _stated_length(response))
        try:
            return _checked(response, linked, (start, end), url)
        except TransferError:
            response.close()
            raise

    def _send(self, method: str, url: str, headers: Mapping[str, str], token: str) -> http.client.HTTPResponse:
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise TransferError("refused", f"{url} is no web address.", url)
        # What is encoded already stays as it is.
        url = urllib.parse.quote(url, safe="%/:=&?~#+!$,;'@()*[]")
        request = urllib.request.Request(url, method=method, headers=dict(headers))
        request.add_header("User-Agent", f"svi-install/{__version__}")
        request.add_header("Accept-Encoding", "identity")
        if token and _origin(url) == self._trusted:
            request.add_unredirected_header("Authorization", f"Bearer {token}")
        try:
            response = self._opener(urlsplit(url).scheme).open(request, timeout=self._settings.limits.connect)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise of_exception(error, url) from error
        assert isinstance(response, http.client.HTTPResponse)
        return response

    def _opener(self, scheme: str) -> urllib.request.OpenerDirector:
        with self._guard:
            if scheme not in self._openers:
                opener = urllib.request.OpenerDirector()
                # urllib would add its own User-agent beside ours.
                opener.addheaders = []
                handlers = [urllib.request.ProxyHandler(), urllib.request.HTTPHandler(), _AnyStatus()]
                by_tls = any(proxy.startswith("https:") for proxy in urllib.request.getproxies().values())
                if scheme == "https" or by_tls:
                    # Reading all the certificates of a system takes a tenth of a second.
                    handlers.append(urllib.request.HTTPSHandler(context=_tls(self._settings)))
                for handler in handlers:
                    opener.add_handler(handler)
                self._openers[scheme] = opener
            return self._openers[scheme]

    def _next(self, url: str, location: str) -> str:
        if not location:
            raise TransferError("redirects", f"{_host(url)} redirects to nowhere.", url)
        target = urljoin(url, location)
        scheme = urlsplit(target).scheme
        if scheme not in ("http", "https"):
            raise TransferError("redirects", f"{_host(url)} redirects to what is no web address: {target}", url)
        if scheme == "http" and urlsplit(url).scheme == "https":
            raise TransferError("redirects", f"{_host(url)} redirects to an unencrypted address.", url)
        return target


def _answer(
    response: http.client.HTTPResponse, url: str, linked: Mapping[str, str], start: int, size: int | None = None
) -> Answer:
    etag = linked.get("X-Linked-Etag") or response.headers.get("ETag") or ""
    bare = etag.removeprefix("W/").strip('"')
    own = response.headers.get("ETag") or ""
    stated = linked.get("X-Linked-Size")
    return Answer(
        start=start,
        size=int(stated) if stated and stated.isdigit() else size,
        ranges=response.status == 206 or response.headers.get("Accept-Ranges", "").strip().lower() == "bytes",
        validator=own if own.startswith('"') else "",
        sha256=bare if _SHA256.fullmatch(bare) and "X-Linked-Etag" in linked else "",
        etag=bare,
        commit=linked.get("X-Repo-Commit", ""),
        body=Body(response, url),
    )


def _checked(
    response: http.client.HTTPResponse, linked: Mapping[str, str], stretch: tuple[int, int | None], url: str
) -> Answer:
    start, end = stretch
    status = response.status
    encoding = _encoding(response)
    if encoding not in ("", "identity") and (encoding != "gzip" or status != 200):
        raise TransferError("encoded", f"{_host(url)} or a proxy sends the file compressed ({encoding}).", url)
    length = response.length
    if status == 200:
        # The length of a compressed answer is not that of the file.
        answer = _answer(response, url, linked, 0, None if encoding == "gzip" else length)
        if encoding != "gzip" and answer.size is not None and length not in (None, answer.size):
            raise TransferError("length", f"{_host(url)} offers {length} bytes of a file of {answer.size}.", url)
        return answer
    match = _CONTENT_RANGE.match(response.headers.get("Content-Range", ""))
    if not match:
        raise TransferError("range", f"{_host(url)} answers with a part of the file but does not say which.", url)
    first, last = int(match[1]), int(match[2])
    total = None if match[3] == "*" else int(match[3])
    wrong_end = last >= (end if end is not None else last + 1) or (total is not None and last >= total)
    if first != start or last < first or wrong_end or (length is not None and length != last - first + 1):
        raise TransferError("range", f"{_host(url)} answers with another part of the file than asked for.", url)
    answer = _answer(response, url, linked, first, total)
    if total is not None and answer.size not in (None, total):
        raise TransferError("length", f"{_host(url)} offers a file of {total} bytes instead of {answer.size}.", url)
    return answer


def _encoding(response: http.client.HTTPResponse) -> str:
    return response.headers.get("Content-Encoding", "").strip().lower()


def _stated_length(response: http.client.HTTPResponse) -> int | None:
    # For HEAD http.client says that nothing follows, whatever the header says.
    stated = response.headers.get("Content-Length", "")
    return int(stated) if stated.isdigit() else None


def _put(view: memoryview, data: bytes) -> int:
    view[: len(data)] = data
    return len(data)


def _refusal(status: int, response: http.client.HTTPResponse, url: str, token: bool, start: int) -> TransferError:
    host = _host(url)
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
        return TransferError("missing", f"{host} has no such file ({status}): {url}", url)
    if status == 416 and start:
        return TransferError("range", f"{host} has no more bytes at offset {start} (416).", url)
    if status == 429:
        return TransferError("busy", f"{host} asks for fewer requests (429).", url, wait)
    if status >= 500 or status == 408:
        return TransferError("server", f"{host} has a fault of its own ({status}).", url, wait)
    return TransferError("refused", f"{host} answers {status} {response.reason}.", url)


def _retry_after(value: str | None) -> float | None:
    if not value:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError):
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
    host = _host(url)
    if isinstance(reason, ssl.SSLCertVerificationError):
        return TransferError("tls", f"The certificate of {host} cannot be trusted ({reason.verify_message}).", url)
    if isinstance(reason, ssl.SSLError) and "EOF" not in str(reason):
        return TransferError("tls", f"No encrypted connection to {host} ({reason}).", url)
    if isinstance(reason, socket.gaierror):
        return TransferError("dns", f"The name {host} cannot be found.", url)
    if isinstance(reason, TimeoutError):
        return TransferError("timeout", f"{host} does not answer.", url)
    if isinstance(reason, OSError) and "Tunnel connection failed" in str(reason):
        return TransferError("proxy", f"The proxy lets nothing through to {host} ({reason}).", url)
    if isinstance(reason, (ConnectionError, http.client.HTTPException, ssl.SSLError, OSError)):
        return TransferError("connection", f"The connection to {host} broke ({reason or type(reason).__name__}).", url)
    return TransferError("refused", f"{url} cannot be asked for ({reason}).", url)


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


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _host(url: str) -> str:
    return urlsplit(url).hostname or url
