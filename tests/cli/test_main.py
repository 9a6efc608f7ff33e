from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from svi_install.cli import crash_report, dispatch
from svi_install.cli.main import main, plain_status
from svi_install.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_NO_CHECKOUT, SviError
from svi_install.report.result import Result
from tests.cli.conftest import wangp

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


@pytest.mark.parametrize(
    ("arguments", "paths"),
    [
        ("status", []),
        ("--status", []),
        ("status --json /x", ["/x"]),
        ("/x --status -q", ["/x"]),
        ("--status /x /y", None),
        ("status status", ["status"]),
        ("--status status", None),
        ("status --status", None),
        ("/x status", None),
        ("status --dry-run", None),
        ("--status -- /x", None),
        ("status --help", None),
        ("/x", None),
        ("", None),
    ],
)
def test_only_a_plain_question_for_the_status_goes_past_click(arguments: str, paths: list[str] | None) -> None:
    assert plain_status(arguments.split()) == paths


LATE = ("rich", "git", "gitdb", "unidiff", "huggingface_hub", "http.client", "urllib.request", "asyncio", "subprocess")


def imported(*arguments: str) -> set[str]:
    script = (
        "import sys, svi_install.__main__ as m; sys.argv[1:] = {!r}; m.main(); print(*sys.modules, file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", script.format(list(arguments))], capture_output=True, text=True, check=False
    )
    return set(result.stderr.split())


def test_version_imports_next_to_nothing() -> None:
    modules = imported("--version")
    assert "svi_install.__main__" in modules
    assert not {"click", "pathlib", "dataclasses", "json", *LATE} & modules


def test_status_imports_nothing_that_is_slow() -> None:
    wangp(Path.cwd() / "one")
    modules = imported("status")
    assert "svi_install.commands.status" in modules
    assert not {"click", "dataclasses", "inspect", *LATE} & modules


def test_an_install_without_download_imports_nothing_of_the_download() -> None:
    wangp(Path.cwd() / "one")
    modules = imported("--no-lora")
    assert "svi_install.writing.transaction" in modules
    # In Python 3.10 click brings subprocess.
    late = {"dataclasses", "svi_install.loras.store", "svi_install.loras.download", *LATE} - {"subprocess"}
    assert not late & modules
