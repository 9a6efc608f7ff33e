from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import unidiff

from svi_install.errors import EXIT_USAGE, SviError
from svi_install.package_data import data_folder
from svi_install.patching import patchset
from svi_install.patching.patchset import PatchSet


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(data_folder("patches"), tmp_path / "patches"))


def change(folder: Path, *keys: Any, value: Any) -> None:
    table = json.loads((folder / "table.json").read_text())
    entry = table
    for key in keys[:-1]:
        entry = entry[key]
    if value is None:
        del entry[keys[-1]]
    else:
        entry[keys[-1]] = value
    (folder / "table.json").write_text(json.dumps(table))


def hooks(loaded: PatchSet) -> dict[str, patchset.Hunk]:
    return {hunk.hook: hunk for items in loaded.variants.values() for item in items for hunk in item.hunks}


def test_eight_hooks_of_ten_lines_in_three_files() -> None:
    loaded = patchset.load()
    assert loaded.paths == ("models/wan/modules/model.py", "models/wan/any2video.py", "wgp.py")
    found = hooks(loaded)
    assert set(found) == {"keys", "schedule", "condition", "latents", "noise", "clip", "stitch", "install"}
    assert sum(len(hunk.added) for hunk in found.values()) == 10


def test_every_hunk_has_a_reason_and_a_function_or_is_at_the_top_level() -> None:
    for hunk in hooks(patchset.load()).values():
        assert len(hunk.reason) > 40
        assert hunk.reason.endswith(".")
        assert bool(hunk.functions) == (hunk.hook != "install")
        assert all(line.endswith("  # svi-install") for line in hunk.added)


def test_the_table_serves_every_release_with_exactly_one_diff_per_file() -> None:
    loaded = patchset.load()
    assert len(loaded.commits) == 172
    for items in loaded.variants.values():
        served = [release for item in items for release in item.releases]
        assert sorted(served) == sorted(loaded.commits)


def test_unidiff_agrees_with_our_own_reader() -> None:
    loaded = patchset.load()
    for path, items in loaded.variants.items():
        for item in items:
            (file,) = unidiff.PatchSet((data_folder("patches") / item.diff).read_text(encoding="utf-8"))
            assert (file.path, file.removed) == (path, 0)
            ours = [(*hunk.before, *hunk.after) for hunk in item.hunks]
            assert [tuple(line.value.rstrip("\n") for line in part.source_lines()) for part in file] == ours
            added = [[line.value.rstrip("\n") for line in part.target_lines() if line.is_added] for part in file]
            assert added == [list(hunk.added) for hunk in item.hunks]
            starts = [part.source_start + len(hunk.before) for part, hunk in zip(file, item.hunks, strict=True)]
            assert starts == [hunk.line for hunk in item.hunks]


def test_gnu_patch_takes_the_hunks_too() -> None:
    # Fewer lines below than above mean the end of the file to it.
    for items in patchset.load().variants.values():
        assert all(0 < len(hunk.after) >= len(hunk.before) for item in items for hunk in item.hunks)


def test_the_version_is_a_hash_over_the_diffs(folder: Path) -> None:
    before = patchset.load(folder).version
    assert len(before) == 12
    assert before == patchset.load().version
    diff = folder / "wgp-9.0.diff"
    diff.write_bytes(diff.read_bytes().replace(b"Without SVI", b"Where there is no SVI"))
    assert patchset.load(folder).version != before


def test_known_at_forgets_what_came_later() -> None:
    loaded = patchset.load()
    early = patchset.known_at(loaded, "9.3")
    assert list(early.commits)[-1] == "9.3"
    assert [item.name for item in early.variants["models/wan/any2video.py"]] == ["9.0"]
    assert hooks(early)["clip"].functions == ("generate_video",)
    assert hooks(patchset.known_at(loaded, "12.60")) == hooks(loaded)
    assert early.variants["wgp.py"][0].releases[-1] == "9.3"


def test_known_at_refuses_an_unknown_release() -> None:
    with pytest.raises(SviError, match=r"99\.9") as caught:
        patchset.known_at(patchset.load(), "99.9")
    assert (caught.value.code, caught.value.exit_code) == ("unknown-release", EXIT_USAGE)


WGP = ("files", "wgp.py")


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("schema",), 2),
        (("files",), []),
        (("files",), {}),
        (("releases",), {}),
        (("releases",), None),
        (("releases", "9.0"), None),
        ((*WGP, "variants"), []),
        ((*WGP, "variants"), None),
        ((*WGP, "variants", 0, "diff"), "../wgp-9.0.diff"),
        ((*WGP, "variants", 0, "diff"), "..\\wgp-9.0.diff"),
        ((*WGP, "variants", 0, "diff"), "table.json"),
        ((*WGP, "variants", 0, "diff"), "missing.diff"),
        ((*WGP, "variants", 0, "diff"), "model-9.0.diff"),
        ((*WGP, "variants", 0, "releases"), ["8.0"]),
        ((*WGP, "hooks", 0, "name"), "other"),
        ((*WGP, "hooks", 0, "anchor"), "before"),
        ((*WGP, "hooks", 0, "functions"), ["generate_media"]),
        (("files", "models/wan/modules/model.py", "hooks", 0, "functions"), {"preprocess_loras": "13.0"}),
        ((*WGP, "hooks", 2, "anchor"), "before"),
        (("files", "../wgp.py"), {"hooks": [], "variants": []}),
        (("files", "/wgp.py"), {"hooks": [], "variants": []}),
        (("files", "C:/wgp.py"), {"hooks": [], "variants": []}),
        (("files", "models\\wgp.py"), {"hooks": [], "variants": []}),
        (("files", "models/.../wgp.py"), {"hooks": [], "variants": []}),
        (("files", "run.sh"), {"hooks": [], "variants": []}),
    ],
)
def test_a_damaged_or_hostile_table_is_refused(folder: Path, keys: tuple[Any, ...], value: Any) -> None:
    change(folder, *keys, value=value)
    with pytest.raises(SviError, match="Nothing was changed") as caught:
        patchset.load(folder)
    assert caught.value.code == "bad-patch-set"


@pytest.mark.parametrize("text", ["", "[]", "{", '"\\ud800"', "\x00"])
def test_a_table_that_is_no_table_is_refused(folder: Path, text: str) -> None:
    (folder / "table.json").write_text(text)
    with pytest.raises(SviError, match=r"table\.json"):
        patchset.load(folder)


@pytest.mark.parametrize("text", ["", "[]", "{", "\x00", None])
def test_a_list_of_what_was_read_is_not_needed(folder: Path, text: str | None) -> None:
    wanted = patchset.load(folder)
    (folder / patchset.READ).unlink()
    if text is not None:
        (folder / patchset.READ).write_text(text, "utf-8")
    assert patchset.load(folder) == wanted


def test_a_missing_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SviError, match=r"table\.json"):
        patchset.load(tmp_path)


@pytest.mark.parametrize(("old", "new"), [(b"  # svi-install", b""), (b"clip: ", b"klip: ")])
def test_a_hook_without_mark_or_reason_is_refused(folder: Path, old: bytes, new: bytes) -> None:
    diff = folder / "wgp-9.0.diff"
    assert old in diff.read_bytes()
    diff.write_bytes(diff.read_bytes().replace(old, new, 1))
    with pytest.raises(SviError, match=r"wgp-9\.0\.diff"):
        patchset.load(folder)


def test_a_diff_that_is_not_utf8_is_refused(folder: Path) -> None:
    (folder / "wgp-9.0.diff").write_bytes(b"\xff")
    with pytest.raises(SviError, match=r"wgp-9\.0\.diff"):
        patchset.load(folder)
