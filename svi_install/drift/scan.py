"""Goes once through a video and keeps a few numbers of each frame; memory does not grow with the picture."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from . import cuts
from .frames import Frame, Stream
from .measure import VALUES, Looks, measure
from .steps import QUANTITIES, SUDDEN, Step, drifted, step
from .texture import Texture

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Progress = Callable[[str, int, int], None]
# Frames from one comparison of the slow kind to the next: half a second of WanGP's 16 a second.
STRIDE = 8
# Frames that a cut is decided from, on each side.
AROUND = 4
# Frames of a scene that are left out: a codec begins each with a picture that is better than what follows.
SETTLED = 8
# And so many until what it keeps of the fine detail of that picture is as little as later on, where things move.
DECAYED = 32
# Frames whose detail is looked at together, where it is followed and where textures are compared.
TOGETHER, LONGER = 4, 8
# What the textures count of the change of detail. What is followed grows softer with its age, the more often a codec
# moves it, and what is new comes in sharp, or softer still: what looks at whole pictures keeps a long pan from adding
# that up, and what is followed keeps what comes into the picture from being taken for a change.
TEXTURES = 2 / 3
WORKERS = 2
# Frames that wait to be measured.
AHEAD = 6
# SSIM, over squares of so many pixels, from which on a frame repeats the one before it.
REPEAT, SIDE = 0.9995, 7
# Deviation of L* below which there is no picture.
BLANK = 0.7
# Every so many frames one is compared with the reference.
SAMPLED = 8


@dataclass
class Scan:
    """What is known of a video after it was read once.

    Args:
        stream: what the file says.
        times: of each frame, in seconds.
        values: one row per frame, columns as in `measure.VALUES`.
        steps: one row per frame: the change from the frame before, columns as in `steps.SUDDEN`; row 0 is zero.
        difference, likeness, motion, flicker: one per frame, see `steps.Step`; the first is 0, 1, 0, 0.
        repeats: frames that show the same as the one before them.
        cuts: frames that begin another scene.
        marks: frames at which `drift` is known.
        drift: one row per mark: what has changed since the first frame without what cuts did, as `steps.QUANTITIES`.
        reference: (frame, likeness of structure to the reference picture) here and there.
        damage: why reading ended early, empty when it did not.
    """

    stream: Stream
    times: NDArray[np.float64]
    values: NDArray[np.float64]
    steps: NDArray[np.float64]
    difference: NDArray[np.float64]
    likeness: NDArray[np.float64]
    motion: NDArray[np.float64]
    flicker: NDArray[np.float64]
    repeats: tuple[int, ...]
    cuts: tuple[int, ...]
    marks: tuple[int, ...]
    drift: NDArray[np.float64]
    reference: tuple[tuple[int, float], ...] = ()
    damage: str = ""

    @property
    def frames(self) -> int:
        """How many frames there are."""
        return len(self.times)

    def of(self, name: str) -> NDArray[np.float64]:
        """Return the values of one quantity, one per frame."""
        column: NDArray[np.float64] = self.values[:, VALUES.index(name)]
        return column


class _Chain:
    """Adds up what changes from mark to mark within a scene."""

    def __init__(self) -> None:
        self.marks: list[int] = []
        self.total: list[tuple[float, ...]] = []
        self._last: Looks | None = None
        self._before: Looks | None = None
        self._first: Looks | None = None
        self._begins: int | None = None
        self._resume = False
        self._energies: collections.deque[NDArray[np.float32]] = collections.deque(maxlen=LONGER)
        self._texture = Texture()
        # Of each mark, whether its detail is compared with that of the one before it.
        self._goes_on: list[bool] = []

    def add(self, looks: Looks, *, cut: bool) -> None:
        if blank(looks):
            # What comes after a black frame goes on where the picture was before it.
            self._resume = True
            return
        if cut or self._resume or self._begins is None:
            self.end()
            self._last = self._before = None
            self._begins, self._resume = looks.index, False
            self._energies.clear()
        self._energies.append(looks.energy)
        if looks.index - self._begins < SETTLED:
            self._first = looks
            return
        if self._last is None:
            self._last = self._calm(looks)
            self._note(looks, (0.0,) * len(QUANTITIES), goes_on=False)
        elif looks.index - self._last.index >= STRIDE:
            self._mark(looks)
        self._before = looks

    def end(self) -> None:
        if self._last is None and self._first is not None:
            self._note(self._first, (0.0,) * len(QUANTITIES), goes_on=False)
        if self._last is not None and self._before is not None and self._before.index != self._last.index:
            self._mark(self._before)

    def _mark(self, looks: Looks) -> None:
        assert self._last is not None
        calm = self._calm(looks)
        change = drifted(self._last, calm)
        decayed = self._begins is None or looks.index - self._begins >= DECAYED
        if not decayed:
            change = tuple(0.0 if name == "detail" else each for name, each in zip(QUANTITIES, change, strict=True))
        self._note(looks, change, goes_on=decayed)
        self._last = calm

    def drift(self) -> NDArray[np.float64]:
        """Return one row per mark: what has changed since the first one."""
        import numpy as np

        found = np.array(self.total).reshape(-1, len(QUANTITIES))
        levels, column = self._texture.levels(), QUANTITIES.index("detail")
        steps = np.diff(levels, prepend=levels[:1]) * np.array(self._goes_on, bool)
        found[:, column] += TEXTURES * (np.cumsum(steps) - found[:, column])
        return found

    def _calm(self, looks: Looks) -> Looks:
        """A codec gives one frame more detail and the next one less: the last few together say how much there is."""
        return replace(looks, energy=self._energy(TOGETHER))

    def _energy(self, count: int) -> NDArray[np.float32]:
        """The mean of the last frames' energy."""
        import numpy as np

        found: NDArray[np.float32] = np.mean(list(self._energies)[-count:], axis=0)
        return found

    def _note(self, looks: Looks, change: tuple[float, ...], *, goes_on: bool) -> None:
        before = self.total[-1] if self.total else (0.0,) * len(QUANTITIES)
        self._texture.add(self._energy(LONGER))
        self._goes_on.append(goes_on)
        self.marks.append(looks.index)
        self.total.append(tuple(old + new for old, new in zip(before, change, strict=True)))


def scan(
    stream: Stream,
    frames: Iterable[Frame],
    progress: Progress = lambda what, done, total: None,
    *,
    what: str = "Measuring",
    reference: NDArray[np.uint8] | None = None,
    keep: Callable[[Frame], None] = lambda frame: None,
) -> Scan:
    """Measure every frame of a video.

    Args:
        stream: what the file says; only for the progress.
        frames: in order.
        progress: told what is done, how many frames are and how many there will be.
        what: the name of this work in the progress.
        reference: RGB picture that frames are compared with; the first one that shows something when None.
        keep: is shown every frame, for thumbnails.
    """
    import numpy as np

    from .likeness import structure

    rows: list[tuple[float, ...]] = []
    times: list[float] = []
    taken: list[Step] = []
    repeats, cut_at = [], []
    likes: list[tuple[int, float]] = []
    chain = _Chain()
    waiting: collections.deque[Looks] = collections.deque()
    finder = cuts.Finder(AROUND)
    before: Looks | None = None
    plain = structure(reference) if reference is not None else None

    def settle(looks: Looks) -> None:
        is_cut = finder.decide(looks.index, taken)
        if is_cut:
            cut_at.append(looks.index)
        chain.add(looks, cut=is_cut)

    for looks, now in _measured(frames, keep):
        rows.append(looks.values)
        times.append(looks.time)
        taken.append(now)
        if before is not None and now.flicker < 1.0 and _same(before, looks):
            repeats.append(looks.index)
        if plain is None and not blank(looks):
            plain = structure(looks.rgb)
        if plain is not None and looks.index % SAMPLED == 0:
            likes.append((looks.index, plain.likeness(looks.rgb)))
        waiting.append(looks)
        if len(waiting) > AROUND:
            settle(waiting.popleft())
        before = looks
        progress(what, len(rows), max(stream.frames, len(rows)))
    while waiting:
        settle(waiting.popleft())
    chain.end()

    def each(name: str) -> NDArray[np.float64]:
        return np.array([getattr(one, name) for one in taken], float)

    return Scan(
        stream,
        np.array(times),
        np.array(rows),
        each("change"),
        each("difference"),
        each("likeness"),
        each("motion"),
        each("flicker"),
        tuple(repeats),
        tuple(cut_at),
        tuple(chain.marks),
        chain.drift(),
        tuple(likes),
    )


def blank(looks: Looks) -> bool:
    """Tell whether a frame shows nothing: black, or of one colour."""
    return looks.value("L_spread") < BLANK


def _measured(frames: Iterable[Frame], keep: Callable[[Frame], None]) -> Iterator[tuple[Looks, Step]]:
    """Measure a few frames ahead on all cores: numpy lets other threads run meanwhile."""
    with ThreadPoolExecutor(WORKERS) as pool:
        queue: collections.deque[tuple[Future[Looks], Future[Step]]] = collections.deque()
        last: Future[Looks] | None = None
        for frame in frames:
            keep(frame)
            looks = pool.submit(measure, frame)
            # Work is begun in the order in which it is handed in: what a step waits for is never behind it.
            queue.append((looks, pool.submit(_stepped, last, looks)))
            last = looks
            if len(queue) > AHEAD:
                yield _both(queue.popleft())
        while queue:
            yield _both(queue.popleft())


def _both(one: tuple[Future[Looks], Future[Step]]) -> tuple[Looks, Step]:
    return one[0].result(), one[1].result()


def _stepped(before: Future[Looks] | None, after: Future[Looks]) -> Step:
    if before is None:
        return Step((0.0,) * len(SUDDEN), 0.0, 1.0, 0.0, 0.0)
    return step(before.result(), after.result())


def _same(before: Looks, after: Looks) -> bool:
    """Tell whether two frames show the same, by SSIM of their brightness."""
    import numpy as np
    from scipy.ndimage import uniform_filter

    one, two = before.lab[0], after.lab[0]
    if min(one.shape) < SIDE:
        return bool((before.rgb == after.rgb).all())
    means = [uniform_filter(each, SIDE) for each in (one, two, one * one, two * two, one * two)]
    a, b, aa, bb, ab = means
    same = (2 * a * b + 1) * (2 * (ab - a * b) + 9) / ((a * a + b * b + 1) * (aa - a * a + bb - b * b + 9))
    return bool(np.mean(same) >= REPEAT)
