from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from svi_install.errors import SviError
from svi_install.storyboard.headless.wangp import find, has_fields, python_of

from . import standin


def test_both_ways_to_run_it(tmp_path: Path) -> None:
    api, old = standin.make(tmp_path / "new", "api"), standin.make(tmp_path / "old", "process", "9.91")
    assert find(api, env={}).headless == "api"
    found = find(old, env={})
    assert (found.headless, found.version, found.python) == ("process", "9.91", old / "env/bin/python")
    assert (found.profiles, found.gguf) == ((1, 2, 3, 4, 5, 3.5, 4.5), True)
    assert (found.fields, has_fields(old)) == (True, True)


def test_a_form_without_fields(tmp_path: Path) -> None:
    root = standin.make(tmp_path / "WanGP")
    text = (root / "wgp.py").read_text()
    (root / "wgp.py").write_text(text.replace("def get_model_custom_settings(", "def other("))
    assert (find(root, env={}).fields, has_fields(root)) == (False, False)


def test_an_api_without_tasks_is_none(tmp_path: Path) -> None:
    root = standin.make(tmp_path / "WanGP")
    (root / "shared/api.py").write_text("def init(): pass\n")
    assert find(root, env={}).headless == "process"


def test_without_svi(tmp_path: Path) -> None:
    root = standin.make(tmp_path / "WanGP")
    (root / "svi_wangp/segment.py").unlink()
    with pytest.raises(SviError) as caught:
        find(root, env={})
    assert (caught.value.code, caught.value.exit_code) == ("not-installed", 1)
    assert str(root) in caught.value.hint


def test_without_headless_mode(tmp_path: Path) -> None:
    root = standin.make(tmp_path / "WanGP", version="9.0")
    text = (root / "wgp.py").read_text()
    (root / "wgp.py").write_text(text.replace("args.process", ""))
    with pytest.raises(SviError) as caught:
        find(root, env={})
    assert caught.value.code == "no-headless"


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    return path


def test_the_given_python_comes_first(tmp_path: Path) -> None:
    given, other = program(tmp_path / "given"), program(tmp_path / "other")
    assert python_of(tmp_path, given, {"WANGP_PYTHON": str(other)}) == given
    assert python_of(tmp_path, None, {"WANGP_PYTHON": str(other)}) == other
    with pytest.raises(SviError, match="does not exist"):
        python_of(tmp_path, tmp_path / "missing", {})


def test_wangps_own_installer_says_which_environment_is_active(tmp_path: Path) -> None:
    first, second = program(tmp_path / "env/bin/python"), program(tmp_path / "mine/Scripts/python.exe")
    assert python_of(tmp_path, None, {}) == first
    envs = {"active": "b", "envs": {"a": {"path": "env"}, "b": {"path": str(tmp_path / "mine")}}}
    (tmp_path / "envs.json").write_text(json.dumps(envs))
    assert python_of(tmp_path, None, {}) == second
    (tmp_path / "envs.json").write_text("[")
    assert python_of(tmp_path, None, {}) == first


def test_no_python_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SviError, match="has no mmgp") as caught:
        python_of(tmp_path, None, {})
    assert "--python" in caught.value.hint


def test_an_active_environment_with_mmgp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "packages/mmgp").mkdir(parents=True)
    (tmp_path / "packages/mmgp/__init__.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "packages"))
    assert python_of(tmp_path, None, {}) == Path(sys.executable)
