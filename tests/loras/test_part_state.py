from __future__ import annotations

import pytest

from svi_install.loras.transfer.part_state import Extents, clip, merge


@pytest.mark.parametrize(
    ("before", "new", "after"),
    [
        ((), (0, 5), ((0, 5),)),
        (((0, 5),), (5, 8), ((0, 8),)),
        (((0, 5),), (6, 8), ((0, 5), (6, 8))),
        (((6, 8),), (0, 5), ((0, 5), (6, 8))),
        (((0, 2), (4, 6)), (2, 4), ((0, 6),)),
        (((0, 10),), (3, 4), ((0, 10),)),
        (((0, 2), (4, 6), (8, 9)), (1, 9), ((0, 9),)),
    ],
)
def test_merge(before: Extents, new: tuple[int, int], after: Extents) -> None:
    assert merge(before, *new) == after


def test_clip() -> None:
    assert clip(((0, 5), (7, 9)), 8) == ((0, 5), (7, 8))
    assert clip(((0, 5), (7, 9)), 6) == ((0, 5),)
    assert clip(((0, 5),), 0) == ()
