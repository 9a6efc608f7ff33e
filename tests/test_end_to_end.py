"""The whole way through on a miniature WanGP: what a person types, what they get, what is on the disk afterwards."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from svi_install.cli import main
from svi_install.commands.install import install
from svi_install.errors import EXIT_DONE, EXIT_FAILED, EXIT_NO_CHECKOUT, EXIT_UNSUPPORTED
from svi_install.patching import patchset
from svi_install.storyboard.headless import quality
from svi_install.storyboard.headless.wangp import WanGP
from svi_install.storyboard.script.variants import variant_of
from tests import miniature
from tests.checkout.test_mp4 import box, meta, video
from tests.crash import layer

HOOKS = {hunk.hook for variants in patchset.load().variants.values() for hunk in variants[0].hunks}
PATCHED = (miniature.MODEL, miniature.ANY2VIDEO, miniature.WGP)

Run = Callable[..., tuple[int, dict[str, Any]]]


def tree(root: Path) -> dict[str, bytes | None]:
    """Every file with its bytes and every folder, so that nothing that is left behind goes unseen."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(root.rglob("*"))
    }


@pytest.fixture(autouse=True)
def _apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WANGP_HOME", "SVI_INSTALL_SOURCE", "SVI_INSTALL_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "home").mkdir()
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    monkeypatch.setenv("SVI_INSTALL_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "home")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line; return the exit code and the JSON object that it printed."""

    def call(*arguments: str | Path) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        code = main.main([*map(str, arguments), "--json"])
        captured = capsys.readouterr()
        assert captured.err == "", "with --json there is one object and nothing else"
        data = json.loads(captured.out)
        assert (data["error"] is None) == (code == EXIT_DONE)
        return code, data

    return call


@pytest.fixture
def wangp(tmp_path: Path) -> Path:
    return miniature.write(tmp_path / "Wan2GP")


def hooks(data: dict[str, Any]) -> set[str]:
    return {hook["hook"] for hook in data["hooks"]}


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize("flavour", ["base", "old", "newer", "newest"])
def test_in_and_out_again(tmp_path: Path, run: Run, flavour: str, newline: str) -> None:
    root = miniature.write(tmp_path / "Wan2GP", flavour, newline)
    before = tree(root)
    code, data = run(root, "--no-lora")
    assert (code, data["status"], data["state"]) == (EXIT_DONE, "done", "installed")
    assert hooks(data) == HOOKS
    installed = tree(root)
    assert set(before) < set(installed)
    assert {path for path in before if before[path] != installed[path]} == set(PATCHED)
    for path in PATCHED:
        data_now = installed[path]
        assert data_now
        assert (b"\r\n" in data_now) is (newline == "\r\n")
        compile(data_now, path, "exec")
    assert {change["path"] for change in data["changes"]} >= set(PATCHED)
    assert run("--status", root)[1]["state"] == "installed"
    code, data = run(root, "--revert")
    assert (code, data["status"], data["state"]) == (EXIT_DONE, "done", "absent")
    assert tree(root) == before
    assert run("status", root)[1]["state"] == "absent"


def test_doing_it_twice_changes_nothing(wangp: Path, run: Run) -> None:
    run(wangp, "--no-lora")
    installed = tree(wangp)
    code, data = run(wangp, "--no-lora")
    assert (code, data["status"], data["changes"]) == (EXIT_DONE, "unchanged", [])
    assert hooks(data) == HOOKS
    assert tree(wangp) == installed
    run("--revert", wangp)
    code, data = run("--revert", wangp)
    assert (code, data["status"], data["changes"]) == (EXIT_DONE, "unchanged", [])


def test_the_definition_of_a_quantized_model_goes_too_unless_a_person_changed_it(wangp: Path, run: Run) -> None:
    (wangp / "finetunes").mkdir()
    (wangp / "finetunes" / "put_yours_here.txt").write_text("a folder of WanGP's own\n")
    before = tree(wangp)
    run(wangp, "--no-lora")
    path = "finetunes/svi_i2v_q4_k_m.json"
    reader = WanGP(wangp, "12.60", Path(sys.executable), "api", profiles=(4, 5), gguf=True)
    for mine, kept in ((False, {}), (True, {path: b'{"mine": 1}'})):
        quality.define(wangp, quality.model_of(variant_of("shot"), "Q4_K_M", reader))
        if mine:
            (wangp / path).write_bytes(b'{"mine": 1}')
        code, data = run("--revert", wangp)
        assert code == EXIT_DONE
        assert (path in {change["path"] for change in data["changes"]}) is not mine
        assert tree(wangp) == {**before, **kept}
        run(wangp, "--no-lora")


def test_a_dry_run_changes_nothing_and_its_diff_is_the_install(tmp_path: Path, wangp: Path, run: Run) -> None:
    before = tree(wangp)
    code, data = run(wangp, "--dry-run")
    assert (code, data["status"], data["state"]) == (EXIT_DONE, "planned", "absent")
    assert tree(wangp) == before
    copy = tmp_path / "copy"
    shutil.copytree(wangp, copy)
    assert data["diff"].count("diff --git ") == len(PATCHED)
    subprocess.run(["git", "apply"], input=data["diff"].encode(), cwd=copy, check=True)
    planned = data["changes"]
    assert run(wangp, "--no-lora")[1]["changes"] == planned
    assert tree(copy) == {**before, **{path: tree(wangp)[path] for path in PATCHED}}
    code, data = run(wangp, "--revert", "--dry-run")
    assert data["status"] == "planned"
    subprocess.run(["git", "apply"], input=data["diff"].encode(), cwd=copy, check=True)
    assert tree(copy) == before


@pytest.mark.parametrize("name", ["Wan 2 GP", "Zoë Müller's Wan (x86) & more", "視頻 動画", "a'b$HOME%TEMP%!"])
def test_any_folder_name_works(tmp_path: Path, run: Run, name: str) -> None:
    root = miniature.write(tmp_path / name)
    before = tree(root)
    assert run(root, "--no-lora")[0] == EXIT_DONE
    moved = root.rename(tmp_path / f"{name} moved")
    assert run(moved / "models" / "wan", "--revert")[0] == EXIT_DONE
    assert tree(moved) == before


def test_the_current_folder_is_enough(wangp: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(wangp / "models")
    code, data = run("--no-lora")
    assert code == EXIT_DONE
    assert data["checkout"]["root"] == str(wangp)


def test_what_an_update_of_wangp_removed_is_put_back(wangp: Path, run: Run) -> None:
    before = tree(wangp)
    run(wangp, "--no-lora")
    for path in PATCHED:
        (wangp / path).write_bytes(before[path] or b"")
    assert run("status", wangp)[1]["state"] == "wiped"
    assert run(wangp, "--no-lora")[1]["state"] == "installed"
    for path in PATCHED:
        (wangp / path).write_bytes(before[path] or b"")
    assert run("--revert", wangp)[0] == EXIT_DONE
    assert tree(wangp) == before


def test_an_edit_of_a_persons_own_survives(wangp: Path, run: Run) -> None:
    before = tree(wangp)
    run(wangp, "--no-lora")
    path = wangp / miniature.WGP
    path.write_bytes(b"# mine\n" + path.read_bytes())
    assert run("status", wangp)[1]["state"] == "installed"
    assert run(wangp, "--revert")[0] == EXIT_DONE
    assert tree(wangp) == {**before, miniature.WGP: b"# mine\n" + (before[miniature.WGP] or b"")}


def refused(run: Run, root: Path, code: int, *arguments: str) -> dict[str, Any]:
    """Run a command that must be refused with nothing changed; return the error."""
    parent = root if root.is_dir() else root.parent
    before = tree(parent)
    found, data = run(root, *arguments)
    assert found == code
    assert tree(parent) == before
    error = data["error"]
    assert "othing was changed" in error["message"]
    return error


def test_a_hand_edited_hook_line(wangp: Path, run: Run) -> None:
    run(wangp, "--no-lora")
    path = wangp / miniature.WGP
    path.write_bytes(path.read_bytes().replace(b"svi_wangp.install(globals())", b"svi_wangp.install(globals(), 1)"))
    assert run("status", wangp)[1]["state"] == "edited"
    for arguments in (("--no-lora",), ("--revert",)):
        error = refused(run, wangp, EXIT_UNSUPPORTED, *arguments)
        assert "wgp.py" in error["message"]
        assert error["hint"]


@pytest.mark.parametrize("flavour", ["conflict"])
def test_conflict_markers(tmp_path: Path, run: Run, flavour: str) -> None:
    root = miniature.write(tmp_path / "Wan2GP", flavour)
    error = refused(run, root, EXIT_UNSUPPORTED)
    assert "merge" in error["message"] or "conflict" in error["message"]
    assert run("status", root)[1]["state"] == "unsupported"


def test_a_wangp_without_a_place_for_a_hook(wangp: Path, run: Run) -> None:
    path = wangp / miniature.ANY2VIDEO
    path.write_bytes(path.read_bytes().replace(b"seed_g.manual_seed(seed)", b"seed_g = make_seed(seed)"))
    error = refused(run, wangp, EXIT_UNSUPPORTED)
    assert miniature.ANY2VIDEO in error["message"]
    assert run("status", wangp)[1]["state"] == "unsupported"


def test_a_wangp_with_another_svi_patch(wangp: Path, run: Run) -> None:
    path = wangp / miniature.WGP
    path.write_bytes(b"svi_ref_pad_num = -1\n" + path.read_bytes())
    error = refused(run, wangp, EXIT_UNSUPPORTED)
    assert "wan2gp-svi" in error["message"]
    assert "git checkout" in error["hint"]
    assert run("status", wangp)[1]["state"] == "foreign"
    before = tree(wangp)
    code, data = run("--revert", wangp)
    assert (code, data["status"]) == (EXIT_DONE, "unchanged")
    assert any("wan2gp-svi" in note for note in data["notes"])
    assert tree(wangp) == before


def test_a_wangp_that_is_too_old(wangp: Path, run: Run) -> None:
    path = wangp / miniature.WGP
    path.write_bytes(path.read_bytes().replace(b'"12.60"', b'"8.2"'))
    assert refused(run, wangp, EXIT_UNSUPPORTED)["code"] == "too-old"


def test_an_upstream_file_that_does_not_parse_is_patched_all_the_same(tmp_path: Path, run: Run) -> None:
    root = miniature.write(tmp_path / "Wan2GP", "broken")
    before = tree(root)
    code, data = run(root, "--no-lora")
    assert code == EXIT_DONE
    assert any("broken" in note and "with or without SVI" in note for note in data["notes"])
    assert run(root, "--revert")[0] == EXIT_DONE
    assert tree(root) == before


@pytest.mark.parametrize(
    ("name", "code"),
    [("gone", "no-such-path"), ("notes.txt", "not-a-folder"), ("empty", "no-checkout"), ("ComfyUI", "comfyui")],
)
def test_what_is_no_wangp(tmp_path: Path, run: Run, name: str, code: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("", "utf-8")
    (tmp_path / "ComfyUI" / "custom_nodes").mkdir(parents=True)
    assert refused(run, tmp_path / name, EXIT_NO_CHECKOUT)["code"] == code


@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links need a privilege on Windows")
def test_a_linked_file_stays_a_link(wangp: Path, run: Run) -> None:
    path = wangp / miniature.WGP
    real = path.rename(wangp / "wgp-real.py")
    path.symlink_to(real.name)
    before = tree(wangp)
    assert run(wangp, "--no-lora")[0] == EXIT_DONE
    assert path.is_symlink()
    assert b"svi-install" in real.read_bytes()
    assert run(wangp, "--revert")[0] == EXIT_DONE
    assert path.is_symlink()
    assert tree(wangp) == before


@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links need a privilege on Windows")
def test_a_link_out_of_the_folder_is_refused(tmp_path: Path, wangp: Path, run: Run) -> None:
    path = wangp / miniature.WGP
    path.rename(tmp_path / "elsewhere.py")
    path.symlink_to(tmp_path / "elsewhere.py")
    error = refused(run, wangp, EXIT_FAILED)
    assert error["code"] == "unsafe-path"


def test_a_read_only_file_is_refused_by_name(wangp: Path, run: Run) -> None:
    path = wangp / miniature.ANY2VIDEO
    path.chmod(0o444)
    error = refused(run, wangp, EXIT_FAILED, "--no-lora")
    assert str(path) in error["message"]
    assert "read-only" in error["message"]
    path.chmod(0o644)


def test_modes_are_kept(wangp: Path, run: Run) -> None:
    path = wangp / miniature.WGP
    path.chmod(0o755)
    run(wangp, "--no-lora")
    assert path.stat().st_mode & 0o777 == 0o755
    run(wangp, "--revert")
    assert path.stat().st_mode & 0o777 == 0o755


def test_a_profile_of_the_same_name_is_kept(wangp: Path, run: Run) -> None:
    mine = wangp / "loras" / "wan_i2v" / "SVI-Shot Infinite - 50 Steps.json"
    mine.write_text("{}", "utf-8")
    before = tree(wangp)
    code, data = run(wangp, "--no-lora")
    assert code == EXIT_DONE
    assert any(mine.name in note and "kept" in note for note in data["notes"])
    assert mine.read_text("utf-8") == "{}"
    run(wangp, "--revert")
    assert tree(wangp) == before


def test_a_moved_lora_folder_gets_the_profiles(tmp_path: Path, wangp: Path, run: Run) -> None:
    elsewhere = tmp_path / "my loras"
    elsewhere.mkdir()
    path = wangp / miniature.WGP
    path.write_bytes(path.read_bytes().replace(b"import os\n", b'import os\nSETTINGS = ("loras_root",)\n', 1))
    (wangp / "wgp_config.json").write_text(json.dumps({"loras_root": str(elsewhere)}), "utf-8")
    before = tree(wangp)
    assert run(wangp, "--no-lora")[0] == EXIT_DONE
    assert list((elsewhere / "wan_i2v").glob("SVI-*.json"))
    assert not list((wangp / "loras").rglob("SVI-*.json"))
    assert run(wangp, "--revert")[0] == EXIT_DONE
    assert tree(wangp) == before
    assert not list(elsewhere.iterdir())


def test_offline_the_install_succeeds_and_says_what_is_left(
    wangp: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    code, data = run(wangp, "--yes")
    assert (code, data["status"], data["state"]) == (EXIT_DONE, "done", "installed")
    assert any("LoRA" in task for task in data["todo"])


def test_a_dry_run_in_a_pipe_can_be_applied(wangp: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(wangp, copy)
    diff = subprocess.run(
        [sys.executable, "-m", "svi_install", "--dry-run", str(wangp)], capture_output=True, check=True
    )
    subprocess.run(["git", "apply", "--check"], input=diff.stdout, cwd=copy, check=True)
    assert len(diff.stdout.splitlines()) < 150, "a person reads it"
    listed = diff.stderr.decode()
    install(wangp)
    added = set(tree(wangp)) - set(tree(copy))
    assert all(Path(path).name in listed for path in added if (wangp / path).is_file())
    assert "would be added" in listed
    assert len(listed.splitlines()) < 20


@pytest.mark.skipif(sys.platform == "win32", reason="the process is ended in a fork")
@pytest.mark.parametrize("command", ["status", "install", "revert"])
def test_the_next_command_undoes_an_interrupted_one_and_says_so(wangp: Path, run: Run, command: str) -> None:
    before = tree(wangp)
    with layer.layer() as calls:
        run(wangp, "--no-lora")
    run(wangp, "--revert")
    late = [number for number, name in enumerate(calls.calls) if name == "replace"][-1]
    assert layer.in_child(lambda: install(wangp), layer.Fault(late, "before")) == layer.KILLED
    assert tree(wangp) != before
    code, data = run(command, wangp, *(["--no-lora"] if command == "install" else []))
    assert code == EXIT_DONE
    assert any("interrupted install was undone" in note for note in data["notes"])
    run("revert", wangp)
    assert tree(wangp) == before


def test_the_status_of_a_video(tmp_path: Path, run: Run) -> None:
    proof = {"variant": "shot", "seeds": [1, 43]}
    moov = box(b"moov", box(b"udta", meta(json.dumps({"svi": proof}))))
    path = video(tmp_path / "ein Film ü.mp4", moov)
    for arguments in (("--status", path), ("status", path), ("install", "--status", path)):
        code, data = run(*arguments)
        assert code == EXIT_DONE
        assert data["video"] == {"path": str(path), "svi": proof}
