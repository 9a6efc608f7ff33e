"""Whether the LoRAs are there, as ``status`` says it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from svi_install.commands.install import install
from svi_install.commands.status import status
from tests import miniature
from tests.loras.conftest import svi_file


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return miniature.write(tmp_path / "WanGP")


@pytest.fixture
def shot(root: Path) -> Path:
    return root / "loras" / "wan_i2v" / "svi-shot.safetensors"


def test_a_lora_that_is_not_there_yet(root: Path, shot: Path) -> None:
    install(root)
    result = status(root)
    line = "The LoRA svi-shot has not been downloaded yet; WanGP does so on first use. To download it now:"
    assert f"{line} svi-install fetch svi-shot {root}" in result.notes
    assert result.extra["loras"] == [
        {"name": "svi-shot", "precision": "fp32", "path": str(shot), "have": False, "fault": None}
    ]


def test_loras_that_are_there(root: Path, shot: Path) -> None:
    install(root)
    svi_file(shot)
    svi_file(shot.with_name("svi-tom.safetensors"))
    result = status(root)
    assert "LoRAs in place:  svi-shot (fp32), svi-tom (fp32)" in result.notes
    assert [one["have"] for one in result.extra["loras"]] == [True, True]


@pytest.mark.parametrize(
    ("content", "said"), [(b"", "is empty"), (b"<html>" * 7000, "is not a safetensors file"), (None, "is cut: ")]
)
def test_a_lora_that_cannot_load(root: Path, shot: Path, content: bytes | None, said: str) -> None:
    install(root)
    shot.parent.mkdir(parents=True, exist_ok=True)
    if content is None:
        svi_file(shot, cut=1)
    else:
        shot.write_bytes(content)
    result = status(root)
    (line,) = [note for note in result.notes if "cannot load it" in note]
    assert line.startswith(f"{shot} {said}")
    assert line.endswith(f"Remove it, then: svi-install fetch svi-shot {root}")
    assert result.extra["loras"][0]["have"] is False
    assert result.extra["loras"][0]["fault"].startswith(said)


def test_nobody_waits_for_a_lora_where_svi_is_not(root: Path, shot: Path) -> None:
    assert not any("LoRA" in note for note in status(root).notes)
    svi_file(shot)
    assert "LoRAs in place:  svi-shot (fp32)" in status(root).notes


def test_looking_at_loras_imports_nothing_that_is_slow(root: Path, shot: Path) -> None:
    install(root)
    svi_file(shot)
    script = (
        "import sys; from pathlib import Path; from svi_install.commands.status import status; "
        "assert 'LoRAs in place:  svi-shot (fp32)' in status(Path(sys.argv[1])).notes; "
        "late = {'dataclasses', 'inspect', 'tempfile', 'ssl', 'urllib.request', 'http.client', 'subprocess', "
        "'svi_install.runtime', 'svi_install.loras.fetching', 'svi_install.loras.transfer.transport'}; "
        "print(late & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", script, str(root)], capture_output=True, text=True, check=True)
    assert ran.stdout == "set()\n"
