from __future__ import annotations

import re
from pathlib import Path

from svi_install.checkout.inspection import Checkout
from svi_install.report.result import FileChange, HookPlace, Result
from svi_install.report.text import Row, describe, plain_lines, rows

CHECKOUT = Checkout(Path("/home/me/Wan [2] GP 視頻"), "git", "12.60", "main", "0123456789abcdef" * 2 + "01234567", "lf")
HOOKS = (
    HookPlace("models/wan/modules/model.py", "keys", 90),
    HookPlace("wgp.py", "install", 12000, "moved", 3),
    HookPlace("wgp.py", "clip", 6000, "reduced"),
)
CHANGES = (
    FileChange("svi_wangp/run.py", None, "a1"),
    FileChange("svi_wangp/__init__.py", None, "a2"),
    FileChange("loras/wan_i2v/SVI-Shot.json", None, "a3"),
    FileChange("models/wan/modules/model.py", "b1", "a4"),
    FileChange("wgp.py", "b2", "a5"),
)
INSTALLED = Result(
    "install",
    "done",
    "SVI is installed in WanGP 12.60.",
    CHECKOUT,
    "installed",
    CHANGES,
    HOOKS,
    ("one note",),
    ("download the LoRA",),
    "svi-install --status",
)


def test_rows_show_own_files_with_hooks_and_added_files_by_folder() -> None:
    assert rows(INSTALLED) == [
        Row("models/wan/modules/model.py", "changed", "keys 90"),
        Row("wgp.py", "changed", "install 12000, clip 6000 (reduced)"),
        Row("svi_wangp/", "added", "2 files"),
        Row("loras/wan_i2v/", "added", "1 file"),
    ]


def test_rows_of_a_revert_and_of_a_dry_run() -> None:
    back = tuple(FileChange(change.path, change.after, change.before) for change in CHANGES)
    reverted = Result("revert", "done", "", changes=back)
    assert [row.change for row in rows(reverted)] == ["restored", "restored", "removed", "removed"]
    planned = reverted._replace(status="planned")
    assert {row.change for row in rows(planned)} == {"would be restored", "would be removed"}
    assert {row.change for row in rows(INSTALLED._replace(status="planned"))} == {"would be changed", "would be added"}
    assert rows(INSTALLED._replace(status="planned"))[2].details == "2 files: run.py, __init__.py"


def test_text_of_others_does_not_steer_the_terminal() -> None:
    evil = "a\x1b[2Jb\rc\u202ed\x9b1me"
    result = Result(
        "check",
        "done",
        evil,
        CHECKOUT._replace(root=Path(evil), branch=evil),
        changes=(FileChange(evil, "x", "y"),),
        notes=(evil,),
        todo=(evil,),
        next_command=evil,
        body=(((evil, ""), (evil, "red")),),
    )
    shown = re.sub(r"\x1b\[\d+m", "", "\n".join(plain_lines(result, color=True)))
    assert shown.count("a\\x1b[2Jb\\rc\\u202ed\\x9b1me") == 9
    assert not set("\x1b\r\u202e\x9b") & set(shown)


def test_hooks_alone_make_rows_too() -> None:
    assert rows(Result("status", "done", "", hooks=HOOKS[:1])) == [Row("models/wan/modules/model.py", "", "keys 90")]


def test_colors_mark_what_needs_attention() -> None:
    assert plain_lines(Result("status", "done", "fine", state="installed"), color=True)[0] == "\033[32mfine\033[0m"
    assert plain_lines(Result("status", "done", "oh", state="wiped"), color=True)[0] == "\033[33moh\033[0m"
    assert plain_lines(INSTALLED, color=True)[0].startswith("\033[33m")


def test_kinds_of_checkouts_in_words() -> None:
    assert (
        describe(CHECKOUT._replace(kind="zip", branch=None, commit=None, newline="crlf"))
        == "unpacked zip, CRLF line endings"
    )
    assert describe(CHECKOUT._replace(kind="pinokio", branch=None, newline="mixed")).startswith("Pinokio, commit 0123")
