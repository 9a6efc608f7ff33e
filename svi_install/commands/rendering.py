"""What ``render`` does after each clip: shows it, and lets what was measured say how the film goes on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..storyboard.film import film, making, watch
from ..storyboard.finish import continuation, preview
from ..storyboard.script.story import usage
from ..storyboard.script.variants import Variant
from ..storyboard.sheet import sheet


def showing(page: sheet.Sheet, video: preview.Preview | None) -> making.After:
    """Show each finished clip on the contact sheet and, where a person asked for one, in the growing preview."""
    if video is not None:
        video.grow()

    def show(clip: film.Clip) -> None:
        page.add(clip)
        if video is not None:
            video.grow()

    return show


def steering(watched: watch.Watch, page: sheet.Sheet) -> making.Steer:
    """Let the contact sheet follow what is decided while the film is made."""

    def steer(clip: film.Clip) -> film.Film:
        page.follow(watched.steer(clip))
        page.write()
        return watched.film

    return steer


def shown_size(beginning: continuation.Beginning | None) -> tuple[int, int] | None:
    """Return width and height of the video that a film goes on from, None without one."""
    return None if beginning is None else (beginning.video.width, beginning.video.height)


def check_anchor(wanted: bool, variant: Variant) -> None:
    """Make sure that colour can be brought back in what clips hand on.

    Raises:
        SviError: they hand on more than pictures.
    """
    if wanted and not variant.motion_frames:
        raise usage(
            f"--anchor-colour changes the pictures that a clip hands on, but {variant.name} hands on something else. "
            "Nothing was started.",
            "Leave out --anchor-colour, or choose another variant: --variant wan22",
        )


def held(planned: film.Film, changed: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Say in which clips colour was brought back."""
    if not planned.anchored:
        return ()
    if not changed:
        return ("The colour does not drift, so --anchor-colour has changed nothing.",)
    numbers = ", ".join(str(each["clip"]) for each in changed)
    return (f"Colour was brought back to clip 1 in segment{'s' if len(changed) > 1 else ''} {numbers}.",)


def check_numbers(planned: film.Film, numbers: Iterable[int]) -> None:
    """Make sure that a film has these segments.

    Raises:
        SviError: it has not.
    """
    last = len(planned.segments)
    for number in numbers:
        if not 1 <= number <= last:
            raise usage(f"There is no segment {number}; this film has {last} segments. Nothing was started.")
