"""Options of the whole test run."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

# A run in the background of a shell is told to ignore Ctrl-C, one under nohup the end of its terminal, and both hand
# that on to the programs that they start; the tests that send them these signals would test nothing, or wait forever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
for _name in ("SIGHUP", "SIGQUIT"):
    if (_signal := getattr(signal, _name, None)) is not None and signal.getsignal(_signal) is signal.SIG_IGN:
        signal.signal(_signal, signal.SIG_DFL)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--wangp-all", action="store_true", help="also run the long tests on the real WanGP")


@pytest.fixture(autouse=True, scope="session")
def own_notes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What svi-install notes for a person on this computer is not to be the tester's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Leave what was counted for run.py, whose last line tells it."""
    if "SVI_TEST_COUNTS" not in os.environ:
        return
    stats = terminalreporter.stats
    counts = {kind: len(stats.get(kind, ())) for kind in ("passed", "failed", "error", "skipped", "xfailed")}
    reasons = Counter(str(report.longrepr[2]).removeprefix("Skipped: ") for report in stats.get("skipped", ()))
    Path(os.environ["SVI_TEST_COUNTS"]).write_text(json.dumps({**counts, "reasons": reasons}), "utf-8")
