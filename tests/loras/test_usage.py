from __future__ import annotations

import json
from pathlib import Path

import pytest

from svi_install.loras.catalogue import load
from svi_install.loras.usage import urls_of, used_by, with_present_files

from .conftest import svi_file

FP32, FP16 = (file for file in load().select(["svi-shot"])[0].files)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"{}", b'{"activated_loras": "x"}', b'{"activated_loras": [3]}'])
def test_what_names_no_lora(text: bytes) -> None:
    assert urls_of(text) == ()


def test_the_packages_own_profiles_use_svi_shot() -> None:
    assert any("Shot" in profile for profile in used_by(load())["svi-shot"])
    assert used_by(load())["svi-film-transitions"] == ()


def test_profiles_of_a_folder(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / f"{name}.json").write_text(json.dumps({"activated_loras": [FP32.url, "https://example.org/x"]}))
    assert used_by(load(), tmp_path)["svi-shot"] == ("a", "b")


def profile(url: str) -> bytes:
    return json.dumps({"activated_loras": [url, "https://example.org/x"], "help": "text"}, indent=4).encode()


def there(root: Path, name: str) -> None:
    svi_file(root / "loras" / "wan_i2v" / name, "F16" if name == FP16.filename else "F32")


def test_a_profile_stays_as_it_is_when_nothing_is_there(root: Path) -> None:
    assert with_present_files(root, profile(FP32.url)) == profile(FP32.url)


def test_a_profile_names_the_precision_that_is_there(root: Path) -> None:
    there(root, FP16.filename)
    assert with_present_files(root, profile(FP32.url)) == profile(FP16.url)


def test_a_profile_keeps_its_own_choice_when_both_are_there(root: Path) -> None:
    there(root, FP16.filename)
    there(root, FP32.filename)
    assert with_present_files(root, profile(FP32.url)) == profile(FP32.url)


def test_another_address_of_the_same_file_stays(root: Path) -> None:
    (high,) = load().select(["svi-2.0-pro-high"])
    mirror = high.files[0].mirrors[0].url()
    assert with_present_files(root, profile(mirror)) == profile(mirror)
