"""What the notebook calls: one function per step. Everything else is `render`, as on a person's own computer."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..commands import render as command
from ..errors import SviError
from ..history.git_environment import environment
from ..loras.progress import human_size
from ..report.film_progress import line
from ..report.result import Result
from ..storyboard import delivery, film, hardware
from ..storyboard.model_choice import RenderOptions
from ..storyboard.request import Request, target_of
from ..storyboard.store import FINISHED, Store, plainly, regular, remove

WANGP = "https://github.com/deepbeepmeep/Wan2GP"
HOME = "WANGP_HOME"
DRIVE = Path("/content/drive/MyDrive")
GIB = 1024**3
# The smallest model with its encoders, LoRA and what WanGP's packages need.
LEAST_DISK = 40 * GIB
Run = Callable[..., Any]


def computer(folder: Path = Path(), *, need_card: bool = True) -> str:
    """Look at the computer before anything is installed.

    Args:
        folder: on the disk that WanGP and its models go to.
        need_card: fail without a graphics card.

    Returns:
        Card, memory, disk, and the quality that fits, in lines.

    Raises:
        SviError: there is no graphics card, or too little room on the disk.
    """
    found, memory, free = hardware.find_card(), hardware.ram(), shutil.disk_usage(folder).free
    lines = [f"RAM   {memory:.1f} GB", f"disk  {human_size(free)} free"]
    if found is not None:
        choice = hardware.choose(found, memory, two_experts=False)
        lines.insert(0, f"GPU   {found.name}, {found.memory:.0f} GB")
        lines.append(f"fits  {choice.quality}, {choice.resolution}, WanGP options {' '.join(choice.options())}")
    elif need_card:
        raise SviError(
            "no-card",
            "This computer has no NVIDIA graphics card.",
            "In Colab: Runtime, Change runtime type, T4 GPU; then run this again.",
        )
    if need_card and free < LEAST_DISK:
        raise SviError(
            "disk-full",
            f"Only {human_size(free)} of disk space is free; about {human_size(LEAST_DISK)} is needed.",
            "Free some space.",
        )
    return "\n".join(lines)


def prepare(folder: Path, env: Mapping[str, str] = os.environ, run: Run = subprocess.run) -> Path:
    """Bring WanGP with an environment of its own, and SVI into it. What is there already stays.

    Args:
        folder: where WanGP goes; WANGP_HOME names one that exists.
        run: starts programs.

    Raises:
        SviError: git, pip or the installation of SVI failed.
    """
    # WanGP runs in its own folder; nothing may count from the notebook's.
    root = (Path(env[HOME]) if env.get(HOME) else folder).absolute()
    if not (root / "wgp.py").is_file():
        partial = root.with_name(f"{root.name}.part")
        shutil.rmtree(partial, ignore_errors=True)
        _run(run, "git", "clone", "--quiet", "--depth", "1", WANGP, str(partial))
        partial.rename(root)
    if not env.get(HOME):
        _packages(root, run)
    from ..commands.install import install

    install(root)
    return root


def render(
    root: Path,
    image: Path,
    prompts: str,
    *,
    target: Path,
    quality: str | None = None,
    drive: Path | None = None,
    show: Callable[[Path], None] | None = None,
    **values: Any,
) -> Result:
    """Render a film, show each segment as soon as it is done, and keep it where a disconnect cannot reach it.

    Args:
        quality: quantization, ``auto`` for the one that fits, None for WanGP's own model.
        drive: folder that outlives this computer; None for Google Drive where it is mounted.
        show: shows a video; None for the notebook's own player.

    Returns:
        The film, copied to the drive too.

    Raises:
        SviError: it could not be rendered; finished segments stay.
    """
    request = Request(image, prompts, target, **values)
    store = film.store_of(target_of(request)).root
    kept = drive if drive is not None else (DRIVE / "svi" if DRIVE.is_dir() else None)
    if kept is not None:
        copy_segments(kept / store.name, store)
    player = show or play

    def report(progress: film.Progress) -> None:
        if progress.finished is None:
            return
        print(line(progress), flush=True)
        if kept is not None:
            copy_segments(store, kept / store.name, renew=True)
        player(progress.finished)

    result = command.render(root, request, RenderOptions(quality=quality or None), report=report, say=print)
    print(result.headline)
    if kept is not None:
        copy_segments(store, kept / store.name, renew=True)
        print(copy_film(target_of(request), kept))
    player(target_of(request))
    return result


def copy_segments(source: Path, target: Path, *, renew: bool = False) -> int:
    """Copy finished segments and the journal; what tells that a segment is finished comes last.

    Args:
        target: another one; what it has already stays.
        renew: copy segments that are not the same there once more.

    Returns:
        How many segments were copied.
    """
    copied = 0
    for done in sorted(source.glob("segments/*/done.json")):
        place = target / "segments" / done.parent.name
        names = sorted(
            (path.name for path in done.parent.iterdir() if path.is_file()), key=lambda name: name == done.name
        )
        if (place / done.name).is_file() and not (renew and _differ(done.parent, place, names)):
            continue
        remove(place)
        place.mkdir(parents=True)
        for name in names:
            shutil.copyfile(done.parent / name, place / name)
        copied += 1
    journal, other = source / "journal.jsonl", target / "journal.jsonl"
    if journal.is_file() and (not other.is_file() or other.stat().st_size < journal.stat().st_size):
        other.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(journal, other)
    return copied


def copy_film(target: Path, folder: Path) -> str:
    """Copy a finished film to where it is kept, unless another file has its name there.

    Args:
        folder: where it is kept, with the folder of its segments.

    Returns:
        What was done, in words.

    Raises:
        SviError: the disk refuses.
    """
    copy, store = folder / target.name, Store(folder / film.store_of(target).root.name)
    found = delivery.look(copy, store)
    if not found.own:
        return f"Not copied: {copy} already exists and is not part of this film. The film is {target}."
    with plainly(copy, "write"):
        store.root.mkdir(exist_ok=True)
        made = store.root / film.JOINED
        shutil.copyfile(target, made)
    delivery.put(made, found, store)
    return f"Copied to {copy}"


def upload(name: str = "") -> Path:
    """Return the start image: a file of that name, or one that the person picks in Colab.

    Raises:
        SviError: there is none.
    """
    if name:
        path = Path(name).absolute()
        if path.is_file():
            return path
        raise SviError("no-image", f"There is no file {path}.", "Upload it, or leave the field empty to choose one.")
    try:
        files: Any = importlib.import_module("google.colab.files")
    except ImportError:
        raise SviError("no-image", "No image was given, and this is not Colab.", "Fill in the IMAGE field.") from None
    names = list(files.upload())
    if not names:
        raise SviError("no-image", "No image was chosen.", "Run the cell again.")
    return Path(names[0]).absolute()


def play(video: Path) -> None:
    """Show a video in the notebook."""
    screen: Any = importlib.import_module("IPython.display")
    screen.display(screen.Video(str(video), embed=True))


def _differ(source: Path, target: Path, names: list[str]) -> bool:
    """Tell whether files are not the same in two folders, by their sizes and by what is known of the segment."""
    if any(regular(source / name) != regular(target / name) for name in names):
        return True
    return (source / FINISHED).read_bytes() != (target / FINISHED).read_bytes()


def _packages(root: Path, run: Run) -> None:
    """WanGP's packages in an environment of its own: they never meet those of the notebook, and torch is shared."""
    python = root / "env" / "bin" / "python"
    mark = root / "env" / "svi-install-packages"
    wanted = (root / "requirements.txt").read_text("utf-8", "replace")
    if mark.is_file() and mark.read_text("utf-8") == wanted:
        return
    _run(run, sys.executable, "-m", "venv", "--system-site-packages", "--without-pip", str(root / "env"))
    pip = (sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet")
    _run(run, *pip, "-r", str(root / "requirements.txt"))
    mark.write_text(wanted, "utf-8")


def _run(run: Run, *words: str) -> None:
    try:
        run(list(words), check=True, env=environment())
    except (OSError, subprocess.CalledProcessError) as error:
        raise SviError(
            "notebook",
            f"{' '.join(words[:6])} ... failed: {error}",
            "Run the cell again; finished steps are not repeated.",
        ) from error
