from __future__ import annotations

import json
from pathlib import Path

import numpy
import pytest
from safetensors.numpy import save

from svi_install.loras.verify import UnsoundError, check_layout, read_header

from .conftest import TINY, lora_bytes, safetensors


def file(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "lora.safetensors"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("prefix", ["", "pipe.dit.", "diffusion_model."])
@pytest.mark.parametrize("middle", ["", ".default"])
def test_every_way_of_naming_is_known(tmp_path: Path, prefix: str, middle: str) -> None:
    check_layout(read_header(file(tmp_path, lora_bytes(prefix=prefix, middle=middle))), TINY)


def test_a_file_of_the_safetensors_library_is_read(tmp_path: Path) -> None:
    data = save({"a": numpy.zeros((2, 3), numpy.float16), "b": numpy.zeros(5, numpy.float32)}, {"format": "pt"})
    assert dict(read_header(file(tmp_path, data)).shapes) == {"a": (2, 3), "b": (5,)}


@pytest.mark.parametrize("cut", [0, 7, 8, 100, -1])
def test_a_file_that_is_cut_off(tmp_path: Path, cut: int) -> None:
    with pytest.raises(UnsoundError):
        read_header(file(tmp_path, lora_bytes()[:cut]))


def test_a_file_with_something_behind(tmp_path: Path) -> None:
    with pytest.raises(UnsoundError, match="bytes"):
        read_header(file(tmp_path, lora_bytes() + b"x"))


def head(text: bytes, body: int) -> bytes:
    return len(text).to_bytes(8, "little") + text + bytes(body)


@pytest.mark.parametrize(
    "data",
    [
        b"<!DOCTYPE html><html><body>Sign in to your network</body></html>",
        head(b"[1, 2]", 0),
        head(b"{]", 0),
        head(json.dumps({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}).encode(), 4),
        head(json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}).encode(), 8),
        head(json.dumps({"a": {"shape": [1], "data_offsets": [0, 4]}}).encode(), 4),
        head(json.dumps({"a": 3}).encode(), 0),
    ],
)
def test_what_is_no_safetensors_file(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(UnsoundError):
        read_header(file(tmp_path, data))


def test_other_tensors_are_no_svi(tmp_path: Path) -> None:
    with pytest.raises(UnsoundError, match="no tensor of an SVI LoRA"):
        check_layout(read_header(file(tmp_path, safetensors({"blocks.0.modulation": [1, 6]}))), TINY)


def test_another_rank_is_no_svi(tmp_path: Path) -> None:
    with pytest.raises(UnsoundError, match="shape"):
        check_layout(read_header(file(tmp_path, lora_bytes(TINY._replace(rank=3)))), TINY)


def test_fewer_blocks_are_no_svi(tmp_path: Path) -> None:
    with pytest.raises(UnsoundError, match="20 tensors instead of 40"):
        check_layout(read_header(file(tmp_path, lora_bytes(TINY._replace(blocks=1)))), TINY)


def test_more_blocks_are_no_svi(tmp_path: Path) -> None:
    with pytest.raises(UnsoundError, match="2 blocks"):
        check_layout(read_header(file(tmp_path, lora_bytes(TINY._replace(blocks=3)))), TINY)
