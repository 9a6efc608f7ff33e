"""The story that a film holds comes back as it was, and a hostile film does no harm."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from svi_install.errors import SviError
from svi_install.storyboard.archive import story_data
from svi_install.storyboard.media import ffmpeg
from svi_install.storyboard.script import yamlfile
from svi_install.storyboard.script.story import Lora, Shot, Story


def full(folder: Path) -> Story:
    """A story in which everything is said."""
    shot = Shot(
        "she runs: fast # \n'{x}'",
        frames=33,
        seed=3,
        steps=5,
        end_image=folder / "end.png",
        image=folder / "bilder/ä.png",
        loras=(Lora("a.safetensors"), Lora("b", "1;0")),
        new_shot=True,
        style="at night",
        takes=2,
        take=(1, 2),
        settings={"flow_shift": 5, "image_refs": [str(folder / "r.png")]},
    )
    return Story(
        folder / "start.png",
        (Shot("one"), dataclasses.replace(shot, prompt="she runs: fast # '{x}'")),
        variant="2.0",
        seed=9,
        steps=7,
        resolution="832x480",
        clip_frames=49,
        negative_prompt="blurry",
        loras=(Lora("c", "0.5"),),
        settings={"guidance_scale": 4.5},
        style="in watercolour",
        takes=3,
        fps=24,
        audio=folder / "müsik.mp3",
        scale="2x",
        video=folder / "clip.mp4",
        end_image=folder / "ende.png",
    )


def test_there_and_back(tmp_path: Path) -> None:
    story = full(tmp_path)
    for value in (story, story.shots[1]):
        missing = [
            f.name
            for f in dataclasses.fields(value)
            if f.compare and f.default == getattr(value, f.name) and f.name != "loop"
        ]
        assert missing == [], "say these here too"
    data = story_data.data_of(story, tmp_path)
    assert str(tmp_path) not in json.dumps(data)
    assert yamlfile.parse(json.loads(json.dumps(data)), tmp_path) == story
    # A film that loops has no other end.
    loop = dataclasses.replace(story, end_image=None, loop=True)
    assert yamlfile.parse(json.loads(json.dumps(story_data.data_of(loop, tmp_path))), tmp_path) == loop
    elsewhere = story_data.data_of(story, tmp_path / "sub")
    assert "/" not in json.dumps(elsewhere)
    little = Story(tmp_path / "a.png", (Shot("one"),))
    assert story_data.data_of(little, tmp_path) == {
        "image": "a.png",
        "defaults": {"variant": "shot"},
        "shots": [{"prompt": "one"}],
    }


@pytest.mark.parametrize(
    "comment",
    [
        "",
        "no json",
        "[" * 100_000,
        '{"svi": 3}',
        '{"svi": {"story": []}}',
        '{"svi": {"story": {}}}',
        '{"svi": {"story": {"image": "a.png", "shots": [{"prompt": "one", "seconds": 3e999}]}}}',
        '{"svi": {"story": {"image": "a.png", "shots": ' + "[" * 500 + "]" * 500 + "}}}",
        '{"svi": {"story": {"image": "a.png", "shots": ["one"], "run": "rm"}}}',
        '{"svi": {"story": {"image": "a.png", "shots": ' + json.dumps(["x"] * 3000) + "}}}",
        '{"svi": {"story": {"image": "a.png", "shots": ["' + "x" * story_data.LARGEST + '"]}}}',
        '{"svi": {"story": {"image": "a.png", "defaults": {"seed": ' + "9" * 5000 + '}, "shots": ["one"]}}}',
    ],
)
def test_a_hostile_film(ffmpeg_program: Path, tmp_path: Path, comment: str) -> None:
    film = tmp_path / "film.mp4"
    ffmpeg.encode_frames(ffmpeg_program, [bytes(64 * 32 * 3)], (64, 32), tmp_path / "one.mp4")
    ffmpeg.join(ffmpeg_program, [(tmp_path / "one.mp4", 1)], film, ffmpeg.Notes(comment))
    with pytest.raises(SviError, match="Nothing was started"):
        story_data.of_film(film)


def test_the_image_by_its_hash(ffmpeg_program: Path, tmp_path: Path) -> None:
    """A hash names no other folder, and another image of that name is not taken for the film's."""
    film = tmp_path / "film.mp4"
    ffmpeg.encode_frames(ffmpeg_program, [bytes(64 * 32 * 3)], (64, 32), tmp_path / "one.mp4")
    (tmp_path / "film.svi/images").mkdir(parents=True)
    (tmp_path / "a.png").write_bytes(b"another")
    found = story_data.digest(tmp_path / "one.mp4")
    copy = tmp_path / f"film.svi/images/{found[:16]}.png"
    copy.write_bytes((tmp_path / "one.mp4").read_bytes())
    for known, wanted in ((found, copy), ("../../../etc/*", tmp_path / "a.png"), (3, tmp_path / "a.png")):
        svi = {"story": {"image": "a.png", "shots": ["one"]}, "images": {"a.png": known}}
        ffmpeg.join(ffmpeg_program, [(tmp_path / "one.mp4", 1)], film, ffmpeg.Notes(json.dumps({"svi": svi})))
        assert story_data.of_film(film).image == wanted
