"""Draws how long the patch set lives when it is frozen at each release: ``python docs/survival.py GIT``.

Two measures per release, each over all later commits of WanGP's main line:

* svi-install: the patch set as it was known at that release, placed by svi-install, checked against today's patch set;
* plain diffs: the same insertions with the three lines of context around them that the release has, placed by the rules
  of ``git apply``, which takes no line of context less.

Both know one thing from hindsight: which lines are good anchors. What is measured is how much the placing adds to them.

Writes docs/survival.svg and prints the numbers.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from svi_install.history import repository  # noqa: E402
from svi_install.history.judge import FileVerdict, Job, jobs_of, judge  # noqa: E402
from svi_install.history.releases import releases  # noqa: E402
from svi_install.patching import patchset  # noqa: E402
from svi_install.patching.patchset import PatchSet, known_at  # noqa: E402

CONTEXT = 3
Row = list[Job]


def frozen_shares(git: Path, patches: PatchSet, rows: Sequence[Row], starts: Mapping[str, int]) -> dict[str, float]:
    """Return the placed part of all later commits by release; stop if a hook ever goes to a wrong place."""
    wanted = [row[number] for number in range(len(patches.paths)) for row in rows]
    judged: dict[str, dict[Job, FileVerdict]] = {}
    shares = {}
    for release, start in starts.items():
        then = known_at(patches, release)
        key = repr([(item.name, item.hunks) for items in then.variants.values() for item in items])
        if key not in judged:
            judged[key] = judge(git, wanted, then.variants, reference=patches.variants)
        found = [[judged[key][job] for job in row] for row in rows[start + 1 :]]
        wrong = [file for row in found for file in row if file.wrong]
        if wrong:
            raise SystemExit(f"frozen at {release}: a hook in a wrong place: {wrong[0]}")
        shares[release] = sum(not any(file.refusals for file in row) for row in found) / max(len(found), 1)
    return shares


def plain_shares(git: Path, patches: PatchSet, rows: Sequence[Row], starts: Mapping[str, int]) -> dict[str, float]:
    """Return the part of all later commits that plain diffs with three lines of context still apply to."""
    jobs = list(dict.fromkeys(job for row in rows for job in row))
    # Newlines around each text, so that a pattern can begin and end with one.
    texts = dict(
        zip(jobs, (b"\n" + data for data in repository.read_blobs(git, [job.blob for job in jobs])), strict=True)
    )
    reference = judge(git, jobs, patches.variants)
    fits: dict[tuple[bytes, Job], bool] = {}
    shares = {}
    for release, start in starts.items():
        patterns = [_patterns(patches, reference[job], texts[job]) for job in rows[start]]
        good = 0
        for row in rows[start + 1 :]:
            for job, wanted in zip(row, patterns, strict=True):
                for pattern in wanted:
                    if (pattern, job) not in fits:
                        fits[pattern, job] = pattern in texts[job]
            good += all(fits[p, job] for job, wanted in zip(row, patterns, strict=True) for p in wanted)
        shares[release] = good / max(len(rows) - start - 1, 1)
    return shares


def _patterns(patches: PatchSet, verdict: FileVerdict, text: bytes) -> list[bytes]:
    """Return the lines around each place of a file, three above and three below, with the newlines around them."""
    lines = text[1:].split(b"\n")
    sizes = {hunk.hook: len(hunk.added) for item in patches.variants[verdict.path] for hunk in item.hunks}
    found, shift = [], 0
    for place in verdict.places:
        at = place.line - 1 - shift
        found.append(b"\n" + b"\n".join(lines[max(at - CONTEXT, 0) : at + CONTEXT]) + b"\n")
        shift += sizes[place.hook]
    return found


def draw(days: Sequence[float], names: Sequence[str], curves: Mapping[str, Sequence[float]]) -> str:
    """Return the plot as SVG: the share of later commits over the day of the freeze."""
    width, height, left, top = 760, 300, 56, 46
    colors = {"svi-install": "#2f9e44", "plain diffs": "#e8590c"}
    last = max(days)

    def point(day: float, share: float) -> str:
        return f"{left + day / last * (width - left - 20):.1f},{top + (1 - share) * (height - top - 48):.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        'font-size="12">',
        "<title>Part of all later WanGP commits that a patch set frozen at a release can still patch</title>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<text x="{left}" y="20" font-size="14" fill="#222">Frozen at a release of WanGP: how many of all '
        "later commits it still patches</text>",
    ]
    for share in (0, 0.25, 0.5, 0.75, 1):
        x, y = point(0, share).split(",")
        parts.append(f'<line x1="{x}" x2="{width - 20}" y1="{y}" y2="{y}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 8}" y="{float(y) + 4}" text-anchor="end" fill="#555">{share:.0%}</text>')
    for version in ("9.0", "10.0", "11", "12.00", "12.60"):
        if version in names:
            x, y = point(days[names.index(version)], 0).split(",")
            parts.append(f'<text x="{x}" y="{float(y) + 18}" text-anchor="middle" fill="#555">{version}</text>')
    for number, (name, shares) in enumerate(curves.items()):
        points = " ".join(point(day, share) for day, share in zip(days, shares, strict=True))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colors[name]}" stroke-width="2"/>')
        parts.append(f'<text x="{left + number * 130}" y="38" fill="{colors[name]}">{name}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def main() -> int:
    """Measure, draw and print."""
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    git = repository.open_history(sys.argv[1])
    patches = patchset.load()
    chosen = releases(git, patches, all_commits=True)
    commits = [item.commit for item in chosen]
    rows = [[job for job in row if job] for row in jobs_of(git, [item.id for item in commits], patches.paths)]
    position = {item.id: number for number, item in enumerate(commits)}
    starts = {name: position[commit] for name, commit in patches.commits.items() if commit in position}
    # The newest release has too few later commits for a share to mean anything.
    starts = {name: start for name, start in starts.items() if start + 10 < len(commits)}
    ours = frozen_shares(git, patches, rows, starts)
    plain = plain_shares(git, patches, rows, starts)
    days = [(commits[start].time - commits[0].time) / 86400 for start in starts.values()]
    curves = {"svi-install": list(ours.values()), "plain diffs": list(plain.values())}
    (ROOT / "docs" / "survival.svg").write_text(draw(days, list(starts), curves), "utf-8", newline="\n")
    for name, shares in curves.items():
        middle = sorted(shares)[len(shares) // 2]
        print(f"{name}: lowest {min(shares):.1%}, median {middle:.1%} of all later commits, {len(shares)} releases")
    return 0


if __name__ == "__main__":
    sys.exit(main())
