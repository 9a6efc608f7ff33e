"""Brings WanGP for the notebook: the newest proven commit, with a Python and packages of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ..errors import SviError
from ..history.git_environment import environment
from ..loras.transfer.progress import human_size
from ..patching import patchset
from ..report.film_progress import span
from ..storyboard.headless.runner import FOREIGN

WANGP = "https://github.com/deepbeepmeep/Wan2GP"
HOME = "WANGP_HOME"
PYTHON = "3.11"
# What WanGP 12.60 names for Python 3.11: docs/INSTALLATION.md for CUDA 13.0, its Dockerfile for 12.8.
TORCH = ("torch==2.10.0", "torchvision==0.25.0", "torchaudio==2.10.0")
INDEX = "https://download.pytorch.org/whl/"
# The first driver of CUDA 13; the ones before run what was built for any CUDA 12.
CUDA_13 = 580
# Every other package at one version, made by .github/lock.py from the requirements of the newest proven WanGP. Left out
# of these: what is only to be had from a nightly index or a project's own files, and what no image-to-video needs.
PACKAGES = Path(__file__).with_name("wangp_packages.txt")
MARK = "svi-install-packages"
_PATIENCE = 0.5
Run = Callable[[str, Sequence[str], Path], str]


def prepare(folder: Path, env: Mapping[str, str] = os.environ, run: Run | None = None) -> Path:
    """Bring WanGP with an environment of its own, and SVI into it. What is there already stays.

    Args:
        folder: where WanGP goes; WANGP_HOME names one that exists and has its packages.
        run: does a step, such as `step`: its name, a command line, the folder to run it in; returns what it said.

    Raises:
        SviError: git, uv or the installation of SVI failed.
    """
    run = run or step
    # WanGP runs in its own folder; nothing may count from the notebook's.
    root = (Path(env[HOME]) if env.get(HOME) else folder).absolute()
    if not (root / "wgp.py").is_file():
        _fetch(root, run)
    if not env.get(HOME):
        _packages(root, run)
    from ..commands.install import install

    install(root)
    return root


def step(what: str, words: Sequence[str], folder: Path) -> str:
    """Run a program and show in one line what it is for, how long it has taken and what the disk has got of it.

    Raises:
        SviError: it failed; the last lines that it said are in the message.
    """
    began, free = time.monotonic(), shutil.disk_usage(folder).free

    def line() -> str:
        more = max(0, free - shutil.disk_usage(folder).free)
        return f"\r{what}: {span(time.monotonic() - began)}{f', {human_size(more)}' if more > 1 << 20 else ''}   "

    said: list[str] = []
    # Nor may what the notebook is told, such as its drawing program, reach a Python that lacks it.
    env = {name: value for name, value in environment().items() if name not in FOREIGN}
    try:
        process = subprocess.Popen(
            list(words), cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
    except OSError as error:
        raise _failed(what, str(error)) from error
    with process:
        reader = threading.Thread(target=lambda: said.extend(process.stdout or ()), daemon=True)
        reader.start()
        try:
            while process.poll() is None:
                print(line(), end="", flush=True)
                time.sleep(_PATIENCE)
        except BaseException:
            process.kill()
            raise
        finally:
            reader.join()
    print(line(), flush=True)
    text = "".join(said)
    if process.returncode:
        raise _failed(what, "\n".join(f"  {each}" for each in text.strip().splitlines()[-8:]))
    return text


def cuda_of(driver: str | None) -> str:
    """Return which of torch's builds a driver runs.

    Args:
        driver: its version, None where there is none.
    """
    found = re.match(r"\d+", driver or "")
    return "cu130" if found and int(found[0]) >= CUDA_13 else "cu128"


def find_driver() -> str | None:
    """Ask for the version of the card's driver, None without one."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    query = [program, "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(query, capture_output=True, text=True, check=False, timeout=20).stdout.strip() or None
    except (OSError, subprocess.TimeoutExpired):
        return None


def _fetch(root: Path, run: Run) -> None:
    """The newest commit that SVI was proven in: what is newer may not be patched safely yet."""
    version, commit = list(patchset.load().commits.items())[-1]
    partial = root.with_name(f"{root.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    run("Preparing", ("git", "init", "--quiet"), partial)
    run(f"WanGP {version}", ("git", "fetch", "--quiet", "--depth", "1", WANGP, commit), partial)
    run("Unpacking it", ("git", "checkout", "--quiet", "FETCH_HEAD"), partial)
    partial.rename(root)


def _packages(root: Path, run: Run) -> None:
    """WanGP's Python and packages in its own folder: they never meet those of the notebook."""
    index = f"{INDEX}{cuda_of(find_driver())}"
    pins = PACKAGES.read_text("utf-8")
    wanted, mark = f"{PYTHON} {' '.join(TORCH)} {index}\n{pins}", root / "env" / MARK
    if mark.is_file() and mark.read_text("utf-8") == wanted:
        return
    uv = _uv(root, run)
    python = root / "env" / "bin" / "python"
    run(f"Python {PYTHON}", (*uv, "venv", "--quiet", "--allow-existing", "--python", PYTHON, str(root / "env")), root)
    install = (*uv, "pip", "install", "--python", str(python))
    run(f"torch for {index.removeprefix(INDEX)}", (*install, *TORCH, "--index-url", index), root)
    # Everything that they need is among them.
    only = (*install, "--no-deps")
    try:
        run("WanGP's packages", (*only, "-r", str(PACKAGES)), root)
    except SviError:
        _one_by_one([line for line in pins.splitlines() if line and not line.startswith("#")], only, root, run)
    run("Starting WanGP once", (str(python), "wgp.py", "--help"), root)
    mark.write_text(wanted, "utf-8")


def _one_by_one(lines: Sequence[str], only: Sequence[str], root: Path, run: Run) -> None:
    """Install what can be had. Whether WanGP can do without the rest is seen when it starts."""
    lost = []
    for line in lines:
        try:
            run(line, (*only, line), root)
        except SviError:
            lost.append(line)
    print(f"Not available here, so left out: {', '.join(lost)}")


def _uv(root: Path, run: Run) -> tuple[str, ...]:
    """The command that starts uv, which brings a Python of another version than the notebook's."""
    if shutil.which("uv"):
        return ("uv",)
    run("uv", (sys.executable, "-m", "pip", "install", "--quiet", "uv"), root)
    return (sys.executable, "-m", "uv")


def _failed(what: str, why: str) -> SviError:
    return SviError("notebook", f"{what} failed:\n{why}", "Run the cell again; finished steps are not repeated.")
