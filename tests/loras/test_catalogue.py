from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from svi_install.errors import EXIT_USAGE, SviError
from svi_install.loras import catalogue
from svi_install.loras.catalogue import CATALOGUE, Place, load, place_of
from svi_install.loras.inventory import urls_of
from svi_install.package_data import data_folder


@pytest.fixture
def data() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(CATALOGUE.read_text(encoding="utf-8"))
    return found


def written(tmp_path: Path, data: object) -> Path:
    path = tmp_path / "catalogue.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def test_the_default_is_svi_shot() -> None:
    assert [lora.name for lora in load().select(None)] == ["svi-shot"]
    assert load().select(None)[0].file("fp32").url == (
        "https://huggingface.co/vita-video-gen/svi-model/resolve/main/version-1.0/svi-shot.safetensors"
    )


def test_every_lora_of_every_profile_is_in_the_catalogue_and_in_the_right_folder() -> None:
    known = load()
    seen = 0
    for path in data_folder("profiles").rglob("*.json"):
        for url in urls_of(path.read_bytes()):
            found = known.by_url(url)
            assert found is not None, f"{path.name} names {url}"
            wan22 = "wan_2_2" in path.parts
            assert found[0].folder == ("wan" if wan22 else "wan_i2v"), f"{path.name} names {found[0].name}"
            seen += 1
    assert seen > 0


def test_tensor_bytes_follow_from_the_layout() -> None:
    for lora in load().loras:
        if lora.layout is None:
            continue
        layout = lora.layout
        attention = 8 * 2 * layout.rank * layout.width
        forward = 2 * layout.rank * (layout.width + layout.inner)
        numbers = layout.blocks * (attention + forward)
        for file in lora.files:
            assert file.tensor_bytes == numbers * {"fp32": 4, "fp16": 2}[file.precision], file.filename


def test_what_nobody_has_seen_is_empty_or_well_formed(data: dict[str, Any]) -> None:
    for lora in data["loras"]:
        for file in lora["files"]:
            assert file["sha256"] == "" or (len(file["sha256"]) == 64 and file["size"])
            assert file["commit"] == "" or len(file["commit"]) == 40


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ("svi-shot", ["svi-shot"]),
        ("SVI-Shot", ["svi-shot"]),
        ("svi-2.0-wan22", ["svi-2.0-wan22-high", "svi-2.0-wan22-low"]),
        ("svi-shot.safetensors", ["svi-shot"]),
        ("https://huggingface.co/vita-video-gen/svi-model/resolve/main/version-1.0/svi-tom.safetensors", ["svi-tom"]),
        (
            "https://huggingface.co/DeepBeepMeep/Wan2.2/resolve/main/"
            "SVI_Wan2.2-I2V-A14B_low_noise_lora_v2.0_pro.safetensors|sub",
            ["svi-2.0-pro-low"],
        ),
    ],
)
def test_a_lora_answers_to_its_names(asked: str, names: list[str]) -> None:
    assert [lora.name for lora in load().select([asked])] == names
    assert load().knows(asked)


@pytest.mark.parametrize("asked", ["", "svi", "https://example.org/svi-shot.safetensors"])
def test_an_unknown_name_lists_the_known_ones(asked: str) -> None:
    assert not load().knows(asked)
    with pytest.raises(SviError, match="svi-shot") as caught:
        load().select([asked])
    assert caught.value.exit_code == EXIT_USAGE


def test_a_lora_without_fp16_comes_as_it_was_published() -> None:
    (tom,) = load().select(["svi-tom"])
    assert tom.file("fp16") is tom.files[0]
    (shot,) = load().select(["svi-shot"])
    assert shot.file("fp16").filename == "svi-shot_lora_rank_128_fp16.safetensors"


def test_the_order_is_that_of_the_catalogue_and_nothing_comes_twice() -> None:
    chosen = load().select(["svi-tom", "svi-shot", "svi-shot.safetensors"])
    assert [lora.name for lora in chosen] == ["svi-shot", "svi-tom"]


def test_two_files_may_not_share_a_place(tmp_path: Path, data: dict[str, Any]) -> None:
    data["loras"][1]["files"][0]["path"] = "elsewhere/SVI-Shot.safetensors"
    with pytest.raises(SviError, match="would both be") as caught:
        load(written(tmp_path, data))
    assert caught.value.code == "catalogue-collision"


def test_the_same_base_name_in_two_folders_is_no_collision(tmp_path: Path, data: dict[str, Any]) -> None:
    data["loras"][1]["files"][0]["path"] = "elsewhere/svi-shot.safetensors"
    data["loras"][1]["folder"] = "wan"
    assert len(load(written(tmp_path, data)).loras) == len(data["loras"])


@pytest.mark.parametrize("change", [{"schema": 2}, {"loras": [{}]}, {"layouts": {}}])
def test_a_damaged_catalogue_is_refused(tmp_path: Path, data: dict[str, Any], change: dict[str, Any]) -> None:
    with pytest.raises(SviError) as caught:
        load(written(tmp_path, data | change))
    assert caught.value.code == "catalogue-unreadable"


def test_addresses_are_taken_apart() -> None:
    assert place_of("https://hf-mirror.com/a/b/resolve/main/x/y%20z.bin?download=true") == Place("a/b", "x/y z.bin")
    assert place_of("https://example.org/file.safetensors") is None
    assert Place("a/b", "x/y.bin").url("", "http://m/") == "http://m/a/b/resolve/main/x/y.bin"
    assert catalogue.HUB == "https://huggingface.co"
