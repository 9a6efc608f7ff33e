from __future__ import annotations

import pytest

from svi_install.patching import patchset
from svi_install.patching.tested import caution, newest_run


@pytest.mark.parametrize("version", ["9.0", "12.60", "11.771<", "12.34567"])
def test_a_known_release_needs_no_word(version: str) -> None:
    assert caution(version, patchset.load()) == ""


@pytest.mark.parametrize("version", ["13.0", "13.141", "17.17", "unknown"])
def test_a_newer_release_is_named_with_the_newest_that_was_run(version: str) -> None:
    said = caution(version, patchset.load())
    assert f"WanGP {version} is newer than 12.60" in said
    assert "first clip" in said


def test_the_newest_that_was_run_is_one_of_the_laboratorys() -> None:
    from tests.wangp.lab.checkout import RELEASES

    assert newest_run(patchset.load()) in RELEASES
