from __future__ import annotations

import json
from pathlib import Path

import pytest

from svi_install.loras.catalogue import load
from svi_install.profiles import profile_files

SHOT = "loras/wan_i2v/SVI-Shot Infinite - 50 Steps.json"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "wgp.py").write_text('server_config = {"loras_root": "loras"}\n')
    return tmp_path


def test_profiles_are_json_and_go_where_wangp_lists_them(root: Path) -> None:
    found = profile_files(root)
    assert SHOT in found
    for path, data in found.items():
        assert isinstance(json.loads(data), dict), path
        assert path.startswith(("loras/wan_i2v/", "profiles/wan_2_2/", "profiles/wan_i2v/")), path


def test_a_configured_lora_folder_gets_them(root: Path, tmp_path: Path) -> None:
    (root / "elsewhere").mkdir()
    (root / "wgp_config.json").write_text('{"loras_root": "elsewhere"}')
    assert "elsewhere/wan_i2v/SVI-Shot Infinite - 50 Steps.json" in profile_files(root)


def test_a_profile_names_the_precision_that_is_there(root: Path) -> None:
    original, half = load().select(["svi-shot"])[0].files
    assert original.url.encode() in profile_files(root)[SHOT]
    folder = root / "loras" / "wan_i2v"
    folder.mkdir(parents=True)
    (folder / half.filename).write_bytes(b"x")
    changed = profile_files(root)[SHOT]
    assert half.url.encode() in changed
    assert original.url.encode() not in changed
    (folder / original.filename).write_bytes(b"x")
    assert original.url.encode() in profile_files(root)[SHOT]
