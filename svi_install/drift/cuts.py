"""Cuts: one frame after which everything is different, while its neighbours follow from one another."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from .steps import Step

# Against the ordinary difference around it, in CIELAB, and of the structure; all three must speak for a cut.
TIMES, LEAST, ALIKE = 3.0, 5.0, 0.9


class Finder:
    """Decides frame by frame.

    Args:
        around: frames that are looked at on each side; as many must be known behind the one in question.
    """

    def __init__(self, around: int) -> None:
        self._around = around

    def decide(self, index: int, steps: Sequence[Step]) -> bool:
        """Tell whether a scene begins with a frame.

        Args:
            index: of the frame.
            steps: one per frame, up to some frames behind it.
        """
        now = steps[index]
        if index == 0 or now.difference < LEAST or now.likeness > ALIKE:
            return False
        near = [*steps[max(1, index - self._around) : index], *steps[index + 1 : index + 1 + self._around]]
        if not near:
            return True
        usual = median(each.difference for each in near)
        # A flash is two large steps side by side; what comes after it is what was before.
        rival = max((each.difference for each in near), default=0.0)
        return now.difference > TIMES * max(usual, 0.5) and now.difference >= rival
