from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy
import pytest
import safetensors
from safetensors.numpy import save

from svi_install.runtime import lora_file
from svi_install.runtime.lora_file import LARGEST_LIST, Unsound, problem, read

NAMES = [f"blocks.0.ffn.{half}.lora_{side}.weight" for half in (0, 2) for side in "AB"]


def sound() -> bytes:
    return save({name: numpy.zeros((2, 3), numpy.float16) for name in NAMES}, {"format": "pt"})


def file(tmp_path: Path, data: bytes, name: str = "lora.safetensors") -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


def head(listed: object, body: int = 0, behind: bytes = b"") -> bytes:
    text = listed if isinstance(listed, bytes) else json.dumps(listed).encode()
    return len(text).to_bytes(8, "little") + text + bytes(body) + behind


def entry(**changes: object) -> dict[str, object]:
    return {"dtype": "F32", "shape": [1], "data_offsets": [0, 4], **changes}


def one(**changes: object) -> bytes:
    return head({"lora_A": entry(**changes)}, 4)


def test_a_file_of_the_safetensors_library(tmp_path: Path) -> None:
    path = file(tmp_path, sound())
    assert problem(path) is None
    found = read(path)
    assert (found.kind, sorted(found.tensors), found.size) == ("safetensors", NAMES, len(sound()))
    assert found.tensors[NAMES[0]] == ("F16", (2, 3), 0, 12)
    assert found.tensor_bytes == 48


@pytest.mark.parametrize("kind", sorted(lora_file._BITS))
def test_every_kind_of_number_is_measured_as_the_library_does(tmp_path: Path, kind: str) -> None:
    width = lora_file._BITS[kind]
    for count in (0, 1, 2, 3, 4, 8):
        for size in range(count * width // 8 + 2):
            data = head({"lora_A": {"dtype": kind, "shape": [count], "data_offsets": [0, size]}}, size)
            assert (problem(file(tmp_path, data)) is None) == accepts(data, tmp_path), (kind, count, size)


def accepts(data: bytes, tmp_path: Path) -> bool:
    return opens(file(tmp_path, data, "asked"))


def opens(path: Path) -> bool:
    """Ask the library itself whether a file is well-formed."""
    try:
        with safetensors.safe_open(path, framework="numpy"):
            return True
    except (safetensors.SafetensorError, OSError):
        return False


@pytest.mark.parametrize("name", ["a.diff", "a.diff_b", "x.diff_m", "lora_unet_a.lora_down.weight", "a.LoRA_up.weight"])
def test_names_of_lora_matrices(tmp_path: Path, name: str) -> None:
    assert problem(file(tmp_path, head({name: entry()}, 4))) is None


def test_a_model_is_no_lora(tmp_path: Path) -> None:
    for listed in ({"blocks.0.weight": entry()}, {"a.different": entry()}):
        assert problem(file(tmp_path, head(listed, 4))) == "is not a LoRA: it contains no LoRA matrices"
    assert problem(file(tmp_path, head({}))) == "is not a LoRA: it contains no LoRA matrices"


def test_what_is_said(tmp_path: Path) -> None:
    whole = sound()
    assert problem(tmp_path / "gone.safetensors") == "is not there"
    assert problem(tmp_path) == "is not a file"
    assert problem(file(tmp_path, b"")) == "is empty"
    assert problem(file(tmp_path, whole[:-7])) == f"is cut: {len(whole) - 7:,} of {len(whole):,} bytes are there"
    assert problem(file(tmp_path, whole[:100])) == "is cut: 100 bytes are there, less than its list of tensors"
    assert "is too long" in str(problem(file(tmp_path, whole + b"x")))
    for text in (
        b"<!DOCTYPE html><html><body>Sign in</body></html>",
        bytes(5000),
        b"short",
        b"version https://git-lfs",
    ):
        assert problem(file(tmp_path, text)) == "is not a safetensors file"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
def test_a_pipe_and_a_device_are_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "lora.safetensors"
    os.mkfifo(pipe)
    assert problem(pipe) == "is not a file"
    assert problem(Path("/dev/zero")) == "is not a file"


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="nothing is closed to root")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = file(tmp_path, sound())
    path.chmod(0)
    assert problem(path) == "cannot be read (Permission denied)"


HOSTILE = {
    "list": head([1, 2]),
    "number": head(b"12"),
    "no JSON": head(b"{]"),
    "UTF-16": head('{"lora_A": 1}'.encode("utf-16")),
    "not UTF-8": head(b'{"lora_\xff": 1}'),
    "byte order mark": head(b'\xef\xbb\xbf{"lora_A": 1}'),
    "tensor is a number": head({"lora_A": 3}),
    "tensor is a list": head({"lora_A": [1]}),
    "no dtype": head({"lora_A": {"shape": [1], "data_offsets": [0, 4]}}, 4),
    "no shape": head({"lora_A": {"dtype": "F32", "data_offsets": [0, 4]}}, 4),
    "no offsets": head({"lora_A": {"dtype": "F32", "shape": [1]}}, 4),
    "unknown dtype": one(dtype="F1000"),
    "dtype is a list": one(dtype=["F32"]),
    "shape is a number": one(shape=1),
    "shape is a text": one(shape="1"),
    "shape holds a text": one(shape=["1"]),
    "shape holds true": one(shape=[True]),
    "shape holds a fraction": one(shape=[1.0]),
    "shape is negative": one(shape=[-1]),
    "shape is negative twice": one(shape=[-1, -1]),
    "shape is huge": one(shape=[10**17] * 8),
    "shape has too many sides": one(shape=[1] * 5000),
    "shape has a huge number": head(b'{"lora_A":{"dtype":"F32","shape":[' + b"9" * 100_000 + b"]}}"),
    "one offset": one(data_offsets=[0]),
    "three offsets": one(data_offsets=[0, 4, 8]),
    "offsets are a text": one(data_offsets="04"),
    "offsets hold true": head({"lora_A": entry(dtype="U8", data_offsets=[False, True])}, 1),
    "offsets backwards": one(data_offsets=[4, 0]),
    "offset is negative": one(data_offsets=[-4, 0]),
    "begins late": head({"lora_A": entry(data_offsets=[4, 8])}, 8),
    "gap": head({"lora_A": entry(), "lora_B": entry(data_offsets=[8, 12])}, 12),
    "overlap": head({"lora_A": entry(), "lora_B": entry(data_offsets=[0, 4])}, 4),
    "half overlap": head({"lora_A": entry(), "lora_B": entry(data_offsets=[2, 6])}, 6),
    "size does not fit the shape": one(shape=[2]),
    "same name twice": head(
        b'{"lora_A":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
        b'"lora_A":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}',
        8,
    ),
    "notes are a list": head({"__metadata__": [], "lora_A": entry()}, 4),
    "notes hold a number": head({"__metadata__": {"rank": 4}, "lora_A": entry()}, 4),
    "not a number": head(b'{"lora_A":{"dtype":"F32","shape":[NaN],"data_offsets":[0,4]}}', 4),
    "infinity": head(b'{"lora_A":{"dtype":"F32","shape":[1e999],"data_offsets":[0,4]}}', 4),
    "deep lists": head(b'{"a":' + b"[" * 100_000),
    "deep objects": head(b'{"a":' * 100_000),
    "a million objects": head(b'{"a":[' + b"{}," * 1_000_000 + b"{}]}"),
    "a million numbers": head(b'{"a":[' + b"1," * 1_000_000 + b"1]}"),
    "megabytes of a text": head(b'{"lora_A":"' + b"x" * (LARGEST_LIST - 100) + b'"}'),
    "list larger than any": head(b"{" + b" " * LARGEST_LIST),
    "length beyond the format": (100_000_001).to_bytes(8, "little") + b"{}",
    "largest length": b"\xff" * 8 + b"{}",
    "length 0": bytes(8) + b"{}",
    "length 1": (1).to_bytes(8, "little") + b"{",
    "list without its end": (50).to_bytes(8, "little") + b"{",
    "only a length": (50).to_bytes(8, "little"),
    "blank before the list": head(b' {"lora_A":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', 4),
    "zero bytes behind the list": head(b'{"lora_A":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}\0', 4),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_heads_are_refused_in_a_short_sentence(tmp_path: Path, what: str) -> None:
    said = problem(file(tmp_path, HOSTILE[what]))
    assert said is not None
    assert 0 < len(said) < 120
    assert said.isprintable()


def test_blanks_behind_the_list_are_part_of_the_format(tmp_path: Path) -> None:
    data = head(json.dumps({"lora_A": entry()}).encode() + b"   ", 4)
    assert accepts(data, tmp_path)
    assert problem(file(tmp_path, data)) is None


def flipped(path: Path, stop: int) -> Iterator[tuple[int, int]]:
    """Change every bit of the first bytes of a file, one at a time."""
    whole = path.read_bytes()
    with path.open("r+b", buffering=0) as writer:
        for at in range(stop):
            for bit in range(8):
                writer.seek(at)
                writer.write(bytes([whole[at] ^ 1 << bit]))
                yield at, bit
            writer.seek(at)
            writer.write(whole[at : at + 1])


def test_no_changed_byte_of_the_head_passes_that_the_library_refuses(tmp_path: Path) -> None:
    """Every bit of every byte, one at a time; asking the library is the check on ours."""
    whole = save({name: numpy.zeros((2, 3), numpy.float16) for name in NAMES[:2]}, {"format": "pt"})
    path = file(tmp_path, whole)
    length = 8 + int.from_bytes(whole[:8], "little")
    passed = 0
    for at, bit in flipped(path, length):
        if problem(path) is None:
            passed += 1
            assert opens(path), (at, bit)
    # A letter in the name of a tensor may change; most of the rest may not.
    assert 0 < passed < length * 8 / 2


@pytest.mark.skipif(sys.platform == "win32", reason="limits of memory are set as Unix does")
def test_the_worst_lists_take_little_memory(tmp_path: Path) -> None:
    worst = [b"{}," * (LARGEST_LIST // 3 - 10), b"[]," * (LARGEST_LIST // 3 - 10), b'"",' * (LARGEST_LIST // 3 - 10)]
    for number, items in enumerate(worst):
        path = file(tmp_path, head(b'{"a":[' + items + b"0]}"), f"{number}.safetensors")
        program = (
            "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30));"
            "from pathlib import Path; from svi_install.runtime.lora_file import problem;"
            "print(problem(Path(sys.argv[1])))"
        )
        result = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
        assert result.stdout == "is damaged: its list of tensors cannot be read\n"


# GGUF ------------------------------------------------------------------------------------------------------------


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def gguf(
    tensors: list[tuple[str, tuple[int, ...], int, int]],
    notes: bytes = b"",
    count: int = 0,
    *,
    version: int = 3,
    body: int = 0,
    alignment: int = 32,
) -> bytes:
    listed = b"".join(
        text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)
        for name, shape, kind, offset in tensors
    )
    data = b"GGUF" + struct.pack("<IQQ", version, len(tensors), count) + notes + listed
    return data + bytes(-len(data) % alignment) + bytes(body)


def note(name: str, kind: int, value: bytes) -> bytes:
    return text(name) + struct.pack("<I", kind) + value


# 256 values of Q4_K take 144 bytes, which fill up to 160; 3 values of F32 take 12.
TWO = [("a", (256,), 12, 0), ("b", (3,), 0, 160)]
NOTES = (
    note("general.architecture", 8, text("wan"))
    + note("general.size", 10, bytes(8))
    + note("tokens", 9, struct.pack("<IQ", 8, 2) + text("one") + text("two"))
    + note("scores", 9, struct.pack("<IQ", 6, 3) + bytes(12))
    + note("nested", 9, struct.pack("<IQ", 9, 1) + struct.pack("<IQ", 4, 2) + bytes(8))
)


@pytest.mark.parametrize("body", [172, 192])
def test_a_gguf_file(tmp_path: Path, body: int) -> None:
    path = file(tmp_path, gguf(TWO, NOTES, 5, body=body), "model.gguf")
    assert problem(path) is None
    found = read(path)
    assert found.kind == "gguf"
    assert dict(found.tensors) == {"a": ("Q4_K", (256,), 0, 144), "b": ("F32", (3,), 160, 172)}
    assert found.tensor_bytes == body


def test_a_gguf_file_with_an_alignment_of_its_own(tmp_path: Path) -> None:
    aligned = note("general.alignment", 4, struct.pack("<I", 64))
    tensors = [("a", (256,), 12, 0), ("b", (3,), 0, 192)]
    assert problem(file(tmp_path, gguf(tensors, aligned, 1, body=204, alignment=64), "model.gguf")) is None


def test_names_and_content_must_agree(tmp_path: Path) -> None:
    assert problem(file(tmp_path, gguf(TWO, body=172))) == "is a GGUF file, but its name says otherwise"
    assert problem(file(tmp_path, sound(), "model.gguf")) == "is not a GGUF file"


def test_what_is_said_of_gguf_files(tmp_path: Path) -> None:
    whole = gguf(TWO, NOTES, 5, body=192)
    path = file(tmp_path, whole[:-30], "model.gguf")
    assert problem(path) == f"is cut: {len(whole) - 30:,} of {len(whole) - 20:,} bytes are there"
    assert "is too long" in str(problem(file(tmp_path, whole + b"x", "model.gguf")))


DAMAGED = {
    "version": gguf(TWO, version=1, body=192),
    "other end first": b"GGUF" + struct.pack(">IQQ", 3, 2, 0) + bytes(100),
    "no tensors": gguf([], body=192),
    "only a magic": b"GGUF",
    "tensors without end": b"GGUF" + struct.pack("<IQQ", 3, 1 << 60, 0) + bytes(100),
    "notes without end": b"GGUF" + struct.pack("<IQQ", 3, 1, 1 << 60) + bytes(100),
    "unknown quantization": gguf([("a", (256,), 99, 0)], body=192),
    "half a block": gguf([("a", (255,), 12, 0)], body=192),
    "huge sides": gguf([("a", (1 << 60, 1 << 60), 0, 0)], body=192),
    "too many sides": gguf([("a", (1,) * 99, 0, 0)], body=192),
    "same name twice": gguf([("a", (8,), 0, 0), ("a", (8,), 0, 32)], body=64),
    "gap": gguf([("a", (8,), 0, 0), ("b", (8,), 0, 64)], body=96),
    "overlap": gguf([("a", (16,), 0, 0), ("b", (8,), 0, 32)], body=64),
    "long name": b"GGUF" + struct.pack("<IQQQ", 3, 1, 0, 1 << 40) + bytes(100),
    "unknown note": gguf(TWO, note("x", 77, b""), 1, body=192),
    "text without end": gguf(TWO, note("x", 8, struct.pack("<Q", 1 << 62)), 1, body=192),
    "numbers without end": gguf(TWO, note("x", 9, struct.pack("<IQ", 4, 1 << 62)), 1, body=192),
    "texts without end": gguf(TWO, note("x", 9, struct.pack("<IQ", 8, 1 << 62)), 1, body=192) + bytes(1 << 20),
    "lists in lists": gguf(TWO, note("x", 9, struct.pack("<IQ", 9, 1) * 50), 1, body=192),
    "no alignment": gguf(TWO, note("general.alignment", 4, bytes(4)), 1, body=192),
    "alignment is a text": gguf(TWO, note("general.alignment", 8, text("x")), 1, body=192),
    "huge alignment": gguf(TWO, note("general.alignment", 4, b"\xff" * 4), 1, body=192),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_damaged_gguf_files(tmp_path: Path, what: str) -> None:
    said = problem(file(tmp_path, DAMAGED[what], "model.gguf"))
    assert said is not None
    assert 0 < len(said) < 120


def test_a_gguf_head_without_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lora_file, "LARGEST_GGUF_HEAD", 1 << 20)
    path = tmp_path / "model.gguf"
    with path.open("wb") as writer:
        writer.write(b"GGUF" + struct.pack("<IQQ", 3, 1, 1) + note("x", 9, struct.pack("<IQ", 8, 1 << 62)))
        writer.truncate(1 << 32)
    assert problem(path) == "is damaged: its header has no end"


@pytest.mark.parametrize("name", ["lora.safetensors", "model.gguf"])
def test_every_cut_is_noticed(tmp_path: Path, name: str) -> None:
    whole = gguf(TWO, NOTES, 5, body=172) if name.endswith("gguf") else sound()
    path = file(tmp_path, whole, name)
    for length in reversed(range(len(whole))):
        os.truncate(path, length)
        assert problem(path)


def test_no_changed_byte_of_a_gguf_head_is_more_than_a_sentence(tmp_path: Path) -> None:
    whole = gguf(TWO, NOTES, 5, body=172)
    path = file(tmp_path, whole, "model.gguf")
    said = [problem(path) for _ in flipped(path, len(whole) - 172)]
    assert all(one is None or len(one) < 120 for one in said)
    assert sum(one is None for one in said) < len(said) / 2


def test_reading_raises_what_problem_says(tmp_path: Path) -> None:
    with pytest.raises(Unsound, match=r"^is empty$"):
        read(file(tmp_path, b""))
