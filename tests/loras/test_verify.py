from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from svi_install.loras.catalogue import Lora, LoraFile, Place, load
from svi_install.loras.header import Unsound, read
from svi_install.loras.verify import check_layout, examine

from ..runtime.test_lora_file import TWO, gguf
from .conftest import TINY, lora_bytes, safetensors, svi_file


def file(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "lora.safetensors"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("prefix", ["", "pipe.dit.", "diffusion_model."])
@pytest.mark.parametrize("middle", ["", ".default"])
def test_every_way_of_naming_is_known(tmp_path: Path, prefix: str, middle: str) -> None:
    check_layout(read(file(tmp_path, lora_bytes(prefix=prefix, middle=middle))), TINY)


def test_other_tensors_are_no_svi(tmp_path: Path) -> None:
    with pytest.raises(Unsound, match="no tensor of an SVI LoRA"):
        check_layout(read(file(tmp_path, safetensors({"blocks.0.modulation": [1, 6]}))), TINY)


def test_another_rank_is_no_svi(tmp_path: Path) -> None:
    with pytest.raises(Unsound, match="shape"):
        check_layout(read(file(tmp_path, lora_bytes(TINY._replace(rank=3)))), TINY)


def test_fewer_blocks_are_no_svi(tmp_path: Path) -> None:
    with pytest.raises(Unsound, match="20 tensors instead of 40"):
        check_layout(read(file(tmp_path, lora_bytes(TINY._replace(blocks=1)))), TINY)


def test_more_blocks_are_no_svi(tmp_path: Path) -> None:
    with pytest.raises(Unsound, match="2 blocks"):
        check_layout(read(file(tmp_path, lora_bytes(TINY._replace(blocks=3)))), TINY)


def test_a_hostile_name_is_shown_harmlessly(tmp_path: Path) -> None:
    with pytest.raises(Unsound) as caught:
        check_layout(read(file(tmp_path, safetensors({"\x1b[2J\ud800" + "x" * 5000: [1]}))), TINY)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200


WANTED = LoraFile("fp32", Place("owner/name", "svi.safetensors"), dtype="F32")
LORA = Lora("svi", "", "SVI", "wan", "1.0", TINY, (WANTED,))


def data_bytes() -> int:
    return len(lora_bytes()) - 8 - int.from_bytes(lora_bytes()[:8], "little")


def test_all_that_is_known_is_compared(tmp_path: Path) -> None:
    path = file(tmp_path, lora_bytes())
    size = len(lora_bytes())
    for changes in ({}, {"size": size}, {"tensor_bytes": data_bytes()}, {"dtype": ""}):
        assert examine(path, LORA, WANTED._replace(**changes)).size == size


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"size": 5}, "bytes instead of 5"),
        ({"tensor_bytes": 5}, "bytes of tensors instead of 5"),
        ({"dtype": "F16"}, "numbers are F32 instead of F16"),
        ({"place": Place("owner/name", "svi.gguf")}, "is not a GGUF file"),
    ],
)
def test_another_file_is_told_from_the_right_one(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(Unsound, match=said):
        examine(file(tmp_path, lora_bytes()), LORA, WANTED._replace(**changes))


def test_a_lora_without_a_known_layout_holds_matrices_at_least(tmp_path: Path) -> None:
    other = LORA._replace(layout=None)
    assert examine(file(tmp_path, lora_bytes()), other, WANTED).kind == "safetensors"
    with pytest.raises(Unsound, match="no LoRA matrices"):
        examine(file(tmp_path, safetensors({"blocks.0.weight": [4]})), other, WANTED)


def test_a_model_where_a_lora_should_be(tmp_path: Path) -> None:
    with pytest.raises(Unsound, match="is not a safetensors file"):
        examine(file(tmp_path, gguf(TWO, body=172)), LORA, WANTED)


@pytest.mark.parametrize("dtype", ["F32", "F16"])
def test_the_real_catalogue_takes_files_of_the_real_layout(tmp_path: Path, dtype: str) -> None:
    for lora in load().loras:
        for wanted in lora.files:
            if lora.layout is not None and wanted.dtype == dtype:
                path = svi_file(tmp_path / wanted.filename, dtype)
                assert examine(path, lora, wanted).tensor_bytes == wanted.tensor_bytes
                os.truncate(path, path.stat().st_size - 1)
                with pytest.raises(Unsound, match=r"is cut: [0-9,]+ of [0-9,]+ bytes"):
                    examine(path, lora, wanted)
