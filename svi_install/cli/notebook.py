"""What the notebook calls: one function per step. Everything else is `render`, as on a person's own computer."""

from __future__ import annotations

import importlib
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..commands import render as command
from ..errors import SviError
from ..loras.transfer.progress import Progress as Download
from ..loras.transfer.progress import Report as DownloadReport
from ..loras.transfer.progress import human_size
from ..report.download_progress import amount, speed
from ..report.film_progress import line
from ..report.result import Result
from ..storyboard.archive.decided import CHOSEN
from ..storyboard.archive.store import FINISHED, Store, plainly, regular, remove
from ..storyboard.film import film
from ..storyboard.film.model_choice import RenderOptions
from ..storyboard.film.request import Request, story_of, target_of
from ..storyboard.finish import delivery
from ..storyboard.headless import hardware
from ..storyboard.script.variants import variant_of
from ..storyboard.sheet import sheet, stills
from . import notebook_setup

DRIVE = Path("/content/drive/MyDrive")
GIB = 1024**3
# The smallest model with its encoders, LoRA and what WanGP's packages need.
LEAST_DISK = 40 * GIB
# What is one of the form's fields here and an option on the command line.
FIELDS = {"negative": "NEGATIVE", "clip-frames": "CLIP_FRAMES", "profile": "MEMORY_PROFILE"}
_OPTION = re.compile(r"(?:add )?--([a-z][a-z-]+)(?: (\S+))?")


class StoppedError(SviError):
    """What went wrong and what to do next, without the lines of a program above it."""

    def __init__(self, error: SviError) -> None:
        super().__init__(error.code, error.message, in_the_form(error.hint), error.exit_code)

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows of it."""
        return [*self.message.splitlines(), *self.hint.splitlines()]


@contextmanager
def _plainly() -> Iterator[None]:
    try:
        yield
    except SviError as error:
        raise StoppedError(error) from None
    except KeyboardInterrupt:
        raise StoppedError(SviError("interrupted", "Stopped.", "Run the cell again to go on.")) from None


def in_the_form(hint: str) -> str:
    """Say a hint for the command line in the words of the notebook's form."""
    if hint.startswith("svi-install") or "run the same command again" in hint.lower():
        return "Run the cells again from the top."

    def field(found: re.Match[str]) -> str:
        name = FIELDS.get(found[1], found[1].replace("-", "_").upper())
        return f"set {name} to {found[2]}" if found[2] else f"see {name}"

    return _OPTION.sub(field, hint)


def computer(folder: Path = Path(), *, need_card: bool = True) -> str:
    """Look at the computer before anything is installed.

    Args:
        folder: on the disk that WanGP and its models go to.
        need_card: fail without a graphics card.

    Returns:
        Card, memory, disk, and the quality that fits, in lines.

    Raises:
        StoppedError: there is no graphics card, or too little room on the disk.
    """
    with _plainly():
        return "\n".join(_computer(folder, need_card))


def _computer(folder: Path, need_card: bool) -> list[str]:
    found, memory, free = hardware.find_card(), hardware.ram(), shutil.disk_usage(folder).free
    lines = [f"RAM   {memory:.1f} GB", f"disk  {human_size(free)} free"]
    if found is not None:
        choice = hardware.choose(found, memory, two_experts=False)
        lines.insert(0, f"GPU   {found.name}, {found.memory:.0f} GB")
        lines.append(f"fits  {choice.quality}, {choice.resolution}, WanGP options {' '.join(choice.options())}")
        if choice.lacks:
            lines.append(f"      WanGP asks for {choice.lacks} for that; it may be slow here, or too much.")
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
    return lines


def prepare(folder: Path) -> Path:
    """Bring WanGP, its packages and SVI; see `notebook_setup.prepare`.

    Raises:
        StoppedError: it could not be done.
    """
    with _plainly():
        return notebook_setup.prepare(folder)


def render(
    root: Path,
    image: Path,
    prompts: str,
    *,
    target: Path,
    quality: str | None = None,
    profile: float | None = None,
    redo: str = "",
    guidance: float | None = None,
    split: float | None = None,
    loras: str = "",
    drive: Path | None = None,
    show: Callable[[Path], None] | None = None,
    **values: Any,
) -> Result:
    """Render a film, show each segment as soon as it is done, and keep it where a disconnect cannot reach it.

    Args:
        quality: quantization, ``auto`` for the one that fits, None for WanGP's own model.
        profile: WanGP's memory profile, None for the one that fits.
        redo: numbers of segments to make again, with commas between them.
        guidance: how strictly prompts are followed, None for the variant's.
        split: of Wan 2.2, the noise level at which the expert for low noise takes over; None for the variant's.
        loras: ``name`` or ``name:strength``, with commas between them.
        drive: folder that outlives this computer; None for Google Drive where it is mounted.
        show: shows a small video or a picture; None for the notebook's own player.

    Returns:
        The film, copied to the drive too.

    Raises:
        StoppedError: it could not be rendered; finished segments stay.
    """
    with _plainly():
        names = tuple(filter(None, (each.strip() for each in loras.split(","))))
        # An empty field of the form leaves a value to the variant.
        given = {key: each for key, each in values.items() if each or key == "seed"}
        request = Request(image, prompts, target, loras=names, **given)
        request = replace(request, settings=(*request.settings, *_settings(request, guidance, split)))
        how = RenderOptions(quality=quality or None, profile=profile or None, redo=_numbers(redo))
        return _render(root, request, how, drive, show or play)


def _render(
    root: Path, request: Request, how: RenderOptions, drive: Path | None, show: Callable[[Path], None]
) -> Result:
    target = target_of(request)
    store = film.store_of(target)
    kept = drive if drive is not None else (DRIVE / "svi" if DRIVE.is_dir() else None)
    if kept is not None:
        copy_segments(kept / store.root.name, store.root)
    width = 0

    def report(progress: film.Progress) -> None:
        nonlocal width
        text = line(progress)
        # One line that changes, as on a terminal: a notebook understands it too.
        print(f"\r{text:<{width}}", end="" if progress.finished is None else "\n", flush=True)
        width = 0 if progress.finished is not None else len(text)
        if progress.finished is None:
            return
        if kept is not None:
            copy_segments(store.root, kept / store.root.name, renew=True)
        small = store.root / stills.FOLDER / f"{progress.finished.parent.name}.mp4"
        if small.is_file():
            show(small)

    result = command.render(root, request, how, report=report, downloads=_downloads, say=print)
    print(result.headline)
    for note in result.notes:
        print(note)
    if kept is not None:
        copy_segments(store.root, kept / store.root.name, renew=True)
        print(copy_film(target, kept))
    picture = store.root / sheet.PICTURE
    if picture.is_file():
        show(picture)
    return result


def _settings(request: Request, guidance: float | None, split: float | None) -> Iterator[str]:
    known = variant_of(story_of(request).variant).settings
    if guidance:
        yield f"guidance_scale={guidance:g}"
        if "guidance2_scale" in known:
            yield f"guidance2_scale={guidance:g}"
    if split and "switch_threshold" in known:
        yield f"switch_threshold={split:g}"
    elif split:
        print("The split between high and low noise is left out: only Wan 2.2 has two experts.")


def _numbers(text: str) -> tuple[int, ...]:
    words = [each.strip() for each in text.split(",") if each.strip()]
    if not all(each.isdecimal() for each in words):
        raise SviError("story", f"{text!r} is not a list of segment numbers. Nothing was started.", "Such as: 3, 5")
    return tuple(map(int, words))


@contextmanager
def _downloads() -> Iterator[DownloadReport]:
    """Shows a download in one line that changes."""
    shown: list[str] = [""]

    def report(progress: Download) -> None:
        text = f"{progress.filename}: {progress.note or progress.phase} {amount(progress)} {speed(progress)}".rstrip()
        if shown[0] and not text.startswith(f"{progress.filename}: {progress.phase}"):
            print()
        print(f"\r{text:<{len(shown[0])}}", end="", flush=True)
        shown[0] = text

    yield report
    if shown[0]:
        print()


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
    for record in sorted([*source.glob("takes/*.json"), *source.glob(CHOSEN)]):
        copy = target / record.relative_to(source)
        if not copy.is_file() or (renew and copy.read_bytes() != record.read_bytes()):
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(record, copy)
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
        StoppedError: there is none.
    """
    with _plainly():
        return _upload(name)


def _upload(name: str) -> Path:
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
    # Newer versions return the whole path, older ones the name in the folder that they were called in.
    path = Path(names[0]).absolute()
    if not path.is_file():
        raise SviError("no-image", f"{path} did not arrive.", "Run the cell again.")
    return path


def download(video: Path) -> None:
    """Hand a film to the browser; where that is not possible, say where it is."""
    with _plainly():
        if not video.is_file():
            raise SviError("no-film", f"There is no film {video} yet.", "Run the cell before first.")
        try:
            files: Any = importlib.import_module("google.colab.files")
        except ImportError:
            print(f"{video}, {human_size(video.stat().st_size)}")
        else:
            files.download(str(video))


def show_image(image: Path) -> None:
    """Show the start image, small."""
    print(f"Start image: {image}")
    screen: Any = importlib.import_module("IPython.display")
    screen.display(screen.Image(filename=str(image), width=416))


def play(shown: Path) -> None:
    """Show a small video of a segment, or the contact sheet; the film itself is never put into the notebook."""
    screen: Any = importlib.import_module("IPython.display")
    if shown.suffix == ".png":
        screen.display(screen.Image(filename=str(shown)))
    else:
        screen.display(screen.Video(str(shown), embed=True, html_attributes="controls loop muted"))


def _differ(source: Path, target: Path, names: list[str]) -> bool:
    """Tell whether files are not the same in two folders, by their sizes and by what is known of the segment."""
    if any(regular(source / name) != regular(target / name) for name in names):
        return True
    return (source / FINISHED).read_bytes() != (target / FINISHED).read_bytes()
