from __future__ import annotations

from dataclasses import replace

from svi_install.history.judge import Cause, FileVerdict
from svi_install.history.releases import Verdict
from svi_install.history.repository import Commit
from svi_install.history.survival import survival
from svi_install.patching.candidates import Candidate
from svi_install.patching.placement import Place, Refusal
from svi_install.report import check_table
from svi_install.report.check_page import page
from svi_install.report.result import Line, Result
from svi_install.report.text import plain_lines

REFUSAL = Refusal("a.py", "two", "its anchor is <not> there", "x = 1", (Candidate(7, "x = 2 & 3", 0.8),))
CAUSE = Cause("two", Commit("c" * 40, 0, "Move <things>"))


def verdict(version: str, *ways: str, **changes: object) -> Verdict:
    places = tuple(
        Place(hook, 1, way, 5, "9.0")  # type: ignore[arg-type]
        for hook, way in zip(("one", "two"), ways, strict=False)
        if way != "refused"
    )
    refusals = (REFUSAL,) if "refused" in ways else ()
    causes = (CAUSE,) if refusals else ()
    file = FileVerdict("a.py", "b", places, refusals, causes=causes)
    return Verdict(version, Commit(version * 10, 86400 * 365, "Subject"), (replace(file, **changes),))  # type: ignore[arg-type]


def text(lines: tuple[Line, ...]) -> list[str]:
    return ["".join(piece for piece, _ in line) for line in lines]


def test_one_column_per_release_and_one_row_per_hook() -> None:
    lines = text(
        check_table.matrix(
            [
                verdict("9.0", "exact", "moved"),
                verdict("9.1", "reduced", "refused"),
                verdict("10.0", "moved", "moved", broken="bad"),
            ]
        )
    )
    assert lines[1:4] == ["WanGP 9.0 to 9.1  1971-01-01 to 1971-01-01", "  one        =~", "  two        .X"]
    assert lines[5:8] == ["WanGP 10.0  1971-01-01 to 1971-01-01", "  one        !", "  two        !"]
    assert lines[-1] == check_table.LEGEND


def test_rows_are_broken_at_the_width_and_many_columns_share_one_row() -> None:
    lines = text(check_table.matrix([verdict("9.0", "moved", "moved")] * (check_table.WIDTH + 1)))
    assert [line.count(".") for line in lines if line.startswith("  one")] == [check_table.WIDTH, 1]
    lines = text(check_table.matrix([verdict("9.0", "moved", "refused")] * (check_table.MANY + 1)))
    assert {line[:11] for line in lines if line.startswith("  ")} == {"  all hooks"}
    assert sum(line.count("X") for line in lines[:-1]) == check_table.MANY + 1


def test_a_release_without_any_hook_still_has_a_row() -> None:
    nothing = Verdict(
        "9.0", Commit("c", 0, "s"), (FileVerdict("a.py", "", refusals=(Refusal("a.py", "", "gone", "", ()),)),)
    )
    assert text(check_table.matrix([nothing]))[2] == "  all hooks  X"
    assert text(check_table.refusals([nothing]))[1:] == ["WanGP 9.0 (c, 1970-01-01) a.py", "  gone"]


def test_refusals_say_why_where_since_when_and_what_is_near() -> None:
    lines = text(
        check_table.refusals([verdict("9.1", "exact", "refused"), verdict("9.2", "exact", "exact", broken="bad")])
    )
    assert lines == [
        "",
        "WanGP 9.1 (9.19.19.19, 1971-01-01) a.py",
        "  hook two: its anchor is <not> there",
        "    looked for  x = 1",
        "    line 7      x = 2 & 3  (80% alike)",
        "    since       cccccccccc Move <things>",
        "",
        "WanGP 9.2 (9.29.29.29, 1971-01-01) a.py: does not compile upstream: bad",
    ]


def test_colors_carry_no_meaning_of_their_own() -> None:
    lines = check_table.matrix([verdict("9.0", "exact", "refused")])
    result = Result("check", "done", "x", body=lines)
    colored = plain_lines(result, color=True)
    assert "\033[31mX\033[0m" in "".join(colored)
    assert "X" in "".join(plain_lines(result))


def test_the_lifetime_of_a_frozen_patch_set() -> None:
    good, bad = verdict("9.1", "exact", "exact"), verdict("9.2", "exact", "refused")
    assert check_table.lifetime(survival("9.0", 0, [good, bad])) == (
        "Frozen at WanGP 9.0: 1 of 2 later ones placed (50.0%), 0 hooks in the wrong place, 365 days, "
        "first refusal at 9.2 (1971-01-01)."
    )
    assert check_table.lifetime(survival("9.0", 0, [good])).endswith("365 days, alive.")


def test_the_page_is_complete_escaped_and_self_contained() -> None:
    verdicts = [
        verdict("9.0", "exact", "moved"),
        verdict("9.1", "reduced", "refused"),
        verdict("9.2", "exact", "exact", broken="no <good>", wrong=("one",)),
    ]
    html = page(verdicts, title="T & T", headline="H <1>", details="D.", when="W.")
    assert html.index('<th scope="row">9.2') < html.index('<th scope="row">9.0')
    assert '<td class="moved">moved +5</td>' in html
    assert '<td class="refused">refused</td>' in html
    for part in (
        "T &amp; T",
        "H &lt;1&gt;",
        "no &lt;good&gt;",
        "x = 2 &amp; 3",
        "Move &lt;things&gt;",
        "hook one would go",
    ):
        assert part in html
    for outside in ("<script", "http:", "https:", "<link", "<img", "@import", "url("):
        assert outside not in html
    assert html.count("<tr>") == html.count("</tr>") == 4


def test_a_page_without_problems_has_no_such_heading() -> None:
    html = page([verdict("9.0", "exact", "moved")], title="T", headline="H", details="D", when="W")
    assert "What needs your attention" not in html
    assert "Broken upstream" not in html


def test_what_was_published_broken_needs_nobodys_attention() -> None:
    html = page([verdict("12.24", "exact", "moved", broken="line 7")], title="T", headline="H", details="D", when="W")
    assert "What needs your attention" not in html
    assert html.index("Broken upstream") < html.index("WanGP 12.24, ") < html.index("line 7")
