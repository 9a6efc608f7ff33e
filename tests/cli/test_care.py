from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from svi_install.cli.main import main
from tests import miniature


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return miniature.write(tmp_path / "WanGP")


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, object]]:
    code = main([*words[:1], "--json", *words[1:]])
    said: dict[str, object] = json.loads(capsys.readouterr().out)
    return code, said


def test_doctor(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = answer(capsys, "doctor", str(root))
    assert (code, said["command"], said["state"]) == (1, "doctor", "absent")
    assert "report" not in said
    assert str(root) not in str(answer(capsys, "doctor", str(root), "--report")[1]["report"])


def test_update_of_a_zip(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = answer(capsys, "update", str(root))
    assert (code, said["error"]["code"]) == (1, "no-history")  # type: ignore[index]


@pytest.mark.parametrize("words", [(), ("--",), ("--", "--listen", "--json")])
def test_launch(root: Path, capfd: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    (root / "wgp.py").write_bytes(
        (root / "wgp.py").read_bytes().replace(b"sys.exit(main())", b"sys.exit(len(sys.argv))")
    )
    code = main(["launch", str(root), "--quiet", "--python", sys.executable, *words])
    assert code == 1 + len(words[1:])
    assert capfd.readouterr().err == ""


def test_what_wangp_prints_does_not_mix_with_the_json(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["launch", str(root), "--json", "--python", sys.executable]) == 0
    said = capfd.readouterr()
    assert json.loads(said.out)["wangp_exit_code"] == 0
    assert "WanGP v12.60 started" in said.err
