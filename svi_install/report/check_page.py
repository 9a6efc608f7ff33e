"""The page that `svi-install check --html` writes: one file, no script, nothing loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ..history.judge import FileVerdict
from ..history.releases import Verdict
from .check_table import how_of

_STYLE = """
:root { color-scheme: light dark; --ok: #d9f2df; --less: #fdf0c4; --no: #f8cfcf; --line: #8884; }
@media (prefers-color-scheme: dark) { :root { --ok: #17442433; --less: #5c4a0a66; --no: #7a1f1f88; } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; } caption { text-align: left; padding: .5rem 0; }
th, td { border: 1px solid var(--line); padding: .15rem .5rem; text-align: left; font-variant-numeric: tabular-nums; }
th[scope=row], td:nth-child(2), td:nth-child(3) { white-space: nowrap; }
thead th { position: sticky; top: 0; background: Canvas; }
.exact, .moved { background: var(--ok); } .reduced { background: var(--less); } .refused { background: var(--no); }
code { font-size: .9em; overflow-wrap: anywhere; } .big { font-size: 1.2rem; }
"""


def page(verdicts: Sequence[Verdict], *, title: str, headline: str, details: str, when: str) -> str:
    """Write the page.

    Args:
        verdicts: oldest first; the page shows the newest first.
        headline: the result in one sentence.
        details: what was judged with what, in one sentence.
        when: date and time, as text.
    """
    hooks = list(dict.fromkeys(item.hook for verdict in verdicts for file in verdict.files for item in file.places))
    head = "".join(f'<th scope="col">{escape(hook)}</th>' for hook in hooks)
    rows = "\n".join(_row(verdict, hooks) for verdict in reversed(verdicts))
    judged = [(verdict, file) for verdict in reversed(verdicts) for file in verdict.files]
    bad = "\n".join(_problem(verdict, file) for verdict, file in judged if file.refusals or file.wrong)
    broken = "\n".join(_broken(verdict, file) for verdict, file in judged if file.broken)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{escape(title)}</h1>
<p class="big">{escape(headline)}</p>
<p>{escape(details)} {escape(when)}</p>
{f"<h2>What needs your attention</h2>{bad}" if bad else ""}
{f"<h2>Broken upstream</h2><p>Published so; no change of SVI mends it.</p><ul>{broken}</ul>" if broken else ""}
<h2>Every release</h2>
<table>
<caption>How each hook was placed, newest release first: at the line of the diff (exact), moved by so many lines, with
less context (reduced), or refused.</caption>
<thead><tr><th scope="col">WanGP</th><th scope="col">Date</th><th scope="col">Commit</th>{head}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
</body>
</html>
"""


def _row(verdict: Verdict, hooks: Sequence[str]) -> str:
    cells = []
    for hook in hooks:
        how = how_of(verdict, hook)
        offset = next((p.offset for file in verdict.files for p in file.places if p.hook == hook), 0)
        cells.append(f'<td class="{how}">{how}{f" {offset:+}" if offset else ""}</td>')
    return (
        f'<tr><th scope="row">{escape(verdict.version)}</th><td>{verdict.day}</td>'
        f"<td><code>{verdict.commit.id[:10]}</code></td>{''.join(cells)}</tr>"
    )


def _broken(verdict: Verdict, file: FileVerdict) -> str:
    return f"<li>WanGP {escape(verdict.version)}, {escape(file.path)} does not compile: {escape(file.broken)}</li>"


def _problem(verdict: Verdict, file: FileVerdict) -> str:
    items = [f"hook {escape(hook)} would go in the wrong place" for hook in file.wrong]
    for refusal in file.refusals:
        near = "; ".join(f"line {item.line}: <code>{escape(item.text)}</code>" for item in refusal.candidates)
        since = "; ".join(
            f"since <code>{cause.commit.id[:10]}</code> {escape(cause.commit.subject)}"
            for cause in file.causes
            if cause.hook == refusal.hook
        )
        looked_for = f"looked for <code>{escape(refusal.looked_for)}</code>" if refusal.looked_for else ""
        name = f"hook {escape(refusal.hook)}: " if refusal.hook else ""
        parts = [f"{name}{escape(refusal.why)}", looked_for, f"nearest {near}" if near else "", since]
        items.append("; ".join(part for part in parts if part))
    rows = "".join(f"<li>{item}</li>" for item in items)
    return f"<h3>WanGP {escape(verdict.version)}, {escape(file.path)}</h3><ul>{rows}</ul>"
