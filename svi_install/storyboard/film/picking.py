"""Which take of a segment is in the film: picked by command, or a new one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from ..archive.store import Takes
from ..script.story import MOST_TAKES, usage
from .film import Film


def choose(
    film: Film,
    picks: Iterable[tuple[int, int]],
    redo: Iterable[int],
    anew: Callable[[Mapping[str, Takes]], Film],
    say: Callable[[str], None] = lambda text: None,
) -> Film:
    """Pick takes; a further one for each segment that is to be made again.

    The same command goes on after a crash: a take that was asked for since the film was joined last is not asked for
    again, nor one of a segment that is made anyway.

    Args:
        film: the film; its store is locked by the caller.
        picks: numbers of segments, each with the number of one of its takes.
        redo: numbers of segments that are to get a further take.
        anew: plans the film with these takes: those of later segments depend on the earlier ones.
        say: prints a line.

    Returns:
        The film with these takes.

    Raises:
        SviError: there is no such take, or the story itself says which one it is; nothing was changed.
    """
    chosen: dict[str, Takes] = {}
    asked = _asked(film)
    further: list[tuple[int, str, int]] = []
    for number, take in sorted([*picks, *((number, None) for number in set(redo))], key=lambda each: each[0]):
        segment, takes = film.segments[number - 1], film.takes[number]
        if segment.take is not None:
            raise usage(
                f"The story itself chooses take {segment.take} of segment {number} (take: in shot {segment.shot}). "
                "Nothing was started.",
                "Change it there, or take that line out.",
            )
        slot = film.slots[number]
        if take is None and slot in asked and asked[slot] <= takes.known:
            say(f"Segment {number} has its new take already (take {takes.picked}), because the film was not finished.")
            continue
        if take is None and not film.finished(segment):
            further.append((number, slot, takes.picked))
            continue
        wanted = takes.known + 1 if take is None else take
        if wanted > (MOST_TAKES if take is None else takes.known):
            many = "1 take" if takes.known == 1 else f"{takes.known} takes"
            hint = f"--takes {wanted} makes more" if wanted <= MOST_TAKES else ""
            raise usage(f"Segment {number} has {many}, so take {wanted} is not there. Nothing was started.", hint)
        if take is None:
            further.append((number, slot, wanted))
        chosen[slot] = Takes(takes.first, wanted, max(takes.known, wanted))
        film = anew(chosen)
    # First what is meant, then what it comes to: in between, the same command does it.
    for number, slot, take in further:
        film.store.write("redo", segment=number, slot=slot, take=take)
    for slot, takes in chosen.items():
        film.store.keep_takes(slot, takes)
    return film


def _asked(film: Film) -> dict[str, int]:
    """The takes that were asked for since the film was joined last, by their clip's slot."""
    found: dict[str, int] = {}
    for event in film.store.journal():
        if event.get("event") == "joined":
            found.clear()
        elif event.get("event") == "redo":
            slot, take = event.get("slot"), event.get("take")
            if isinstance(slot, str) and type(take) is int:
                found[slot] = take
    return found
