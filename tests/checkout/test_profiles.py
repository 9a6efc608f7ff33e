from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from svi_install.checkout.profiles import profile_files
from svi_install.errors import SviError
from svi_install.package_data import data_folder
from tests import miniature

NEW = 'SETTINGS = ("loras_root",)\n'
OLD = 'root_lora_dir = "loras_i2v"\n'


def wangp(folder: Path, line: str = NEW) -> Path:
    root = miniature.write(folder)
    path = root / miniature.WGP
    path.write_bytes(line.encode() + path.read_bytes())
    return root


def folders(root: Path) -> set[str]:
    return {str(Path(path).parent.as_posix()) for path in profile_files(root)}


def test_every_profile_goes_somewhere_as_it_is(tmp_path: Path) -> None:
    files = profile_files(wangp(tmp_path / "Wan2GP"))
    originals = sorted(path.read_bytes() for path in data_folder("profiles").rglob("*.json"))
    assert sorted(files.values()) == originals
    for content in files.values():
        json.loads(content)


def test_standard_folders(tmp_path: Path) -> None:
    assert folders(wangp(tmp_path / "Wan2GP")) == {"loras/wan_i2v", "profiles/wan_2_2"}


def test_old_releases_look_elsewhere(tmp_path: Path) -> None:
    assert folders(wangp(tmp_path / "Wan2GP", OLD)) == {"loras_i2v", "profiles/wan_2_2"}


@pytest.mark.parametrize("inside", [True, False])
def test_a_configured_lora_folder(tmp_path: Path, inside: bool) -> None:
    root = wangp(tmp_path / "Wan2GP")
    elsewhere = (root if inside else tmp_path) / "my loras"
    elsewhere.mkdir()
    (root / "wgp_config.json").write_text(json.dumps({"loras_root": str(elsewhere)}), "utf-8")
    expected = "my loras/wan_i2v" if inside else (elsewhere / "wan_i2v").as_posix()
    assert folders(root) == {expected, "profiles/wan_2_2"}


def test_a_folder_that_only_a_start_script_names_is_left_alone(tmp_path: Path) -> None:
    root = wangp(tmp_path / "Wan2GP")
    (root / "start.sh").write_text(f"python wgp.py --lora-dir-wan-i2v {tmp_path / 'anywhere'}\n", "utf-8")
    assert folders(root) == {"loras/wan_i2v", "profiles/wan_2_2"}


def test_a_disk_that_fails_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = miniature.write(tmp_path / "WanGP")

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "no", str(root / "args.txt"))

    monkeypatch.setattr("svi_install.loras.inventory.locate", fail)
    with pytest.raises(SviError, match=r"Could not read .*args\.txt: the disk reported an error"):
        profile_files(root)
