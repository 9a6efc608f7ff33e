"""Turns releases of WanGP that are refused into issues, one each: ``refusals.py collect GIT OUT | report OUT``.

``collect`` judges every commit after the last release that the patch set knows, and writes one Markdown file for each
refused release, with the candidate diffs where repair-patches finds them. ``report`` opens an issue for each file,
unless there is one with the same title already, open or closed. The second step needs the standard library alone.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Run = Callable[[Sequence[str]], str]
# GitHub takes 65536 characters.
LONGEST = 60_000


def run(command: Sequence[str]) -> str:
    """Run a command and return what it prints; exit code 4 is a result."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, encoding="utf-8", check=False)
    if done.returncode not in (0, 4):
        raise SystemExit(f"{' '.join(command)} ended with exit code {done.returncode}")
    return done.stdout


def collect(git: str, out: Path, last: str, call: Run = run) -> list[str]:
    """Write one file per refused release.

    Args:
        git: WanGP's git directory.
        out: folder for the files.
        last: the newest release that the patch set knows.
        call: runs a command.

    Returns:
        The titles.
    """
    found = json.loads(call(["svi-install", "check", git, "--since", last, "--all-commits", "--json"]))
    titles: list[str] = []
    for release in found["releases"]:
        title = title_of(release["version"])
        if release["how"] != "refused" or title in titles:
            continue
        titles.append(title)
        repaired = json.loads(call(["svi-install", "repair-patches", release["commit"], git, "--no-smoke", "--json"]))
        (out / f"{len(titles)}.md").write_text(f"{title}\n{body(release, repaired)}", "utf-8")
    return titles


def code(text: object, longest: int = 300) -> str:
    """Put text of others into a code span that it cannot leave: no mention, link, HTML or image in it comes to life.

    Args:
        text: what somebody wrote: a commit's subject, a line of a source file.
        longest: more characters than that are cut off.

    Returns:
        Markdown on one line. Control characters and those that turn the direction of writing are spelled out.
    """
    line = "".join(char if _shows(char) else _spelled(char) for char in " ".join(str(text).split()))
    line = line[:longest] + "..." if len(line) > longest else line
    mark = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    edge = " " if not line or line.startswith(("`", " ")) or line.endswith(("`", " ")) else ""
    return f"{mark}{edge}{line}{edge}{mark}"


def words(text: object) -> str:
    """Return a sentence of ours as it is, and as `code` when it quotes anything that Markdown might read."""
    return (
        str(text)
        if re.fullmatch(r"(?!www\.)[A-Za-z0-9 ,.;:()'-]{1,300}", str(text)) and ":/" not in str(text)
        else code(text)
    )


def fence(text: str) -> list[str]:
    """Return lines as a block that nothing in them can end."""
    lines = [
        "".join(char if char == "\t" or _shows(char) else _spelled(char) for char in line) for line in text.splitlines()
    ]
    mark = "`" * max(3, 1 + max((len(run) for line in lines for run in re.findall("`+", line)), default=0))
    return [f"{mark}diff", *lines, mark]


def _shows(char: str) -> bool:
    return unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def _spelled(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def title_of(version: object) -> str:
    """Return the title of an issue; the version is a text in somebody's source file."""
    return f"WanGP {re.sub(r'[^A-Za-z0-9.+-]', '?', str(version))[:40]} cannot be patched"


def body(release: dict[str, Any], repaired: dict[str, Any]) -> str:
    """Write the text of an issue; whatever others wrote is in it as code."""
    blocks = [[f"Commit {code(release['commit'])} of {code(release['date'])}: {code(release['subject'])}", ""]]
    for file in release["files"]:
        for refusal in file["refused"]:
            hook = f"hook {code(refusal['hook'])}: " if refusal["hook"] else ""
            lines = [f"* {code(file['path'])}: {hook}{words(refusal['why'])}"]
            if refusal["looked_for"]:
                lines.append(f"  * looked for {code(refusal['looked_for'])}")
            near = refusal["candidates"]
            lines += [f"  * line {int(c['line'])}: {code(c['text'])} ({c['score']:.0%} alike)" for c in near]
            if refusal["since"]:
                lines.append(f"  * since {code(refusal['since']['commit'])}: {code(refusal['since']['subject'])}")
            blocks.append(lines)
    for file in repaired.get("files", []):
        if file["diff"]:
            blocks.append(["", f"Candidate for {code(file['path'])}, to be reviewed:", "", *fence(file["diff"])])
        else:
            blocks.append(["", f"No candidate for {code(file['path'])}: {words(file['why_not'])}."])
    blocks.append(["", *(f"* {words(line)}" for line in repaired.get("proof", []))])
    return _whole(["\n".join(lines) for lines in blocks])


def _whole(blocks: list[str]) -> str:
    """Join what fits; a block is never cut, because half a code span would let loose what is in it."""
    text = ""
    for block in blocks:
        if len(text) + len(block) > LONGEST:
            return f"{text}\nMore would not fit here; `svi-install repair-patches` prints it all.\n"
        text += f"{block}\n"
    return text


def report(out: Path, call: Run = run) -> list[str]:
    """Open the issues that are not there yet.

    Args:
        out: the folder that ``collect`` filled.
        call: runs a command.

    Returns:
        The titles of the new issues.
    """
    known = json.loads(call(["gh", "issue", "list", "--state", "all", "--limit", "1000", "--json", "title"]))
    titles = {issue["title"] for issue in known}
    opened = []
    for file in sorted(out.glob("*.md")):
        title, _, _ = file.read_text("utf-8").partition("\n")
        if title not in titles:
            text = out / f"{file.stem}.body"
            text.write_text(file.read_text("utf-8").partition("\n")[2], "utf-8")
            call(["gh", "issue", "create", "--title", title, "--body-file", str(text)])
            opened.append(title)
    return opened


def main(arguments: Sequence[str]) -> int:
    """Run one of the two steps."""
    if len(arguments) == 3 and arguments[0] == "collect":
        from svi_install.patching.patchset import load

        print("\n".join(collect(arguments[1], Path(arguments[2]), list(load().commits)[-1])))
        return 0
    if len(arguments) == 2 and arguments[0] == "report":
        print("\n".join(report(Path(arguments[1]))))
        return 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
