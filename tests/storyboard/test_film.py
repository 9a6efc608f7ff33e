"""Whole films with a stand-in for WanGP, by both ways of running it."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from svi_install.checkout.mp4 import comment
from svi_install.errors import SviError
from svi_install.runtime import png
from svi_install.storyboard.archive.store import tail_of
from svi_install.storyboard.film import damage, film, making, picking
from svi_install.storyboard.finish import delivery, preview
from svi_install.storyboard.headless import runner, wangp
from svi_install.storyboard.headless.task import fields_of
from svi_install.storyboard.media import ffmpeg
from svi_install.storyboard.script.story import Shot, Story
from svi_install.storyboard.script.variants import variant_of

from . import standin

Stories = Callable[..., Story]


class Studio:
    """Renders films in one folder."""

    def __init__(self, root: Path, program: Path, folder: Path) -> None:
        self.root, self.program, self.target = root, program, folder / "film.mp4"
        self.wangp = wangp.find(root)
        self.progress: list[film.Progress] = []

    def plan(self, story: Story) -> film.Film:
        return film.plan(story, variant_of(story.variant), self.target)

    def make(self, story: Story, growing: bool = False) -> list[int]:
        """Renders what is missing and returns its numbers."""
        planned = self.plan(story)
        job = runner.Job(self.wangp, planned.store.root / "wangp")
        film.forget(planned, [segment.number for segment, _ in damage.damaged(planned, self.program)])
        video = preview.Preview(planned, self.program)
        made = making.make(
            planned, job, self.program, self.progress.append, after=video.grow if growing else lambda clip: None
        )
        joined = planned.store.root / film.JOINED
        film.join(planned, self.program, joined)
        delivery.put(joined, delivery.look(self.target, planned.store), planned.store)
        return [clip.segment.number for clip in made]

    def pixels(self, video: Path | None = None) -> list[tuple[int, ...]]:
        """The mean colour of each frame."""
        command = [str(self.program), "-v", "error", "-i", str(video or self.target), "-vf", "scale=1:1:flags=area"]
        raw = subprocess.run([*command, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], capture_output=True, check=True)
        return [tuple(raw.stdout[at : at + 3]) for at in range(0, len(raw.stdout), 3)]

    def hash(self) -> str:
        return hashlib.sha256(self.target.read_bytes()).hexdigest()


@pytest.fixture
def studio(wangp_root: Path, ffmpeg_program: Path, tmp_path: Path) -> Studio:
    return Studio(wangp_root, ffmpeg_program, tmp_path)


def expected(tasks: list[dict[str, Any]], motion: int, seam: str) -> list[tuple[int, ...]]:
    """The colours of the film that the official rule makes of the stand-in's clips."""
    scratch = Path(str(tasks[0]["image_start"][0])).with_name("scratch.png")
    video: list[tuple[int, ...]] = []
    tail: list[tuple[int, ...]] = []
    for number, task in enumerate(tasks):
        images = [*task["image_start"], *task.get("image_end", ())]
        seen = f'["{task["prompt"]}", {task["seed"]}]'.encode() + b"".join(Path(each).read_bytes() for each in images)
        for colour in tail:
            png.write(scratch, png.Picture(64, 32, bytes(colour) * (64 * 32)))
            seen += scratch.read_bytes()
        clip = [tuple(hashlib.sha256(seen + bytes([i])).digest()[:3]) for i in range(task["video_length"])]
        if seam == "head" or not number:
            video = (video[:-motion] if number else []) + clip
        else:
            video += clip[motion:]
        tail = clip[-motion:]
    return video


def near(one: list[tuple[int, ...]], other: list[tuple[int, ...]]) -> None:
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        assert max(abs(x - y) for x, y in zip(a, b, strict=True)) <= 4


@pytest.mark.parametrize(("variant", "motion", "seam"), [("shot", 1, "head"), ("2.0", 5, "head"), ("wan22", 1, "tail")])
def test_the_film_is_what_the_official_rule_makes(
    studio: Studio, story: Stories, variant: str, motion: int, seam: str
) -> None:
    tale = story(variant=variant, clip_frames=13)
    assert studio.make(tale) == [1, 2, 3]
    tasks: list[Any] = standin.asked(studio.root)
    assert [task["seed"] for task in tasks] == [7, 49, 91]
    film_colours = studio.pixels()
    assert len(film_colours) == 13 + 2 * (13 - motion)
    near(film_colours, expected(tasks, motion, seam))


def test_a_finished_film_is_not_made_again(studio: Studio, story: Stories) -> None:
    studio.make(story())
    before = studio.hash()
    assert studio.make(story()) == []
    assert studio.hash() == before
    assert len(standin.asked(studio.root)) == 3


def test_a_changed_prompt_redoes_it_and_what_follows(studio: Studio, story: Stories) -> None:
    studio.make(story())
    assert studio.make(story("one", "other", "three")) == [2, 3]
    changed = studio.hash()
    assert studio.make(story()) == []
    assert studio.hash() != changed
    assert studio.make(story("one", "other", "three")) == []
    assert studio.hash() == changed


def test_a_cut_protects_what_follows(studio: Studio, story: Stories) -> None:
    tale = story(shots=(Shot("one"), Shot("two"), Shot("three", new_shot=True)))
    studio.make(tale)
    near(studio.pixels()[9 + 8 :], expected(standin.asked(studio.root)[2:], 1, "head"))
    other = replace(tale, shots=(Shot("one"), Shot("other"), tale.shots[2]))
    assert studio.make(other) == [2]


def test_a_longer_film_keeps_its_beginning(studio: Studio, story: Stories) -> None:
    studio.make(story("one", "two"))
    assert len(studio.pixels()) == 17
    assert studio.make(story("one", "two", "three")) == [3]
    near(studio.pixels(), expected(standin.asked(studio.root), 1, "head"))
    assert studio.make(story("one")) == []
    assert len(studio.pixels()) == 9


def test_another_take(studio: Studio, story: Stories) -> None:
    studio.make(story())
    picking.choose(
        studio.plan(story()), [], [2], lambda takes: film.plan(story(), variant_of("shot"), studio.target, None, takes)
    )
    assert studio.make(story()) == [2, 3]
    seeds = [task["seed"] for task in standin.asked(studio.root)]
    assert seeds[:3] == [7, 49, 91]
    assert seeds[3] not in seeds[:3]
    assert seeds[4] == 91


def test_forgotten_segments_come_back_the_same(studio: Studio, story: Stories) -> None:
    studio.make(story())
    before = studio.hash()
    film.forget(studio.plan(story()), [2, 3])
    assert studio.make(story()) == [2, 3]
    assert studio.hash() == before


def test_each_finished_segment_plays_at_once(studio: Studio, story: Stories) -> None:
    studio.make(story())
    finished = [each for each in studio.progress if each.finished is not None]
    assert [(each.segment, each.left) for each in finished] == [(1, 2), (2, 1), (3, 0)]
    for each in finished:
        assert each.finished is not None
        assert len(studio.pixels(each.finished)) == 8
        assert '"svi"' in (comment(each.finished) or "")
    assert {(each.step, each.steps) for each in studio.progress if each.finished is None} >= {(1, 3), (2, 3), (3, 3)}


def test_the_film_says_how_it_was_made(studio: Studio, story: Stories) -> None:
    import json

    studio.make(story())
    svi = json.loads(comment(studio.target) or "")["svi"]
    assert (svi["segments"], svi["seeds"], svi["variant"]) == (3, [7, 49, 91], "shot")


def test_a_preview_grows(studio: Studio, story: Stories) -> None:
    lengths: list[int] = []
    path = preview.path_of(film.store_of(studio.target))

    def look(progress: film.Progress) -> None:
        if progress.finished is not None:
            lengths.append(ffmpeg.count(studio.program, path))

    planned = studio.plan(story())
    job, video = runner.Job(studio.wangp, planned.store.root / "wangp"), preview.Preview(planned, studio.program)
    making.make(planned, job, studio.program, look, after=video.grow)
    assert lengths == [8, 16, 25]


def test_a_preview_that_cannot_be_written_stops_nothing(studio: Studio, story: Stories) -> None:
    path = preview.path_of(film.store_of(studio.target))
    path.mkdir(parents=True)
    assert studio.make(story(), growing=True) == [1, 2, 3]
    assert path.is_dir()


def test_only_the_tail_stays_uncompressed(studio: Studio, story: Stories) -> None:
    planned = studio.plan(story(variant="2.0", clip_frames=13))
    studio.make(story(variant="2.0", clip_frames=13))
    folder = planned.folder(planned.segments[0])
    assert len(tail_of(folder)) == 5
    assert not (folder / "frames.rgb").exists()


@pytest.mark.parametrize(
    ("prompt", "code"),
    [
        ("fail CUDA out of memory. Tried to allocate 2 GiB", "card-full"),
        ("fail not enough memory: you tried to allocate", "ram-full"),
        ("fail [Errno 28] No space left on device", "disk-full"),
        ("fail something else", "wangp-failed"),
        ("die", "wangp-failed"),
        ("silent", "svi-off"),
    ],
)
def test_what_goes_wrong_is_said_and_nothing_is_lost(studio: Studio, story: Stories, prompt: str, code: str) -> None:
    with pytest.raises(SviError) as caught:
        studio.make(story("one", prompt, "three"))
    assert caught.value.code == code
    assert "Finished segments are kept" in caught.value.message
    assert not studio.target.exists()
    assert studio.make(story()) == [2, 3]


def test_declared_defaults_do_not_switch_svi_off(studio: Studio, story: Stories) -> None:
    (studio.root / "declares").touch()
    assert studio.make(story()) == [1, 2, 3]
    for asked in standin.asked(studio.root):
        assert asked["custom_settings"] == fields_of(variant_of("shot").settings, "i2v")
        assert asked["svi_mode"] is True


def test_a_release_without_fields_gets_none(studio: Studio, story: Stories) -> None:
    studio.wangp = replace(studio.wangp, fields=False)
    studio.make(story("one"))
    assert "custom_settings" not in standin.asked(studio.root)[0]


def test_a_clip_without_svi_is_stopped_at_its_first_step(studio: Studio, story: Stories) -> None:
    """Not after the hour that it takes: SVI leaves a mark as soon as it has taken a clip."""
    with pytest.raises(SviError) as caught:
        studio.make(story("one", "silent slow", "three", steps=200))
    assert caught.value.code == "svi-off"
    assert "made segment 2 without SVI" in caught.value.message
    assert not [each for each in studio.progress if each.segment == 2 and each.step]


def test_other_work_than_denoising_proves_nothing(studio: Studio, story: Stories) -> None:
    """WanGP may count steps of its own before SVI has seen the clip."""
    clip = studio.root / "clip.py"
    clip.write_text(clip.read_text().replace("    declared = {", "    step(1, 2); time.sleep(0.3)\n    declared = {"))
    assert studio.make(story("one", steps=3)) == [1]


def test_a_runtime_that_leaves_no_mark(studio: Studio, story: Stories) -> None:
    studio.wangp = replace(studio.wangp, says_begun=False)
    with pytest.raises(SviError, match="SVI is fully installed in it") as caught:
        studio.make(story("one", "silent"))
    assert "It said: [SVI Mode] off: a line is missing" in caught.value.message
    assert caught.value.hint == f"svi-install doctor {studio.root}"


def test_reasons_of_an_earlier_run_are_not_repeated(studio: Studio, story: Stories) -> None:
    with pytest.raises(SviError):
        studio.make(story("silent"))
    (studio.root / "declares").touch()
    studio.wangp = replace(studio.wangp, fields=False)
    with pytest.raises(SviError, match="SVI is fully installed in it") as caught:
        studio.make(story("one"))
    assert "a line is missing" not in caught.value.message


def test_frames_that_wangp_left_are_only_compressed(
    studio: Studio, story: Stories, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last run was ended between WanGP and ffmpeg."""

    def stop(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ffmpeg, "encode", stop)
        with pytest.raises(KeyboardInterrupt):
            studio.make(story("one"))
    assert studio.make(story("one")) == []
    assert len(standin.asked(studio.root)) == 1
    near(studio.pixels(), expected(standin.asked(studio.root), 1, "head"))


def test_a_spoiled_segment_is_made_again(studio: Studio, story: Stories) -> None:
    studio.make(story())
    before = studio.hash()
    planned = studio.plan(story())
    one, two = (planned.folder(segment) / film.PART for segment in planned.segments[:2])
    two.write_bytes(one.read_bytes())
    assert studio.make(story()) == [2]
    assert studio.hash() == before


def test_a_film_of_a_wrong_length_gets_no_name(studio: Studio, story: Stories) -> None:
    studio.make(story())
    before, planned = studio.hash(), studio.plan(story())
    one, two = (planned.folder(segment) / film.PART for segment in planned.segments[:2])
    ffmpeg.join(studio.program, [(one, 8), (one, 8)], two)
    with pytest.raises(SviError, match="instead of 25") as caught:
        film.join(planned, studio.program, planned.store.root / film.JOINED)
    assert "--from 1" in caught.value.hint
    assert studio.hash() == before


def test_no_image(studio: Studio, story: Stories, tmp_path: Path) -> None:
    with pytest.raises(SviError, match="cannot be read"):
        studio.plan(replace(story(), image=tmp_path / "missing.png"))
