"""How fine the detail of a video is: a lens that blurs is told from a camera that turns to softer things."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from svi_install.drift.measure import detail_of, energies
from svi_install.drift.texture import Texture


def world(width: int = 700) -> np.ndarray:
    """Much to see on the left and next to nothing on the right, and everywhere the same fine grain of the materials."""
    chance = np.random.default_rng(5)
    image = np.zeros((160, width))
    for size in (4, 8, 16):
        rough = np.kron(chance.normal(size=(160 // size + 1, width // size + 1)), np.ones((size, size)))[:160, :width]
        image += rough * size * np.linspace(1, 0.05, width)
    return ndimage.gaussian_filter(image * 2 + 4 * chance.normal(size=image.shape), 0.6) + 120


def levels(pictures: list[np.ndarray]) -> np.ndarray:
    texture = Texture()
    for picture in pictures:
        texture.add(energies(picture.clip(0, 255).astype(np.int16), 8))
    return texture.levels()


def view(left: int, blur: float = 0.0) -> np.ndarray:
    picture = world()[:, left : left + 240]
    return picture + blur * (ndimage.gaussian_filter(picture, 2) - picture)


def test_nothing_and_one_picture_have_no_differences() -> None:
    assert levels([]).tolist() == []
    assert np.ptp(levels([view(0)])) == 0


def test_the_same_picture_is_as_fine_as_before() -> None:
    assert np.ptp(levels([view(0), view(0)])) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("blur", "sign"), [(0.1, -1), (-0.1, 1)])
def test_blur_is_coarser_and_sharpening_finer(blur: float, sign: int) -> None:
    first, second = levels([view(0), view(0, blur)])
    assert sign * (second - first) > 0.05


def test_a_camera_that_turns_to_other_things_changes_it_less_than_the_plain_measure() -> None:
    views = [view(left) for left in range(0, 440, 40)]
    plain = [detail_of(energies(each.clip(0, 255).astype(np.int16), 8)) for each in views]
    assert np.ptp(plain) > 0.5
    assert np.ptp(levels(views)) < 0.5 * np.ptp(plain)


def test_pictures_without_anything_in_them_are_no_trouble() -> None:
    black = np.zeros((160, 240))
    assert np.isfinite(levels([black, view(0), black])).all()
    assert np.isfinite(levels([np.zeros((4, 4)), np.zeros((4, 4))])).all()
