from __future__ import annotations

import pytest

from svi_install.runtime import lora_keys

PARTS = ("cross_attn.k", "self_attn.o", "ffn.0")


def names(template: str) -> list[str]:
    return [template.format(part=part, side=side) for part in PARTS for side in "AB"]


@pytest.mark.parametrize(
    "template",
    [
        "pipe.dit.blocks.0.{part}.lora_{side}.default.weight",
        "pipe.dit.blocks.0.{part}.lora_{side}.weight",
        "blocks.0.{part}.lora_{side}.default.weight",
    ],
)
def test_svi_names(template: str) -> None:
    tensors = {name: object() for name in names(template)}
    renamed = lora_keys(tensors)
    assert list(renamed) == names("blocks.0.{part}.lora_{side}.weight")
    assert list(renamed.values()) == list(tensors.values())


@pytest.mark.parametrize(
    "template",
    [
        "diffusion_model.blocks.0.{part}.lora_{side}.weight",
        "blocks.0.{part}.lora_{side}.weight",
        "lora_unet_blocks_0_{part}.lora_{side}.alpha",
        "blocks.0.default.{part}.diff_{side}",
    ],
)
def test_other_loras_pass_untouched(template: str) -> None:
    tensors = {name: object() for name in names(template)}
    assert lora_keys(tensors) is tensors


def test_empty() -> None:
    assert lora_keys({}) == {}


def test_other_tensors_keep_their_name_for_the_loader_to_refuse() -> None:
    tensors = {"pipe.dit.blocks.0.ffn.0.lora_A.default.weight": 1, "pipe.dit.pose.default.proj.weight": 2}
    assert list(lora_keys(tensors)) == ["blocks.0.ffn.0.lora_A.weight", "pose.default.proj.weight"]


def test_two_tensors_of_one_name() -> None:
    tensors = {"pipe.dit.a.lora_A.default.weight": 1, "a.lora_A.weight": 2}
    with pytest.raises(ValueError, match=r"a\.lora_A\.weight"):
        lora_keys(tensors)
