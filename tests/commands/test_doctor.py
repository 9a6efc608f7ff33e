from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import pytest

from svi_install.commands import doctor as module
from svi_install.commands.doctor import doctor
from svi_install.commands.install import install
from svi_install.patching import patchset
from svi_install.writing import receipt
from tests import miniature
from tests.crash.layer import Fault, in_child
from tests.loras.conftest import svi_file
from tests.older import install_other
from tests.trees import posix

PATCHES = patchset.load()
WGP, MODEL = "wgp.py", "models/wan/modules/model.py"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return miniature.write(tmp_path / "WanGP")


def edit(root: Path, path: str, old: bytes, new: bytes) -> None:
    data = (root / path).read_bytes()
    assert old in data
    (root / path).write_bytes(data.replace(old, new, 1))


def checks(root: Path) -> dict[str, tuple[str, str, str]]:
    found = doctor(root).extra["checks"]
    return {check["id"]: (check["level"], check["text"], check["mend"]) for check in found}


@posix
def test_a_healthy_patient(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(root)
    (root / "venv" / "bin").mkdir(parents=True)
    (root / "venv" / "bin" / "python").symlink_to(sys.executable)
    svi_file(root / "loras" / "wan_i2v" / "svi-shot.safetensors")
    result = doctor(root)
    assert result.headline == "Everything is fine."
    assert (result.exit_code, result.state, result.next_command) == (0, "installed", "")
    assert {check["level"] for check in result.extra["checks"]} == {"ok"}
    ids = [check["id"] for check in result.extra["checks"]]
    expected = "interrupted state release receipt updates updates profiles loras writable room python"
    assert ids == expected.split()


@pytest.mark.parametrize(
    ("content", "said"), [(b"", "is empty"), (b"x" * 42_000, "is not a safetensors file"), (None, "is cut: ")]
)
def test_a_lora_that_cannot_load(root: Path, content: bytes | None, said: str) -> None:
    install(root)
    target = root / "loras" / "wan_i2v" / "svi-shot.safetensors"
    assert checks(root)["loras"][0] == "warning"
    target.parent.mkdir(parents=True, exist_ok=True)
    if content is None:
        svi_file(target, cut=1000)
    else:
        target.write_bytes(content)
    level, text, mend = checks(root)["loras"]
    assert level == "problem"
    assert text.startswith(f"{target} {said}")
    assert mend == f"remove {target}, then: svi-install fetch svi-shot {root}"
    svi_file(target)
    assert checks(root)["loras"] == ("ok", "SVI's LoRA is in place.", "")


def _wiped(root: Path) -> None:
    install(root)
    miniature.write(root)


def _foreign(root: Path) -> None:
    edit(root, WGP, b"import", b"svi_ref_pad_num = 0\nimport")


def _unsupported(root: Path) -> None:
    edit(root, MODEL, b"first = next(iter(sd), None)", b"first = None")


def _partial(root: Path) -> None:
    install(root)
    shutil.rmtree(root / "svi_wangp")


CASES: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "absent": (lambda root: None, "problem", "svi-install {root}"),
    "wiped": (_wiped, "problem", "svi-install {root}"),
    "partial": (_partial, "problem", "svi-install {root}"),
    "outdated": (lambda root: install_other(root, PATCHES), "warning", "svi-install {root}"),
    "foreign": (_foreign, "problem", "put models/wan/modules/model.py, models/wan/any2video.py, wgp.py back from "),
    "unsupported": (_unsupported, "problem", "Update WanGP and svi-install"),
}


@pytest.mark.parametrize("name", CASES)
def test_every_state_comes_with_what_mends_it(root: Path, name: str) -> None:
    prepare, level, mend = CASES[name]
    prepare(root)
    result = doctor(root)
    assert result.state == name
    found = checks(root)["state"]
    assert found[0] == level
    assert found[2].startswith(mend.format(root=root))
    assert result.exit_code == (1 if level == "problem" else 0)
    assert result.next_command


def test_a_foreign_patch_in_a_clone_is_mended_with_git(root: Path) -> None:
    _foreign(root)
    (root / ".git").mkdir()
    assert checks(root)["state"][2].startswith(f"git -C {root} checkout -- ")


def test_a_changed_line_is_named(root: Path) -> None:
    install(root)
    edit(root, WGP, b"svi_wangp.attach(wan_model", b"svi_wangp.attach(None")
    level, text, mend = checks(root)["changed-line"]
    number = next(
        n for n, line in enumerate((root / WGP).read_bytes().splitlines(), 1) if b"svi_wangp.attach(None" in line
    )
    assert level == "problem"
    assert f"wgp.py, line {number}, was changed" in text
    assert mend == f"svi-install {root}"
    # With other changes in the file, what was there before is not certain.
    edit(root, WGP, b"import", b"import os\nimport")
    number += 1
    assert checks(root)["changed-line"][2] == f"delete line {number} of wgp.py, then: svi-install {root}"
    lines = (root / WGP).read_bytes().splitlines(keepends=True)
    (root / WGP).write_bytes(b"".join(lines[: number - 1] + lines[number:]))
    assert install(root).state == "installed"


def test_a_changed_file_is_named(root: Path) -> None:
    install(root)
    path = "svi_wangp/clip.py"
    (root / path).write_bytes(b"mine")
    level, _, mend = checks(root)["changed-file"]
    assert (level, mend) == ("problem", f"move {path} away, then: svi-install {root}")
    (root / path).unlink()
    assert install(root).state == "installed"


def test_a_missing_receipt(root: Path) -> None:
    install(root)
    (root / receipt.PATH).unlink()
    assert checks(root)["receipt"][0] == "warning"


def test_a_damaged_receipt(root: Path) -> None:
    install(root)
    stored = (root / receipt.PATH).read_bytes().replace(b'"pristine": "', b'"pristine": "!')
    (root / receipt.PATH).write_bytes(stored)
    level, text, mend = checks(root)["receipt"]
    assert level == "warning"
    assert "is damaged" in text
    assert mend.startswith("svi-install --revert")


def test_missing_profiles(root: Path) -> None:
    install(root)
    shutil.rmtree(root / "profiles")
    assert checks(root)["profiles"][0] == "warning"


@posix
def test_an_interrupted_command_is_told(root: Path) -> None:
    assert in_child(lambda: install(root), Fault(40, "before")) == 137
    result = doctor(root)
    first = result.extra["checks"][0]
    assert (first["id"], first["text"]) == ("interrupted", "An interrupted install was undone first.")


@pytest.mark.parametrize("system", ["posix", "nt"])
def test_a_folder_that_may_not_be_written(root: Path, monkeypatch: pytest.MonkeyPatch, system: str) -> None:
    monkeypatch.setattr(module.os, "access", lambda path, _: Path(path).name != "wgp.py")
    monkeypatch.setattr(module, "_WINDOWS", system == "nt")
    level, text, mend = checks(root)["writable"]
    assert (level, text) == ("problem", "You do not have permission to write to wgp.py.")
    assert ("chown" in mend) is (system == "posix")


def test_a_full_disk(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: usage(1024**2))
    assert checks(root)["room"][:2] == ("problem", "Only 1 MB free on this disk.")


def test_mixed_line_ends_are_said(root: Path) -> None:
    (root / WGP).write_bytes((root / WGP).read_bytes().replace(b"\n", b"\r\n", 3))
    assert checks(root)["line-ends"][0] == "ok"


def test_the_report_names_no_folder_and_no_person(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = root.parent / "miriam"
    moved = root.rename(home / "WanGP") if home.mkdir() is None else root
    monkeypatch.setenv("HOME", str(home))
    install(moved)
    edit(moved, WGP, b"svi_wangp.attach(wan_model", b"svi_wangp.attach('miriam'")
    result = doctor(moved, report=True)
    text = result.extra["report"]
    shown = "\n".join(piece for line in result.body for piece, _ in line)
    assert shown == text
    assert result.checkout is None
    for private in (str(moved), str(home), "miriam"):
        assert private not in text
    for told in ("svi-install", "WanGP 12.60", "state edited", "changed-line", "<user>"):
        assert told in text


def test_on_the_command_line(root: Path) -> None:
    install(root)
    command = [sys.executable, "-m", "svi_install", "doctor", str(root)]
    plain = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "NO_COLOR": "1"})
    assert plain.returncode == 0
    assert "ok      state" in plain.stdout
    machine = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False)
    assert json.loads(machine.stdout)["checks"][0]["id"] == "interrupted"
    report = subprocess.run([*command, "--report"], capture_output=True, text=True, check=False)
    assert str(root) not in report.stdout


@pytest.mark.parametrize(
    ("bad", "left", "text"),
    [(1, 0, "1 problem."), (0, 1, "1 thing left to do."), (2, 2, "2 problems and 2 things left to do.")],
)
def test_the_headline_counts(bad: int, left: int, text: str) -> None:
    assert module._count(bad, left) == text
