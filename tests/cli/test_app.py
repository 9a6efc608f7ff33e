from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from svi_install import __version__
from svi_install.cli import dispatch
from svi_install.cli.main import main
from svi_install.cli.prompts import confirmed
from svi_install.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_NO_CHECKOUT, EXIT_USAGE, SviError
from svi_install.report.command_names import SUBCOMMANDS
from svi_install.report.output import Output, of_process
from svi_install.report.result import Result
from tests.cli.conftest import ECHO, wangp

pytestmark = pytest.mark.usefixtures("nowhere")


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
    monkeypatch.setattr("svi_install.commands.install.install", lambda root, **_: ECHO)
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
    def change(root: Path, *, dry_run: bool, committed: Callable[[Result], None], **_: object) -> Result:
        committed(ECHO)
        raise error

    def refuse(root: Path, *, dry_run: bool, committed: Callable[[Result], None], **_: object) -> Result:
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


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("stauts", "svi-install status"),
        ("uninstall", "svi-install revert"),
        ("rendr start.png words", "svi-install render"),
        ("rever --dry-run", "svi-install revert"),
        ("help", "svi-install --help"),
    ],
)
def test_a_mistyped_command_is_recognised(capsys: pytest.CaptureFixture[str], line: str, said: str) -> None:
    assert main(line.split()) in (EXIT_NO_CHECKOUT, EXIT_USAGE)
    assert f"Next: Did you mean the command? {said}\n" in capsys.readouterr().err


def test_a_folder_that_is_not_there_is_no_mistyped_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "/nowhere/Wan2GP"]) == main(["Films2025"]) == EXIT_NO_CHECKOUT
    assert "Did you mean" not in capsys.readouterr().err


@pytest.mark.parametrize("line", ["render {image} --lint --wangp {root}", "--wangp {root} --lint render {image}"])
def test_options_with_a_value_may_stand_before_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    image = tmp_path / "start.png"
    image.write_bytes(b"")
    main(line.format(image=image, root=wangp(tmp_path / "WanGP")).split())
    assert "There are no prompts. Nothing was started." in capsys.readouterr().err


def test_render_says_how_one_of_several_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("one", "two"):
        wangp(Path.cwd() / name)
    image = tmp_path / "start.png"
    image.write_bytes(b"")
    assert main(["render", str(image), "words"]) == EXIT_NO_CHECKOUT
    error = capsys.readouterr().err
    assert "several WanGP folders" in error
    assert error.endswith("Next: Name the one you mean: svi-install render IMAGE --wangp PATH\n")
    assert main(["status"]) == EXIT_NO_CHECKOUT
    # Without the command it would be an install.
    assert capsys.readouterr().err.endswith("Next: Name the one you mean: svi-install status PATH\n")
