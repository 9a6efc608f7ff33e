from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from svi_install.loras import header
from svi_install.loras.catalogue import load
from svi_install.loras.there import Look, look, seen
from svi_install.runtime import lora_file

from .conftest import large_lora, safetensors, svi_file

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
    assert look(target).fault == "is a link to a file that is not there"
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
    assert header.lora_file is lora_file
    script = (
        "import sys; from svi_install.loras import header; assert 'svi_install.runtime' not in sys.modules; "
        "from svi_install.runtime import lora_file; assert lora_file is header.lora_file"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
