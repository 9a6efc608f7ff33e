"""Films that end on an image or come back to their own, by the command."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.storyboard import standin
from tests.storyboard.conftest import ffmpeg_program, image

from .test_render import NO_LORAS, SMALL, root, run

__all__ = ["ffmpeg_program", "image", "root"]  # fixtures


@pytest.mark.parametrize(("ending", "frames"), [(("--end", "goal.png"), 17), (("--loop",), 16)])
def test_a_film_that_ends_on_an_image(
    capsys: pytest.CaptureFixture[str],
    root: Path,
    image: Path,
    ffmpeg_program: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    ending: tuple[str, ...],
    frames: int,
) -> None:
    monkeypatch.chdir(image.parent)
    Path("goal.png").write_bytes(image.read_bytes())
    small = ("--wangp", root, *SMALL, *NO_LORAS)
    code, result = run(capsys, image.name, "one | two", *ending, *small, "--variant", "wan22")
    assert code == 0, result
    assert (result["film"]["frames"], result["film"]["made"]) == (frames, [1, 2])
    shown = [bool(task.get("image_end")) for task in standin.asked(root)]
    assert shown == [False, True]
    # The goal lies beside the arrival, on the page of the film.
    page = (image.parent / "start-film.svi/film.html").read_text()
    (goal,) = re.findall(r'<img src="(images/[^"]+)" alt="the image that it is to end on"', page)
    assert (image.parent / "start-film.svi" / goal).read_bytes() == image.read_bytes()
    code, result = run(capsys, image.name, "one | two", *ending, *small, "-o", "other.mp4")
    assert (code, result["error"]["code"]) == (1, "story")
    assert "Wan 2.1 was not trained for that" in result["error"]["message"]
    assert len(standin.asked(root)) == 2


def test_a_film_that_goes_on_from_a_video_does_not_loop(
    capsys: pytest.CaptureFixture[str], root: Path, image: Path, ffmpeg_program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It begins with no image that it could come back to; what the message says instead is tried."""
    monkeypatch.chdir(image.parent)
    source = ("-f", "lavfi", "-i", "testsrc2=s=64x32:r=16:d=1")
    subprocess.run([ffmpeg_program, "-v", "error", *source, "-pix_fmt", "yuv420p", "clip.mp4"], check=True)
    before = Path("clip.mp4").read_bytes()
    words = ("clip.mp4", "one | two", "--wangp", root, *SMALL, *NO_LORAS, "--variant", "wan22")
    code, result = run(capsys, *words, "--loop")
    assert (code, result["error"]["code"]) == (2, "story")
    assert "begins with no image that it could come back to. Nothing was started." in result["error"]["message"]
    assert result["error"]["hint"] == "Name the image that it is to end on: add --end IMAGE"
    assert not standin.asked(root)
    assert [each.name for each in image.parent.glob("clip*")] == ["clip.mp4"]
    code, result = run(capsys, *words, "--end", image.name)
    assert code == 0, result
    assert [bool(task.get("image_end")) for task in standin.asked(root)] == [False, True]
    assert Path("clip.mp4").read_bytes() == before


def test_a_dry_run_says_what_pro_cannot_do_in_one_go(
    capsys: pytest.CaptureFixture[str], root: Path, image: Path
) -> None:
    words = (image, "one | two", "--loop", "--wangp", root, *SMALL, *NO_LORAS, "--dry-run", "--yes")
    _, result = run(capsys, *words, "--variant", "pro")
    assert any("its settings hold none" in note for note in result["notes"])
    _, result = run(capsys, *words, "--variant", "wan22")
    assert not any("hold none" in note for note in result["notes"])
