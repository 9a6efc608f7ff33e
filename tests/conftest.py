"""Options of the whole test run."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

# A run in the background of a shell is told to ignore Ctrl-C and hands that on to the programs that it starts; the
# tests that press Ctrl-C on those would then test nothing.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--wangp-all", action="store_true", help="also run the long tests on the real WanGP")


@pytest.fixture(autouse=True, scope="session")
def own_notes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What svi-install notes for a person on this computer is not to be the tester's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield
