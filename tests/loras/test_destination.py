from __future__ import annotations

import json
from pathlib import Path

import pytest

from svi_install.loras.destination import known_folders, locate

OLD = 'def get_lora_dir(model_type):\n        root_lora_dir = "loras_i2v" if i2v else "loras"\n'
MIDDLE = "def get_lora_dir(model_type):\n    lora_dir = get_dir(base_model_type, args)\n"


def test_todays_folders(root: Path) -> None:
    assert locate(root, "wan_i2v").folder == root / "loras" / "wan_i2v"
    assert locate(root, "wan").folder == root / "loras" / "wan"


def test_a_configured_root(root: Path, tmp_path: Path) -> None:
    other = tmp_path / "big disk"
    (root / "wgp_config.json").write_text(json.dumps({"loras_root": str(other)}))
    assert locate(root, "wan").folder == other / "wan"
    assert "loras_root" in locate(root, "wan").why


def test_a_relative_configured_root(root: Path) -> None:
    (root / "wgp_config.json").write_text(json.dumps({"loras_root": "../shared"}))
    assert locate(root, "wan_i2v").folder == root.parent / "shared" / "wan_i2v"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"loras_root": 3}', '{"loras_root": " "}'])
def test_a_config_that_says_nothing(root: Path, text: str) -> None:
    (root / "wgp_config.json").write_text(text)
    assert locate(root, "wan").folder == root / "loras" / "wan"


def test_releases_that_do_not_know_the_setting_ignore_it(root: Path) -> None:
    (root / "wgp.py").write_text(MIDDLE)
    (root / "wgp_config.json").write_text('{"loras_root": "elsewhere"}')
    assert locate(root, "wan").folder == root / "loras" / "wan"


def test_folders_of_the_oldest_releases(root: Path) -> None:
    (root / "wgp.py").write_text(OLD)
    assert locate(root, "wan_i2v").folder == root / "loras_i2v"
    assert locate(root, "wan").folder == root / "loras"
    (root / "loras" / "14B").mkdir(parents=True)
    assert locate(root, "wan").folder == root / "loras" / "14B"


def test_in_the_oldest_releases_lora_dir_moves_both(root: Path) -> None:
    (root / "wgp.py").write_text(OLD)
    (root / "run.bat").write_text("python wgp.py --lora-dir D --lora-dir-i2v I\n")
    assert locate(root, "wan_i2v").folder == root / "D"
    assert locate(root, "wan").folder == root / "D"


@pytest.mark.parametrize(
    ("name", "text", "i2v", "wan"),
    [
        ("run.bat", "python wgp.py --lora-dir-i2v I --lora-dir T\r\n", "I", "T"),
        ("start.sh", "python wgp.py --loras=R\n", "R/wan_i2v", "R/wan"),
        ("start.sh", 'python wgp.py --loras "with space"\n', "with space/wan_i2v", "with space/wan"),
        ("start.sh", "# python wgp.py --loras R\n", "loras/wan_i2v", "loras/wan"),
        ("start.bat", "rem python wgp.py --loras R\r\n", "loras/wan_i2v", "loras/wan"),
        ("start.sh", "python other.py --loras R\n", "loras/wan_i2v", "loras/wan"),
        ("start.sh", "python wgp.py --loras $HOME/x\n", "loras/wan_i2v", "loras/wan"),
        ("start.sh", "python wgp.py --loras-cache R\n", "loras/wan_i2v", "loras/wan"),
        ("scripts/args.txt", "--listen\n--loras R\n", "R/wan_i2v", "R/wan"),
        ("start.sh", "python wgp.py --lora-dir-wan-i2v W --lora-dir-i2v I\n", "W", "loras/wan"),
    ],
)
def test_start_scripts(root: Path, name: str, text: str, i2v: str, wan: str) -> None:
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_text(text, newline="")
    assert locate(root, "wan_i2v").folder == root / i2v
    assert locate(root, "wan").folder == root / wan


def test_scripts_that_disagree_count_for_nothing_but_args_txt_decides(root: Path) -> None:
    (root / "a.sh").write_text("python wgp.py --loras A\n")
    (root / "b.sh").write_text("python wgp.py --loras B\n")
    assert locate(root, "wan").folder == root / "loras" / "wan"
    (root / "scripts").mkdir()
    (root / "scripts" / "args.txt").write_text("--loras C\n")
    assert locate(root, "wan").folder == root / "C" / "wan"


def test_a_config_folder_from_a_start_script(root: Path) -> None:
    (root / "conf").mkdir()
    (root / "conf" / "wgp_config.json").write_text('{"loras_root": "R"}')
    (root / "run.sh").write_text("python wgp.py --config conf\n")
    assert locate(root, "wan").folder == root / "R" / "wan"


def test_pinokio_keeps_its_script_above(tmp_path: Path) -> None:
    app = tmp_path / "wan.git" / "app"
    app.mkdir(parents=True)
    (app / "wgp.py").write_text('"loras_root"')
    (app.parent / "start.js").write_text('message: ["python wgp.py --loras ../L"]\n')
    assert locate(app, "wan").folder == app.parent / "L" / "wan"


def test_without_wgp_py_todays_folders_are_meant(tmp_path: Path) -> None:
    assert locate(tmp_path, "wan").folder == tmp_path / "loras" / "wan"


def test_known_folders_are_those_that_exist(root: Path) -> None:
    assert known_folders(root) == ()
    (root / "loras" / "wan").mkdir(parents=True)
    (root / "loras_i2v").mkdir()
    assert known_folders(root) == (root / "loras" / "wan", root / "loras", root / "loras_i2v")


ONE_FILE = 'return resolve_lora_dir(lora_key, get_lora_root(), args.lora_config)\nconfig["loras_root"]\n'


@pytest.mark.parametrize("written", ["my loras/where.json", "./my loras/where.json"])
def test_one_file_names_the_folders_from_13_0_on(root: Path, written: str) -> None:
    (root / "wgp.py").write_text(ONE_FILE)
    (root / "start.bat").write_text(f'python wgp.py --lora-config "{written}" --lora-dir-wan-i2v gone\n')
    (root / "my loras").mkdir()
    (root / "my loras" / "where.json").write_text(json.dumps({"wan_i2v": "pictures/größe", "wan": ""}), "utf-8")
    found = locate(root, "wan_i2v")
    assert found.folder == root / "my loras" / "pictures" / "größe"
    assert found.why == "--lora-config where.json in a start script"
    # What it does not name stays below the root.
    assert locate(root, "wan").folder == root / "loras" / "wan"


@pytest.mark.parametrize("text", [None, "", "[1]", '{"wan_i2v": 3}', '{"other": "x"}', "\x80"])
def test_a_lora_config_that_says_nothing(root: Path, text: str | None) -> None:
    (root / "wgp.py").write_text(ONE_FILE)
    (root / "start.sh").write_text("python wgp.py --lora-config=where.json\n")
    (root / "wgp_config.json").write_text('{"loras_root": "disk"}')
    if text is not None:
        (root / "where.json").write_bytes(text.encode("latin-1"))
    assert locate(root, "wan_i2v").folder == root / "disk" / "wan_i2v"


def test_releases_before_it_do_not_know_the_file(root: Path) -> None:
    (root / "where.json").write_text('{"wan_i2v": "x"}')
    (root / "start.sh").write_text("python wgp.py --lora-config where.json --lora-dir-wan-i2v mine\n")
    assert locate(root, "wan_i2v").folder == root / "mine"
