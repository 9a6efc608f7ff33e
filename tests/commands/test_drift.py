from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from svi_install.bootstrap import EXTRA_STAMP
from svi_install.cli.main import main
from svi_install.commands.drift import drift
from svi_install.errors import SviError
from tests.drift import videos

KEYS = {"verdict", "score", "onset_clip", "clips", "seams", "findings"}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A clean film and the same one that runs warm from its third clip on."""
    folder = tmp_path_factory.mktemp("my films (ü)")
    frames = videos.clean()
    bad = videos.worse(frames, videos.warm, 3, 0.04)
    return videos.write(folder / "a b.mp4", frames), videos.write(folder / "c.mp4", bad)


def asked(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    code = main(["drift", *map(str, words)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_json_has_the_keys_that_programs_know(pair: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = asked(capsys, pair[1], "--clip-frames", "24", "--json")
    data = json.loads(out)
    assert (code, err) == (0, "")
    assert set(data) > KEYS
    assert (data["verdict"], len(data["clips"]), len(data["seams"])) == ("drifting", 6, 5)
    assert abs(data["onset_clip"] - 3) <= 1
    assert data["score"] > 0
    assert {"frame", "flagged", "step"} < set(data["seams"][0])
    assert {"quantity", "clip", "per_clip", "remedy"} < set(data["findings"][0])
    json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def test_words_for_a_person(pair: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = asked(capsys, pair[1], "--clip-frames", "24")
    assert code == 0
    assert "drifting from clip" in out
    assert "colour runs warm" in out
    assert "another seed" in out
    assert "--html" in out
    assert "Measuring c.mp4" in err


def test_two_videos_are_compared(pair: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.html"
    code, out, _ = asked(capsys, *pair, "--clip-frames", "24", "--html", page)
    assert code == 0
    assert "a b.mp4 surely drifts less than" in " ".join(out.split())
    assert "On one scale" in page.read_text("utf-8")
    code, out, _ = asked(capsys, *pair, "--clip-frames", "24", "--json")
    data = json.loads(out)
    assert data["least"] == str(pair[0])
    assert [set(each) > KEYS for each in data["videos"]] == [True, True]
    assert data["videos"][0]["score"] < data["videos"][1]["score"]


def test_the_page_stands_by_itself(pair: tuple[Path, Path], tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    drift([pair[1]], html=page, clip_frames=24)
    text = page.read_text("utf-8")
    assert len(page.read_bytes()) <= 400_000
    assert "<script" not in text
    assert "http" not in text
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
    assert text.count("<img ") == 12
    assert text.count("<svg ") == 11


def test_an_image_to_compare_with(pair: tuple[Path, Path], tmp_path: Path) -> None:
    image = tmp_path / "start.png"
    Image.fromarray(videos.clean(1)[0]).save(image)
    data = drift([pair[0]], reference=image, clip_frames=24).extra
    assert all(row["likeness"] > 0.5 for row in data["clips"])
    (tmp_path / "no.png").write_text("x")
    for path in (tmp_path / "no.png", tmp_path / "none.png", tmp_path):
        with pytest.raises(SviError, match="Nothing was measured"):
            drift([pair[0]], reference=path)


def test_a_page_that_has_no_place_is_refused_before_the_work(pair: tuple[Path, Path], tmp_path: Path) -> None:
    for html in (tmp_path, tmp_path / "none" / "page.html", pair[0]):
        with pytest.raises(SviError, match="Nothing was measured") as caught:
            drift([pair[0]], html=html)
        assert caught.value.hint
    assert pair[0].stat().st_size > 1000


def test_what_cannot_be_measured_ends_with_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = asked(capsys, tmp_path / "none.mp4")
    assert (code, out) == (1, "")
    assert "none.mp4 does not exist" in err
    code, out, _ = asked(capsys, tmp_path / "none.mp4", "--json")
    assert (code, json.loads(out)["error"]["code"]) == (1, "no-video")
    assert asked(capsys)[0] == 2


def test_missing_packages_are_named_with_a_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in {"av", "skimage"} else real(name))
    monkeypatch.delenv("SVI_INSTALL_SOURCE", raising=False)
    with pytest.raises(SviError, match="av, scikit-image") as caught:
        drift([Path("a.mp4")])
    assert caught.value.hint.endswith("-m pip install av scikit-image")
    # The start scripts fetch them again once their stamp is gone.
    monkeypatch.setenv("SVI_INSTALL_SOURCE", "/somewhere")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    (tmp_path / EXTRA_STAMP).write_text("x")
    with pytest.raises(SviError) as caught:
        drift([Path("a.mp4")])
    assert "same command" in caught.value.hint
    assert not (tmp_path / EXTRA_STAMP).exists()


def test_names_of_files_do_not_become_html(tmp_path: Path) -> None:
    path = videos.write(tmp_path / "<b>&'.mp4", videos.clean(8), comment=json.dumps({"prompt": "<script>alert(1)"}))
    page = tmp_path / "page.html"
    drift([path], html=page)
    text = page.read_text("utf-8")
    assert "<b>&'" not in text
    assert "<script" not in text
    assert np.count_nonzero(["&lt;script&gt;" in text]) == 1
