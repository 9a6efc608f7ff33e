"""Options of the whole test run."""

from __future__ import annotations

import signal

import pytest

# A run in the background of a shell is told to ignore Ctrl-C and hands that on to the programs that it starts; the
# tests that press Ctrl-C on those would then test nothing.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--wangp-all", action="store_true", help="also run the long tests on the real WanGP")
