"""The bytes of an answer and the connection they come over: cut when it is late, unpacked where a server packs."""

from __future__ import annotations

import contextlib
import functools
import http.client
import socket
import ssl
import threading
import time
import urllib.request
import zlib
from typing import Any

from .failures import TransferError, host_of


class Line:
    """Holds on to the socket of a request while http.client does with it what it wants.

    A time limit of a socket is one for a single byte: a server that sends one now and then would be waited for forever.
    """

    def __init__(self) -> None:
        self._sockets: list[socket.socket] = []
        self._guard = threading.Lock()
        self._timer: threading.Timer | None = None
        self.late = False
        self.gone = False

    def add(self, made: socket.socket) -> None:
        """Watch a socket."""
        twin = made.dup()
        with self._guard:
            self._sockets.append(twin)
            if self.gone:
                _shut(twin)

    def limit(self, seconds: float) -> None:
        """Cut the connection when the time is over; a limit that was set before no longer counts."""
        self.unlimited()
        self._timer = threading.Timer(max(0.0, seconds), self._expire)
        self._timer.daemon = True
        self._timer.start()

    def unlimited(self) -> None:
        """Take the limit back."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        self.late = True
        self.cut()

    def cut(self) -> None:
        """End the connection, whoever is waiting for it."""
        with self._guard:
            self.gone = True
            for twin in self._sockets:
                _shut(twin)

    def close(self) -> None:
        """Let go of it."""
        self.unlimited()
        with self._guard:
            while self._sockets:
                self._sockets.pop().close()


def _shut(twin: socket.socket) -> None:
    # The other side may have been faster.
    with contextlib.suppress(OSError):
        twin.shutdown(socket.SHUT_RDWR)


class Asked(urllib.request.Request):
    """A request that knows its line."""

    line: Line


class Handler(urllib.request.HTTPHandler):
    """Makes the connections for plain addresses."""

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        """Connect and ask."""
        return self.do_open(_made(_Connection, req), req)


class SecureHandler(urllib.request.HTTPSHandler):
    """Makes the encrypted connections."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(context=context)
        self._trust = context

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        """Connect and ask."""
        return self.do_open(_made(_SecureConnection, req), req, context=self._trust)


class _Connection(http.client.HTTPConnection):
    def __init__(self, *args: Any, line: Line, **options: Any) -> None:
        super().__init__(*args, **options)
        self._create_connection = functools.partial(_connect, line)


class _SecureConnection(http.client.HTTPSConnection):
    def __init__(self, *args: Any, line: Line, **options: Any) -> None:
        super().__init__(*args, **options)
        self._create_connection = functools.partial(_connect, line)


def _connect(line: Line, *args: Any, **options: Any) -> socket.socket:
    made = socket.create_connection(*args, **options)
    line.add(made)
    return made


def _made(kind: type[_Connection | _SecureConnection], req: urllib.request.Request) -> Any:
    assert isinstance(req, Asked)
    return functools.partial(kind, line=req.line)


_PACKED = 65536
# A packed stream that gives nothing for so long never will: the head of a gzip file may name an endless file name.
_FRUITLESS = 1024 * 1024


class Body:
    """The bytes of a response."""

    def __init__(self, response: http.client.HTTPResponse, url: str, line: Line, patience: float) -> None:
        self._response = response
        self._host = host_of(url)
        self._url = url
        self._line = line
        self._patience = patience
        self._left = response.length
        packed = encoding(response) == "gzip"
        self._unpack = zlib.decompressobj(wbits=31) if packed else None

    def readinto(self, view: memoryview) -> int:
        """Fill a buffer as far as one read goes.

        Raises:
            TransferError: the connection broke or ended too early.
        """
        count = self._read(view)
        if not count and self._line.gone:
            # The end that this side has made is not the end of the file.
            raise self._late("starts to answer but never finishes") if self._line.late else self._cut()
        return count

    def _read(self, view: memoryview) -> int:
        try:
            if self._unpack is not None:
                return self._readinto_packed(view, self._unpack)
            if self._response.chunked:
                return _put(view, self._response.read1(len(view)))
            if self._left is not None:
                view = view[: self._left]
            # HTTPResponse.readinto would wait until the whole buffer is full.
            count = self._response.fp.readinto1(view) if view else 0
        except zlib.error as error:
            raise TransferError(
                "encoded", f"What {self._host} or a proxy sends cannot be decompressed.", self._url
            ) from error
        except TimeoutError as error:
            raise self._late("stopped in the middle of its answer") from error
        except (OSError, http.client.HTTPException, ValueError, AttributeError) as error:
            # http.client takes its file away from under a reader when the connection is cut.
            if self._line.late:
                raise self._late("starts to answer but never finishes") from error
            raise TransferError("connection", f"The connection to {self._host} broke.", self._url) from error
        if self._left is not None:
            if not count and self._left:
                raise self._cut()
            self._left -= count
        return count

    def _readinto_packed(self, view: memoryview, unpack: zlib._Decompress) -> int:
        taken, began = 0, time.monotonic()
        while True:
            packed = unpack.unconsumed_tail or self._response.read1(_PACKED)
            data = unpack.decompress(packed, len(view))
            if data or unpack.eof:
                return _put(view, data)
            if not packed:
                raise self._cut()
            taken += len(packed)
            if taken > _FRUITLESS or time.monotonic() - began > self._patience:
                raise TransferError(
                    "encoded", f"{self._host} or a proxy sends a compressed file that never ends.", self._url
                )

    def whole(self, most: int, seconds: float) -> bytes:
        """Read everything.

        Raises:
            TransferError: the connection broke, or it is more or takes longer than that.
        """
        self._line.limit(seconds)
        found = bytearray()
        view = memoryview(bytearray(_PACKED))
        while count := self.readinto(view):
            found += view[:count]
            if len(found) > most:
                raise TransferError("length", f"{self._host} sends more than we asked for.", self._url)
        return bytes(found)

    def _cut(self) -> TransferError:
        return TransferError("cut", f"{self._host} ended the connection too early.", self._url)

    def _late(self, how: str) -> TransferError:
        return TransferError("timeout", f"{self._host} {how}.", self._url)

    def abort(self) -> None:
        """End the connection, whichever thread is waiting for a byte of it."""
        self._line.cut()

    def close(self) -> None:
        """Give the connection back."""
        self._response.close()
        self._line.close()


def encoding(response: http.client.HTTPResponse) -> str:
    """Return how a response says that it is packed, empty for not at all."""
    return (response.headers.get("Content-Encoding") or "").strip().lower()


def _put(view: memoryview, data: bytes) -> int:
    view[: len(data)] = data
    return len(data)
