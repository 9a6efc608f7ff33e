"""One HTTP request with everything checked: redirects, TLS, proxies, ranges; failures become errors of one kind."""

from __future__ import annotations

import http.client
import importlib
import re
import ssl
import threading
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from .. import __version__
from . import web
from .body import Body, encoding
from .failures import TransferError
from .line import Asked, Handler, Line, SecureHandler
from .replies import of_exception, refusal
from .settings import Settings

_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")
_REDIRECTS = {301, 302, 303, 307, 308}
_SHA256 = re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
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
        commit: commit that the hub resolved the address to.
        host: who states the hash, empty without one.
        body: the bytes.
    """

    start: int
    size: int | None
    ranges: bool
    validator: str
    sha256: str
    etag: str
    commit: str
    host: str
    body: Body


class _Linked(NamedTuple):
    """What the hub says of a file before it sends the request to its storage."""

    etag: str = ""
    size: str = ""
    commit: str = ""
    host: str = ""


class _Reply(NamedTuple):
    """One answer with what came before it."""

    response: http.client.HTTPResponse
    line: Line
    linked: _Linked
    url: str


class Transport:
    """Makes requests with the settings of one run.

    Args:
        settings: hub, token, certificates and limits.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._trusted = settings.endpoint
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
        line = Line()
        try:
            return self._asked(line, method, url, headers, (start, end))
        except BaseException:
            line.close()
            raise
        finally:
            line.unlimited()

    def _asked(
        self, line: Line, method: str, url: str, headers: Mapping[str, str], stretch: tuple[int, int | None]
    ) -> Answer:
        limits = self._settings.limits
        # One limit for all heads together, however slowly they come and however often they send it on.
        line.limit(limits.connect + limits.stall_seconds)
        linked = _Linked()
        seen = {url}
        token = self._token_for(url)
        while True:
            response = self._send(line, method, url, headers, token)
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
            if method == "HEAD" and linked.etag:
                break
            url = self._next(url, response.headers.get("Location") or "")
            if url in seen or len(seen) > limits.redirects:
                raise TransferError("redirects", f"{web.host(url)} sends the request round in circles.", url)
            seen.add(url)
        if status in _REDIRECTS or (method == "HEAD" and status in (200, 206)):
            response.close()
            line.close()
            size = None if status in _REDIRECTS else web.number(response.headers.get("Content-Length"))
            return self._answer(_Reply(response, line, linked, url), 0, size)
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
        return not web.fault(url) and web.origin(url) == web.origin(self._trusted)

    def _send(
        self, line: Line, method: str, url: str, headers: Mapping[str, str], token: str
    ) -> http.client.HTTPResponse:
        if why := web.fault(url):
            raise TransferError("refused", f"{web.shown(url)} {why}.", url)
        try:
            # What is encoded already stays as it is.
            request = Asked(urllib.parse.quote(url, safe="%/:=&?~#+!$,;'@()*[]"), method=method, headers=dict(headers))
            request.line = line
            request.add_header("User-Agent", f"svi-install/{__version__}")
            request.add_header("Accept-Encoding", "identity")
            if token and self._is_hub(url):
                request.add_unredirected_header("Authorization", f"Bearer {token}")
            opener = self._opener(urlsplit(url).scheme)
            response = opener.open(request, timeout=self._settings.limits.connect)
        except (OSError, http.client.HTTPException, ValueError) as error:
            if line.late:
                why = f"{web.host(url)} begins an answer but never ends it."
                raise TransferError("timeout", why, url) from error
            raise of_exception(error, url) from error
        assert isinstance(response, http.client.HTTPResponse)
        if line.late:
            response.close()
            raise TransferError("timeout", f"{web.host(url)} begins an answer but never ends it.", url)
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
        host = web.host(url)
        if not location:
            raise TransferError("redirects", f"{host} redirects to nowhere.", url)
        try:
            target = urljoin(url, location)
        except ValueError:
            target = location
        if why := web.fault(target):
            raise TransferError("redirects", f"{host} redirects to what {why}: {web.shown(target)}", url)
        if target.startswith("http:") and url.startswith("https:"):
            raise TransferError("redirects", f"{host} redirects to an unencrypted address.", url)
        return target

    def _answer(self, reply: _Reply, start: int, size: int | None) -> Answer:
        response, linked = reply.response, reply.linked
        own = response.headers.get("ETag") or ""
        bare = linked.etag.removeprefix("W/").strip('"')
        sha256 = bare if _SHA256.fullmatch(bare) else ""
        stated = web.number(linked.size)
        return Answer(
            start=start,
            size=size if stated is None else stated,
            ranges=response.status == 206 or (response.headers.get("Accept-Ranges") or "").strip().lower() == "bytes",
            validator=own if _strong(own) else "",
            sha256=sha256,
            etag=next((tag.strip('"') for tag in (linked.etag, own) if _strong(tag)), ""),
            commit=linked.commit,
            host=linked.host if sha256 else "",
            body=Body(response, reply.url, reply.line, self._settings.limits.stall_seconds),
        )

    def _checked(self, reply: _Reply, stretch: tuple[int, int | None]) -> Answer:
        response, url = reply.response, reply.url
        (start, end), host = stretch, web.host(url)
        packed = encoding(response)
        if packed not in ("", "identity") and (packed != "gzip" or response.status != 200):
            why = f"{host} or a proxy sends the file compressed ({web.clean(packed)})."
            raise TransferError("encoded", why, url)
        length = response.length
        if response.status == 200:
            # The length of a compressed answer is not that of the file.
            answer = self._answer(reply, 0, None if packed == "gzip" else length)
            if packed != "gzip" and answer.size is not None and length not in (None, answer.size):
                raise TransferError("length", f"{host} offers {length} bytes of a file of {answer.size}.", url)
            return answer
        match = _CONTENT_RANGE.fullmatch((response.headers.get("Content-Range") or "").strip())
        if not match:
            raise TransferError("range", f"{host} answers with a part of the file but does not say which.", url)
        first, last = int(match[1]), int(match[2])
        total = None if match[3] == "*" else int(match[3])
        wrong_end = last >= (end if end is not None else last + 1) or (total is not None and last >= total)
        if first != start or last < first or wrong_end or (length is not None and length != last - first + 1):
            raise TransferError("range", f"{host} answers with another part of the file than asked for.", url)
        answer = self._answer(reply, first, total)
        if total is not None and answer.size not in (None, total):
            why = f"{host} offers a file of {total} bytes instead of {answer.size}."
            raise TransferError("length", why, url)
        return answer


def _linked(response: http.client.HTTPResponse, url: str, before: _Linked) -> _Linked:
    headers = response.headers
    etag = headers.get("X-Linked-Etag") or ""
    return _Linked(
        etag=etag,
        size=before.size or headers.get("X-Linked-Size") or "",
        commit=before.commit or _commit(headers.get("X-Repo-Commit") or ""),
        host=web.host(url) if etag else "",
    )


def _commit(text: str) -> str:
    return text if _COMMIT.fullmatch(text) else ""


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
