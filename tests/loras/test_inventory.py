from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from svi_install.loras import proof
from svi_install.loras.catalogue import load, urls_of, used_by
from svi_install.loras.inventory import Look, known_folders, locate, look, seen, with_present_files
from svi_install.runtime import lora_file

from .conftest import large_lora, safetensors, svi_file

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


(SHOT,) = load().select(["svi-shot"])
FP32, FP16 = SHOT.files


@pytest.fixture
def target(root: Path) -> Path:
    return root / "loras" / "wan_i2v" / FP32.filename


def test_nothing_is_there(root: Path, target: Path) -> None:
    assert look(target) == Look(present=False)
    assert [(one.lora.name, one.file, one.look.present) for one in seen(root)] == [("svi-shot", FP32, False)]


def test_what_could_load_is_there(root: Path, target: Path) -> None:
    svi_file(target)
    assert look(target) == Look(present=True, size=target.stat().st_size)
    assert [(one.path, one.look.present) for one in seen(root)] == [(target, True)]


def test_every_precision_that_is_there_is_seen(root: Path, target: Path) -> None:
    svi_file(target.with_name(FP16.filename), "F16")
    assert [(one.file, one.look.present) for one in seen(root)] == [(FP16, True)]
    svi_file(target)
    assert [one.file for one in seen(root)] == [FP32, FP16]


def test_what_cannot_load_is_not_there(root: Path, target: Path) -> None:
    faults = {}
    for name, make in {
        "empty": lambda: target.write_bytes(b""),
        "a page": lambda: target.write_bytes(b"<html>" * 7000),
        "a byte too few": lambda: svi_file(target, cut=1),
        "half of it": lambda: svi_file(target, cut=1_200_000_000),
        "a model": lambda: target.write_bytes(safetensors({"blocks.0.weight": [4]})),
    }.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        make()
        got = look(target)
        assert not got.present, name
        faults[name] = got.fault
        assert [(one.path, one.look.fault) for one in seen(root)] == [(target, got.fault)]
    assert faults == {
        "empty": "is empty",
        "a page": "is not a safetensors file",
        "a byte too few": faults["a byte too few"],
        "half of it": faults["half of it"],
        "a model": "is not a LoRA: it contains no LoRA matrices",
    }
    assert faults["half of it"].startswith("is cut: 1,25")
    assert faults["half of it"].endswith(" bytes are there")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pipes with names")
def test_what_is_no_file_is_not_waited_for(target: Path) -> None:
    target.parent.mkdir(parents=True)
    target.mkdir()
    assert look(target) == Look(present=False, fault="is not a file")
    target.rmdir()
    os.mkfifo(target)
    assert look(target).fault == "is not a file"
    target.unlink()
    target.symlink_to("nothing")
    assert look(target).fault == "is a link to a file that does not exist"
    target.unlink()
    target.symlink_to(target.name)
    assert "cannot be read" in look(target).fault


def test_a_lora_of_a_persons_own_under_that_name_is_there_too(target: Path) -> None:
    target.parent.mkdir(parents=True)
    target.write_bytes(large_lora(4000))
    assert look(target).present


def test_a_link_to_a_lora_is_one(target: Path) -> None:
    elsewhere = svi_file(target.with_name("elsewhere.safetensors"))
    target.symlink_to(elsewhere)
    assert look(target).present


def test_only_heads_are_read(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is a hole of 2.3 GB: whoever reads it all is noticed by the bytes that are asked for."""
    svi_file(target)
    asked = []
    real = os.fdopen

    class Counting:
        def __init__(self, fd: int, *args: object, **options: object) -> None:
            self._file = real(fd, *args, **options)  # type: ignore[call-overload]

        def __enter__(self) -> Counting:
            return self

        def __exit__(self, *_: object) -> None:
            self._file.close()

        def read(self, count: int) -> bytes:
            asked.append(count)
            found: bytes = self._file.read(count)
            return found

    monkeypatch.setattr(os, "fdopen", Counting)
    assert look(target).present
    assert 0 < sum(asked) < 200_000


def test_a_changed_file_is_looked_at_again(target: Path) -> None:
    svi_file(target)
    assert look(target).present
    os.truncate(target, 5000)
    assert not look(target).present


def test_there_is_one_reader_and_it_brings_nothing_of_the_runtime_with_it() -> None:
    assert proof.lora_file is lora_file
    script = (
        "import sys; from svi_install.loras import proof; assert 'svi_install.runtime' not in sys.modules; "
        "from svi_install.runtime import lora_file; assert lora_file is proof.lora_file"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


FP32, FP16 = (file for file in load().select(["svi-shot"])[0].files)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"{}", b'{"activated_loras": "x"}', b'{"activated_loras": [3]}'])
def test_what_names_no_lora(text: bytes) -> None:
    assert urls_of(text) == ()


def test_the_packages_own_profiles_use_svi_shot() -> None:
    assert any("Shot" in profile for profile in used_by(load())["svi-shot"])
    assert used_by(load())["svi-film-transitions"] == ()


def test_profiles_of_a_folder(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / f"{name}.json").write_text(json.dumps({"activated_loras": [FP32.url, "https://example.org/x"]}))
    assert used_by(load(), tmp_path)["svi-shot"] == ("a", "b")


def profile(url: str) -> bytes:
    return json.dumps({"activated_loras": [url, "https://example.org/x"], "help": "text"}, indent=4).encode()


def there(root: Path, name: str) -> None:
    svi_file(root / "loras" / "wan_i2v" / name, "F16" if name == FP16.filename else "F32")


def test_a_profile_stays_as_it_is_when_nothing_is_there(root: Path) -> None:
    assert with_present_files(root, profile(FP32.url)) == profile(FP32.url)


def test_a_profile_names_the_precision_that_is_there(root: Path) -> None:
    there(root, FP16.filename)
    assert with_present_files(root, profile(FP32.url)) == profile(FP16.url)


def test_a_profile_keeps_its_own_choice_when_both_are_there(root: Path) -> None:
    there(root, FP16.filename)
    there(root, FP32.filename)
    assert with_present_files(root, profile(FP32.url)) == profile(FP32.url)


def test_another_address_of_the_same_file_stays(root: Path) -> None:
    (high,) = load().select(["svi-2.0-pro-high"])
    mirror = high.files[0].mirrors[0].url()
    assert with_present_files(root, profile(mirror)) == profile(mirror)
