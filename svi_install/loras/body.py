"""The bytes of an answer, unpacked where a server insists on packing them, and never more work than bytes."""

from __future__ import annotations

import http.client
import time
import zlib

from . import web
from .failures import TransferError
from .line import Line

_PACKED = 65536
# A packed stream that gives nothing for so long never will: the head of a gzip file may name an endless file name.
_FRUITLESS = 1024 * 1024


class Body:
    """The bytes of a response.

    Args:
        response: what the server sent.
        url: address that was asked, for messages.
        line: its connection.
        patience: seconds in which a packed stream has to give a byte.
    """

    def __init__(self, response: http.client.HTTPResponse, url: str, line: Line, patience: float) -> None:
        self._response = response
        self._host = web.host(url)
        self._url = url
        self._line = line
        self._patience = patience
        self._left = response.length
        packed = encoding(response) == "gzip"
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
        count = self._read(view)
        if not count and self._line.gone:
            # The end that this side has made is not the end of the file.
            raise self._late("begins an answer but never ends it") if self._line.late else self._cut()
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
                "encoded", f"What {self._host} or a proxy sends cannot be unpacked.", self._url
            ) from error
        except TimeoutError as error:
            raise self._late("does not go on with its answer") from error
        except (OSError, http.client.HTTPException, ValueError, AttributeError) as error:
            # http.client takes its file away from under a reader when the connection is cut.
            if self._line.late:
                raise self._late("begins an answer but never ends it") from error
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
                raise TransferError("encoded", f"{self._host} or a proxy sends a packed file without end.", self._url)

    def whole(self, most: int, seconds: float) -> bytes:
        """Read everything.

        Args:
            most: bytes after which it is too much.
            seconds: how long it may take.

        Returns:
            The bytes.

        Raises:
            TransferError: the connection broke, or it is more or takes longer than that.
        """
        self._line.limit(seconds)
        found = bytearray()
        view = memoryview(bytearray(_PACKED))
        while count := self.readinto(view):
            found += view[:count]
            if len(found) > most:
                raise TransferError("length", f"{self._host} sends more than it was asked for.", self._url)
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
