from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from svi_install.runtime import loras

HUB = "https://host/vita-video-gen/svi-model/resolve/main/"


@pytest.mark.parametrize(
    ("file", "variant"),
    [
        ("svi-shot.safetensors", "shot"),
        ("svi-shot_lora_rank_128_fp16.safetensors", "shot"),
        ("svi-film-opt-10212025.safetensors", "film"),
        ("svi-film-transitions.safetensors", "film"),
        ("svi-tom.safetensors", "tom"),
        ("svi-talk.safetensors", "talk"),
        ("svi-dance.safetensors", "dance"),
        ("SVI_Wan2.1-I2V-14B_lora_v2.0.safetensors", "2.0"),
        ("SVI_Wan2.2-I2V-A14B_high_noise_lora_v2.0.safetensors", "2.0"),
        ("SVI_Wan2.2-I2V-A14B_low_noise_lora_v2.0_pro.safetensors", "2.0 Pro"),
        ("SVI_v2_PRO_Wan2.2-I2V-A14B_HIGH_lora_rank_128_fp16.safetensors", "2.0 Pro"),
        ("my svi experiment.safetensors", None),
    ],
)
def test_the_name_says_the_variant(file: str, variant: str | None) -> None:
    assert loras.variant_of(file) == variant


@pytest.mark.parametrize(
    ("files", "variant", "architecture", "wrong"),
    [
        (["svi-shot.safetensors"], "shot", "i2v", 0),
        (["svi-shot.safetensors"], "2.0", "i2v", 1),
        (["svi-shot.safetensors", "SVI_Wan2.1-I2V-14B_lora_v2.0.safetensors"], "2.0", "i2v", 0),
        (["SVI_Wan2.1-I2V-14B_lora_v2.0.safetensors"], "2.0", "i2v_2_2", 1),
        (["SVI_Wan2.2-I2V-A14B_high_noise_lora_v2.0.safetensors"], "2.0", "i2v_2_2", 0),
        (["SVI_Wan2.2-I2V-A14B_high_noise_lora_v2.0.safetensors"], "2.0", "i2v", 1),
        (["my svi.safetensors"], "film", "i2v", 0),
        ([], "film", "i2v", 0),
    ],
)
def test_what_does_not_fit(files: list[str], variant: str, architecture: str, wrong: int) -> None:
    assert len(loras.misfits(files, variant, architecture)) == wrong


def test_every_profile_fits_its_own_loras() -> None:
    profiles = Path(__file__).resolve().parents[2] / "profiles"
    files = sorted(profiles.rglob("*.json"))
    assert len(files) == 11
    for file in files:
        settings = json.loads(file.read_text("utf-8"))
        architecture = "i2v_2_2" if file.parent.name == "wan_2_2" else "i2v"
        names = loras.svi_loras(settings["activated_loras"])
        assert names
        assert not loras.misfits(names, settings["svi_variant"], architecture), file.name


def test_file_names() -> None:
    given = [HUB + "svi-shot.safetensors?download=true", "C:\\loras\\a.safetensors", "sub/b.safetensors", f"{HUB}c|d"]
    assert loras.file_names(given) == ["svi-shot.safetensors", "a.safetensors", "b.safetensors", "c"]
    assert loras.file_names("one.safetensors") == ["one.safetensors"]
    assert loras.file_names(None) == []


def lora(path: Path) -> Path:
    data = b"\0" * 16
    head = json.dumps({"blocks.0.q.lora_A.weight": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()
    path.write_bytes(struct.pack("<Q", len(head)) + head + data)
    return path


def damaged(kind: str, path: Path) -> Path:
    whole = lora(path).read_bytes()
    path.write_bytes({"empty": b"", "cut": whole[:-1], "text": b"<html>404</html>" * 50}[kind])
    return path


@pytest.mark.parametrize("kind", ["empty", "cut", "text"])
@pytest.mark.parametrize("written", ["name", "path", "address"])
def test_a_file_that_cannot_load_is_found(tmp_path: Path, kind: str, written: str) -> None:
    path = damaged(kind, tmp_path / "svi-shot.safetensors")
    namespace: dict[str, Any] = {"get_lora_dir": lambda model_type: str(tmp_path)}
    named = {"name": path.name, "path": str(path), "address": HUB + path.name}[written]
    found = loras.broken(namespace, "i2v", ["other.safetensors", named])
    assert found is not None
    assert found[0] == path
    assert found[1]


def test_what_is_whole_or_not_there_or_not_svis_is_let_through(tmp_path: Path) -> None:
    namespace: dict[str, Any] = {"get_lora_dir": lambda model_type: str(tmp_path)}
    lora(tmp_path / "svi-shot.safetensors")
    (tmp_path / "other.safetensors").write_bytes(b"")
    chosen = ["svi-shot.safetensors", "other.safetensors", HUB + "svi-tom.safetensors"]
    assert loras.broken(namespace, "i2v", chosen) is None
    assert loras.broken(namespace, "i2v", None) is None
    assert loras.broken({}, "i2v", chosen) is None
