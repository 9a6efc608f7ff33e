from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Iterator

import pytest

from svi_install.loras.transfer.failures import TransferError
from svi_install.loras.transfer.settings import Limits, Settings
from svi_install.loras.transfer.stream import Line
from svi_install.loras.transfer.transport import Answer, Transport

from .wire import Exchange, Wire


def pair() -> tuple[socket.socket, socket.socket]:
    return socket.socketpair()


def test_a_reader_is_woken_when_the_line_is_cut() -> None:
    near, far = pair()
    line = Line()
    line.add(near)
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append(near.recv(1)))
    reader.start()
    line.cut()
    reader.join(10.0)
    assert (found, line.gone, line.late) == ([b""], True, False)
    line.close()
    near.close()
    far.close()


def test_a_reader_is_woken_when_the_time_is_over() -> None:
    near, far = pair()
    line = Line()
    line.add(near)
    line.limit(0.05)
    assert near.recv(1) == b""
    assert (line.gone, line.late) == (True, True)
    line.close()
    near.close()
    far.close()


def test_a_limit_that_is_taken_back_cuts_nothing() -> None:
    near, far = pair()
    line = Line()
    line.add(near)
    line.limit(60.0)
    line.unlimited()
    far.sendall(b"x")
    assert near.recv(1) == b"x"
    assert not line.gone
    line.close()
    near.close()
    far.close()


def test_a_connection_that_comes_too_late_is_cut_at_once() -> None:
    near, far = pair()
    line = Line()
    line.cut()
    line.add(near)
    assert near.recv(1) == b""
    line.close()
    near.close()
    far.close()


@pytest.fixture
def wires() -> Iterator[list[Wire]]:
    made: list[Wire] = []
    yield made
    for wire in made:
        wire.close()


def asked(wires: list[Wire], text: bytes, then: bytes = b"", seconds: float = 5.0) -> Answer:
    def behave(x: Exchange) -> None:
        x.head("200 OK")
        x.send(text)
        if then:
            x.drip(itertools.repeat(then))

    wires.append(Wire(behave))
    settings = Settings(endpoint=wires[-1].url, limits=Limits(connect=seconds, stall_seconds=seconds))
    return Transport(settings).get(f"{wires[-1].url}/card")


def test_a_small_text_is_read_whole(wires: list[Wire]) -> None:
    answer = asked(wires, b"text" * 1000)
    assert answer.body.whole(4000, 5.0) == b"text" * 1000
    answer.body.close()


def test_a_text_that_is_too_long(wires: list[Wire]) -> None:
    answer = asked(wires, b"text" * 1000)
    with pytest.raises(TransferError) as caught:
        answer.body.whole(3999, 5.0)
    assert caught.value.kind == "length"
    answer.body.close()


def test_a_text_drop_by_drop(wires: list[Wire]) -> None:
    answer = asked(wires, b"text", then=b"x")
    with pytest.raises(TransferError) as caught:
        answer.body.whole(10**9, 0.3)
    assert (caught.value.kind, str(caught.value)) == ("timeout", "127.0.0.1 starts to answer but never finishes.")
    answer.body.close()


def test_a_connection_that_is_cut_from_this_side_has_not_come_to_its_end(wires: list[Wire]) -> None:
    """Without a length the end of the connection is that of the file, but only when the other side has made it."""
    answer = asked(wires, b"text", then=b"x")
    view = memoryview(bytearray(100))
    assert answer.body.readinto(view)
    answer.body.abort()
    with pytest.raises(TransferError):
        list(iter(lambda: answer.body.readinto(view), 0))
    answer.body.close()
