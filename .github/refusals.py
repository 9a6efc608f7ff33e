"""Turns releases of WanGP that are refused into issues, one each: ``refusals.py collect GIT OUT | report OUT``.

``collect`` judges every commit after the last release that the patch set knows, and writes one Markdown file for each
refused release, with the candidate diffs where repair-patches finds them. ``report`` opens an issue for each file,
unless there is one with the same title already, open or closed. The second step needs the standard library alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
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
        title = f"WanGP {release['version']} cannot be patched"
        if release["how"] != "refused" or title in titles:
            continue
        titles.append(title)
        repaired = json.loads(call(["svi-install", "repair-patches", release["commit"], git, "--no-smoke", "--json"]))
        (out / f"{len(titles)}.md").write_text(f"{title}\n{body(release, repaired)}", "utf-8")
    return titles


def body(release: dict[str, Any], repaired: dict[str, Any]) -> str:
    """Write the text of an issue."""
    lines = [f"Commit `{release['commit']}` of {release['date']}: {release['subject']}", ""]
    for file in release["files"]:
        for refusal in file["refused"]:
            hook = f"hook `{refusal['hook']}`: " if refusal["hook"] else ""
            lines.append(f"* `{file['path']}`: {hook}{refusal['why']}")
            if refusal["looked_for"]:
                lines.append(f"  * looked for `{refusal['looked_for']}`")
            lines += [f"  * line {c['line']}: `{c['text']}` ({c['score']:.0%} alike)" for c in refusal["candidates"]]
            if refusal["since"]:
                lines.append(f"  * since {refusal['since']['commit']}: {refusal['since']['subject']}")
    for file in repaired.get("files", []):
        if file["diff"]:
            lines += [
                "",
                f"Candidate for `{file['path']}`, to be reviewed:",
                "",
                "```diff",
                file["diff"].rstrip(),
                "```",
            ]
        else:
            lines += ["", f"No candidate for `{file['path']}`: {file['why_not']}."]
    lines += ["", *(f"* {line}" for line in repaired.get("proof", []))]
    return "\n".join(lines)[:LONGEST] + "\n"


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
        from svi_install.patchset import load

        print("\n".join(collect(arguments[1], Path(arguments[2]), list(load().commits)[-1])))
        return 0
    if len(arguments) == 2 and arguments[0] == "report":
        print("\n".join(report(Path(arguments[1]))))
        return 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
