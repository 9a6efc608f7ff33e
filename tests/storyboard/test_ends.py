"""Films that end on images, with a stand-in for WanGP: which frames are in them, and what is made again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from svi_install.cli import main
from svi_install.runtime import png
from svi_install.storyboard.film import film
from svi_install.storyboard.script.story import Shot, Story
from svi_install.storyboard.script.variants import of_settings, variant_of
from tests.wangp.lab import browser

from . import standin
from .test_film import Studio, expected, near, studio

__all__ = ["studio"]  # a fixture
Stories = Callable[..., Story]


@pytest.fixture
def goal(image: Path) -> Path:
    path = image.with_name("goal.png")
    png.write(path, png.Picture(64, 32, bytes(range(255, -1, -1)) * 24))
    return path


def test_a_loop_shows_the_frame_where_it_closes_once(studio: Studio, story: Stories) -> None:
    tale = story(variant="wan22", clip_frames=13)
    studio.make(tale)
    open_end = studio.pixels()
    # Only the last clip has another end; the ones before are found by what went into them.
    assert studio.make(replace(tale, end_image=tale.image)) == [3]
    ended = studio.pixels()
    last = 13 - 1
    assert len(ended) == len(open_end) == 13 + 2 * last
    assert ended[:-last] == open_end[:-last]
    assert ended[-last:] != open_end[-last:]
    # The same clip, of which the film leaves out the last frame.
    assert studio.make(replace(tale, loop=True)) == []
    assert studio.pixels() == ended[:-1]
    assert film.plan(replace(tale, loop=True), variant_of("wan22"), studio.target).frames == len(ended) - 1
    # It opens again, and nothing is made.
    assert studio.make(tale) == []
    assert studio.pixels() == open_end


def test_an_end_image_in_the_middle_changes_what_follows(studio: Studio, story: Stories) -> None:
    shots = (Shot("one"), Shot("two"), Shot("three"))
    tale = story(variant="wan22", shots=shots)
    studio.make(tale)
    ends = replace(tale, shots=(shots[0], replace(shots[1], end_image=tale.image), shots[2]))
    assert studio.make(ends) == [2, 3]
    asked = [task.get("image_end") for task in standin.asked(studio.root)[3:]]
    assert [each is not None for each in asked] == [True, False]
    assert studio.make(tale) == []


def far(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def test_no_frame_of_a_loop_is_there_twice_in_a_row(studio: Studio, story: Stories) -> None:
    """The clips begin and end exactly on their images, and the film starts over when it is at its end."""
    tale = story("exactly one", "two", "exactly three", variant="wan22")
    studio.make(replace(tale, end_image=tale.image))
    closed = studio.pixels()
    assert far(closed[0], closed[-1]) <= 4
    studio.make(replace(tale, loop=True))
    loop = studio.pixels()
    assert len(loop) == len(closed) - 1
    assert min(far(one, other) for one, other in pairwise([*loop, loop[0]])) > 4


@pytest.mark.parametrize("motion", [1, 5])
def test_the_frames_at_the_seams_are_those_of_a_film_without(
    studio: Studio, story: Stories, goal: Path, motion: int
) -> None:
    """Wan 2.2: the tail of the clip before stays, also where it is the image that a clip has arrived at."""
    own = variant_of("wan22")
    variant = of_settings("own", own.model, own.architecture, {**own.settings, "svi_num_motion_frames": motion})
    assert (variant.overlap, variant.seam) == (motion, "tail")
    tale = story(clip_frames=13)
    shots = (Shot("one"), Shot("two", end_image=goal), Shot("three", end_image=tale.image))
    studio.plan = lambda each: film.plan(each, variant, studio.target)  # type: ignore[method-assign]
    assert studio.make(replace(tale, shots=shots)) == [1, 2, 3]
    tasks: list[Any] = standin.asked(studio.root)
    ends = [[Path(each).read_bytes() for each in task.get("image_end", ())] for task in tasks]
    assert ends == [[], [goal.read_bytes()], [tale.image.read_bytes()]]
    assert len(studio.pixels()) == 13 + 2 * (13 - motion)
    near(studio.pixels(), expected(tasks, motion, "tail"))


BESIDE = """
return [...document.querySelectorAll('img[title="the goal"]')].map(goal => {
  const last = goal.previousElementSibling, a = last.getBoundingClientRect(), b = goal.getBoundingClientRect();
  return {
    loaded: goal.complete && goal.naturalWidth,
    last: last.alt,
    beside: b.left >= a.right && b.left - a.right < a.width && Math.abs(a.top - b.top) < 2 && b.right <= innerWidth,
    said: goal.parentElement.nextElementSibling.innerText
  };
})"""


def test_the_page_shows_the_goal_beside_the_arrival(
    image: Path, goal: Path, ffmpeg_program: Path, tmp_path: Path
) -> None:
    programs = browser.programs()
    if programs is None:
        pytest.skip("needs chromium and chromedriver")
    story = tmp_path / "story.yaml"
    story.write_text(
        "image: start.png\nloop: true\nshots: [one, {prompt: two, end_image: goal.png}, three]\n"
        "defaults: {variant: wan22, resolution: 64x32, clip_frames: 9, steps: 1,\n"
        "           settings: {activated_loras: [], loras_multipliers: ''}}\n"
    )
    root = standin.make(tmp_path / "WanGP")
    assert main.main(["render", str(story), "--wangp", str(root), "-q"]) == 0
    port, log = browser.free_port(), tmp_path / "driver.log"
    with browser.process([programs[1], f"--port={port}"], log) as driver:
        browser.wait_for(f"http://127.0.0.1:{port}/status", driver, log, 30)
        page = browser.Browser(f"http://127.0.0.1:{port}", programs[0], tmp_path / "browser")
        try:
            page.open((tmp_path / "story-film.svi/film.html").as_uri())
            page.script("for (const e of document.images) e.loading = 'eager'")
            goals = page.until(lambda: loaded(page.script(BESIDE)), 30, "the pictures")
        finally:
            page.close()
    ends = "and the image that it is to end on."
    left_out = "First frame, last frame (the film leaves it out, because it begins with it), "
    seen = {"loaded": 64, "last": "last frame", "beside": True}
    assert goals == [{**seen, "said": f"First frame, last frame, {ends}"}, {**seen, "said": f"{left_out}{ends}"}]


def loaded(goals: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
    return goals if all(each["loaded"] for each in goals) else None
