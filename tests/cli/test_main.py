from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest

from svi_install.cli import app, crash_report, dispatch
from svi_install.cli import main as main_module
from svi_install.cli.main import main, plain_command
from svi_install.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_NO_CHECKOUT, SviError
from svi_install.report import output
from svi_install.report.result import Result
from tests import miniature
from tests.cli.conftest import ECHO

pytestmark = pytest.mark.usefixtures("nowhere")


def raising(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(*_: object, **__: object) -> Result:
        raise error

    monkeypatch.setattr(dispatch, "install", fail)


def test_an_error_of_ours(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    raising(monkeypatch, SviError("code", "what", "how", 4))
    assert main(["--quiet"]) == 4
    assert capsys.readouterr().err == "svi-install: what\nNext: how\n"


@pytest.mark.parametrize("words", ["-q", "-yq", "-qy", "--quiet", "/x -q", "-- -q"])
def test_quiet_in_every_spelling(calls: list[object], capsys: pytest.CaptureFixture[str], words: str) -> None:
    assert main(words.split()) == 0
    assert (capsys.readouterr().out == "") is not words.startswith("-- ")


def test_a_stack_trace_only_on_request(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("SVI_INSTALL_DEBUG", "1")
    raising(monkeypatch, SviError("code", "what", "how", 4))
    assert main([]) == 4
    assert "Traceback" in capsys.readouterr().err


def test_ctrl_c(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    raising(monkeypatch, KeyboardInterrupt())
    assert main([]) == EXIT_INTERRUPTED
    assert "Stopped." in capsys.readouterr().err


def test_an_unexpected_error_goes_into_a_log_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    raising(monkeypatch, ZeroDivisionError("secret sauce"))
    assert main(["some where"]) == EXIT_FAILED
    error = capsys.readouterr().err
    assert "ZeroDivisionError: secret sauce" in error
    assert "Traceback" not in error
    logs = list((Path.home() / "data" / "logs").iterdir())
    assert len(logs) == 1
    assert str(logs[0]) in error
    text = logs[0].read_text("utf-8")
    assert "Traceback" in text
    assert "['some where']" in text


def test_old_logs_go(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path.home() / "data" / "logs"
    folder.mkdir(parents=True)
    for number in range(30):
        (folder / f"error-2000010{number:02}.txt").write_text("", "utf-8")
    raising(monkeypatch, ZeroDivisionError())
    main([])
    left = sorted(path.name for path in folder.iterdir())
    assert len(left) == 20
    assert not left[-1].startswith("error-2000")


def test_a_log_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (Path.home() / "data").write_text("", "utf-8")
    raising(monkeypatch, ZeroDivisionError())
    assert main([]) == EXIT_FAILED
    assert "could not be written" in capsys.readouterr().err


def test_a_failed_system_call_names_the_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raising(monkeypatch, PermissionError(13, "Permission denied", "/x/wgp.py"))
    assert main([]) == EXIT_FAILED
    assert capsys.readouterr().err.startswith("svi-install: /x/wgp.py: Permission denied.")
    assert crash_report.explain(OSError("odd"), []).code == "unexpected"


def test_the_reader_of_the_pipe_may_leave() -> None:
    command = [sys.executable, "-m", "svi_install", "--help"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.close()
        assert process.stderr
        assert process.stderr.read() == b""


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_no_console_makes_it_crash(encoding: str) -> None:
    folder = Path.cwd() / "ordner ü 視頻"
    folder.mkdir()
    result = subprocess.run(
        [sys.executable, "-m", "svi_install", "--status", str(folder)],
        env={**os.environ, "PYTHONIOENCODING": encoding, "LC_ALL": "C"},
        capture_output=True,
        check=False,
    )
    assert result.returncode == EXIT_NO_CHECKOUT
    assert "ordner" in result.stderr.decode(encoding)
    assert b"Traceback" not in result.stderr


WORDS = (
    *("status", "revert", "install", "fetch", "/x", "", "-", "--", "--status", "--revert", "--install", "--dry-run"),
    *("--no-lora", "--loras", "--yes", "-y", "--quiet", "-q", "-yq", "--json", "--help", "--version"),
)


def test_a_plain_command_line_means_what_click_makes_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    for name in ("install", "revert", "status"):

        def stand_in(*given: object, called: str = name, **options: object) -> Result:
            made.append((called, given, options))
            return ECHO

        monkeypatch.setattr(dispatch, name, stand_in)
    to = output.of_process(as_json=False, quiet=False)
    plain = [words for many in range(4) for words in itertools.product(WORDS, repeat=many) if plain_command(words)]
    for words in plain:
        assert main_module._run(words, to) is app.run(words, to) is ECHO
        ours, clicks = made[-2:]
        assert ours == clicks, words
    assert len(plain) > 700


@pytest.mark.parametrize(
    "arguments",
    ["", "/x", "status", "--status --json", "/x --status -q", "status status", "--revert /x", "revert -y --loras /x"],
)
def test_plain_command_lines(arguments: str) -> None:
    assert plain_command(arguments.split()) is not None


@pytest.mark.parametrize(
    "arguments",
    [
        *("--status /x /y", "--status status", "status --status", "/x status", "status --dry-run", "--status -- /x"),
        *("status --help", "--install", "--loras", "--status --revert", "fetch", "-yq", "--version"),
    ],
)
def test_whatever_else_a_command_line_says_is_read_by_click(arguments: str) -> None:
    assert plain_command(arguments.split()) is None


LATE = ("rich", "git", "gitdb", "unidiff", "huggingface_hub", "http.client", "urllib.request", "asyncio", "subprocess")


def imported(*arguments: str) -> set[str]:
    script = (
        "import sys, svi_install.__main__ as m; sys.argv[1:] = {!r}\n"
        "if m.main(): sys.exit('it failed')\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", script.format(list(arguments))], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return set(result.stderr.split())


def test_version_imports_next_to_nothing() -> None:
    modules = imported("--version")
    assert "svi_install.__main__" in modules
    assert not {"click", "pathlib", "dataclasses", "json", *LATE} & modules


def test_what_is_done_often_imports_nothing_that_is_slow() -> None:
    miniature.write(Path.cwd() / "one")
    late = {"click", "dataclasses", "inspect", "platform", "difflib", "tempfile", "random", *LATE}
    late |= {"svi_install.loras.fetching", "svi_install.loras.transfer.download"}
    for arguments in (["--no-lora"], ["status"], ["--status", "--json"]):
        modules = imported(*arguments)
        assert not late & modules, arguments
        writes = arguments == ["--no-lora"]
        assert ("svi_install.writing.transaction" in modules) is writes
        assert ("threading" in modules) is writes
    # A revert asks, besides, which LoRAs stay.
    assert not {"click", "rich", "git", "unidiff"} & imported("--revert")
