"""A server that says on the wire what it is told to, for what no library of servers would let itself say."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import re
import socket
import threading
from collections.abc import Callable, Iterator

COMMIT = "c" * 40
# What no client may ask for more of.
MOST = 96 * 1024 * 1024


class Exchange:
    """One request and the way to answer it."""

    def __init__(self, wire: Wire, connection: socket.socket, head: str, number: int) -> None:
        self.wire = wire
        self._connection = connection
        self.method, self.path = [*head.split(" "), "", ""][:2]
        self.headers = {
            name.strip().lower(): value.strip()
            for name, mark, value in (line.partition(":") for line in head.split("\r\n")[1:])
            if mark
        }
        self.number = number

    @property
    def start(self) -> int:
        match = re.match(r"bytes=(\d+)-", self.headers.get("range", ""))
        return int(match[1]) if match else 0

    @property
    def stored(self) -> bool:
        return self.path.startswith("/store")

    def send(self, data: bytes) -> None:
        self._connection.sendall(data)
        self.wire.sent += len(data)
        if self.wire.sent > MOST:
            self.wire.flooded = True
            raise OSError("a client that takes everything")

    def head(self, status: str, **headers: str) -> None:
        lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
        self.send(("\r\n".join([*lines, "Connection: close"]) + "\r\n\r\n").encode("latin-1"))

    def drip(self, parts: Iterator[bytes]) -> None:
        for part in parts:
            self.send(part)
            if self.wire.over.wait(0.05):
                return

    def reset(self) -> None:
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


class Wire:
    """Listens on loopback and answers every request with one behaviour."""

    def __init__(self, behave: Callable[[Exchange], None]) -> None:
        self._behave = behave
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.sent = 0
        self.flooded = False
        self.over = threading.Event()
        self._numbers = itertools.count()
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def close(self) -> None:
        self.over.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError, ValueError):
            head = b""
            while b"\r\n\r\n" not in head:
                part = connection.recv(65536)
                if not part:
                    return
                head += part
            self._behave(Exchange(self, connection, head.decode("latin-1").split("\r\n\r\n")[0], next(self._numbers)))


def linked(data: bytes, **changes: str) -> dict[str, str]:
    """The headers with which the hub sends a request on to its storage."""
    headers = {
        "X_Linked_Etag": f'"{hashlib.sha256(data).hexdigest()}"',
        "X_Linked_Size": str(len(data)),
        "X_Repo_Commit": COMMIT,
    } | changes
    return {name: value for name, value in headers.items() if value}


def whole(exchange: Exchange, data: bytes, cut: int | None = None, **headers: str) -> None:
    """Send a file from where it was asked for, with ranges and a strong etag."""
    start = exchange.start
    known = {"ETag": '"one"', "Accept_Ranges": "bytes", "Content_Length": str(len(data) - start)}
    if start:
        known["Content_Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
    exchange.head("206 Partial Content" if start else "200 OK", **(known | headers))
    exchange.send(data[start : None if cut is None else start + cut])
