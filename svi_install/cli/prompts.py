"""Questions to a person on a terminal; where nobody can answer, nothing is assumed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from ..errors import EXIT_NO_CHECKOUT, SviError
from ..report.output import Output
from ..report.wrapping import columns, wrapped


def interactive(to: Output) -> bool:
    """Tell whether there is a person who can answer a question."""
    return not (to.as_json or to.quiet) and sys.stdin is not None and sys.stdin.isatty() and to.err.isatty()


def confirmed(question: str, to: Output, *, usual: bool = True) -> bool:
    """Ask a question.

    Args:
        to: how to print and whom to ask.
        usual: what an empty line means.

    Returns:
        Whether the answer is yes; without a person it is no.
    """
    if not interactive(to):
        return False
    prompt = f"{question} {'[Y/n]' if usual else '[y/N]'} "
    while (said := answer(prompt, to).lower()) not in {"", "y", "yes", "n", "no"}:
        print("Please answer y or n.", file=to.err)
    return said in {"y", "yes"} or (not said and usual)


def choose(folders: Sequence[Path], to: Output) -> Path:
    """Let a person choose one of several WanGP folders.

    Raises:
        SviError: there is nobody to ask.
    """
    listing = "\n".join(f"  {number}  {folder}" for number, folder in enumerate(folders, 1))
    if not interactive(to):
        raise SviError(
            "several-checkouts",
            f"There are several WanGP folders. Nothing was changed. Found:\n{listing}",
            "Name the one you mean: svi-install PATH",
            EXIT_NO_CHECKOUT,
        )
    print(f"There are several WanGP folders:\n{listing}", file=to.err)
    numbers = [str(number) for number in range(1, len(folders) + 1)]
    while (said := answer(f"Which one? (1-{len(folders)}) ", to)) not in numbers:
        print(f"Please answer with a number from 1 to {len(folders)}.", file=to.err)
    return folders[int(said) - 1]


def answer(prompt: str, to: Output) -> str:
    """Ask for a line and return it without the spaces around it.

    Raises:
        KeyboardInterrupt: nobody can answer any more.
    """
    # One column is left for what is typed.
    lines = wrapped(prompt.rstrip(" ").split("\n"), max(columns(to.err) - 2, 0), to.program)
    print("\n".join(lines), end=" ", file=to.err, flush=True)
    try:
        line = sys.stdin.readline()
    except (OSError, ValueError):
        # The terminal is gone, or what was typed is no text.
        line = ""
    if not line:
        raise KeyboardInterrupt
    return line.strip()
