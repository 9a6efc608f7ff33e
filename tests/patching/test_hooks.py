from __future__ import annotations

import pytest

from svi_install.errors import EXIT_UNSUPPORTED, SviError
from svi_install.patching import hooks, patchset, placement
from tests import miniature

VARIANTS = patchset.load().variants
PLAIN = miniature.files()
PATCHED = {path: placement.place(VARIANTS[path], path, data).after for path, data in PLAIN.items()}
INSTALL = b"try: import svi_wangp; svi_wangp.install(globals())  # svi-install\n"


def states(path: str, data: bytes) -> dict[str, str]:
    return {found.hook: found.state for found in hooks.find_hooks(VARIANTS[path], path, data)}


@pytest.mark.parametrize("path", PLAIN)
def test_hooks_are_ours_or_missing(path: str) -> None:
    assert set(states(path, PLAIN[path]).values()) == {"missing"}
    assert set(states(path, PATCHED[path]).values()) == {"ours"}
    assert set(states(path, PATCHED[path].replace(b"\n", b"\r\n")).values()) == {"ours"}


@pytest.mark.parametrize("path", PLAIN)
def test_the_lines_found_are_those_of_the_placement(path: str) -> None:
    places = placement.place(VARIANTS[path], path, PLAIN[path]).places
    found = hooks.find_hooks(VARIANTS[path], path, PATCHED[path])
    assert [(item.hook, item.lines) for item in found] == [(item.hook, (item.line,)) for item in places]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"svi_wangp.install(globals())", b"svi_wangp.install(dict(globals()))"),
        (b"  # svi-install\nexcept Exception", b"\nexcept Exception"),
        (INSTALL, INSTALL * 2),
        (INSTALL, b""),
        (INSTALL, b"x = 1  # svi-install try import install globals\n"),
    ],
)
def test_a_hook_that_somebody_changed_is_edited(old: bytes, new: bytes) -> None:
    assert old in PATCHED["wgp.py"]
    found = states("wgp.py", PATCHED["wgp.py"].replace(old, new, 1))
    assert found == {"clip": "ours", "stitch": "ours", "install": "edited"}


def test_a_hook_in_two_places_is_edited_and_both_are_named() -> None:
    added = b"".join(line.encode() + b"\n" for line in VARIANTS[miniature.MODEL][0].hunks[0].added)
    data = PATCHED[miniature.MODEL].replace(added, added + b"        x = 1\n" + added)
    (found,) = hooks.find_hooks(VARIANTS[miniature.MODEL], miniature.MODEL, data)
    assert found.state == "edited"
    assert [second - first for first, second in [found.lines]] == [3]


def test_words_of_a_person_are_not_hooks() -> None:
    data = PLAIN["wgp.py"] + b'# I patched this with svi-install yesterday\nnotes["svi"] = "svi-install"\n'
    assert set(states("wgp.py", data).values()) == {"missing"}
    assert hooks.remove_hooks(VARIANTS["wgp.py"], "wgp.py", data) == data


@pytest.mark.parametrize("path", PLAIN)
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_remove_takes_back_what_place_added(path: str, newline: bytes) -> None:
    data = PATCHED[path].replace(b"\n", newline)
    assert hooks.remove_hooks(VARIANTS[path], path, data) == PLAIN[path].replace(b"\n", newline)


def test_remove_keeps_a_persons_own_edits() -> None:
    data = PATCHED["wgp.py"].replace(b"window_no = 0\n", b"window_no = 0  # mine\n")
    expected = PLAIN["wgp.py"].replace(b"window_no = 0\n", b"window_no = 0  # mine\n")
    assert hooks.remove_hooks(VARIANTS["wgp.py"], "wgp.py", data) == expected


def test_remove_takes_the_lines_of_older_patch_sets() -> None:
    older = (VARIANTS["wgp.py"][0]._replace(retired=("svi.old(1)  # svi-install",)),)
    data = b"a\n    svi.old(1)  # svi-install\nb\n"
    assert hooks.remove_hooks(older, "wgp.py", data) == b"a\nb\n"
    assert {found.state for found in hooks.find_hooks(older, "wgp.py", data)} == {"missing"}


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_remove_at_the_end_of_a_file_without_final_newline(newline: bytes) -> None:
    lines = [line.encode() for line in VARIANTS["wgp.py"][0].hunks[2].added]
    assert hooks.remove_hooks(VARIANTS["wgp.py"], "wgp.py", newline.join([b"x = 1", *lines])) == b"x = 1"
    assert hooks.remove_hooks(VARIANTS["wgp.py"], "wgp.py", newline.join(lines)) == b""


def test_remove_leaves_an_edited_line_alone_and_names_it() -> None:
    data = PATCHED["wgp.py"].replace(b"svi_wangp.install(globals())", b"svi_wangp.install({})")
    with pytest.raises(SviError, match=r"wgp\.py, line \d+: .*svi_wangp\.install\(\{\}\)") as caught:
        hooks.remove_hooks(VARIANTS["wgp.py"], "wgp.py", data)
    assert (caught.value.code, caught.value.exit_code) == ("edited-hook", EXIT_UNSUPPORTED)


@pytest.mark.parametrize("line", [0, 1])
def test_a_hook_line_that_lost_our_mark_is_never_left_behind(line: int) -> None:
    lines = [line.encode() for line in VARIANTS[miniature.MODEL][0].hunks[0].added]
    unmarked = lines[line].removesuffix(b"  # svi-install")
    data = PATCHED[miniature.MODEL].replace(lines[line], unmarked)
    number = data[: data.index(unmarked)].count(b"\n") + 1
    with pytest.raises(SviError, match=rf"model\.py, line {number}: somebody changed a line of svi-install") as caught:
        hooks.remove_hooks(VARIANTS[miniature.MODEL], miniature.MODEL, data)
    assert caught.value.code == "edited-hook"
    with pytest.raises(SviError, match="somebody changed a line of svi-install"):
        placement.place(VARIANTS[miniature.MODEL], miniature.MODEL, data)


@pytest.mark.parametrize("line", [0, 1])
def test_half_a_hook_whose_rest_is_gone_is_taken_out(line: int) -> None:
    lines = [line.encode() + b"\n" for line in VARIANTS[miniature.MODEL][0].hunks[0].added]
    data = PATCHED[miniature.MODEL].replace(lines[line], b"")
    assert hooks.remove_hooks(VARIANTS[miniature.MODEL], miniature.MODEL, data) == PLAIN[miniature.MODEL]
    for alone in (lines[line], lines[line].rstrip(b"\n")):
        assert hooks.remove_hooks(VARIANTS[miniature.MODEL], miniature.MODEL, alone) == b""


@pytest.mark.parametrize(
    ("path", "trace"),
    [
        ("wgp.py", b"    svi_ref_pad_num=0,\n"),
        ("wgp.py", b"    svi_num_motion_frames=1,\n"),
        (miniature.ANY2VIDEO, b"# svi_random_ref_frame\n"),
        (miniature.ANY2VIDEO, b"x = bbargs.get('svi_mode', False)\n"),
        (miniature.MODEL, b'print("Converting SVI/DiffSynth LoRA format")\n'),
    ],
)
def test_another_patch_set_is_recognised(path: str, trace: bytes) -> None:
    assert hooks.foreign(PLAIN[path] + trace, path) == "wan2gp-svi"


def test_neither_wangp_nor_our_own_hooks_are_foreign() -> None:
    for path, data in [*PLAIN.items(), *PATCHED.items()]:
        assert hooks.foreign(data, path) is None
    assert hooks.foreign(b"svi_mode = 2\nsvi_ref_pad_num = 0\n", miniature.ANY2VIDEO) is None
    assert hooks.foreign(b"svi_ref_pad_num", "other.py") is None


@pytest.mark.parametrize(
    ("text", "line"),
    [(b"<<<<<<< HEAD\n", 1), (b"x\n>>>>>>> main\n", 2), (b"x = '<<<<<<< '\n", 0), (b"# =======\n", 0), (b"", 0)],
)
def test_conflict_markers(text: bytes, line: int) -> None:
    assert hooks.conflict_line(text) == line
