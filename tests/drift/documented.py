"""What the lines of the documents about drift lead to."""

from __future__ import annotations

import shlex

from svi_install.runtime import png
from tests.person import Person, run
from tests.storyboard import drifting

from . import videos


def measures(person: Person, line: str) -> None:
    """Any video will do; the page is written where the line says."""
    words = shlex.split(line)
    for name in (word for word in words if word.endswith(".mp4")):
        videos.write(person.folder / name, videos.clean(50))
    for name in (word.partition(":")[2] for word in words if word.endswith(".png")):
        png.write(person.folder / name, png.Picture(64, 32, bytes(64 * 32 * 3)))
    said = run(person, line)
    assert "steady" in said or "drift alike" in said or "too close" in said
    for page in (word for word in words if word.endswith(".html")):
        assert (person.folder / page).read_text("utf-8").startswith("<!doctype html>")


def watches(person: Person, line: str) -> None:
    assert _renders(person, line).count('"watched"') == 2


def anchors(person: Person, line: str) -> None:
    # Two clips that do not drift: nothing was taken out of them.
    assert '"anchored"' not in _renders(person, line)


def _renders(person: Person, line: str) -> str:
    """Render a story of two clips and return the film's journal."""
    drifting.make(person.wangp, 0.0)
    png.write(person.folder / "start.png", png.Picture(64, 32, bytes(64 * 32 * 3)))
    settings = "settings: {activated_loras: [], loras_multipliers: ''}"
    (person.folder / "story.yaml").write_text(
        f"image: start.png\ndefaults: {{resolution: 96x64, steps: 1, clip_frames: 33, {settings}}}\nshots: [one, two]\n"
    )
    run(person, line)
    assert (person.folder / "story-film.mp4").is_file()
    return (person.folder / "story-film.svi" / "journal.jsonl").read_text()
