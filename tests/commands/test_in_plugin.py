"""``install --plugin`` and taking it out again: one transaction, byte for byte, whatever the configuration was."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from svi_install.checkout.plugin import NAME
from svi_install.commands.in_plugin import install as install_plugin
from svi_install.commands.install import install
from svi_install.commands.revert import revert
from svi_install.commands.status import status
from svi_install.errors import SviError
from svi_install.plugin import build, planning
from tests import miniature

HOME = f"plugins/{NAME}"
CONFIGS = {
    "as WanGP saves it": json.dumps({"enabled_plugins": ["sample"], "x": "ü"}, indent=4).encode(),
    "as WanGP first writes it": json.dumps({"x": 1, "enabled_plugins": []}).encode(),
    "without plugins": b'{"x": 1}',
    "by hand": b'{\r\n  "enabled_plugins" : [ "sample" ],\r\n\t"x": 1 }\r\n',
}


def tree(root: Path) -> dict[str, bytes | None]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(root.rglob("*"))
    }


@pytest.fixture
def wangp(tmp_path: Path) -> Path:
    root = miniature.write(tmp_path / "My WänGP")
    (root / "plugins/sample").mkdir(parents=True)
    wgp = root / "wgp.py"
    wgp.write_bytes(wgp.read_bytes() + b"# app.plugin_manager.discover_plugin_model_extensions\n")
    (root / "wgp_config.json").write_bytes(CONFIGS["as WanGP saves it"])
    return root


def enabled(root: Path) -> list[str]:
    return json.loads((root / "wgp_config.json").read_bytes()).get("enabled_plugins", [])


@pytest.mark.parametrize("config", CONFIGS)
def test_in_and_out_again(wangp: Path, config: str) -> None:
    (wangp / "wgp_config.json").write_bytes(CONFIGS[config])
    before = tree(wangp)
    result = install_plugin(wangp)
    assert result.status == "done"
    wanted = {**build.files(), ".gitignore": b"*\n"}
    assert {path: (wangp / HOME / path).read_bytes() for path in wanted} == wanted
    assert NAME in enabled(wangp)
    changed = {path for path, data in tree(wangp).items() if path in before and before[path] != data}
    assert changed == {"wgp_config.json"}
    assert install_plugin(wangp).status == "unchanged"
    # What it leaves behind while it runs.
    (wangp / HOME / "cache").mkdir()
    (wangp / HOME / "cache/1.bin").write_bytes(b"x")
    (wangp / HOME / "svi_install/runtime/__pycache__").mkdir()
    (wangp / HOME / "svi_install/runtime/__pycache__/run.pyc").write_bytes(b"x")
    assert revert(wangp).status == "done"
    assert tree(wangp) == before
    assert revert(wangp).status == "unchanged"


def test_a_configuration_that_was_saved_since_keeps_its_changes(wangp: Path) -> None:
    install_plugin(wangp)
    settings = json.loads((wangp / "wgp_config.json").read_bytes())
    (wangp / "wgp_config.json").write_text(json.dumps({**settings, "x": 2}, indent=4), "utf-8")
    revert(wangp)
    assert json.loads((wangp / "wgp_config.json").read_bytes()) == {"enabled_plugins": ["sample"], "x": 2}


def test_a_configuration_is_not_made(wangp: Path) -> None:
    """WanGP would take it for complete."""
    (wangp / "wgp_config.json").unlink()
    before = tree(wangp)
    result = install_plugin(wangp)
    assert any("has not been started yet" in note for note in result.notes)
    assert not (wangp / "wgp_config.json").exists()
    revert(wangp)
    assert tree(wangp) == before


@pytest.mark.parametrize("config", [b"", b"{", b"[]", b'{"enabled_plugins": 3}'])
def test_a_configuration_that_cannot_be_read_is_left_alone(wangp: Path, config: bytes) -> None:
    (wangp / "wgp_config.json").write_bytes(config)
    before = tree(wangp)
    install_plugin(wangp)
    assert (wangp / "wgp_config.json").read_bytes() == config
    revert(wangp)
    assert tree(wangp) == before


def test_hooks_in_files_make_way(wangp: Path) -> None:
    before = tree(wangp)
    install(wangp)
    beside = status(wangp)
    result = install_plugin(wangp)
    assert any("WanGP's own files are as they were" in note for note in result.notes)
    for path in miniature.files():
        assert (wangp / path).read_bytes() == before[path]
    assert not (wangp / "svi_wangp").exists()
    assert "as the plugin" not in beside.headline
    assert f"as the plugin {NAME}" in status(wangp).headline
    revert(wangp)
    assert tree(wangp) == before


def test_status_and_install_know_of_both(wangp: Path) -> None:
    install_plugin(wangp)
    result = install(wangp)
    assert any("steps aside" in note for note in result.notes)
    assert any("steps aside" in note for note in status(wangp).notes)
    before = tree(wangp)
    revert(wangp)
    assert not (wangp / HOME).exists()
    assert b"svi-install" not in (wangp / "wgp.py").read_bytes()
    assert before != tree(wangp)


def test_a_plugin_that_is_not_enabled(wangp: Path) -> None:
    install_plugin(wangp)
    (wangp / "wgp_config.json").write_bytes(CONFIGS["as WanGP saves it"])
    assert any("there, but not enabled" in note for note in status(wangp).notes)


def test_install_suggests_it_where_git_updates_wangp(wangp: Path) -> None:
    assert not any("--plugin" in note for note in install(wangp).notes)
    revert(wangp)
    (wangp / ".git").mkdir()
    (wangp / ".git/HEAD").write_text("ref: refs/heads/main\n")
    assert any("install --plugin" in note for note in install(wangp).notes)


def test_a_clone_is_left_to_wangp(wangp: Path) -> None:
    """What the Plugins tab has brought is enabled here, and its files stay."""
    home = wangp / HOME
    for path, data in build.files().items():
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_bytes(data.replace(b"0.1.0", b"0.9.9"))
    (home / ".git").mkdir()
    before = tree(wangp)
    install_plugin(wangp)
    assert NAME in enabled(wangp)
    assert {path: data for path, data in tree(wangp).items() if path.startswith("plugins/")} == {
        path: data for path, data in before.items() if path.startswith("plugins/")
    }
    assert any("Plugins tab updates" in note for note in status(wangp).notes)
    assert "0.9.9" in status(wangp).headline
    revert(wangp)
    assert tree(wangp) == before


def test_a_dry_run_writes_nothing(wangp: Path) -> None:
    before = tree(wangp)
    result = install_plugin(wangp, dry_run=True)
    assert result.status == "planned"
    assert f'+        "{NAME}"' in result.diff
    assert tree(wangp) == before


def test_a_wangp_that_loads_no_such_plugins(tmp_path: Path) -> None:
    root = miniature.write(tmp_path / "WanGP")
    before = tree(root)
    with pytest.raises(SviError, match="does not load plugins of models") as caught:
        install_plugin(root)
    assert "svi-install" in caught.value.hint
    assert tree(root) == before


def test_a_file_of_somebody_else_is_in_the_way(wangp: Path) -> None:
    (wangp / HOME).mkdir()
    (wangp / HOME / "handler.py").write_text("mine")
    before = tree(wangp)
    with pytest.raises(SviError, match="is not the file that svi-install put there"):
        install_plugin(wangp)
    assert tree(wangp) == before


def test_an_edited_file_is_kept(wangp: Path) -> None:
    install_plugin(wangp)
    (wangp / HOME / "README.md").write_text("mine")
    result = revert(wangp)
    assert any("README.md was changed since the install and was kept" in note for note in result.notes)
    assert (wangp / HOME / "README.md").read_text() == "mine"


@pytest.mark.parametrize("damage", [b"", b"{}", b"null", b'{"added": {"../x": "y"}, "before": 3, "after": 1}'])
def test_a_damaged_record(wangp: Path, damage: bytes) -> None:
    before = tree(wangp)
    install_plugin(wangp)
    (wangp / planning.RECORD).write_bytes(damage)
    revert(wangp)
    after = tree(wangp)
    after["wgp_config.json"] = before["wgp_config.json"]
    assert after == before
    assert enabled(wangp) == ["sample"]


def test_an_older_version_is_brought_up_to_date(wangp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tree(wangp)
    files = build.files()
    older = {**{path: data for path, data in files.items() if path != "README.md"}, "svi_install/old.py": b"x"}
    older["handler.py"] = b"# an older one\n"
    monkeypatch.setattr(build, "files", lambda: older)
    install_plugin(wangp)
    monkeypatch.setattr(build, "files", lambda: files)
    install_plugin(wangp)
    assert not (wangp / HOME / "svi_install/old.py").exists()
    assert (wangp / HOME / "handler.py").read_bytes() == files["handler.py"]
    revert(wangp)
    assert tree(wangp) == before


def test_a_moved_folder(wangp: Path, tmp_path: Path) -> None:
    before = tree(wangp)
    install_plugin(wangp)
    moved = tmp_path / "elsewhere"
    shutil.move(wangp, moved)
    revert(moved)
    assert tree(moved) == before
