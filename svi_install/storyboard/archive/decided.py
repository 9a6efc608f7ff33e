"""What was chosen for a person: said in a line, and kept for as long as the film is made, on whatever computer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..script.story import FAST, Story
from .store import SEGMENTS, Store, read_json, write_json

# Beside the journal, which is for people: without this a film would be made again.
CHOSEN = "chosen.json"
SMALLER = "smaller"
# A film that has clips and no such file comes from a version that knew one variant for everybody.
_EARLIER = {"variant": "shot"}


def begun_with(store: Store) -> Mapping[str, Any]:
    """Return what was chosen when a film was made last, nothing for a new one."""
    found = read_json(store.root / CHOSEN)
    if found is not None:
        return found
    try:
        return _EARLIER if any((store.root / SEGMENTS).iterdir()) else {}
    except OSError:
        # Nothing is there, or what is in the way is said where the film is looked at.
        return {}


def decide(story: Story, begun: Mapping[str, Any], fitting: str | None) -> tuple[Story, tuple[str, ...]]:
    """Choose what nobody has named; a film that has been begun goes on as it is.

    Args:
        begun: see `begun_with`.
        fitting: resolution that fits this computer, None to leave it to the variant.

    Returns:
        The story, and what was decided, one sentence each.
    """
    notes = []
    if "variant" in story.chosen:
        name, kept = story.variant, begun.get("variant")
        fast = f"-{FAST}" if name.endswith(FAST) else ""
        if kept != name and kept in (f"shot{fast}", f"2.0{fast}"):
            story = replace(story, variant=kept)
            notes.append(f"This film was begun with {kept} and goes on with it; --variant {name} makes it again.")
        elif name == f"2.0{fast}":
            notes.append(f"Several prompts: SVI-2.0. SVI-Shot, which repeats one prompt, is --variant shot{fast}.")
    if story.resolution is None and "resolution" not in story.settings:
        kept = begun.get("resolution")
        wanted = kept if isinstance(kept, str) else None if begun else fitting
        story = replace(story, resolution=wanted, chosen=(*story.chosen, "resolution"))
        if wanted and not begun:
            notes.append(f"{wanted}, because it fits this card; --resolution chooses another one.")
    return story, tuple(notes)


def remember(store: Store, story: Story, resolution: str) -> None:
    """Write down what was chosen, where that is not known yet.

    Args:
        resolution: that the film is made in.

    Raises:
        SviError: the disk refuses.
    """
    values = {"variant": story.variant, "resolution": resolution}
    now = {name: values[name] for name in values if name in story.chosen}
    if read_json(store.root / CHOSEN) != now:
        write_json(store.root / CHOSEN, now)
