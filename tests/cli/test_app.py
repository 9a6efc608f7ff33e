from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from svi_install import __version__
from svi_install.cli import crash_report, dispatch
from svi_install.cli.main import main, plain_status
from svi_install.cli.prompts import confirmed
from svi_install.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_NO_CHECKOUT, EXIT_USAGE, SviError
from svi_install.report.command_names import SUBCOMMANDS
from svi_install.report.output import Output, of_process
from svi_install.report.result import Result

ECHO = Result("install", "done", "echo")


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No WanGP of this machine, and no setting of its user, may reach these tests."""
    for name in ("WANGP_HOME", "SVI_INSTALL_SOURCE", "SVI_INSTALL_DEBUG", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    (home / "cwd").mkdir(parents=True)
    monkeypatch.setattr(Path, "home", lambda: home)
    monkeypatch.setenv("SVI_INSTALL_HOME", str(home / "data"))
    monkeypatch.chdir(home / "cwd")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Path | None, bool]]:
    """Every call of one of the three main commands, instead of the call itself."""
    made: list[tuple[str, Path | None, bool]] = []

    def stand_in(name: str) -> Callable[..., Result]:
        def call(path: Path | None, *options: object, **_: object) -> Result:
            made.append((name, path, options[0] is True))
            return ECHO

        return call

    for name in ("install", "revert", "status"):
        monkeypatch.setattr(dispatch, name, stand_in(name))
    return made


@pytest.mark.parametrize(
    ("arguments", "call"),
    [
        ("", ("install", None, False)),
        ("/x", ("install", Path("/x"), False)),
        ("--dry-run /x", ("install", Path("/x"), True)),
        ("/x --dry-run", ("install", Path("/x"), True)),
        ("install /x", ("install", Path("/x"), False)),
        ("--revert /x", ("revert", Path("/x"), False)),
        ("/x --revert --dry-run", ("revert", Path("/x"), True)),
        ("revert /x --dry-run", ("revert", Path("/x"), True)),
        ("--dry-run revert", ("revert", None, True)),
        ("--status", ("status", None, False)),
        ("status", ("status", None, False)),
        ("--json status /x", ("status", Path("/x"), False)),
        ("--status --quiet /x", ("status", Path("/x"), False)),
        ("./status", ("install", Path("status"), False)),
        ("-- status", ("install", Path("status"), False)),
        ("revert status", ("revert", Path("status"), False)),
    ],
)
def test_what_is_called(
    calls: list[tuple[str, Path | None, bool]], arguments: str, call: tuple[str, Path | None, bool]
) -> None:
    assert main(arguments.split()) == 0
    assert calls == [call]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--nothing", "No such option"),
        ("/x /y", "unexpected extra argument"),
        ("status --dry-run", "No such option"),
        ("--status --dry-run", "cannot be combined"),
        ("--status --no-lora", "cannot be combined"),
        ("--revert --no-lora", "cannot be combined"),
        ("--loras", "can only be used with --revert"),
        ("--status --loras", "can only be used with --revert"),
    ],
)
def test_a_wrong_command_line(capsys: pytest.CaptureFixture[str], arguments: str, said: str) -> None:
    assert main(arguments.split()) == EXIT_USAGE
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err
    assert "--help" in captured.err
    assert main([*arguments.split(), "--json"]) == EXIT_USAGE
    data = json.loads(capsys.readouterr().out)
    assert data["error"]["code"] == "usage"


@pytest.mark.parametrize("arguments", ["--help", "-h", "status --help", "revert -h", "install --help"])
def test_help(capsys: pytest.CaptureFixture[str], arguments: str) -> None:
    assert main(arguments.split()) == 0
    out = capsys.readouterr().out
    assert out.startswith("Usage: svi-install ")
    assert "--json" in out


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_every_command_has_help_and_takes_json(capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert main([name, "--help"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"Usage: svi-install {name} ")
    assert "--json" in out


def test_the_main_help_documents_every_exit_code_option_and_command(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--help"])
    out = capsys.readouterr().out
    for code in (0, EXIT_FAILED, EXIT_USAGE, EXIT_NO_CHECKOUT, 4, 5, EXIT_INTERRUPTED):
        assert f"\n    {code}  " in out
    for word in ("--revert", "--status", "--dry-run", "--json", "--yes", "--quiet", "--no-lora", "--version"):
        assert out.count(f" {word} ") == 1
    for word in SUBCOMMANDS:
        assert f"\n  {word} " in out
    assert max(map(len, out.splitlines())) <= 100


@pytest.mark.parametrize("how", [["--version"], ["status", "--version"]])
def test_version(how: list[str]) -> None:
    command = [sys.executable, "-m", "svi_install", *how]
    assert subprocess.check_output(command, text=True) == f"svi-install {__version__}\n"


def test_no_wangp_anywhere(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == EXIT_NO_CHECKOUT
    error = capsys.readouterr().err
    assert error.startswith("svi-install: No WanGP folder was found. Nothing was changed. Looked at:\n")
    assert f"{Path.cwd().parent}: cwd, data: no wgp.py" not in error
    assert "Next: Give the folder" in error


def wangp(folder: Path) -> Path:
    folder.mkdir()
    (folder / "wgp.py").write_text('WanGP_version = "12.60"\n', "utf-8")
    return folder


def test_several_folders_and_nobody_to_ask(capsys: pytest.CaptureFixture[str]) -> None:
    one, two = wangp(Path.cwd() / "one"), wangp(Path.cwd() / "two")
    assert main(["--json"]) == EXIT_NO_CHECKOUT
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "several-checkouts"
    assert str(one) in error["message"]
    assert str(two) in error["message"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def person(monkeypatch: pytest.MonkeyPatch, answers: str) -> Output:
    monkeypatch.setattr("sys.stdin", Terminal(answers))
    return Output(Terminal(), Terminal())


def shown(to: Output) -> str:
    assert isinstance(to.err, io.StringIO)
    return to.err.getvalue()


def test_several_folders_and_a_person_who_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    wangp(Path.cwd() / "one")
    two = wangp(Path.cwd() / "two")
    to = person(monkeypatch, "3\nx\n 2 \n")
    assert dispatch.checkout_root(None, to) == two
    assert f"  2  {two}\n" in shown(to)
    assert shown(to).count("Please answer with a number from 1 to 2.") == 2


def test_a_person_who_leaves_instead_of_choosing(monkeypatch: pytest.MonkeyPatch) -> None:
    wangp(Path.cwd() / "one")
    wangp(Path.cwd() / "two")
    with pytest.raises(KeyboardInterrupt):
        dispatch.checkout_root(None, person(monkeypatch, ""))


@pytest.mark.parametrize(
    ("typed", "meant"), [("\n", True), ("y\n", True), ("YES\n", True), ("n\n", False), ("what\nno\n", False)]
)
def test_a_question(monkeypatch: pytest.MonkeyPatch, typed: str, meant: bool) -> None:
    to = person(monkeypatch, typed)
    assert confirmed("Download?", to) is meant
    assert shown(to).startswith("Download? [Y/n] ")
    assert ("Please answer y or n." in shown(to)) is typed.startswith("what")


@pytest.mark.parametrize(("typed", "meant"), [("\n", False), ("y\n", True), ("n\n", False)])
def test_a_question_whose_usual_answer_is_no(monkeypatch: pytest.MonkeyPatch, typed: str, meant: bool) -> None:
    to = person(monkeypatch, typed)
    assert confirmed("Replace it?", to, usual=False) is meant
    assert shown(to).startswith("Replace it? [y/N] ")


@pytest.mark.parametrize("options", [{"as_json": True}, {"quiet": True}])
def test_nobody_is_asked_where_only_a_program_listens(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, bool]
) -> None:
    assert not confirmed("Download?", person(monkeypatch, "y\n")._replace(**options))
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert not confirmed("Download?", Output(Terminal(), Terminal()))


def test_the_only_folder_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    one = wangp(Path.cwd() / "one")
    assert dispatch.checkout_root(None, of_process(as_json=False, quiet=False)) == one
    assert capsys.readouterr().err == f"Found WanGP in {one}\n"


def test_the_lora_is_offered_after_an_install_only(monkeypatch: pytest.MonkeyPatch) -> None:
    offered: list[bool] = []

    def add(result: Result, root: Path, *, agree: Callable[[str], bool], **_: object) -> Result:
        offered.append(agree("Download?"))
        return result

    one = wangp(Path.cwd() / "one")
    monkeypatch.setattr("svi_install.commands.install.install", lambda root, dry_run, committed: ECHO)
    monkeypatch.setattr("svi_install.commands.prefetch.add_loras", add)
    to = person(monkeypatch, "n\n")
    dispatch.install(one, True, to, lora=True, yes=True)
    dispatch.install(one, False, to, lora=False, yes=True)
    assert offered == []
    dispatch.install(one, False, to, lora=True, yes=True)
    dispatch.install(one, False, to, lora=True, yes=False)
    assert offered == [True, False]
    assert shown(to) == "Download? [Y/n] "
    assert isinstance(to.out, io.StringIO)
    assert to.out.getvalue() == "echo\necho\n", "the report comes before the question and the download"


@pytest.mark.parametrize("command", ["install", "revert"])
@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KeyboardInterrupt(), "After that, the command was stopped."),
        (SviError("code", "what", "how", 4), "what how"),
        (ZeroDivisionError("a bug"), "An unexpected error stopped svi-install: ZeroDivisionError: a bug"),
    ],
)
def test_what_was_done_is_told_whatever_ends_the_command_after_it(
    monkeypatch: pytest.MonkeyPatch, command: str, error: BaseException, said: str
) -> None:
    def change(root: Path, *, dry_run: bool, committed: Callable[[Result], None]) -> Result:
        committed(ECHO)
        raise error

    def refuse(root: Path, *, dry_run: bool, committed: Callable[[Result], None]) -> Result:
        raise error

    one = wangp(Path.cwd() / "one")
    to = Output(io.StringIO(), io.StringIO())
    call = {
        "install": lambda: dispatch.install(one, False, to, lora=True, yes=False),
        "revert": lambda: dispatch.revert(one, False, to, loras=False),
    }[command]
    monkeypatch.setattr(f"svi_install.commands.{command}.{command}", change)
    result = call()
    assert (result.headline, result.status, result.exit_code) == ("echo", "done", 0)
    assert result.notes[0] == said
    monkeypatch.setattr(f"svi_install.commands.{command}.{command}", refuse)
    with pytest.raises(type(error)):
        call()


@pytest.mark.parametrize(
    ("result", "code"), [(ECHO, 0), (ECHO._replace(answer=True), 1), (ECHO._replace(status="planned"), 1)]
)
def test_a_bug_in_the_printing_does_not_undo_what_was_done(
    calls: list[object], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], result: Result, code: int
) -> None:
    def fail(*_: object, **__: object) -> list[str]:
        raise ZeroDivisionError("in the printer")

    monkeypatch.setattr(dispatch, "install", lambda *_, **__: result)
    monkeypatch.setattr("svi_install.report.deliver.plain_lines", fail)
    assert main([]) == code
    assert "ZeroDivisionError: in the printer" in capsys.readouterr().err


def test_nobody_is_there_to_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(Terminal):
        def readline(self, size: int = -1, /) -> str:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr("sys.stdin", None)
    assert not confirmed("Download?", Output(Terminal(), Terminal()))
    monkeypatch.setattr("sys.stdin", Gone())
    with pytest.raises(KeyboardInterrupt):
        confirmed("Download?", Output(Terminal(), Terminal()))


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


LATE = ("rich", "git", "unidiff", "huggingface_hub", "http.client", "urllib.request", "asyncio", "subprocess")


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
