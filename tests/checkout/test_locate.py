from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest

from svi_install.checkout import locate as locate_module
from svi_install.checkout.locate import Look, Surroundings, listed, locate, surroundings, upwards
from svi_install.checkout.places import pinokio_homes, usual_places
from svi_install.cli import crash_report
from svi_install.errors import EXIT_NO_CHECKOUT, SviError
from tests import miniature

WINDOWS = PureWindowsPath


def wangp(root: Path) -> Path:
    root.mkdir(parents=True)
    (root / "wgp.py").write_text('WanGP_version = "12.60"\n', "utf-8")
    return root


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def cwd(tmp_path: Path) -> Path:
    folder = tmp_path / "work" / "here"
    folder.mkdir(parents=True)
    return folder


def search(
    path: str | Path | None, cwd: Path, home: Path, env: Mapping[str, str] | None = None, source: Path | None = None
) -> tuple[Path, ...]:
    return locate(Path(path) if path is not None else None, Surroundings(cwd, home, env or {}, (), source))


def refused(path: str | Path | None, cwd: Path, home: Path, env: Mapping[str, str] | None = None) -> SviError:
    with pytest.raises(SviError) as caught:
        search(path, cwd, home, env)
    assert caught.value.exit_code == EXIT_NO_CHECKOUT
    assert "Nothing was changed." in caught.value.message
    assert caught.value.hint
    return caught.value


def test_upwards_follows_windows_rules() -> None:
    folders = upwards(WINDOWS(r"D:\AI\Wan2GP\models"))
    assert [str(folder) for folder in folders] == [r"D:\AI\Wan2GP\models", r"D:\AI\Wan2GP", r"D:\AI", "D:\\"]
    assert upwards(WINDOWS(r"\\server\share\Wan2GP"))[-1] == WINDOWS("\\\\server\\share\\")


def test_usual_places_on_windows() -> None:
    places = usual_places(WINDOWS(r"C:\Users\Zoë Müller"), [WINDOWS("C:\\"), WINDOWS("D:\\")])
    for expected in (
        r"C:\Users\Zoë Müller\Wan2GP",
        r"C:\Users\Zoë Müller\Desktop\Wan2GP-main",
        r"C:\Users\Zoë Müller\pinokio\api\wan*.git\app",
        r"D:\pinokio\api\wan*.git\app",
        r"D:\Wan2GP",
        r"D:\AI\Wan2GP",
    ):
        assert WINDOWS(expected) in places
    assert len(places) == len(set(places)), "Windows paths differ by more than case"


def test_usual_places_without_drives() -> None:
    places = usual_places(PurePosixPath("/home/me"), [])
    assert PurePosixPath("/home/me/Wan2GP") in places
    assert all(PurePosixPath("/home/me") in place.parents for place in places)


def test_the_explicit_path_wins(cwd: Path, home: Path) -> None:
    wangp(home / "Wan2GP")
    other = wangp(home / "other")
    assert search(other, cwd, home, {"WANGP_HOME": str(home / "Wan2GP")}) == (other,)


@pytest.mark.parametrize("inside", ["models/wan", "wgp.py", "models/../models"])
def test_a_path_inside_a_checkout_means_the_checkout(cwd: Path, home: Path, inside: str) -> None:
    root = wangp(home / "Wan2GP")
    (root / "models" / "wan").mkdir(parents=True)
    assert search(root / inside, cwd, home) == (root,)


def test_a_relative_path_starts_at_the_current_folder(cwd: Path, home: Path) -> None:
    root = wangp(cwd / "my WanGP (ü, 視頻)")
    assert search(root.name, cwd, home) == (root,)


@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links need a privilege on Windows")
def test_a_link_into_a_checkout_means_the_checkout(cwd: Path, home: Path) -> None:
    root = wangp(home / "Wan2GP")
    (root / "models").mkdir()
    (cwd / "link").symlink_to(root / "models")
    assert search("link", cwd, home) == (root,)


def test_wangp_home_is_used_and_never_searched_past(cwd: Path, home: Path) -> None:
    root = wangp(home / "here")
    wangp(home / "Wan2GP")
    assert search(None, cwd, home, {"WANGP_HOME": str(root)}) == (root,)
    error = refused(None, cwd, home, {"WANGP_HOME": str(home / "gone")})
    assert error.code == "no-such-path"
    assert error.message.startswith("WANGP_HOME names ")


def test_the_current_folder_and_its_parents_come_before_siblings(cwd: Path, home: Path) -> None:
    root = wangp(cwd / "Wan2GP")
    deep = root / "models" / "wan"
    deep.mkdir(parents=True)
    wangp(cwd / "other")
    wangp(home / "Wan2GP")
    assert search(None, deep, home) == (root,)


def test_beside_and_below_the_current_folder(cwd: Path, home: Path) -> None:
    root = wangp(cwd.parent / "anything")
    assert search(None, cwd, home) == (root,)
    below = wangp(cwd / "below")
    assert search(None, cwd, home) == (below, root)


def test_beside_the_script_that_was_started(tmp_path: Path, cwd: Path, home: Path) -> None:
    root = wangp(tmp_path / "apps" / "WanGP folder")
    source = tmp_path / "apps" / "svi-install"
    source.mkdir()
    assert search(None, cwd, home, source=source) == (root,)


def test_a_script_inside_the_checkout(tmp_path: Path, cwd: Path, home: Path) -> None:
    root = wangp(tmp_path / "Wan2GP")
    (root / "svi-install").mkdir()
    assert search(None, cwd, home, source=root / "svi-install") == (root,)


def test_usual_places_are_searched_and_several_are_all_returned(cwd: Path, home: Path) -> None:
    one = wangp(home / "Wan2GP")
    two = wangp(home / "pinokio" / "api" / "wan2gp.git" / "app")
    assert search(None, cwd, home) == (one, two)


@pytest.mark.parametrize("cloud", ["OneDrive", "elsewhere"])
def test_a_desktop_in_onedrive_with_an_archive_extracted_as_windows_does(cwd: Path, home: Path, cloud: str) -> None:
    root = wangp(home / cloud / "Desktop" / "Wan2GP-main" / "Wan2GP-main")
    assert search(None, cwd, home, {"OneDrive": str(home / cloud)}) == (root,)


def test_pinokio_says_where_it_keeps_its_things(cwd: Path, home: Path, tmp_path: Path) -> None:
    root = wangp(tmp_path / "big drive" / "api" / "wan.git" / "app")
    settings = home / "settings" / "Pinokio" / "config.json"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"home": str(tmp_path / "big drive")}))
    where = {name: str(home / "settings") for name in ("XDG_CONFIG_HOME", "APPDATA")}
    if sys.platform != "darwin":
        assert search(None, cwd, home, where) == (root,)
    assert pinokio_homes(home, where, "linux") == pinokio_homes(home, where, "win32") == (tmp_path / "big drive",)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"home": 3}', '{"home": ""}', '{"home": "not whole"}'])
def test_settings_of_pinokio_that_say_nothing(home: Path, text: str) -> None:
    (home / "Pinokio").mkdir()
    (home / "Pinokio" / "config.json").write_text(text)
    assert pinokio_homes(home, {"XDG_CONFIG_HOME": str(home)}, "linux") == ()


def test_pinokio_beside_the_current_folder(tmp_path: Path, home: Path) -> None:
    api = tmp_path / "pinokio" / "api"
    root = wangp(api / "wan.git" / "app")
    assert search(None, api, home) == (root,)


@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links need a privilege on Windows")
def test_the_same_folder_under_two_names_is_one(cwd: Path, home: Path) -> None:
    root = wangp(home / "Wan2GP")
    (home / "Desktop").mkdir()
    (home / "Desktop" / "Wan2GP").symlink_to(root)
    assert search(None, cwd, home) == (root,)


def test_nothing_found_lists_every_place_and_its_missing_marker(cwd: Path, home: Path) -> None:
    (cwd.parent / "sibling").mkdir()
    (cwd.parent / ".hidden").mkdir()
    error = refused(None, cwd, home)
    assert error.code == "no-checkout"
    lines = error.message.splitlines()
    assert f"  {cwd.parent}: here, sibling: no wgp.py" in lines
    assert any(line.startswith(f"  {home}: Wan2GP, ") and line.endswith(": no such folder") for line in lines)
    assert f"  {home / 'pinokio' / 'api' / 'wan*.git' / 'app'}: no such folder" in lines
    assert ".hidden" not in error.message
    assert "WANGP_HOME" in error.hint


def test_places_are_grouped_by_parent_and_marker() -> None:
    base = PurePosixPath("/home/me")
    looked = [
        Look(base / "a", "no wgp.py"),
        Look(base / "b", "no such folder"),
        Look(base / "c", "no wgp.py"),
        Look(base / "a", "no wgp.py"),
        Look(base / "wan.git" / "app", "no wgp.py"),
        Look(PurePosixPath("/home"), "no wgp.py"),
        Look(PurePosixPath("/"), "no wgp.py"),
    ]
    expected = ["/home/me: a, c, wan.git/app: no wgp.py", "/home/me/b: no such folder"]
    assert listed(looked) == [*expected, "/home: no wgp.py", "/: no wgp.py"]
    drive = [Look(WINDOWS("D:\\"), "no wgp.py"), Look(WINDOWS(r"D:\AI"), "no wgp.py")]
    assert listed(drive) == ["D:\\: no wgp.py", r"D:\AI: no wgp.py"]


def test_no_such_path(cwd: Path, home: Path) -> None:
    error = refused("nowhere", cwd, home)
    assert error.code == "no-such-path"
    assert str(cwd / "nowhere") in error.message


def test_a_path_that_cannot_be_asked_for(cwd: Path, home: Path) -> None:
    error = refused("x" * 5000, cwd, home)
    assert error.code == "no-such-path"


def test_a_file(cwd: Path, home: Path) -> None:
    (cwd / "video.txt").write_text("", "utf-8")
    error = refused("video.txt", cwd, home)
    assert error.code == "not-a-folder"


def test_an_empty_folder(cwd: Path, home: Path) -> None:
    error = refused(cwd, cwd, home)
    assert error.code == "no-checkout"
    assert "is an empty folder" in error.message
    assert f"  {cwd}: no wgp.py" in error.message


@pytest.mark.parametrize("folder", ["ComfyUI_portable", "ComfyUI_portable/ComfyUI", "ComfyUI_portable/ComfyUI/models"])
def test_comfyui(cwd: Path, home: Path, folder: str) -> None:
    (cwd / "ComfyUI_portable" / "ComfyUI" / "custom_nodes").mkdir(parents=True)
    (cwd / "ComfyUI_portable" / "ComfyUI" / "models").mkdir()
    error = refused(cwd / folder, cwd, home)
    assert error.code == "comfyui"
    assert "ComfyUI" in error.message


def test_a_checkout_one_level_below_is_suggested(cwd: Path, home: Path) -> None:
    root = wangp(cwd / "Wan2GP-main" / "Wan2GP-main")
    error = refused("Wan2GP-main", cwd, home)
    assert error.hint == f'Did you mean this one? svi-install "{root}"'


def test_the_real_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SVI_INSTALL_SOURCE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    here = surroundings()
    assert (here.cwd, here.source, here.home) == (Path.cwd(), tmp_path, Path.home())
    assert here.env is os.environ
    monkeypatch.delenv("SVI_INSTALL_SOURCE")
    assert surroundings().source is None


def test_a_folder_that_may_not_be_listed_is_passed_over(cwd: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path) -> list[Path]:
        raise PermissionError(13, "Permission denied")

    root = wangp(home / "Wan2GP")
    monkeypatch.setattr(Path, "iterdir", refuse)
    assert search(None, cwd, home) == (root,)


def svi(*words: object, cwd: Path, script: str = 'exec "$@"', **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", "-c", script, "sh", sys.executable, "-m", "svi_install", *map(str, words)],
        cwd=cwd,
        env={**os.environ, "HOME": str(cwd), "PYTHONPATH": str(Path(__file__).resolve().parents[2]), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="Windows deletes no folder that somebody is in")
@pytest.mark.parametrize(
    "words", [(), ("status",), ("WanGP",), ("doctor",), ("fetch", "--list"), ("--revert", "--json")]
)
def test_a_deleted_working_folder(tmp_path: Path, words: tuple[str, ...]) -> None:
    home = tmp_path / "home"
    (home / "gone").mkdir(parents=True)
    done = svi(*words, cwd=home, script='cd gone && rmdir ../gone && exec "$@"', SVI_INSTALL_SOURCE=str(tmp_path))
    assert done.returncode == 3, done
    assert "The current folder cannot be used" in done.stdout + done.stderr
    assert "Nothing was changed" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert not (home / ".local").exists(), "no log of an unexpected error"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows deletes no folder that somebody is in")
def test_from_a_deleted_working_folder_a_whole_path_works(tmp_path: Path) -> None:
    home, root = tmp_path / "home", miniature.write(tmp_path / "WanGP")
    for words in (("status", root), (root, "--no-lora"), ("doctor", root), ("revert", root)):
        (home / "gone").mkdir(parents=True)
        done = svi(*words, cwd=home, script='cd gone && rmdir ../gone && exec "$@"')
        assert done.returncode == 0, done
        assert "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="users as POSIX has them")
def test_the_home_of_nobody(tmp_path: Path) -> None:
    for words, variables in ((("~nosuchuser/WanGP",), {}), ((), {"WANGP_HOME": "~nosuchuser"})):
        done = svi("status", *words, cwd=tmp_path, **variables)
        assert done.returncode == 3
        assert "there is no user nosuchuser on this computer. Nothing was changed." in done.stderr
    done = svi("fetch", "--list", tmp_path, cwd=tmp_path, HF_HOME="~nosuchuser")
    assert "Traceback" not in done.stderr
    miniature.write(tmp_path / "~nosuchuser")
    assert svi("status", "~nosuchuser", cwd=tmp_path).returncode == 0


def test_a_computer_that_does_not_know_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", unknown)
    assert locate_module.home_folder() == Path(tmp_path.anchor)
    assert crash_report.explain(RuntimeError("Could not determine home directory."), []).code == "no-home"
