from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from svi_install.checkout.mp4 import comment
from svi_install.commands.video import video_status
from svi_install.errors import SviError
from svi_install.report.text import plain_lines

TEXT = json.dumps({"prompt": "ein Fluß, 川", "svi": {"variant": "shot", "seeds": [1, 43], "padding": -1}})


def box(kind: bytes, *content: bytes) -> bytes:
    data = b"".join(content)
    return struct.pack(">I4s", 8 + len(data), kind) + data


def large_box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4sQ", 1, kind, 16 + len(content)) + content


def tag(text: str) -> bytes:
    return box(b"\xa9cmt", box(b"data", struct.pack(">II", 1, 0), text.encode()))


def meta(text: str) -> bytes:
    return box(b"meta", bytes(4), box(b"hdlr", bytes(25)), box(b"ilst", box(b"\xa9too", b"x"), tag(text)))


def video(path: Path, *boxes: bytes) -> Path:
    path.write_bytes(b"".join([box(b"ftyp", b"isom"), *boxes]))
    return path


def test_the_comment_is_found_before_and_behind_the_frames(tmp_path: Path) -> None:
    moov = box(b"moov", box(b"mvhd", bytes(100)), box(b"udta", meta(TEXT)))
    assert comment(video(tmp_path / "a.mp4", moov, box(b"mdat", bytes(1000)))) == TEXT
    assert comment(video(tmp_path / "b.mp4", box(b"mdat", bytes(1000)), moov)) == TEXT
    assert comment(video(tmp_path / "c.mp4", large_box(b"mdat", bytes(1000)), moov)) == TEXT


def test_a_last_box_without_a_size_reaches_to_the_end(tmp_path: Path) -> None:
    moov = box(b"moov", box(b"udta", meta(TEXT)))
    open_ended = struct.pack(">I", 0) + moov[4:]
    assert comment(video(tmp_path / "a.mp4", box(b"mdat", b"x"), open_ended)) == TEXT


def test_quicktime_writes_meta_without_a_version(tmp_path: Path) -> None:
    plain = box(b"meta", box(b"hdlr", bytes(25)), box(b"ilst", tag(TEXT)))
    assert comment(video(tmp_path / "a.mp4", box(b"moov", box(b"udta", plain)))) == TEXT


@pytest.mark.parametrize(
    "moov",
    [
        box(b"moov"),
        box(b"moov", box(b"udta")),
        box(b"moov", box(b"udta", box(b"meta", bytes(4), box(b"hdlr", bytes(25)), box(b"ilst")))),
        box(b"moov", box(b"udta", struct.pack(">I4s", 3, b"meta"))),
        box(b"moov", box(b"udta", struct.pack(">I4s", 900, b"meta"), bytes(8))),
    ],
)
def test_no_comment(tmp_path: Path, moov: bytes) -> None:
    assert comment(video(tmp_path / "a.mp4", moov)) is None


@pytest.mark.parametrize("data", [b"", b"text", b"\x00\x00\x00\x08free", box(b"ftyp", b"isom"), bytes(64)])
def test_no_video(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(data)
    with pytest.raises(SviError, match="is not an MP4 file or it is damaged") as caught:
        comment(path)
    assert caught.value.code == "not-a-video"


def test_a_tag_cut_short_is_damage(tmp_path: Path) -> None:
    cut = box(b"meta", bytes(4), box(b"hdlr", bytes(25)), box(b"ilst", box(b"\xa9cmt", box(b"data", bytes(4)))))
    with pytest.raises(SviError, match="damaged"):
        comment(video(tmp_path / "a.mp4", box(b"moov", box(b"udta", cut))))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SviError, match="cannot be read") as caught:
        comment(tmp_path / "gone.mp4")
    assert caught.value.code == "unreadable-video"


def test_every_prefix_of_a_video_is_read_or_refused(tmp_path: Path) -> None:
    whole = box(b"ftyp", b"isom") + box(b"moov", box(b"udta", meta(TEXT)))
    path = tmp_path / "a.mp4"
    outcomes = set()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        try:
            outcomes.add(comment(path))
        except SviError as error:
            outcomes.add(error.code)
    assert outcomes == {"not-a-video"}


def test_status_of_a_video_shows_how_it_was_made(tmp_path: Path) -> None:
    path = video(tmp_path / "a.mp4", box(b"moov", box(b"udta", meta(TEXT))))
    result = video_status(path)
    assert result.extra["video"] == {"path": str(path), "svi": json.loads(TEXT)["svi"]}
    lines = plain_lines(result)
    assert f"{path} was made with SVI." in lines
    assert "  seeds: 1, 43" in lines
    assert "  variant: shot" in lines


def test_a_wangp_that_refuses_unknown_settings_keeps_it_among_its_fields(tmp_path: Path) -> None:
    text = json.dumps({"custom_settings": {"svi_variant": "shot", "svi": {"variant": "shot", "seeds": [7, 49]}}})
    path = video(tmp_path / "a.mp4", box(b"moov", box(b"udta", meta(text))))
    assert video_status(path).extra["video"]["svi"] == {"variant": "shot", "seeds": [7, 49]}


@pytest.mark.parametrize(
    "text",
    [
        *("no JSON", "[]", '"svi"', "{}", '{"svi": true}', '{"custom_settings": null}', '{"custom_settings": []}'),
        '{"custom_settings": {"svi_variant": "off"}}',
    ],
)
def test_a_video_without_svi_says_so(tmp_path: Path, text: str) -> None:
    path = video(tmp_path / "a.mp4", box(b"moov", box(b"udta", meta(text))))
    with pytest.raises(SviError, match="was not made with SVI") as caught:
        video_status(path)
    assert caught.value.code == "no-svi-in-video"
