"""The workflows: what they may do, what they pin, and that refusals become issues without duplicates."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import re
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest

from svi_install.cli.main import main
from tests import story
from tests.story import Story

GITHUB = Path(__file__).resolve().parent.parent / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Story:
    return story.tell(tmp_path_factory.mktemp("story"))


@pytest.fixture(scope="module")
def refusals() -> ModuleType:
    spec = importlib.util.spec_from_file_location("refusals", GITHUB / "refusals.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def svi_install(command: Sequence[str]) -> str:
    assert command[0] == "svi-install"
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        main(command[1:])
    return out.getvalue()


def test_there_are_tests_scheduled_checks_and_a_release() -> None:
    assert [path.stem for path in WORKFLOWS] == ["check", "nightly", "release", "tests"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_by_commit_and_rights_are_least(path: Path) -> None:
    text = path.read_text("utf-8")
    uses = re.findall(r"uses: (.*)", text)
    assert uses
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use) for use in uses)
    assert re.search(r"^permissions:\n  contents: read\n\n", text, re.MULTILINE)
    rights = set(re.findall(r"^ +([a-z-]+: write)$", text, re.MULTILINE))
    assert rights == {
        "check": {"issues: write", "pages: write", "id-token: write"},
        "release": {"id-token: write", "contents: write"},
    }.get(path.stem, set())
    assert text.count("actions/checkout@") == text.count("persist-credentials: false")
    assert text.count("runs-on:") == text.count("timeout-minutes:")
    assert "secrets." not in text


def test_the_archive_has_a_start_script_for_windows(tmp_path: Path) -> None:
    """The command of the workflow, on a repository with this one's attributes."""
    text = (GITHUB / "workflows" / "release.yml").read_text("utf-8")
    assert 'git archive --format=zip --prefix="$name/" -o "download/$name.zip" HEAD' in text
    root = tmp_path / "repository"
    root.mkdir()
    for name in (".gitattributes", "install.bat", "install.sh"):
        (root / name).write_bytes((GITHUB.parent / name).read_bytes().replace(b"\r\n", b"\n"))
    story.git(root, "init", "-q")
    story.git(root, "add", ".")
    story.git(root, "commit", "-q", "-m", "One", when=1)
    story.git(root, "archive", "--format=zip", "--prefix=a/", "-o", str(tmp_path / "a.zip"), "HEAD")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        batch, shell = archive.read("a/install.bat"), archive.read("a/install.sh")
    assert batch.count(b"\n") == batch.count(b"\r\n") > 10
    assert b"\r" not in shell


def test_tests_run_on_three_systems_and_four_pythons() -> None:
    text = (GITHUB / "workflows" / "tests.yml").read_text("utf-8")
    assert "os: [ubuntu-latest, windows-latest, macos-latest]" in text
    assert 'python: ["3.10", "3.11", "3.12", "3.13"]' in text
    assert 'cron: "17 */6 * * *"' in (GITHUB / "workflows" / "check.yml").read_text("utf-8")


def test_each_refused_release_becomes_one_text_with_the_candidate(
    told: Story, refusals: ModuleType, tmp_path: Path
) -> None:
    titles = refusals.collect(str(told.git), tmp_path, "9.91", svi_install)
    assert titles == ["WanGP 12.70 cannot be patched"]
    text = (tmp_path / "1.md").read_text("utf-8")
    assert text.startswith("WanGP 12.70 cannot be patched\nCommit `" + told.commits["rework"] + "` of `")
    for part in (
        "* `wgp.py`: hook `clip`: its anchor is not there",
        "  * looked for `samples = wan_model.generate(`",
        "`samples = current_model.generate(`",
        "```diff\nsvi-install: wgp.py, WanGP 12.70",
        "plain git apply takes wgp-12.70.diff",
    ):
        assert part in text


def test_what_nothing_can_repair_is_said_too(refusals: ModuleType) -> None:
    since = {"commit": "e", "subject": "f"}
    refused = {"hook": None, "why": "a conflict marker", "looked_for": None, "candidates": [], "since": since}
    files = [{"path": "a.py", "refused": [refused]}]
    release = {"commit": "c", "date": "d", "subject": "s", "files": files}
    repaired = {"files": [{"path": "a.py", "diff": None, "why_not": "no place"}]}
    text = refusals.body(release, repaired)
    assert "* `a.py`: a conflict marker\n  * since `e`: `f`" in text
    assert "No candidate for `a.py`: no place." in text
    assert len(refusals.body({**release, "subject": "x" * 99_999}, {})) < 2_000
    many = {"files": [{"path": f"{n}.py", "diff": "+a `b` @c\n" * 999, "why_not": None} for n in range(20)]}
    long = refusals.body(release, many)
    assert 30_000 < len(long) <= 65_536
    assert long.count("\n```") % 2 == 0
    assert long.endswith("prints it all.\n")


HOSTILE = (
    "@everyone and @org/team look at #1, GH-2 and owner/repo#3",
    "<img src=x onerror=alert(1)><!-- ", "</code></pre><script>alert(1)</script>", "&lt;b&gt; &#64;me",
    "[click](https://evil.example) ![x](https://evil.example/x.png) https://evil.example www.evil.example",
    "`@me` ``@me`` ```@me```", "`", "``", "` @me", "@me `", "```\n@me\n```", "~~~\n@me", "    @me", "\\`@me",
    "a`b``c```d", "first\n\n@second\n# heading\n> quote\n- [ ] task\n| a | b |", "a\r\n@b\r@c",
    "a\u2028@b\u2029@c\x0b@d\x0c@e\x85@f",
    "\x00\x07\x1b[31m\x9b@me", "\u202e@me\u2066 \u200b\ufeff\ud800", "", " ", "*@me* _@me_ ~~@me~~ :@me: $@me$ ^@me",
    "x" * 5000 + "`@me", "`" * 500 + "@me", "fixes #1 closes https://github.com/a/b/issues/2", "a\n+++ b\n@@ -1 +1 @@",
)  # fmt: skip


def loose(text: str) -> str:
    """Return what of a Markdown text is neither in a code span nor in a block, as CommonMark reads it."""
    outside: list[str] = []
    fence = ""
    for line in text.split("\n"):
        if fence:
            fence = "" if line.strip() == fence else fence
        elif opened := re.match(r"(`{3,})[^`]*$", line):
            fence = opened[1]
        else:
            outside.append(re.sub(r"(?<!`)(`+)(?!`)(.*?)(?<!`)\1(?!`)", "", line))
    assert not fence
    return "\n".join(outside)


@pytest.mark.parametrize("evil", HOSTILE, ids=range(len(HOSTILE)))
def test_text_of_others_stays_text_in_an_issue(refusals: ModuleType, evil: str) -> None:
    refused = {
        "hook": evil,
        "why": evil,
        "looked_for": evil,
        "candidates": [{"line": 1, "text": evil, "score": 0.5}],
        "since": {"commit": evil, "subject": evil},
    }
    release = {"commit": evil, "date": evil, "subject": evil, "files": [{"path": evil, "refused": [refused]}]}
    repaired = {
        "files": [{"path": evil, "diff": f"+{evil}\n", "why_not": None}, {"path": evil, "diff": "", "why_not": evil}],
        "proof": [evil],
    }
    text = refusals.body(release, repaired)
    rest = loose(text)
    ours = re.findall(r"\w+", "Commit of hook looked for line alike since Candidate to be reviewed No candidate")
    assert set(re.findall(r"\w+", rest)) <= {*ours, "1", "50"}, rest
    assert not set(rest) - set(" \n*:,.%()") - set("".join([*ours, "150"])), rest
    for char in text:
        assert char in "\n\t" or refusals._shows(char), hex(ord(char))
    assert re.fullmatch(r"WanGP [A-Za-z0-9.+?-]{0,40} cannot be patched", refusals.title_of(evil))


def test_issues_are_opened_once(refusals: ModuleType, tmp_path: Path) -> None:
    for number, title in enumerate(("WanGP 1 cannot be patched", "WanGP 2 cannot be patched")):
        (tmp_path / f"{number}.md").write_text(f"{title}\nText {number}\n", "utf-8")
    calls: list[Sequence[str]] = []

    def gh(command: Sequence[str]) -> str:
        calls.append(command)
        return json.dumps([{"title": "WanGP 1 cannot be patched"}]) if command[2] == "list" else ""

    assert refusals.report(tmp_path, gh) == ["WanGP 2 cannot be patched"]
    assert [call[2] for call in calls] == ["list", "create"]
    assert calls[1][4] == "WanGP 2 cannot be patched"
    assert Path(calls[1][6]).read_text("utf-8") == "Text 1\n"


def test_a_failing_command_stops_the_job_but_a_refusal_does_not(refusals: ModuleType) -> None:
    assert refusals.run([sys.executable, "-c", "print('x'); raise SystemExit(4)"]) == "x\n"
    with pytest.raises(SystemExit, match="ended with exit code 1"):
        refusals.run([sys.executable, "-c", "raise SystemExit(1)"])
    assert refusals.main([]) == 2
