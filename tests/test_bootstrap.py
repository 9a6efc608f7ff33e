from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from svi_install import bootstrap
from svi_install.bootstrap import (
    BootstrapError,
    data_folder,
    fingerprint,
    interpreter,
    is_ready,
    own_folder,
    pip_trouble,
    prepare,
    run_with_progress,
    runs,
    venv_trouble,
)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    for name in (
        "pyproject.toml",
        "requirements.lock",
        "LICENSE",
        "svi_install/a.py",
        "patches/a.diff",
        "profiles/loras/a.json",
        "README.md",
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, "utf-8")
    return folder


def fake_venv(folder: Path) -> Path:
    interpreter(folder).parent.mkdir(parents=True)
    interpreter(folder).write_text("", "utf-8")
    return folder


class Runner:
    """Stands for `run_with_progress`; remembers the commands and makes what ``venv`` would make."""

    def __init__(self, venv: Path, *outcomes: tuple[int, str]) -> None:
        self.venv = venv
        self.outcomes = list(outcomes)
        self.commands: list[Sequence[str]] = []

    def __call__(self, command: Sequence[str], what: str) -> tuple[int, str]:
        self.commands.append(command)
        code, output = self.outcomes.pop(0) if self.outcomes else (0, "")
        if "venv" in command and not code:
            fake_venv(self.venv)
        return code, output


@pytest.mark.parametrize(
    ("platform", "env", "expected"),
    [
        ("linux", {}, "/home/me/.local/share/svi-install"),
        ("linux", {"XDG_DATA_HOME": "/data"}, "/data/svi-install"),
        ("darwin", {}, "/home/me/Library/Application Support/svi-install"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/svi-install"),
        ("win32", {}, "/home/me/AppData/Local/svi-install"),
        ("win32", {"SVI_INSTALL_HOME": "/mine", "LOCALAPPDATA": "/local"}, "/mine"),
    ],
)
def test_the_data_folder_is_where_the_platform_keeps_such_things(
    platform: str, env: dict[str, str], expected: str
) -> None:
    assert data_folder(platform, env, Path("/home/me")) == Path(expected)


@pytest.mark.parametrize(
    "name", ["pyproject.toml", "requirements.lock", "svi_install/a.py", "patches/a.diff", "profiles/loras/a.json"]
)
def test_a_changed_source_changes_the_fingerprint(source: Path, name: str) -> None:
    before = fingerprint(source)
    (source / name).write_text("other", "utf-8")
    assert fingerprint(source) != before


def test_a_new_or_renamed_source_changes_the_fingerprint(source: Path) -> None:
    before = fingerprint(source)
    (source / "svi_install/a.py").rename(source / "svi_install/b.py")
    renamed = fingerprint(source)
    (source / "svi_install/c.py").write_text("", "utf-8")
    assert len({before, renamed, fingerprint(source)}) == 3


def test_what_is_not_installed_does_not_count(source: Path) -> None:
    before = fingerprint(source)
    (source / "README.md").write_text("other", "utf-8")
    cache = source / "svi_install/__pycache__"
    cache.mkdir()
    (cache / "a.cpython-312.pyc").write_bytes(b"x")
    assert fingerprint(source) == before


def test_an_environment_is_ready_only_with_its_stamp(tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    assert not is_ready(venv, "x")
    fake_venv(venv)
    assert not is_ready(venv, "x")
    (venv / bootstrap.STAMP).write_text("x", "utf-8")
    assert is_ready(venv, "x")
    assert not is_ready(venv, "y")
    interpreter(venv).unlink()
    assert not is_ready(venv, "x")


def test_the_environment_of_these_tests_runs_and_an_empty_one_does_not(tmp_path: Path) -> None:
    assert runs(Path(sys.prefix))
    assert not runs(tmp_path)


def test_a_broken_environment_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    venv = fake_venv(tmp_path / "venv")
    (venv / "rest").write_text("", "utf-8")
    monkeypatch.setattr(bootstrap, "run_with_progress", Runner(venv))
    prepare(venv, "wanted")
    assert not (venv / "rest").exists()
    assert is_ready(venv, "wanted")


def test_prepare_makes_the_environment_and_stamps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    venv = tmp_path / "venv"
    runner = Runner(venv)
    monkeypatch.setattr(bootstrap, "run_with_progress", runner)
    prepare(venv, "wanted")
    made, packages, installed = runner.commands
    assert made[-2:] == ["venv", str(venv)]
    assert packages[-3:] == ["--require-hashes", "-r", str(bootstrap.SOURCE / "requirements.lock")]
    assert "--quiet" in installed
    assert installed[-4:] == ["--no-deps", "--no-build-isolation", "--no-index", str(bootstrap.SOURCE)]
    assert is_ready(venv, "wanted")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "once" in captured.err


def test_changed_sources_are_installed_into_the_same_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    venv = fake_venv(tmp_path / "venv")
    runner = Runner(venv)
    monkeypatch.setattr(bootstrap, "run_with_progress", runner)
    monkeypatch.setattr(bootstrap, "runs", lambda venv: True)
    prepare(venv, "wanted")
    assert [command[4] for command in runner.commands] == ["install", "install"]
    assert "its files changed" in capsys.readouterr().err


def test_a_failed_pip_leaves_no_stamp_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    venv = tmp_path / "venv"
    output = "WARNING: Retrying\nERROR: Could not find a version that satisfies the requirement hatchling>=1.25"
    monkeypatch.setattr(bootstrap, "run_with_progress", Runner(venv, (0, ""), (1, output)))
    with pytest.raises(BootstrapError, match=r"no connection to the Python package index") as caught:
        prepare(venv, "wanted")
    assert "hatchling" in str(caught.value)
    assert "Retrying" not in str(caught.value)
    assert not is_ready(venv, "wanted")


def test_a_package_that_somebody_changed_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = tmp_path / "demo-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("demo.py", "")
        file.writestr("demo-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1\n")
        file.writestr("demo-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr("demo-1.dist-info/RECORD", "demo.py,,\n")
    (tmp_path / bootstrap.LOCK).write_text(f"demo==1 --hash=sha256:{'0' * 64}\n", "utf-8")
    monkeypatch.setattr(bootstrap, "SOURCE", tmp_path)
    for name, value in (("PIP_NO_INDEX", "1"), ("PIP_FIND_LINKS", str(tmp_path)), ("PIP_CONFIG_FILE", os.devnull)):
        monkeypatch.setenv(name, value)
    with pytest.raises(BootstrapError, match="sha256 differs"):
        prepare(tmp_path / "venv", "wanted")
    assert not is_ready(tmp_path / "venv", "wanted")
    assert not list((tmp_path / "venv").rglob("demo.py"))


def test_a_missing_ensurepip_names_the_package_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    venv = tmp_path / "venv"
    output = "The virtual environment was not created successfully because ensurepip is not\navailable."
    monkeypatch.setattr(bootstrap, "run_with_progress", Runner(venv, (1, output)))
    with pytest.raises(BootstrapError, match=r"sudo apt install python3\.\d+-venv"):
        prepare(venv, "wanted")
    assert not venv.exists()


def test_other_failures_of_venv_are_shown() -> None:
    assert "something odd" in venv_trouble("one\n\nsomething odd\n")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    for act in (lambda: own_folder(tmp_path / "file" / "data"), lambda: prepare(tmp_path / "file" / "venv", "wanted")):
        with pytest.raises(BootstrapError, match="cannot be written") as caught:
            act()
        assert "SVI_INSTALL_HOME" in str(caught.value)


def test_the_own_folder_is_the_real_one(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    if sys.platform != "win32":
        (tmp_path / "link").symlink_to(tmp_path / "real")
        assert own_folder(tmp_path / "link" / "data") == tmp_path / "real" / "data"
    assert own_folder(tmp_path / "real" / "a" / "b").is_dir()


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("SSLError(SSLCertVerificationError(1, 'CERTIFICATE_VERIFY_FAILED", "certificate"),
        ("ProxyError('Cannot connect to proxy.')", "proxy"),
        ("Temporary failure in name resolution", "no connection"),
        ("[WinError 5] Access is denied", "could not be written"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", "sha256 differs"),
        (
            "ERROR: Could not find a version (from versions: 8.1, 8.2)\nERROR: No matching distribution",
            "does not have one",
        ),
        ("ERROR: Could not find a version (from versions: none)\nERROR: No matching distribution", "no connection"),
        ("error: invalid command", "lines above"),
    ],
)
def test_pip_trouble_is_put_into_words(output: str, said: str) -> None:
    assert said in pip_trouble(output)


def test_output_and_exit_code_of_a_step_are_kept(capsys: pytest.CaptureFixture[str]) -> None:
    script = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    code, output = run_with_progress([sys.executable, "-c", script], "working")
    assert code == 3
    assert sorted(output.split()) == ["err", "out"]
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "  working\n")


def test_an_interrupted_step_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(process: subprocess.Popen[bytes]) -> None:
        started.append(process)
        raise KeyboardInterrupt

    started: list[subprocess.Popen[bytes]] = []
    monkeypatch.setattr(subprocess.Popen, "communicate", stop)
    with pytest.raises(KeyboardInterrupt):
        run_with_progress([sys.executable, "-c", "import time; time.sleep(600)"], "waiting")
    assert started[0].returncode


def test_a_step_of_more_than_a_second_counts_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Done:
        answers = iter([False, True])

        def wait(self, seconds: float) -> bool:
            return next(self.answers)

    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    bootstrap._tick("working", 0.0, Done())
    assert capsys.readouterr().err.count("\r  working ...") == 2


def test_a_terminal_sees_that_time_passes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    run_with_progress([sys.executable, "-c", "pass"], "working")
    error = capsys.readouterr().err
    assert error.startswith("\r  working ... 0 s")
    assert error.endswith("\n")


def test_settings_of_the_persons_python_do_not_reach_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/")
    script = "import os; print(os.environ.get('PYTHONPATH'), os.environ['PIP_INDEX_URL'])"
    assert run_with_progress([sys.executable, "-c", script], "x")[1].split() == ["None", "http://127.0.0.1:9/"]


def test_main_says_what_is_wrong_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    monkeypatch.setenv("SVI_INSTALL_HOME", str(tmp_path / "file"))
    assert bootstrap.main([]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.endswith("Nothing was changed in WanGP.\n")


def test_a_program_gets_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    monkeypatch.setenv("SVI_INSTALL_HOME", str(tmp_path / "file"))
    for words, command in (
        (["--json"], "install"),
        (["status", "/x", "--json"], "status"),
        (["/x", "--json"], "install"),
    ):
        assert bootstrap.main(words) == 1
        captured = capfd.readouterr()
        data = json.loads(captured.out)
        assert (captured.err, data["command"], data["error"]["code"]) == ("", command, "no-environment")
        assert "Nothing was changed in WanGP." in data["error"]["message"]
    assert bootstrap.main(["launch", "--", "--json"]) == 1
    assert capfd.readouterr().out == ""


def test_a_home_that_nobody_knows(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def unknown() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("SVI_INSTALL_HOME", raising=False)
    monkeypatch.setattr(Path, "home", unknown)
    assert bootstrap.main([]) == 1
    assert "set SVI_INSTALL_HOME" in capsys.readouterr().err


def test_main_refuses_an_old_python(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(bootstrap, "OLDEST", (99, 0))
    assert bootstrap.main([]) == 1
    assert "needs Python 99.0 or newer" in capsys.readouterr().err


def test_main_stopped_while_preparing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(venv: Path, wanted: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setenv("SVI_INSTALL_HOME", str(tmp_path))
    monkeypatch.setattr(bootstrap, "prepare", stop)
    assert bootstrap.main([]) == 130
    assert "stopped" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["posix", "nt"])
def test_main_passes_arguments_and_exit_code_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    class Child:
        def __init__(self, command: Sequence[str]) -> None:
            started.append(list(command))
            self.waits = [KeyboardInterrupt, None]

        def __enter__(self) -> Child:
            return self

        def __exit__(self, *details: object) -> None:
            pass

        def wait(self) -> int:
            if (stopped := self.waits.pop(0)) is not None:
                raise stopped
            return 7

    def replace(program: str, command: Sequence[str]) -> None:
        started.append(list(command))
        raise SystemExit(7)

    started: list[list[str]] = []
    monkeypatch.setenv("SVI_INSTALL_HOME", str(tmp_path))
    monkeypatch.setenv("SVI_INSTALL_SOURCE", "")
    monkeypatch.setattr(bootstrap, "is_ready", lambda venv, wanted: True)
    monkeypatch.setattr(subprocess, "Popen", Child)
    monkeypatch.setattr(bootstrap.os, "execv", replace)
    monkeypatch.setattr(bootstrap, "replaces_itself", lambda: name == "posix")
    if name == "posix":
        with pytest.raises(SystemExit, match="7"):
            bootstrap.main(["--status", "a b"])
    else:
        assert bootstrap.main(["--status", "a b"]) == 7
    assert started == [[str(interpreter(tmp_path / "venv")), "-I", "-m", "svi_install", "--status", "a b"]]
    assert bootstrap.os.environ["SVI_INSTALL_SOURCE"] == str(bootstrap.SOURCE)
