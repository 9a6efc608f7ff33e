from __future__ import annotations

import socket
import threading

from svi_install.loras.line import Line


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
