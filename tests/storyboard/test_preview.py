"""The video that grows while a film is made: appended to, never written twice, playable at any time."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from svi_install.storyboard.film import film, making
from svi_install.storyboard.finish import preview
from svi_install.storyboard.headless import runner, wangp
from svi_install.storyboard.media import ffmpeg
from svi_install.storyboard.script.story import Shot, Story
from svi_install.storyboard.script.variants import variant_of

Stories = Callable[..., Story]


def times(path: Path) -> list[int]:
    """When each frame begins, in ticks, as ffprobe reads the file."""
    command = ["ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "packet=pts,dts", "-of", "json"]
    found = json.loads(subprocess.run([*command, str(path)], capture_output=True, check=True).stdout)["packets"]
    assert all(packet["pts"] == packet["dts"] for packet in found)
    return [packet["pts"] for packet in found]


def colours(path: Path) -> bytes:
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-vf", "scale=1:1:flags=area", "-f", "rawvideo"]
    return subprocess.run([*command, "-pix_fmt", "rgb24", "-"], capture_output=True, check=True).stdout


@pytest.mark.parametrize("variant", ["2.0", "wan22"])
def test_it_grows_and_is_the_film(
    wangp_root: Path, story: Stories, ffmpeg_program: Path, tmp_path: Path, variant: str
) -> None:
    """Over a cut, and over a second run that begins it anew with what is there."""
    shots = (Shot("one"), Shot("two"), Shot("three", new_shot=True), Shot("four"))
    tale = story(shots=shots, variant=variant, clip_frames=13)
    store = film.store_of(tmp_path / "film.mp4")
    path, seen = preview.path_of(store), []

    def render(tale: Story) -> film.Film:
        planned = film.plan(tale, variant_of(variant), tmp_path / "film.mp4")
        job, video = runner.Job(wangp.find(wangp_root), store.root / "wangp"), preview.Preview(planned, ffmpeg_program)
        video.grow()

        def look(clip: film.Clip) -> None:
            before = path.read_bytes() if path.exists() else b""
            video.grow(clip)
            assert path.read_bytes().startswith(before)
            seen.append(times(path))

        making.make(planned, job, ffmpeg_program, lambda progress: None, after=look)
        return planned

    render(story(shots=shots[:2], variant=variant, clip_frames=13))
    planned = render(tale)
    assert [len(each) for each in seen] == sorted(len(each) for each in seen)
    for each in seen:
        assert each == [preview.TICKS * number for number in range(len(each))]
    joined = tmp_path / "joined.mp4"
    film.join(planned, ffmpeg_program, joined)
    assert len(seen[-1]) == ffmpeg.count(ffmpeg_program, joined) == planned.frames
    assert colours(path) == colours(joined)


def test_takes_that_are_not_in_the_film_are_left_out(
    wangp_root: Path, story: Stories, ffmpeg_program: Path, tmp_path: Path
) -> None:
    planned = film.plan(story("one", "two", takes=2), variant_of("shot"), tmp_path / "film.mp4")
    job, video = (
        runner.Job(wangp.find(wangp_root), planned.store.root / "wangp"),
        preview.Preview(planned, ffmpeg_program),
    )
    lengths = []

    def look(clip: film.Clip) -> None:
        video.grow(clip)
        lengths.append(len(times(preview.path_of(planned.store))))

    making.make(planned, job, ffmpeg_program, lambda progress: None, after=look)
    assert lengths == [8, 8, 17, 17]


def test_a_part_that_is_no_video_leaves_it_as_it_is(
    wangp_root: Path, story: Stories, ffmpeg_program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = film.plan(story("one"), variant_of("shot"), tmp_path / "film.mp4")
    job = runner.Job(wangp.find(wangp_root), planned.store.root / "wangp")
    making.make(planned, job, ffmpeg_program, lambda progress: None)
    monkeypatch.setattr(ffmpeg, "fragmented", lambda *arguments: b"\0\0\0\x04moov")
    preview.Preview(planned, ffmpeg_program).grow()
    assert not preview.path_of(planned.store).exists()
