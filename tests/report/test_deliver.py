from __future__ import annotations

import io
import json
import re
import subprocess
from pathlib import Path

import pytest

from svi_install.errors import SviError
from svi_install.report.deliver import as_dict, deliver, show, show_error
from svi_install.report.output import Output
from svi_install.report.result import Result
from tests.report.test_output import Full, Terminal
from tests.report.test_text import CHECKOUT, INSTALLED


def plain(result: Result, **options: bool) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    show(result, Output(out, err, **options))
    return out.getvalue(), err.getvalue()


def test_plain_text_in_a_pipe() -> None:
    out, err = plain(INSTALLED)
    assert err == ""
    assert out.splitlines() == [
        "SVI is installed in WanGP 12.60.",
        "  folder  /home/me/Wan [2] GP 視頻",
        "  kind    git clone, branch main, commit 0123456789, LF line endings",
        "",
        "  models/wan/modules/model.py  changed  keys 90",
        "  wgp.py                       changed  install 12000, clip 6000 (reduced)",
        "  svi_wangp/                   added    2 files",
        "  loras/wan_i2v/               added    1 file",
        "",
        "  one note",
        "Left to do: download the LoRA",
        "Next: svi-install --status",
    ]


def test_quiet_prints_nothing() -> None:
    assert plain(INSTALLED, quiet=True) == ("", "")


def test_json_is_one_object_with_every_key() -> None:
    out, err = plain(INSTALLED, as_json=True)
    assert err == ""
    data = json.loads(out)
    assert out.isascii()
    assert list(data) == [
        "schema", "command", "status", "checkout", "state", "changes",
        "hooks", "notes", "todo", "next_command", "error",
    ]  # fmt: skip
    assert data["schema"] == 1
    assert data["checkout"]["root"] == str(CHECKOUT.root)
    assert data["checkout"]["commit"] == CHECKOUT.commit
    assert data["changes"][-1] == {"path": "wgp.py", "sha256_before": "b2", "sha256_after": "a5"}
    assert data["hooks"][1] == {"path": "wgp.py", "hook": "install", "line": 12000, "how": "moved", "offset": 3}
    assert data["error"] is None


def test_json_of_a_dry_run_and_of_extras() -> None:
    assert as_dict(Result("install", "planned", "", diff="--- a"))["diff"] == "--- a"
    data = as_dict(Result("status", "done", "", extra={"video": {"path": "x"}}))
    assert data["video"] == {"path": "x"}
    assert data["checkout"] is data["state"] is None


def test_errors_in_json_have_the_same_keys_and_go_to_the_standard_output() -> None:
    out, err = io.StringIO(), io.StringIO()
    show_error(SviError("no-checkout", "what", "how", 3), "install", Output(out, err, as_json=True))
    data = json.loads(out.getvalue())
    assert err.getvalue() == ""
    assert (data["command"], data["status"], data["changes"]) == ("install", "failed", [])
    assert data["error"] == {"code": "no-checkout", "message": "what", "hint": "how"}
    assert set(data) <= set(as_dict(INSTALLED))


def test_errors_in_words_go_to_the_error_output() -> None:
    out, err = io.StringIO(), io.StringIO()
    show_error(SviError("x", "what", "how"), "install", Output(out, err, quiet=True))
    assert (out.getvalue(), err.getvalue()) == ("", "svi-install: what\nNext: how\n")
    err = Terminal()
    show_error(SviError("x", "what"), "install", Output(out, err, color=True))
    assert err.getvalue() == "\033[31msvi-install:\033[0m what\n"


@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_table_fits_the_terminal(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    out = Terminal()
    show(INSTALLED, Output(out, io.StringIO(), rich=True))
    text = out.getvalue()
    bare = re.sub(r"\033\[[\d;]*m", "", text)
    table = [line for line in bare.splitlines() if line.startswith(("│", "╭", "├", "╰"))]
    assert table
    assert max(map(len, table)) <= width
    assert "Wan [2] GP 視頻" in bare, "names of folders are not markup"
    assert "Left to do: download the LoRA" in bare
    assert "\033[3" not in text, "no color was asked for"


def test_the_table_has_colors_when_asked_for() -> None:
    out = Terminal()
    show(INSTALLED, Output(out, io.StringIO(), rich=True, color=True))
    assert "\033[" in out.getvalue()


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_a_console_without_box_characters_gets_plain_ones(encoding: str) -> None:
    data = io.BytesIO()
    out = io.TextIOWrapper(data, encoding, errors="backslashreplace")
    show(INSTALLED, Output(out, out, rich=True))
    out.flush()
    text = data.getvalue().decode(encoding)
    assert "+--" in text
    assert "\\u8996" in text


def test_status_and_results_without_a_table_stay_plain() -> None:
    out = Terminal()
    show(INSTALLED._replace(command="status"), Output(out, out, rich=True))
    show(INSTALLED._replace(changes=()), Output(out, out, rich=True))
    assert out.getvalue().count("folder  /home/me") == 2
    assert "╭" not in out.getvalue()


DIFF = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1,3 @@\n one\r\n+zwei ü\r\n three\r\n"


def test_a_dry_run_in_a_pipe_is_a_diff_and_nothing_else(tmp_path: Path) -> None:
    data = io.BytesIO()
    out, err = io.TextIOWrapper(data, "ascii", errors="backslashreplace"), io.StringIO()
    show(INSTALLED._replace(status="planned", diff=DIFF), Output(out, err))
    assert data.getvalue() == DIFF.encode()
    assert "SVI is installed" in err.getvalue()
    (tmp_path / "x").write_bytes(b"one\r\nthree\r\n")
    subprocess.run(["git", "apply"], input=data.getvalue(), cwd=tmp_path, check=True)
    assert (tmp_path / "x").read_bytes() == "one\r\nzwei ü\r\nthree\r\n".encode()


def test_a_quiet_dry_run_prints_the_diff_only() -> None:
    out, err = plain(INSTALLED._replace(status="planned", diff="--- a\n"), quiet=True)
    assert (out, err) == ("--- a\n", "")


def test_a_dry_run_on_a_terminal_has_colors_and_no_carriage_returns() -> None:
    out = Terminal()
    show(INSTALLED._replace(status="planned", diff=DIFF), Output(out, out, color=True))
    text = out.getvalue()
    assert "\033[32m+zwei ü\033[0m\n one" not in text
    assert "\033[32m+zwei ü\033[0m\n" in text
    assert "\033[36m@@" in text
    assert "\r" not in text


@pytest.mark.parametrize("rich", [True, False])
def test_every_proposal_is_put_that_way(rich: bool) -> None:
    result = INSTALLED._replace(notes=("back: svi-install --revert",), todo=("svi-install fetch",))
    out = Terminal()
    show(result, Output(out, out, rich=rich, program="./go"))
    assert "svi-install -" not in out.getvalue()
    assert out.getvalue().count("./go ") == 3
    show_error(SviError("x", "what", "svi-install PATH"), "install", Output(out, out, program="./go"))
    assert "Next: ./go PATH" in out.getvalue()


STATUS = Result("status", "done", "fine", answer=True)


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize(
    ("outcome", "code", "said"),
    [
        (INSTALLED, 0, "SVI is installed in WanGP 12.60." + "|No space left on device"),
        (STATUS, 1, "there is no answer. Nothing was changed."),
        (INSTALLED._replace(status="planned"), 1, "there is no answer. Nothing was changed."),
        (STATUS._replace(exit_code=4), 1, "there is no answer."),
        ("the help", 1, "there is no answer."),
        (SviError("x", "what", "how", 4), 4, "what"),
    ],
)
def test_what_the_standard_output_does_not_take(
    outcome: Result | SviError | str, code: int, said: str, as_json: bool
) -> None:
    err = io.StringIO()
    assert deliver(outcome, "install", Output(Full(), err, as_json=as_json)) == code
    shown = err.getvalue()
    if as_json and outcome is INSTALLED:
        data = json.loads(shown)
        assert (data["status"], data["error"]) == ("done", None)
        assert "No space left on device" in data["notes"][-1]
    elif as_json:
        assert said in json.loads(shown)["error"]["message"]
    else:
        assert all(part in shown for part in said.split("|"))


def test_a_reader_that_has_left_has_seen_enough() -> None:
    class Left(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(32, "Broken pipe")

    err = io.StringIO()
    assert deliver(STATUS, "status", Output(Left(), err)) == 1
    assert err.getvalue() == ""
    assert deliver(INSTALLED, "install", Output(Left(), err, quiet=True)) == 0
    assert err.getvalue() == "", "nothing was to be printed"
    assert deliver("the help", "install", Output(io.StringIO(), err)) == 0
    assert deliver(INSTALLED, "install", Output(Left(), err)) == 0
    assert "SVI is installed" in err.getvalue()
