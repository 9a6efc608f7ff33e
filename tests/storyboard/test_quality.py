from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from svi_install import loras
from svi_install.errors import EXIT_DOWNLOAD, SviError
from svi_install.loras.hub import from_environment
from svi_install.loras.transfer.progress import no_report
from svi_install.storyboard.headless import quality
from svi_install.storyboard.headless.hardware import QUALITIES
from svi_install.storyboard.headless.wangp import WanGP, find
from svi_install.storyboard.script.variants import variant_of
from tests.loras.conftest import svi_file

from . import standin


@pytest.fixture
def wangp(tmp_path: Path) -> WanGP:
    return find(standin.make(tmp_path / "WanGP"), env={})


@pytest.mark.parametrize("name", QUALITIES)
def test_wan_21(wangp: WanGP, name: str) -> None:
    model = quality.model_of(variant_of("shot"), name, wangp)
    assert model.definition["model"]["architecture"] == "i2v"
    (url,) = model.definition["model"]["URLs"]
    assert url.endswith(f"/wan2.1-i2v-14b-480p-{name}.gguf")
    assert "URLs2" not in model.definition["model"]
    assert model.files[0] == (url, url.rsplit("/", 1)[-1])


def test_wan_22_has_two_experts(wangp: WanGP) -> None:
    made = quality.model_of(variant_of("wan22"), "Q6_K", wangp).definition["model"]
    assert made["architecture"] == "i2v_2_2"
    assert "HighNoise-Q6_K" in made["URLs"][0]
    assert "LowNoise-Q6_K" in made["URLs2"][0]


def test_pro_keeps_wangps_own_loras(wangp: WanGP) -> None:
    made = quality.model_of(variant_of("pro"), "Q4_K_M", wangp).definition["model"]
    assert (made["architecture"], made["loras"], made["loras_multipliers"]) == ("i2v_2_2_svi2pro", ["pro"], ["1"])


def test_the_text_encoder_only_where_it_can_be_read(wangp: WanGP) -> None:
    made = quality.model_of(variant_of("shot"), "Q4_K_M", wangp)
    assert made.definition["model"]["text_encoder_URLs"][0].endswith("umt5-xxl-encoder-Q5_K_M.gguf")
    assert made.files[1][1] == "umt5-xxl/umt5-xxl-encoder-Q5_K_M.gguf"
    (wangp.root / quality.TEXT_READER).write_text("import torch\n")
    plain = quality.model_of(variant_of("shot"), "Q4_K_M", wangp)
    assert "text_encoder_URLs" not in plain.definition["model"]
    assert len(plain.files) == 1


def test_a_wangp_without_gguf(wangp: WanGP) -> None:
    with pytest.raises(SviError) as caught:
        quality.model_of(variant_of("shot"), "Q4_K_M", replace(wangp, gguf=False))
    assert (caught.value.code, caught.value.exit_code) == ("no-gguf", 4)


def test_the_definition_is_written_once(wangp: WanGP) -> None:
    model = quality.model_of(variant_of("shot"), "Q4_K_M", wangp)
    assert quality.define(wangp.root, model) is True
    path = wangp.root / "finetunes/svi_i2v_q4_k_m.json"
    assert json.loads(path.read_text()) == model.definition
    assert quality.define(wangp.root, model) is False
    path.write_text("{}")
    with pytest.raises(SviError, match="not written by svi-install"):
        quality.define(wangp.root, model)
    assert path.read_text() == "{}"
    path.write_text('{"model": {"description": "Added by svi-install, an older one"}}')
    assert quality.define(wangp.root, model) is True


def test_definitions_are_told_from_those_of_a_person(wangp: WanGP) -> None:
    assert quality.definitions(wangp.root) == {}
    models = [quality.model_of(variant_of(name), "Q6_K", wangp) for name in ("film", "wan22", "pro")]
    for model in models:
        quality.define(wangp.root, model)
    found = quality.definitions(wangp.root)
    assert set(found) == {f"finetunes/{model.name}.json" for model in models}
    path = wangp.root / "finetunes" / f"{models[0].name}.json"
    path.write_bytes(path.read_bytes().replace(b"Added by svi-install", b"Changed by me"))
    (wangp.root / "finetunes" / "svi_mine.json").write_text("{}")
    assert set(quality.definitions(wangp.root)) == {f"finetunes/{model.name}.json" for model in models[1:]}


def test_definitions_in_a_wangp_without_pro(wangp: WanGP) -> None:
    quality.define(wangp.root, quality.model_of(variant_of("shot"), "Q8_0", wangp))
    (wangp.root / "defaults/i2v_2_2_svi2pro.json").unlink()
    assert set(quality.definitions(wangp.root)) == {"finetunes/svi_i2v_q8_0.json"}


def test_where_the_files_belong(wangp: WanGP) -> None:
    model = quality.model_of(variant_of("shot"), "Q4_K_M", wangp)
    assert [need.target.parent.name for need in quality.needs(wangp.root, model)] == ["ckpts", "umt5-xxl"]
    (wangp.root / "wgp_config.json").write_text('{"checkpoints_paths": ["weights", "."]}')
    first = quality.needs(wangp.root, model)[0].target
    assert first.parent == wangp.root / "weights"
    first.parent.mkdir()
    first.write_bytes(b"GGUF")
    assert [need.present for need in quality.needs(wangp.root, model)] == [True, False]


def test_files_that_are_there_are_not_fetched(wangp: WanGP) -> None:
    model = quality.model_of(variant_of("shot"), "Q4_K_M", wangp)
    for need in quality.needs(wangp.root, model):
        need.target.parent.mkdir(parents=True, exist_ok=True)
        need.target.write_bytes(b"GGUF")
    offline = replace(from_environment(), offline=True)
    assert quality.fetch(wangp.root, model, no_report, offline) == ()


def test_missing_files_while_offline(wangp: WanGP) -> None:
    model = quality.model_of(variant_of("shot"), "Q4_K_M", wangp)
    offline = replace(from_environment(), offline=True)
    with pytest.raises(SviError) as caught:
        quality.fetch(wangp.root, model, no_report, offline)
    assert caught.value.exit_code == EXIT_DOWNLOAD


def test_loras_of_the_catalogue_that_are_missing(wangp: WanGP) -> None:
    names = variant_of("shot").settings["activated_loras"]
    found = loras.missing(wangp.root, [*names, *names, "mine.safetensors", "https://elsewhere/x.safetensors"])
    assert found == (("svi-shot", "fp32"),)
    target = wangp.root / "loras/wan_i2v/svi-shot.safetensors"
    target.write_bytes(b"")
    assert loras.missing(wangp.root, names) == (("svi-shot", "fp32"),)
    svi_file(target)
    assert loras.missing(wangp.root, names) == ()


def test_each_profile_names_loras_that_can_be_fetched(wangp: WanGP) -> None:
    for name in ("shot", "2.0", "film", "tom", "wan22", "SVI-Shot LightX2V - 4 Steps", "SVI-2.0 Lightning - 4 Steps"):
        names = variant_of(name).settings["activated_loras"]
        assert len(loras.missing(wangp.root, names)) == len(names), name
