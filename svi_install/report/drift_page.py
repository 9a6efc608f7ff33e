"""The page that ``svi-install drift --html`` writes: one file, no script, nothing loaded from elsewhere."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from ..drift.arrivals import said
from ..drift.compare import Ranking
from ..drift.report import Report
from ..drift.summary import clip_values, in_words
from .drift_strips import compared, strips
from .drift_style import STYLE

# Bytes of thumbnails on a page, as text in it: the whole page stays below 400 kB.
PICTURES = 220_000
_MADE = {
    "model_type": "model",
    "svi": "SVI",
    "seeds": "seeds",
    "seed": "seed",
    "num_inference_steps": "steps",
    "activated_loras": "LoRAs",
    "loras_multipliers": "LoRA strengths",
    "resolution": "size asked for",
    "guidance_scale": "guidance",
    "prompt": "prompt",
}
_COLUMNS = {
    "L": "L*", "a": "a*", "b": "b*", "L_spread": "spread of L*", "chroma": "chroma", "contrast": "contrast",
    "detail": "detail", "noise": "noise", "clipped": "clipped", "motion": "motion", "likeness": "likeness",
}  # fmt: skip


def page(reports: Sequence[Report], ranking: Ranking | None, *, when: str) -> str:
    """Write the page.

    Args:
        reports: one, or several to compare.
        ranking: how several compare.
        when: the day, as text.
    """
    names = ", ".join(report.path.name for report in reports)
    title = f"Drift of {names}"
    budget = PICTURES // len(reports)
    inner = [_verdict(reports[0])] if len(reports) == 1 else []
    if ranking is not None:
        inner.append(f'<p class="big">{escape(ranking.text)}</p>')
        inner.append(_scores(reports))
        inner.append(f"<section><h2>On one scale</h2>{compared(reports)}</section>")
    for report in reports:
        inner.append(_one(report, budget, named=len(reports) > 1))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<h1>{escape(title)}</h1>
{"".join(inner)}
<footer><p>Measured by svi-install drift on {escape(when)}. What is called drift: a quantity that leaves where it was at
some clip and does not come back, by more than an eye notices and more than this video changes by itself (Theil-Sen
slope, 95&nbsp;% interval). Pans are followed, cuts are left out.</p></footer>
</body>
</html>
"""


def _verdict(report: Report) -> str:
    said = in_words(report).removeprefix(report.verdict)
    return f'<p class="big"><span class="badge {report.verdict}">{report.verdict}</span>{escape(said)}</p>'


def _one(report: Report, budget: int, *, named: bool) -> str:
    head = f"<h2>{escape(report.path.name)}</h2>{_verdict(report)}" if named else ""
    return (
        f"<section>{head}{_findings(report)}"
        f"<h2>Clip by clip</h2><p class='key'>{_KEY}</p>{strips(report)}"
        f"{_arrivals(report)}{_pictures(report, budget)}{_made(report)}{_published(report)}{_table(report)}</section>"
    )


_KEY = (
    '<span><span class="sample drift"></span> what all of the picture does, pans and cuts taken out</span>'
    '<span><span class="sample plain"></span> its plain average</span>'
    '<span><span class="sample unseen"></span> what is not called drift</span>'
    '<span><span class="sample seam"></span> a seam that jumps</span>'
    '<span><span class="sample cut"></span> a cut</span>'
)


def _findings(report: Report) -> str:
    if not report.findings:
        return "<p>Nothing is wrong with it: no quantity goes away and stays away, and no seam stands out.</p>"
    items = "".join(
        f"<li><b>{escape(_capital(each.text))}.</b><br>{escape(_capital(each.remedy))}.</li>"
        for each in report.findings
    )
    return f'<ol class="findings">{items}</ol>'


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _pictures(report: Report, budget: int) -> str:
    starts, frames = report.clips.starts, report.scan.frames
    ends = [(start, (*starts[1:], frames)[clip] - 1) for clip, start in enumerate(starts)]
    off = {finding.clip for finding in report.findings}
    # Where there is no room for all: those that something is said about, then the ends, then evenly between.
    order = sorted(range(len(ends)), key=lambda clip: (clip + 1 not in off, 0 < clip < len(ends) - 1, _spread(clip)))
    chosen, used = [], 0
    for clip in order:
        size = sum(len(report.thumbnails.get(frame, b"")) * 4 // 3 for frame in ends[clip])
        if used + size > budget:
            break
        used += size
        chosen.append(clip)
    shown = "".join(_pair(report, clip, ends[clip], bad=clip + 1 in off) for clip in sorted(chosen))
    left = len(ends) - len(chosen)
    note = f"<p>{left} further clips have no picture here, so that the page stays small.</p>" if left else ""
    return f'<h2>First and last frame of each clip</h2><div class="pictures">{shown}</div>{note}' if shown else ""


def _spread(clip: int) -> float:
    """Order numbers so that any first part of them is spread evenly (van der Corput)."""
    value, base = 0.0, 0.5
    while clip:
        value, clip, base = value + base * (clip % 2), clip // 2, base / 2
    return value


def _pair(report: Report, clip: int, ends: tuple[int, int], *, bad: bool) -> str:
    images = "".join(
        f'<img src="data:image/jpeg;base64,{base64.b64encode(report.thumbnails[frame]).decode()}" '
        f'alt="frame {frame}" title="frame {frame}">'
        for frame in dict.fromkeys(ends)
        if frame in report.thumbnails
    )
    kind = ' class="bad"' if bad else ""
    said = f"clip {clip + 1}, frames {ends[0]} to {ends[1]}"
    return f"<figure{kind}><div>{images}</div><figcaption>{said}</figcaption></figure>"


def _arrivals(report: Report) -> str:
    if not report.arrivals:
        return ""
    items = "".join(f"<li>{escape(_capital(said(each)))}.</li>" for each in report.arrivals)
    return f"<h2>Clips that arrive at an image</h2><ul>{items}</ul>"


def _made(report: Report) -> str:
    settings = report.settings
    svi = settings.get("svi") if isinstance(settings.get("svi"), dict) else {}
    rows = {**{key: settings[key] for key in _MADE if key in settings and key != "svi"}}
    rows |= {key: value for key, value in _plain(svi or {}).items() if key not in rows}
    facts = {
        "size": f"{report.size[0]} x {report.size[1]}",
        "frames": f"{report.scan.frames} at {report.scan.stream.fps:g} per second",
        **{_MADE.get(key, key.replace("_", " ")): text for key, value in rows.items() if (text := _text(value))},
    }
    lines = "".join(f"<tr><th>{escape(key)}</th><td>{escape(value)}</td></tr>" for key, value in facts.items())
    note = "" if settings else "<p>The video does not say what it was made with.</p>"
    return f"<h2>What it was made with</h2>{note}<div class='wide'><table class='made'>{lines}</table></div>"


def _plain(svi: Mapping[str, Any]) -> dict[str, Any]:
    """What SVI or `render` has left in a video, without what only a program reads."""
    found = {key: value for key, value in svi.items() if key not in {"story", "images", "clip_starts", "anchored"}}
    if isinstance(held := svi.get("anchored"), list):
        found["colour brought back in clips"] = [
            each["clip"] for each in held if isinstance(each, dict) and "clip" in each
        ]
    story = svi.get("story")
    if isinstance(story, dict):
        defaults, shots = story.get("defaults"), story.get("shots")
        found = {**(defaults if isinstance(defaults, dict) else {}), **found}
        prompts = [each.get("prompt") for each in shots if isinstance(each, dict)] if isinstance(shots, list) else []
        found = {"prompts": " | ".join(map(str, prompts)), "start image": story.get("image"), **found}
    return found


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_text(each)}" for key, each in value.items() if _text(each))
    text = (
        ", ".join(_text(each) for each in value)
        if isinstance(value, (list, tuple))
        else str("" if value is None else value)
    )
    return text if len(text) <= 600 else f"{text[:600]} ..."


def _published(report: Report) -> str:
    words = {
        "vde_clarity": "VDE, clarity (LV-Bench): less is better",
        "vde_motion": "VDE, motion (LV-Bench): less is better",
        "temporal_flickering": "temporal flickering (VBench): 1 is best",
    }
    rows = "".join(
        f"<tr><th>{words[name]}</th><td>{'too short' if value is None else f'{value:.4f}'}</td></tr>"
        for name, value in report.published.items()
    )
    score = f"<tr><th>score of svi-install drift: less is better</th><td>{report.score:.2f}</td></tr>"
    return f"<h2>Measures to cite</h2><div class='wide'><table class='made'>{score}{rows}</table></div>"


def _table(report: Report) -> str:
    head = "".join(f"<th>{name}</th>" for name in ("clip", "from frame", *_COLUMNS.values()))
    rows = []
    for row in clip_values(report)[:400]:
        cells = "".join(f"<td>{'' if row[name] is None else row[name]}</td>" for name in _COLUMNS)
        rows.append(f"<tr><th>{row['clip']}</th><td>{row['frame']}</td>{cells}</tr>")
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    return f"<details><summary>All numbers, clip by clip</summary><div class='wide'>{table}</div></details>"


def _scores(reports: Sequence[Report]) -> str:
    rows = "".join(
        f'<tr><th><span class="sample c{number}"></span> {escape(_short(report.path, reports))}</th>'
        f'<td><span class="badge {report.verdict}">{report.verdict}</span></td><td>{report.score:.2f}</td>'
        f"<td>{report.onset or ''}</td>"
        f"<td>{sum(seam.flagged for seam in report.seams)} of {len(report.seams)}</td></tr>"
        for number, report in enumerate(reports)
    )
    head = "<tr><th>video</th><th>verdict</th><th>score</th><th>off from clip</th><th>seams that jump</th></tr>"
    return f"<div class='wide'><table><thead>{head}</thead><tbody>{rows}</tbody></table></div>"


def _short(path: Path, reports: Sequence[Report]) -> str:
    same = sum(each.path.name == path.name for each in reports)
    return path.name if same == 1 else str(path)
