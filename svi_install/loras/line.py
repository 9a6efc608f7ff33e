"""The connection of one request: it can be cut from outside, and is cut when its time is over."""

from __future__ import annotations

import contextlib
import functools
import http.client
import socket
import ssl
import threading
import urllib.request
from typing import Any


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
        """Watch a socket.

        Args:
            made: a socket that has just been connected.
        """
        twin = made.dup()
        with self._guard:
            self._sockets.append(twin)
            if self.gone:
                _shut(twin)

    def limit(self, seconds: float) -> None:
        """Cut the connection when the time is over; a limit that was set before no longer counts.

        Args:
            seconds: how long from now.
        """
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
    """Makes the encrypted connections.

    Args:
        context: whom to trust.
    """

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
