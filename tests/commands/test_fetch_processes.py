"""The command `fetch` in processes of its own: stopped, killed, at the same time, and what it imports."""

# ruff: noqa: F811 - fixtures of the other file are taken by their names

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from svi_install.errors import EXIT_INTERRUPTED
from tests.commands.test_fetch import CATALOGUE, _small, hub, root, run, shot  # noqa: F401 (fixtures)

from ..loras.conftest import large_lora, sha256
from ..loras.hub import Fault, Hub

OTHER_CATALOGUE = """
import sys
from pathlib import Path
from svi_install.loras import catalogue
from svi_install.cli.main import main
catalogue.CATALOGUE = Path(sys.argv[1])
sys.exit(main(sys.argv[2:]))
"""


def started(root: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start the command in a process of its own, with the catalogue of the tests."""
    return subprocess.Popen(
        [sys.executable, "-c", OTHER_CATALOGUE, str(root.parent / "catalogue.json"), "fetch", str(root), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


def until(condition: Callable[[], bool]) -> None:
    for _ in range(2000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it never came to that")


@pytest.fixture
def slow(hub: Hub, tmp_path: Path) -> bytes:
    """A LoRA in the place of SVI-Shot, large and slow enough to be interrupted."""
    data = large_lora(12 * 1024**2)
    hub.add("owner/name", "svi-shot.safetensors", data)
    without_layouts = json.loads(json.dumps(CATALOGUE))
    for lora in without_layouts["loras"]:
        lora["layout"] = ""
    (tmp_path / "catalogue.json").write_text(json.dumps(without_layouts), "utf-8")
    hub.always = Fault(rate=6.0 * 1024**2)
    return data


def half_there(root: Path) -> bool:
    part = shot(root).with_name("svi-shot.safetensors.part")
    return part.exists() and part.stat().st_size > 5 * 1024**2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot send Ctrl-C to one process")
def test_ctrl_c_and_the_same_command_again(root: Path, hub: Hub, slow: bytes) -> None:
    first = started(root)
    until(lambda: half_there(root))
    first.send_signal(signal.SIGINT)
    _, said = first.communicate()
    assert first.returncode == EXIT_INTERRUPTED
    assert "Stopped at" in said
    assert "svi-install fetch svi-shot" in said
    hub.always = Fault()
    again = started(root, "--json")
    got = json.loads(again.communicate()[0])
    assert got["loras"][0]["resumed"] > 5 * 1024**2
    assert shot(root).read_bytes() == slow


def test_a_second_process_takes_over_when_the_first_is_killed(root: Path, hub: Hub, slow: bytes) -> None:
    first = started(root)
    until(lambda: half_there(root))
    second = started(root, "--json")
    hub.always = Fault()
    first.kill()
    first.communicate()
    got = json.loads(second.communicate()[0])
    assert got["loras"][0]["sha256"] == sha256(slow)
    assert got["loras"][0]["resumed"] > 0
    assert [path.name for path in shot(root).parent.iterdir()] == ["svi-shot.safetensors"]


def test_two_processes_bring_it_once(root: Path, hub: Hub, slow: bytes) -> None:
    both = [started(root, "--json") for _ in range(2)]
    found = sorted(json.loads(process.communicate()[0])["loras"][0]["how"] for process in both)
    assert found == ["downloaded", "have"]
    assert sum(seen.sent[0] for seen in hub.downloads()) == len(slow)


def test_a_list_imports_no_network_code(root: Path) -> None:
    script = (
        "import sys; from svi_install.cli.main import main; code = main(sys.argv[1:]); "
        "print(sorted({'ssl', 'http.client', 'urllib.request', 'huggingface_hub', 'rich', 'git', 'unidiff'}"
        " & set(sys.modules))); sys.exit(code)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, "fetch", "--list", "--quiet", str(root)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert ran.stdout == "[]\n"


@pytest.mark.parametrize("words", [("fetch", "--list"), ("doctor",), ("--no-lora",), ("revert",)])
def test_who_asks_for_no_lora_does_not_import_what_asks_the_hub(root: Path, words: tuple[str, ...]) -> None:
    command = "import sys, svi_install.__main__ as m; sys.argv[1:] = sys.argv[1:]; m.main()"
    script = f"import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr)); {command}"
    ran = subprocess.run([sys.executable, "-c", script, *words, str(root)], capture_output=True, text=True, check=False)
    modules = set(ran.stderr.split())
    assert "svi_install.cli.main" in modules
    assert not {"huggingface_hub", "httpx2", "svi_install.loras.transfer.transport"} & modules
