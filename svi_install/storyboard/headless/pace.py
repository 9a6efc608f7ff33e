"""How fast a film goes: seconds for a clip, in which the load of the model does not count."""

from __future__ import annotations


class Pace:
    """A clock that is told of steps and of finished clips.

    Args:
        known: seconds of a clip as far as they are known from before, None when nothing is.
        now: time at which WanGP is started; it loads the model before the first step.
    """

    def __init__(self, known: float | None, now: float) -> None:
        self._known = known
        self._began = now
        self._loads = True
        self._first: tuple[int, float] | None = None
        self._last = (0, now)
        self._steps = 0

    @property
    def seconds(self) -> float | None:
        """Seconds of a clip: of the last one, or as the steps of the first one go; None while nothing is known."""
        if self._known is not None:
            return self._known
        each = self._each()
        return each * self._steps if each else None

    def step(self, step: int, steps: int, now: float) -> None:
        """Take how far the current clip is: denoising steps that are done, and all of them."""
        if self._first is None or step < self._last[0]:
            # What WanGP counts before it denoises may have as many steps.
            self._first = (step, now)
        self._last, self._steps = (step, now), steps

    def finish(self, now: float) -> float:
        """End the current clip.

        Returns:
            Its seconds; those of the first one without what was before its first step.
        """
        seconds = now - self._began
        if self._loads and self._first is not None:
            step, at = self._first
            seconds = now - at + step * self._each()
        self._known, self._began, self._loads = seconds, now, False
        self._first, self._last = None, (0, now)
        return seconds

    def _each(self) -> float:
        """Seconds of a step, 0 before the second one that was seen."""
        if self._first is None or self._last[0] <= self._first[0]:
            return 0.0
        return (self._last[1] - self._first[1]) / (self._last[0] - self._first[0])
