"""What a double click ends in: a menu of what can be done with the WanGP that was found, each with its command."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from .. import __version__, signals
from ..bootstrap import EXTRA_COMMAND
from ..checkout.locate import locate, surroundings, within
from ..errors import EXIT_DONE, SviError, quoted
from ..report.menu_screen import Option, facts, fold
from ..report.output import Output, paint, spoken
from ..report.result import Result
from .choosing import choose_one, width_of
from .dropped import dropped
from .prompts import answer, confirmed

Perform = Callable[[Sequence[str]], int]
Words = tuple[str, ...]

_FIRST = {
    "absent": ("Add SVI", "Puts SVI into this WanGP. It comes out again byte for byte."),
    "foreign": ("Exchange SVI", "Takes the patches of wan2gp-svi out and puts this SVI in."),
    "unsupported": ("Find out why", "Says why SVI cannot go into this WanGP, and what helps."),
}
_REPAIR = ("Repair SVI", "Puts back whatever an update or an edit has taken away.")


class _Entry(NamedTuple):
    """One line of the menu: the command as words, and what asks for the rest of them."""

    label: str
    what: str
    words: Words = ()
    ask: Callable[[Output, Words], Sequence[Words]] | None = None


def run(to: Output, perform: Perform) -> int:
    """Show the menu until the person quits.

    Args:
        to: how to print and whom to ask; there is a person.
        perform: runs a command line and prints its result.

    Returns:
        The exit code of the process.

    Raises:
        KeyboardInterrupt: the person stopped it.
        SviError: the current folder was deleted.
    """
    gc.enable()
    print(f"svi-install {__version__}: endless video for WanGP", file=to.err)
    with signals.heard():
        root = _first_root(to)
    while True:
        with signals.heard():
            head, entries = _standing(root)
            rows = [Option(entry.label, entry.what, _shown(entry.words, to)) for entry in entries]
            entry = entries[choose_one(["", *facts(head, width_of(to), to.color), ""], rows, to)]
            if entry.label == "Quit":
                return EXIT_DONE
            if entry.label == "Another WanGP":
                root = _another(to) or root
                continue
            commands = entry.ask(to, entry.words) if entry.ask else (entry.words,)
        for words in commands:
            print(f"\n{paint(f'> {_shown(words, to)}', 'cyan', to.color)}", file=to.err, flush=True)
            _carry_out(words, perform)
        if commands:
            with signals.heard():
                answer("\nPress Enter to go back to the menu. ", to)


def _first_root(to: Output) -> Path:
    try:
        found = locate(None, surroundings())
    except SviError as error:
        if error.code != "no-checkout":
            raise
        print("\nNo WanGP was found in the usual places.", file=to.err)
        return _insisted(to)
    return found[0] if len(found) == 1 else _chosen(found, to)


def _chosen(found: Sequence[Path], to: Output) -> Path:
    rows = [Option(f"WanGP {_version(folder)}", str(folder)) for folder in found]
    rows += [Option("Another WanGP", "Drag its folder into this window.")]
    number = choose_one(["", "  There are several. Which one is it about?", ""], rows, to, quits=False)
    return found[number] if number < len(found) else _insisted(to)


def _version(folder: Path) -> str:
    from ..checkout.inspection import version_in

    try:
        return version_in((folder / "wgp.py").read_bytes()) or ""
    except OSError:
        return ""


def _another(to: Output) -> Path | None:
    try:
        found = locate(None, surroundings())
    except SviError:
        found = ()
    return _chosen(found, to) if len(found) > 1 else _asked(to, "(Enter alone: keep this one)")


def _insisted(to: Output) -> Path:
    while True:
        if root := _asked(to, "(Ctrl-C ends)"):
            return root


def _asked(to: Output, aside: str) -> Path | None:
    """Ask for a folder until it is WanGP's; None when the person gives none."""
    while path := dropped(answer(f"Drag WanGP's folder here and press Enter {aside}: ", to)):
        try:
            return locate(path, surroundings(path))[0]
        except SviError as error:
            # Which places were looked at helps nobody who has just named one.
            why = error.message.split(" Nothing was changed.")[0]
            inside = within(path.absolute())
            more = "" if inside else " It is the folder with wgp.py in it."
            for line in fold(f"{why}{more}", width_of(to) - 1):
                print(line, file=to.err)
            if len(inside) > 1:
                return _chosen(inside, to)
            if inside and confirmed(f"But {inside[0]} in it is. Take that one?", to):
                return inside[0]
    return None


def _standing(root: Path) -> tuple[list[tuple[str, str]], list[_Entry]]:
    """Return what is to be said of a WanGP, and what can be done with it."""
    from ..commands.status import status

    folder = str(root)
    try:
        now = status(root)
    except SviError as error:
        head = [("Folder", folder), ("Trouble", f"{error.message} {error.hint}".strip())]
        return head, [*_others(), _Entry("Quit", "Closes this menu.")]
    head = [
        ("WanGP", _about(now)),
        ("Folder", folder),
        ("SVI", now.headline),
        ("LoRAs", _loras(now)),
    ]
    label, what = _FIRST.get(now.state, _REPAIR)
    if now.extra["plugin"]["enabled"] and now.state == "absent":
        label, what = _REPAIR[0], "Makes the plugin as it should be."
    first: Words = ("doctor", folder) if now.state == "unsupported" else ("install", folder)
    if now.extra["plugin"]["enabled"] and now.state == "absent":
        first = ("install", "--plugin", folder)
    film = ("render", "IMAGE", "PROMPTS", "--wangp", folder)
    return head, [
        _Entry(label, what, first),
        _Entry("Take SVI out", "Leaves WanGP's files as they were before.", ("revert", folder), _sure),
        _Entry("LoRAs", "Shows what SVI can use, what is there, and fetches more.", ("fetch", "--list", folder), _more),
        _Entry("Make a film", "From one image and a few sentences.", film, _film),
        _Entry("Check a video", "Says what it loses from clip to clip.", ("drift", "VIDEO"), _video),
        _Entry("Start WanGP", "Makes sure that SVI is in, then starts it.", ("launch", folder)),
        *_others(),
        _Entry("Quit", "Closes this menu."),
    ]


def _others() -> list[_Entry]:
    return [_Entry("Another WanGP", "Goes on with another folder.")]


def _about(now: Result) -> str:
    from ..report.text import describe

    # How it came here; its commit and line ends are nothing for a menu.
    return f"{now.checkout.version} ({describe(now.checkout).split(',')[0]})" if now.checkout else ""


def _loras(now: Result) -> str:
    there = [str(lora["name"]) for lora in now.extra["loras"] if lora["have"]]
    return ", ".join(there) if there else "None yet. WanGP fetches what a profile needs on first use."


def _sure(to: Output, words: Words) -> Sequence[Words]:
    return (words,) if confirmed("Take SVI out of this WanGP?", to) else ()


def _more(to: Output, words: Words) -> Sequence[Words]:
    name = answer("Which one to fetch? A name, all, or Enter to see the list first: ", to)
    if not name:
        return (words,)
    which = "--all" if name.lower() == "all" else name
    return (("fetch", which, words[-1]),)


def _film(to: Output, words: Words) -> Sequence[Words]:
    image = dropped(answer("Drag the image that the film begins with here (Enter alone goes back): ", to))
    if image is None:
        return ()
    prompts = answer("What happens? One sentence for each clip, with | between them: ", to)
    return (("render", str(image), *([prompts] if prompts else []), *words[-2:]),)


def _video(to: Output, words: Words) -> Sequence[Words]:
    video = dropped(answer("Drag the video here (Enter alone goes back): ", to))
    return ((words[0], str(video)),) if video else ()


def _carry_out(words: Words, perform: Perform) -> None:
    source = os.environ.get("SVI_INSTALL_SOURCE")
    if words[0] != EXTRA_COMMAND or not source:
        perform(words)
        return
    # The start script brings what measuring needs before the program starts, so it is started anew.
    python = getattr(sys, "_base_executable", sys.executable)
    command = [python, "-I", str(Path(source) / "svi_install" / "bootstrap.py"), *words]
    with subprocess.Popen(command) as process:
        while True:
            try:
                process.wait()
                return
            except KeyboardInterrupt:
                continue  # the program beside this one heard it, too


def _shown(words: Words, to: Output) -> str:
    if not words:
        return ""
    return spoken(" ".join(["svi-install", *(quoted(word) for word in words)]), to)
