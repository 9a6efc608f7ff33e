"""What doctor says of updates and tries, the compat file, and the start file."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from svi_install.cli.main import main
from svi_install.commands import online
from svi_install.commands.check import check
from svi_install.commands.doctor import doctor
from svi_install.commands.install import install
from svi_install.commands.rehearsal import rehearse
from svi_install.commands.shortcut import content, place, shortcut
from svi_install.commands.status import status
from svi_install.commands.update import update
from svi_install.errors import SviError
from svi_install.history import compat, git_program
from svi_install.package_data import page_address
from tests import miniature, story
from tests.story import Story
from tests.trees import posix

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git here")


def git(root: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=root, check=True, capture_output=True, text=True).stdout


@pytest.fixture(autouse=True)
def no_settings_of_this_computer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "Desktop").mkdir(parents=True)
    monkeypatch.setattr(Path, "home", lambda: home)
    monkeypatch.setenv("HOME", str(home))
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, os.devnull)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = miniature.write(tmp_path / "Wan 2 GP (neu)")
    git(folder, "init", "-q")
    git(folder, "add", "-f", ".")
    git(folder, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "12.60")
    return folder


def said(root: Path, id: str, **options: bool) -> list[tuple[str, str]]:
    found = doctor(root, **options).extra["checks"]
    return [(check["level"], check["text"]) for check in found if check["id"] == id]


def test_doctor_says_what_an_update_does(root: Path) -> None:
    assert said(root, "updates") == []
    install(root)
    assert [level for level, _ in said(root, "updates")] == ["ok"] * 3
    assert said(root, "updates")[0][1] == "git pull (Pinokio's Update): The new WanGP comes with SVI in it."
    git(root, "config", "--remove-section", "filter.svi-install")
    (root / ".git" / "info" / "attributes").unlink()
    assert ("warning", "git pull (Pinokio's Update): git refuses") in [(a, b[:40]) for a, b in said(root, "updates")]
    install(root)
    assert [level for level, _ in said(root, "updates")] == ["ok"] * 3


def test_doctor_tries_it_on_a_copy(root: Path, tmp_path: Path) -> None:
    git(root, "config", "core.autocrlf", "true")
    (root / ".git" / "info").mkdir(exist_ok=True)
    (root / ".git" / "info" / "attributes").write_text("wgp.py -text\n")
    install(root)
    before = git(root, "status", "--porcelain")
    assert [level for level, _ in said(root, "tried", updates=True)] == ["ok"] * 3
    assert git(root, "status", "--porcelain") == before
    (root / ".git" / "info" / "attributes").write_text("wgp.py filter=mine\n")
    tried = said(root, "tried", updates=True)
    # A stash carries the lines over like an edit of the person.
    assert [level for level, _ in tried] == ["warning", "warning", "ok"]
    shown = status(root).checkout
    assert shown is not None
    assert "overwritten by merge" in rehearse(shown)[0].said
    zipped = miniature.write(tmp_path / "zip")
    assert said(zipped, "tried", updates=True) == [("ok", "There is no git in this WanGP, so there is nothing to try.")]


def test_doctor_without_git(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git_program, "folder", lambda *_: None)
    ((level, text),) = said(root, "tried", updates=True)
    assert (level, "git is not installed" in text) == ("warning", True)


@pytest.fixture
def told(tmp_path: Path) -> Story:
    return story.tell(tmp_path)


class TestCompat:
    """The page of the scheduled workflow, and the commands that read it."""

    @pytest.fixture
    def page(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
        folder = tmp_path / "page"
        folder.mkdir()
        asked: list[str] = []

        class Handler(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *given: object, **named: object) -> None:
                super().__init__(*given, directory=str(folder), **named)  # type: ignore[arg-type]

            def log_message(self, *_: object) -> None:
                asked.append(self.path)

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("SVI_INSTALL_PAGE", f"http://127.0.0.1:{server.server_port}/")
        yield folder
        server.shutdown()
        server.server_close()
        assert set(asked) <= {"/compat.json"}

    def test_written_by_check_and_read_by_status(self, told: Story, page: Path, root: Path) -> None:
        check(str(told.git), since="9.91", all_commits=True, compat=page / "compat.json")
        found = compat.parse((page / "compat.json").read_bytes())
        refused = {known.version: known.why for known in found.commits.values() if not known.placed}
        assert refused
        assert all(refused.values())
        assert found.of(found.newest) is found.commits[found.newest]
        notes = status(root, online=True).notes
        assert any("does not know this WanGP 12.60: its commit is not listed" in note for note in notes)
        assert any(note.startswith(f"The newest WanGP is {found.commits[found.newest].version}: ") for note in notes)

    def put(self, page: Path, root: Path, **more: object) -> None:
        commit = git(root, "rev-parse", "HEAD")[: compat.DIGITS]
        raw = {
            "schema": 1,
            "made": "2026-11-29T00:00:00Z",
            "svi_install": "9.9",
            "patch_set": "other",
            "newest": "f" * 12,
            "commits": {
                commit: {"version": "12.60", "placed": True, "proven": True},
                "f" * 12: {"version": "18\x1b[2J.0", "placed": False, "proven": True, "why": "there is no place"},
            },
            **more,
        }
        (page / "compat.json").write_text(json.dumps(raw))

    def test_what_is_said_of_this_wangp_and_the_newest(self, page: Path, root: Path) -> None:
        self.put(page, root)
        notes = status(root, online=True).notes
        assert "The page of 2026-11-29 on this WanGP 12.60: SVI goes in, and was really run on this release." in notes
        assert "The newest WanGP is 18[2J.0: SVI does not go in yet (there is no place)." in notes
        assert any("The page was made with version 9.9" in note for note in notes)
        assert not any("page of" in note for note in status(root).notes)

    def test_update_reads_it_too(self, page: Path, root: Path, tmp_path: Path) -> None:
        git(tmp_path, "clone", "-q", str(root), "clone")
        self.put(page, root)
        assert any("The page of 2026-11-29" in note for note in update(tmp_path / "clone", online=True).notes)

    def test_on_the_command_line(self, page: Path, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.put(page, root)
        assert main(["status", "--online", "--json", str(root)]) == 0
        assert any("page of" in note for note in json.loads(capsys.readouterr().out)["notes"])

    def test_a_zip_has_no_commit(self, page: Path, root: Path, tmp_path: Path) -> None:
        self.put(page, root)
        notes = status(miniature.write(tmp_path / "zip"), online=True).notes
        assert any("there is no git in it" in note for note in notes)

    @pytest.mark.parametrize(
        "text", [b"", b"[]", b"{}", b'{"schema": 2}', b"<html>", b"\xff", b"[" * 100_000, b'{"schema":1,"commits":[]}']
    )
    def test_something_else_is_no_compat_file(self, page: Path, root: Path, text: bytes) -> None:
        (page / "compat.json").write_bytes(text)
        with pytest.raises(SviError, match="the answer is not that file") as caught:
            status(root, online=True)
        assert caught.value.exit_code == 5

    def test_too_large_missing_and_unreachable(self, page: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(SviError, match="File not found"):
            status(root, online=True)
        (page / "compat.json").write_bytes(b" " * (4 << 20) + b" ")
        with pytest.raises(SviError, match="much too large"):
            status(root, online=True)
        monkeypatch.setenv("SVI_INSTALL_PAGE", "http://127.0.0.1:9")
        with pytest.raises(SviError, match="could not be read"):
            status(root, online=True)

    @pytest.mark.parametrize("address", ["file:///etc", "http://example.org", "ftp://x"])
    def test_only_encrypted_addresses(self, root: Path, address: str) -> None:
        with pytest.raises(SviError, match="not an https address"):
            online.fetch({"SVI_INSTALL_PAGE": address})

    def test_an_address_that_is_not_known(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(online, "page_address", lambda _env: "")
        with pytest.raises(SviError, match="does not know the address"):
            online.fetch({})
        assert page_address({"SVI_INSTALL_PAGE": "https://a"}) == "https://a"

    def test_an_address_in_the_packages_own_metadata(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from email.message import Message
        from importlib import metadata

        found = Message()
        found["Project-URL"] = "Source, https://b"
        found["Project-URL"] = "Compatibility, https://c/d"
        monkeypatch.setattr(metadata, "metadata", lambda _name: found)
        assert page_address({}) == "https://c/d"

        def gone(name: str) -> None:
            raise metadata.PackageNotFoundError(name)

        monkeypatch.setattr(metadata, "metadata", gone)
        assert page_address({}) == ""


class TestShortcut:
    """A start file that people double-click."""

    @posix
    def test_it_starts_wangp_with_svi(self, root: Path, tmp_path: Path) -> None:
        done = shortcut(root, platform="darwin")
        file = Path(done.extra["file"])
        assert file == tmp_path / "home" / "Desktop" / "WanGP with SVI.command"
        (root / "venv" / "bin").mkdir(parents=True)
        (root / "venv" / "bin" / "python").symlink_to(sys.executable)
        ran = subprocess.run([str(file)], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert "WanGP v12.60" in ran.stdout, ran.stderr
        assert status(root).state == "installed"
        assert shortcut(root, platform="darwin").status == "unchanged"
        assert shortcut(root, platform="darwin", remove=True).status == "done"
        assert not file.exists()
        assert shortcut(root, platform="darwin", remove=True).status == "unchanged"

    @posix
    def test_a_desktop_entry_survives_every_sign(self, tmp_path: Path) -> None:
        """As the specification has it: first the backslashes of the file, then the quotes of Exec."""
        odd = tmp_path / 'Zoë\'s "100%" $HOME `x` \\ folder'
        row = next(row for row in content(odd, "linux").splitlines() if row.startswith("Exec="))
        text = row.removeprefix("Exec=").replace("\\\\", "\\")
        program, inner = text.partition(' -c "')[::2]
        assert program == "/bin/sh"
        command = ""
        signs = iter(inner.removesuffix('"'))
        for sign in signs:
            command += next(signs) if sign == "\\" else sign
        words = subprocess.run(
            ["/bin/sh", "-c", f"for w in {command.replace('%%', '%')}; do printf '%s\\n' \"$w\"; done"],
            capture_output=True, text=True, check=True,
        ).stdout.splitlines()  # fmt: skip
        assert words == [sys.executable, "-I", "-m", "svi_install", "launch", str(odd)]

    def test_windows(self, root: Path) -> None:
        text = content(root / "100%", "win32")
        assert text.count("\n") == text.count("\r\n")
        assert f'"{root}/100%%"'.replace("/", os.sep) in text
        assert "chcp 65001" in text

    def test_where_the_desktop_is(self, tmp_path: Path) -> None:
        home = tmp_path / "home"
        (home / "Schreibtisch").mkdir()
        (home / ".config").mkdir()
        (home / ".config" / "user-dirs.dirs").write_text('# x\nXDG_DESKTOP_DIR="$HOME/Schreibtisch"\n')
        assert place(None, "linux", {}) == home / "Schreibtisch" / "WanGP with SVI.desktop"
        shutil.rmtree(home / "Desktop")
        (home / "OneDrive" / "Desktop").mkdir(parents=True)
        assert place(None, "win32", {"OneDrive": str(home / "OneDrive")}).parent == home / "OneDrive" / "Desktop"
        with pytest.raises(SviError, match="There is no folder"):
            place(tmp_path / "none", "darwin", {})

    def test_a_file_of_ones_own_stays(self, root: Path, tmp_path: Path) -> None:
        folder = tmp_path / "here"
        folder.mkdir()
        file = place(folder, sys.platform, {})
        file.write_text("mine")
        for remove in (False, True):
            with pytest.raises(SviError, match="is not svi-install's"):
                shortcut(root, folder=folder, remove=remove)
        assert file.read_text() == "mine"

    def test_on_the_command_line(self, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["shortcut", str(root), "--folder", str(tmp_path), "--json"]) == 0
        assert Path(json.loads(capsys.readouterr().out)["file"]).is_file()
        assert main(["shortcut", str(root), "--folder", str(tmp_path / "none")]) == 1


@posix
class TestGitOfOtherPrograms:
    """Git that is not on the PATH."""

    def program(self, folder: Path, name: str = "git") -> Path:
        folder.mkdir(parents=True)
        file = folder / name
        file.write_text("#!/bin/sh\n")
        file.chmod(0o755)
        return folder

    def test_on_the_path(self, tmp_path: Path) -> None:
        assert git_program.folder({"PATH": str(self.program(tmp_path / "bin"))}, "linux") == ""

    def test_github_desktop_newest_first(self, tmp_path: Path) -> None:
        windows = {"PATH": "", "LOCALAPPDATA": str(tmp_path)}
        assert git_program.folder({**windows, "LOCALAPPDATA": str(tmp_path / "no")}, "win32") is None
        patterns = git_program._WINDOWS
        git_program._WINDOWS = tuple(pattern.replace("\\", "/") for pattern in patterns)
        try:
            for version in ("3.4.1", "3.4.2"):
                self.program(tmp_path / "GitHubDesktop" / f"app-{version}" / "resources/app/git/cmd", "git.exe")
            found = git_program.folder(windows, "win32")
        finally:
            git_program._WINDOWS = patterns
        assert found is not None
        assert "app-3.4.2" in found

    def test_pinokios(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        wanted = self.program(tmp_path / "pinokio" / "bin" / "miniconda" / "bin")
        for environ in ({"HOME": str(tmp_path)}, {"PINOKIO_HOME": str(tmp_path / "pinokio")}):
            assert git_program.folder({"PATH": "", **environ}, "linux") == str(wanted)
        app = tmp_path / "pinokio" / "api" / "wan.git" / "app"
        app.mkdir(parents=True)
        monkeypatch.chdir(app)
        assert git_program.folder({"PATH": ""}, "darwin") == str(wanted)

    def test_it_is_used(self, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        real = shutil.which("git")
        assert real is not None
        folder = self.program(tmp_path / "home" / "pinokio" / "bin" / "git" / "bin")
        (folder / "git").write_text(f'#!/bin/sh\nexec "{real}" "$@"\n')
        monkeypatch.setenv("PATH", str(tmp_path / "empty"))
        from svi_install.history.git_environment import environment

        assert environment()["PATH"].endswith(str(folder))
