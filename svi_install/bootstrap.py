"""Makes svi-install's own Python environment, outside WanGP's, and runs svi-install in it.

``install.sh`` and ``install.bat`` run this file with any Python 3.10 or newer: ``python -I bootstrap.py ARGS``.
Standard library only; it imports nothing of the package, which is not installed yet when this runs.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

OLDEST = (3, 10)
SOURCE = Path(__file__).resolve().parent.parent
STAMP = "svi-install.stamp"
# What ends up in the installed package; everything else may change without a new installation.
INGREDIENTS = ("pyproject.toml", "requirements.lock", "LICENSE", "svi_install", "patches", "profiles")
# The one version of each package that is installed, with the sha256 of its files.
LOCK = "requirements.lock"
# What measuring videos needs beside that, some hundred MB: it comes when it is first asked for.
EXTRA_LOCK, EXTRA_STAMP = "drift.lock", "svi-install.drift.stamp"
EXTRA_COMMAND, EXTRA_OPTIONS = "drift", ("--watch", "--anchor-colour")
_SKIPPED = {".pyc", ".pyo"}


class BootstrapError(Exception):
    """The environment cannot be made; the text says why and what to do."""


def data_folder(platform: str, env: Mapping[str, str], home: Path) -> Path:
    """Return the folder for svi-install's own data, where this platform (``sys.platform``) keeps such things.

    Returns:
        ``%LOCALAPPDATA%\\svi-install`` on Windows, ``~/Library/Application Support/svi-install`` on macOS, else
        ``$XDG_DATA_HOME/svi-install`` or ``~/.local/share/svi-install``. ``SVI_INSTALL_HOME`` overrides all of them.
    """
    if env.get("SVI_INSTALL_HOME"):
        return Path(env["SVI_INSTALL_HOME"])
    if platform == "win32":
        return Path(env.get("LOCALAPPDATA") or home / "AppData" / "Local") / "svi-install"
    if platform == "darwin":
        return home / "Library" / "Application Support" / "svi-install"
    return Path(env.get("XDG_DATA_HOME") or home / ".local" / "share") / "svi-install"


def cache_folder(platform: str, env: Mapping[str, str], home: Path) -> Path:
    """Return the folder for what svi-install can fetch again; the arguments are those of `data_folder`.

    ``~/Library/Caches/svi-install`` on macOS, ``$XDG_CACHE_HOME/svi-install`` or ``~/.cache/svi-install`` on Linux, and
    that of the data on Windows, which has but one such place.
    """
    if platform == "win32":
        return data_folder(platform, {**env, "SVI_INSTALL_HOME": ""}, home)
    if platform == "darwin":
        return home / "Library" / "Caches" / "svi-install"
    return Path(env.get("XDG_CACHE_HOME") or home / ".cache") / "svi-install"


def interpreter(venv: Path) -> Path:
    """Return the Python of an environment."""
    return venv / "Scripts" / "python.exe" if sys.platform == "win32" else venv / "bin" / "python"


def fingerprint(source: Path) -> str:
    """Hash the sources that an installation is made from; ``source`` holds ``pyproject.toml``."""
    digest = hashlib.sha256()
    for name in INGREDIENTS:
        top = source / name
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.suffix in _SKIPPED or not path.is_file():
                continue
            data = path.read_bytes()
            digest.update(f"{path.relative_to(source).as_posix()}\0{len(data)}\0".encode())
            digest.update(data)
    return digest.hexdigest()


def pip_trouble(output: str) -> str:
    """Turn the output of a failed pip into the one thing a person can do about it."""
    lowered = output.lower()
    if "do not match the hashes" in lowered:
        return (
            "One of the downloaded packages is not the one that was published (its sha256 differs), so it was not "
            "installed. A mirror, a proxy or a virus scanner may have changed it on the way."
        )
    if re.search(r"from versions: (?!none)", lowered):
        return (
            "The package index in use does not have one of the versions that svi-install is tested with. "
            "If PIP_INDEX_URL names a mirror, unset it; if not, get a newer svi-install or an older Python."
        )
    if "no space left" in lowered:
        return "The disk is full. Free about 200 MB and run the same command again."
    if "certificate_verify_failed" in lowered or "sslerror" in lowered:
        return (
            "The secure connection to the Python package index was refused (certificate). "
            "Behind a company proxy or a virus scanner, set PIP_CERT to its certificate and try again."
        )
    if "proxy" in lowered:
        return "The proxy refused the connection. Check HTTPS_PROXY and run the same command again."
    offline = ("name resolution", "getaddrinfo", "newconnection", "timeout", "retrying", "no matching distribution")
    if any(sign in lowered for sign in offline):
        return (
            "There is no connection to the Python package index (pypi.org). "
            "Connect this computer to the internet (or set HTTPS_PROXY) and run the same command again."
        )
    if "permission denied" in lowered or "permissionerror" in lowered or "winerror 5" in lowered:
        return "A file could not be written. Close other svi-install windows and check the folder's permissions."
    return "The lines above say what went wrong in pip."


def shell(env: Mapping[str, str]) -> str:
    """Tell what started install.bat: ``cmd``, ``powershell``, or a ``window`` that closes when this is over."""
    line, home = env.get("SVI_INSTALL_STARTED", ""), env.get("USERPROFILE", "")
    # Explorer and PowerShell both start cmd /c ""C:\...\install.bat" C:\folder"
    if line != "window" and '/c ""' not in line.lower():
        return "cmd"
    # Only PowerShell puts a folder of the person's own into this.
    return "powershell" if home and home.lower() in env.get("PSModulePath", "").lower() else "window"


def main(arguments: Sequence[str]) -> int:
    """Prepare the environment if needed, then run svi-install in it; 1 when the environment cannot be made."""
    code = _main(arguments)
    if len(arguments) == 1 and shell(os.environ) == "window":
        # A folder was dropped on install.bat.
        _print("\nPress Enter to close this window. ", end="")
        with contextlib.suppress(OSError, KeyboardInterrupt):
            sys.stdin and sys.stdin.readline()
    return code


def _main(arguments: Sequence[str]) -> int:
    try:
        if sys.version_info < OLDEST:
            raise BootstrapError(
                f"svi-install needs Python {OLDEST[0]}.{OLDEST[1]} or newer; {sys.executable} is "
                f"{sys.version.split()[0]}.\nInstall a newer Python from https://www.python.org/downloads/ "
                "or set SVI_INSTALL_PYTHON to the path of one."
            )
        venv = own_folder(data_folder(sys.platform, os.environ, _home())) / "venv"
        wanted = fingerprint(SOURCE)
        if not is_ready(venv, wanted):
            prepare(venv, wanted)
        if measures(arguments):
            add_extra(venv)
    except BootstrapError as error:
        _fail(arguments, "no-environment", f"{error}\nNothing was changed in WanGP.")
        return 1
    except OSError as error:
        _fail(
            arguments, "no-environment", f"{error.filename or SOURCE}: {error.strerror}.\nNothing was changed in WanGP."
        )
        return 1
    except KeyboardInterrupt:
        _fail(arguments, "interrupted", "stopped. Nothing was changed in WanGP.")
        return 130
    command = [str(interpreter(venv)), "-I", "-m", "svi_install", *arguments]
    os.environ["SVI_INSTALL_SOURCE"] = str(SOURCE)
    os.environ["SVI_INSTALL_SHELL"] = shell(os.environ)
    if replaces_itself():
        os.execv(command[0], command)
    with subprocess.Popen(command) as process:
        while True:
            # Ctrl-C reaches svi-install too: it cleans up and its exit code counts.
            with contextlib.suppress(KeyboardInterrupt):
                return process.wait()


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError as error:
        if os.environ.get("SVI_INSTALL_HOME"):
            return Path(os.environ["SVI_INSTALL_HOME"])
        raise BootstrapError(
            "your home folder could not be found; set SVI_INSTALL_HOME to a folder of your own."
        ) from error


def _fail(arguments: Sequence[str], code: str, message: str) -> None:
    """Say what went wrong: in words, and as the JSON object of svi-install to a program that asked for one."""
    words = list(arguments[: list(arguments).index("--")] if "--" in arguments else arguments)
    if "--json" not in words:
        _print(f"svi-install: {message}")
        return
    named = next((word for word in words if not word.startswith("-")), "")
    failure = {
        "schema": 1,
        "command": named if named.replace("-", "").isalpha() else "install",
        "status": "failed",
        "checkout": None,
        "state": None,
        "changes": [],
        "error": {"code": code, "message": message, "hint": ""},
    }
    try:
        if sys.stdout is not None:
            os.write(1, f"{json.dumps(failure)}\n".encode())
            return
    except OSError:
        pass
    _print(json.dumps(failure))


def _print(text: str, end: str = "\n") -> None:
    """Print to the error output, if there is one that takes it; the work goes on without."""
    # With None, print would take the standard output.
    if sys.stderr is None:
        return
    try:
        print(text, end=end, file=sys.stderr, flush=True)
    except OSError:
        # What stays in its buffer would change the exit code when Python ends.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def own_folder(folder: Path) -> Path:
    """Make the folder for svi-install's own data.

    Returns:
        Where it really is: the Python of the Microsoft Store redirects it, and an environment works only there.

    Raises:
        BootstrapError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error
    return Path(os.path.realpath(folder))


def _unwritable(folder: Path, error: OSError) -> BootstrapError:
    return BootstrapError(
        f"{folder} cannot be written: {error.strerror}.\nSet SVI_INSTALL_HOME to a folder that you can write to."
    )


def replaces_itself() -> bool:
    """Tell whether a process can become another program here; on Windows the caller would not wait for it."""
    return os.name == "posix"


def is_ready(venv: Path, wanted: str) -> bool:
    """Tell whether an environment exists, runs, and holds the wanted sources."""
    try:
        return interpreter(venv).exists() and (venv / STAMP).read_text("utf-8") == wanted
    except (OSError, UnicodeDecodeError):
        return False


def prepare(venv: Path, wanted: str) -> None:
    """Make the environment anew and install the package into it; the stamp is written last.

    Args:
        venv: where it goes; an unfinished or outdated one there is replaced.

    Raises:
        BootstrapError: the environment cannot be made or pip failed.
    """
    note = "once, about half a minute" if not venv.exists() else "its files changed"
    _print(f"svi-install: preparing its own Python environment in {venv} ({note})")
    try:
        (venv / STAMP).unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(venv, error) from error
    if not runs(venv):
        shutil.rmtree(venv, ignore_errors=True)
        python = [sys.executable, "-I", "-m", "venv", str(venv)]
        code, output = run_with_progress(python, "making the environment")
        if code or not interpreter(venv).exists():
            shutil.rmtree(venv, ignore_errors=True)
            raise BootstrapError(venv_trouble(output))
    # What builds the package is in the lock too: pip would fetch that without looking at any hash.
    from_lock = ["--require-hashes", "-r", str(SOURCE / LOCK)]
    from_here = ["--no-deps", "--no-build-isolation", "--no-index", str(SOURCE)]
    for what, words in (("downloading and installing packages", from_lock), ("installing svi-install", from_here)):
        _pip(venv, words, what)
    (venv / STAMP).write_text(wanted, "utf-8")


def measures(arguments: Sequence[str]) -> bool:
    """Tell whether a command line measures videos."""
    words = list(arguments[: list(arguments).index("--")] if "--" in arguments else arguments)
    if {"-h", "--help"} & set(words):
        return False
    first = next((word for word in words if not word.startswith("-")), "")
    return first == EXTRA_COMMAND or any(option in words for option in EXTRA_OPTIONS)


def add_extra(venv: Path) -> None:
    """Install what measuring videos needs, once; without it everything else works on.

    Raises:
        BootstrapError: pip failed.
    """
    wanted = hashlib.sha256((SOURCE / EXTRA_LOCK).read_bytes()).hexdigest()
    stamp = venv / EXTRA_STAMP
    if stamp.exists() and stamp.read_text("utf-8", "replace") == wanted:
        return
    _print("svi-install: getting what measuring videos needs, about 120 MB (once, about a minute)")
    # Only wheels: nobody who wants to look at a video has the compilers for these.
    words = ["--only-binary", ":all:", "--require-hashes", "-r", str(SOURCE / EXTRA_LOCK)]
    _pip(venv, words, "downloading and installing packages")
    stamp.write_text(wanted, "utf-8")


def _pip(venv: Path, words: Sequence[str], what: str) -> None:
    pip = [str(interpreter(venv)), "-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    code, output = run_with_progress([*pip, *words], what)
    if code:
        raise BootstrapError(f"its packages could not be installed.\n{_tail(output)}\n{pip_trouble(output)}")


def runs(venv: Path) -> bool:
    """Tell whether an environment is complete and has the version of the Python that runs this file."""
    check = f"import sys, pip; sys.exit(sys.version_info[:2] != {tuple(sys.version_info[:2])})"
    try:
        return not subprocess.run(
            [str(interpreter(venv)), "-I", "-c", check], check=False, capture_output=True
        ).returncode
    except OSError:
        return False


def venv_trouble(output: str) -> str:
    """Say why ``python -m venv`` failed and what to do about it."""
    if "ensurepip" in output or "No module named venv" in output:
        package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
        return (
            f"this Python ({sys.executable}) cannot create environments: its venv or ensurepip module is missing.\n"
            f"On Debian and Ubuntu: sudo apt install {package}\n"
            "Elsewhere: install Python from https://www.python.org/downloads/ or set SVI_INSTALL_PYTHON to another one."
        )
    return f"its Python environment could not be created.\n{_tail(output)}"


def run_with_progress(command: Sequence[str], what: str) -> tuple[int, str]:
    """Run a command silently, showing on a terminal that time passes; return its exit code and all it printed."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    start = time.monotonic()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=environment
    ) as process:
        done = threading.Event()
        ticker = threading.Thread(target=_tick, args=(what, start, done), daemon=True)
        ticker.start()
        try:
            output = process.communicate()[0].decode("utf-8", "replace")
        except KeyboardInterrupt:
            process.terminate()
            raise
        finally:
            done.set()
            ticker.join()
    return process.returncode, output


def _tick(what: str, start: float, done: threading.Event) -> None:
    if sys.stderr is None or not sys.stderr.isatty():
        _print(f"  {what}")
        return
    while True:
        _print(f"\r  {what} ... {time.monotonic() - start:.0f} s", end="")
        if done.wait(1):
            _print(f"\r  {what}: {time.monotonic() - start:.0f} s    ")
            return


def _tail(output: str, lines: int = 6) -> str:
    """Keep the last lines; where pip marks errors, those, because it ends with notes about itself."""
    kept = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in kept if line.startswith("ERROR")]
    return "\n".join(f"  {line}" for line in (errors or kept)[-lines:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
