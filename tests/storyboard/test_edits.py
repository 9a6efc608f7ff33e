"""Whatever is edited in a story: what is made again is what an edit changed, counted by a model of its own."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from svi_install.storyboard.archive.store import Store
from svi_install.storyboard.film import film, picking
from svi_install.storyboard.headless import task
from svi_install.storyboard.script.segments import segments_of
from svi_install.storyboard.script.story import Shot, Story
from svi_install.storyboard.script.variants import variant_of

# SVI_TEST_EDITS=2000 looks at as many random films.
EXAMPLES = int(os.environ.get("SVI_TEST_EDITS", "25"))
VARIANT = variant_of("shot")
STRIDE = 1_000_003
Chain = tuple[Any, ...]


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        for picture in ("a", "b"):
            Path(name, f"{picture}.png").write_bytes(b"\x89PNG\r\n\x1a\n" + picture.encode())
        yield Path(name)


def shots(images: bool = True) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "prompt": st.sampled_from(["walks", "runs", "flies", "sleeps"]),
            "clips": st.integers(1, 3),
            "seed": st.none() | st.integers(0, 200),
            "cut": st.sampled_from([None, None, None, "", "a", "b"] if images else [None]),
        }
    )


EDITS = st.one_of(
    st.tuples(st.just("insert"), st.integers(0, 20), shots()),
    st.tuples(st.just("delete"), st.integers(0, 20)),
    st.tuples(st.just("move"), st.integers(0, 20), st.integers(0, 20)),
    st.tuples(st.just("reword"), st.integers(0, 20), st.sampled_from(["jumps", "swims"])),
    st.tuples(st.just("reseed"), st.integers(0, 20), st.none() | st.integers(0, 200)),
    st.tuples(st.just("story seed"), st.integers(0, 200)),
    st.tuples(st.just("redo"), st.integers(0, 60)),
    st.tuples(st.just("pick"), st.integers(0, 60), st.integers(0, 5)),
)
Tale = dict[str, Any]


def story_of(tale: Tale, where: Path) -> Story:
    made = tuple(
        Shot(
            each["prompt"],
            frames=8 * each["clips"] + (1 if not number or each["cut"] is not None else 0),
            seed=each["seed"],
            new_shot=each["cut"] is not None,
            image=where / f"{each['cut']}.png" if each["cut"] else None,
        )
        for number, each in enumerate(tale["shots"])
    )
    return Story(where / "a.png", made, "shot", tale["seed"], 3, "64x32", 9)


def edited(tale: Tale, edit: tuple[Any, ...]) -> Tale:
    kind, listed = edit[0], [dict(each) for each in tale["shots"]]
    at = edit[1] % len(listed) if kind not in ("insert", "story seed") else 0
    if kind == "insert":
        listed.insert(edit[1] % (len(listed) + 1), edit[2])
    elif kind == "delete" and len(listed) > 1:
        del listed[at]
    elif kind == "move":
        listed.insert(edit[2] % len(listed), listed.pop(at))
    elif kind == "reword":
        listed[at]["prompt"] = edit[2]
    elif kind == "reseed":
        listed[at]["seed"] = edit[2]
    return {"shots": listed, "seed": edit[1] if kind == "story seed" else tale["seed"]}


def chains(tale: Tale, takes: dict[Chain, int]) -> list[tuple[Chain, Chain]]:
    """What each segment depends on, told without the program: with the seed of the story, and with that of its take."""
    found: list[tuple[Chain, Chain]] = []
    before: Chain = ()
    begun: list[tuple[str, str]] = []
    for number, shot in enumerate(tale["shots"]):
        if not number or shot["cut"] is not None:
            before = ("image", shot["cut"] or "a")
            start, counted = shot["seed"], 0
            if start is None:
                start = tale["seed"] + 42 * 5000 * begun.count((before[1], shot["prompt"]))
                begun.append((before[1], shot["prompt"]))
        for clip in range(shot["clips"]):
            seed = start + 42 * counted if shot["seed"] is None else shot["seed"] + 42 * clip
            slot = (before, shot["prompt"], seed)
            before = (before, shot["prompt"], seed + STRIDE * (takes.get(slot, 1) - 1))
            found.append((slot, before))
            counted += 1
    return found


def make(planned: film.Film) -> list[str]:
    """Make what is missing, as empty results."""
    made = []
    for clip in planned.lacking():
        assert clip.before is None or planned.store.finished(clip.before)
        planned.store.begin(clip.key)
        planned.store.finish(clip.key, {"key": clip.key, "prompt": clip.segment.prompt, "seed": clip.segment.seed})
        made.append(clip.key)
    planned.store.write("joined")
    return made


@settings(max_examples=EXAMPLES, deadline=None)
@given(first=st.lists(shots(), min_size=1, max_size=6), seed=st.integers(0, 200), edits=st.lists(EDITS, max_size=8))
def test_only_what_depends_on_an_edit_is_made_again(first: list[Any], seed: int, edits: list[Any]) -> None:
    tale: Tale = {"shots": first, "seed": seed}
    ever: set[Chain] = set()
    takes: dict[Chain, int] = {}
    known: dict[Chain, int] = {}
    with folder() as where:
        for edit in (("nothing",), *edits):
            tale = edited(tale, edit) if edit[0] not in ("nothing", "redo", "pick") else tale
            story = story_of(tale, where)

            def anew(chosen: Any = None, story: Story = story) -> film.Film:
                return film.plan(story, VARIANT, where / "film.mp4", None, chosen)

            planned, now = anew(), chains(tale, takes)
            assert [planned.finished(each) for each in planned.segments] == [chain in ever for _, chain in now]
            if edit[0] in ("redo", "pick"):
                number = edit[1] % len(now)
                slot = now[number][0]
                take = known.get(slot, 1) + 1 if edit[0] == "redo" else edit[2] % known.get(slot, 1) + 1
                picking.choose(planned, [] if edit[0] == "redo" else [(number + 1, take)],
                               [number + 1] if edit[0] == "redo" else [], anew)  # fmt: skip
                takes[slot], known[slot] = take, max(take, known.get(slot, 1))
                planned, now = anew(), chains(tale, takes)
            changed = {chain for _, chain in now} - ever
            assert len(make(planned)) == len(changed)
            ever |= changed
            assert not anew().missing()
            assert make(anew()) == []


def as_before(store: Store, story: Story, redone: dict[int, int]) -> None:
    """A finished film as the version before left it: numbers in names, seeds through the film, redo by number."""
    before, clips = "", {}
    for segment in segments_of(story, VARIANT):
        shot, number = story.shots[segment.shot - 1], segment.number
        clips[segment.shot] = clips.get(segment.shot, -1) + 1
        seed = story.seed + 42 * (number - 1) if shot.seed is None else shot.seed + 42 * clips[segment.shot]
        seed += STRIDE * redone.get(number, 0)
        asked = {**task.task_of(segment, story, VARIANT), "seed": seed}
        images = {str(segment.image): film.images.address(segment.image)}
        before = task.key_of(asked, None if segment.begins else before, images)
        facts = {"key": before, "prompt": segment.prompt, "seed": seed}
        path = store.root / f"segments/{number:04d}-{before[:16]}"
        path.mkdir(parents=True)
        (path / "done.json").write_text(json.dumps(facts))
    for number, count in redone.items():
        for _ in range(count):
            store.write("redo", segment=number)


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    first=st.lists(shots(), min_size=1, max_size=6),
    seed=st.integers(0, 200),
    redone=st.dictionaries(st.integers(1, 8), st.integers(1, 3), max_size=3),
    insert=st.none() | shots(images=False),
)
def test_a_film_of_the_layout_before_is_taken_over(
    first: list[Any], seed: int, redone: dict[int, int], insert: dict[str, Any] | None
) -> None:
    with folder() as where:
        # Two equal clips of the layout before could have different takes; now they are one.
        first = [{**each, "seed": None if each["seed"] is None else 10**6 + 97 * at} for at, each in enumerate(first)]
        story = story_of({"shots": first, "seed": seed}, where)
        store = film.store_of(where / "film.mp4")
        as_before(store, story, redone)
        planned = film.plan(story, VARIANT, where / "film.mp4")
        assert planned.missing() == ()
        assert film.take_over(planned)
        again = film.plan(story, VARIANT, where / "film.mp4")
        assert (again.keys, again.missing()) == (planned.keys, ())
        assert not film.take_over(again)
        if insert is not None:
            # A scene in front of the others, which stay.
            lead = {**insert, "prompt": "arrives"}
            rest = [{**first[0], "cut": first[0]["cut"] or "a"}, *first[1:]]
            longer = film.plan(story_of({"shots": [lead, *rest], "seed": seed}, where), VARIANT, where / "film.mp4")
            first_scene = {segment.number for segment in longer.segments if segment.scene == 1}
            assert {segment.number for segment in longer.missing()} <= first_scene
