"""A hub on loopback: resolve addresses, large-file storage on another port, and every misbehaviour on demand."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import re
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

COMMIT = "c" * 40


@dataclass
class Fault:
    """What goes wrong with one answer of the storage (or, with ``at="hub"``, of the resolve address).

    Args:
        status: answer with this status instead.
        headers: extra headers; they replace those of the same name.
        cut: end the connection after that many bytes of the body.
        reset: end it with a reset instead of an orderly close.
        length: add this to Content-Length.
        flip: offset of a byte of the file to change on the way.
        rate: bytes a second.
        gzip: send the whole body compressed.
        chunked: send no Content-Length.
        crawl: seconds between two bytes of the head of the answer.
        plain: ignore the range and send everything.
        location: redirect there instead.
        at: ``store`` or ``hub``.
    """

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    reset: bool = False
    length: int = 0
    flip: int | None = None
    rate: float = 0.0
    gzip: bool = False
    chunked: bool = False
    crawl: float = 0.0
    plain: bool = False
    location: str = ""
    at: str = "store"


@dataclass(frozen=True)
class Seen:
    """One request as the server saw it."""

    method: str
    path: str
    headers: dict[str, str]
    server: str
    sent: list[int]

    @property
    def start(self) -> int:
        match = re.match(r"bytes=(\d+)-", self.headers.get("range", ""))
        return int(match[1]) if match else 0


class Hub:
    """The server; `faults` are used up one an answer, `always` stays."""

    def __init__(self) -> None:
        self.files: dict[str, bytes | Path] = {}
        self.faults: deque[Fault] = deque()
        self.always = Fault()
        self.large = True
        self.ranges = True
        self.tag = "1"
        self.token = ""
        self.gated = False
        self.licence = "apache-2.0"
        self.seen: list[Seen] = []
        self.lock = threading.Lock()
        self._hashes: dict[str, str] = {}
        self._hub = _Server(self, "hub")
        self._store = _Server(self, "store")

    @property
    def url(self) -> str:
        return self._hub.url

    @property
    def store(self) -> str:
        return self._store.url

    def add(self, repository: str, path: str, content: bytes | Path) -> str:
        """Publish a file and return its address."""
        self.files[f"{repository}/{path}"] = content
        self._hashes.pop(f"{repository}/{path}", None)
        return f"{self.url}/{repository}/resolve/main/{path}"

    def sha256(self, key: str) -> str:
        content = self.files[key]
        if isinstance(content, bytes):
            return hashlib.sha256(content).hexdigest()
        if key not in self._hashes:
            with content.open("rb") as file:
                digest = hashlib.sha256()
                while block := file.read(1 << 22):
                    digest.update(block)
            self._hashes[key] = digest.hexdigest()
        return self._hashes[key]

    def size(self, key: str) -> int:
        content = self.files[key]
        return len(content) if isinstance(content, bytes) else content.stat().st_size

    def fault(self, at: str) -> Fault:
        with self.lock:
            if self.faults and self.faults[0].at == at:
                return self.faults.popleft()
        return self.always if self.always.at == at else Fault()

    def downloads(self) -> list[Seen]:
        """All requests for bytes."""
        where = "store" if self.large else "hub"
        return [seen for seen in self.seen if seen.method == "GET" and seen.server == where]

    def close(self) -> None:
        self._hub.close()
        self._store.close()


class _Server:
    def __init__(self, hub: Hub, name: str) -> None:
        handler = type("Handler", (_Handler,), {"hub": hub, "name": name})
        self._server = _Quiet(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Quiet(ThreadingHTTPServer):
    request_queue_size = 64
    block_on_close = False

    def handle_error(self, *_: Any) -> None:
        """A client that goes away is what half of the tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub
    name: str

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""

    def do_HEAD(self) -> None:
        self._serve()

    def do_GET(self) -> None:
        self._serve()

    def _serve(self) -> None:
        path = unquote(urlsplit(self.path).path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = Seen(self.command, self.path, headers, self.name, [0])
        with self.hub.lock:
            self.hub.seen.append(seen)
        if self.name == "store":
            self._content(path.removeprefix("/store/"), seen, self.hub.fault("store"))
        elif path.startswith("/api/models/"):
            self._api(path)
        else:
            self._resolve(path, seen)

    def _api(self, path: str) -> None:
        card = {"license": self.hub.licence} if self.hub.licence else {}
        repository = "/".join(path.split("/")[3:5])
        if not any(key.startswith(f"{repository}/") for key in self.hub.files):
            self._say(404, {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"})
            return
        # What huggingface_hub reads a model from (`HfApi.model_info`, 2.4.0): without an id it raises a KeyError.
        found = {"_id": "1", "id": repository, "modelId": repository, "private": False, "sha": COMMIT, "cardData": card}
        found |= {"tags": [], "downloads": 0, "siblings": []}
        self._say(200, {"Content-Type": "application/json"}, json.dumps(found).encode())

    def _resolve(self, path: str, seen: Seen) -> None:
        hub = self.hub
        fault = hub.fault("hub")
        if fault.location:
            self._say(302, {"Location": fault.location.format(path=self.path)})
            return
        if fault.status:
            self._say(fault.status, fault.headers)
            return
        match = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        key = f"{match[1]}/{match[3]}" if match else ""
        authorization = seen.headers.get("authorization", "")
        if authorization and authorization != f"Bearer {hub.token}":
            self._say(401, {"X-Error-Message": "Invalid credentials in Authorization header"})
            return
        if hub.gated and not authorization:
            self._say(401, {"X-Error-Code": "GatedRepo"})
            return
        if key not in hub.files:
            self._say(404, {"X-Error-Code": "EntryNotFound"})
            return
        if not hub.large:
            self._content(key, seen, hub.fault("store"))
            return
        headers = {
            "Location": f"{hub.store}/store/{quote(key)}?signature=secret",
            "X-Linked-Etag": f'"{hub.sha256(key)}"',
            "X-Linked-Size": str(hub.size(key)),
            "X-Repo-Commit": COMMIT,
            "Accept-Ranges": "bytes",
        }
        self._say(302, headers | fault.headers)

    def _content(self, key: str, seen: Seen, fault: Fault) -> None:
        hub = self.hub
        if fault.status:
            self._say(fault.status, fault.headers)
            return
        content = hub.files[key]
        size = hub.size(key)
        etag = f'"{hub.tag}-{hub.sha256(key)[:16]}"'
        headers = {"ETag": etag, "X-Repo-Commit": COMMIT}
        start, end, status = 0, size, 200
        asked = re.match(r"bytes=(\d+)-(\d*)$", self.headers.get("Range", ""))
        if hub.ranges:
            headers["Accept-Ranges"] = "bytes"
        if asked and hub.ranges and not fault.plain and self.headers.get("If-Range", etag) == etag:
            start = int(asked[1])
            end = min(size, int(asked[2]) + 1) if asked[2] else size
            if start >= size:
                self._say(416, {"Content-Range": f"bytes */{size}"})
                return
            status = 206
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        if fault.gzip and isinstance(content, bytes):
            content = gzip.compress(content)
            start, end, status = 0, len(content), 200
            headers["Content-Encoding"] = "gzip"
        if fault.chunked:
            headers["Transfer-Encoding"] = "chunked"
        else:
            headers["Content-Length"] = str(end - start + fault.length)
        headers |= fault.headers
        with contextlib.suppress(OSError):
            for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " if fault.crawl else b"":
                self.wfile.write(bytes([byte]))
                time.sleep(fault.crawl)
        self.send_response(status)
        for name, value in headers.items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        self._body(content, start, end, fault, seen)

    def _body(self, content: bytes | Path, start: int, end: int, fault: Fault, seen: Seen) -> None:
        if fault.length or fault.cut is not None or "Content-Length" in fault.headers:
            self.close_connection = True
        stop = end if fault.cut is None else min(end, start + fault.cut)
        with contextlib.suppress(OSError):
            if isinstance(content, Path) and not fault.rate and fault.flip is None:
                _send_file(content, (start, stop), self.connection, seen.sent)
            else:
                for block in _blocks(content, start, stop, fault):
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(block), block) if fault.chunked else block)
                    seen.sent[0] += len(block)
                if fault.chunked and stop == end:
                    self.wfile.write(b"0\r\n\r\n")
            if fault.length > 0:
                self.wfile.write(bytes(fault.length))
        if fault.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True

    def _say(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _blocks(content: bytes | Path, start: int, stop: int, fault: Fault) -> Iterator[bytes]:
    if isinstance(content, Path):
        content = content.read_bytes()
    if fault.flip is not None:
        content = content[: fault.flip] + bytes([content[fault.flip] ^ 1]) + content[fault.flip + 1 :]
    step = max(1, int(fault.rate / 50)) if fault.rate else 1 << 20
    for at in range(start, stop, step):
        yield content[at : min(at + step, stop)]
        if fault.rate:
            time.sleep(step / fault.rate)


def _send_file(path: Path, stretch: tuple[int, int], connection: socket.socket, sent: list[int]) -> None:
    start, stop = stretch
    with path.open("rb") as file:
        while start < stop:
            count = os.sendfile(connection.fileno(), file.fileno(), start, min(stop - start, 1 << 22))
            start += count
            sent[0] += count
