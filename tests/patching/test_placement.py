from __future__ import annotations

import ast

import pytest

from svi_install.errors import EXIT_UNSUPPORTED
from svi_install.patching import patchset
from svi_install.patching.patchset import Hunk, Variant
from svi_install.patching.placement import PlacementError, Refusal, place, remove_hooks
from tests import miniature
from tests.miniature import ANY2VIDEO, MODEL, WGP

VARIANTS = patchset.load().variants
HUNKS = {hunk.hook: hunk for items in VARIANTS.values() for item in items for hunk in item.hunks}
OF_VARIANT = {(item.name, hunk.hook): hunk for items in VARIANTS.values() for item in items for hunk in item.hunks}
FILES = {flavour: miniature.files(flavour) for flavour in miniature.FLAVOURS}
CLIP = b"                samples = wan_model.generate(\n"
STITCH = b"                elif sliding_window and window_no > 1 and reuse_frames > 0:\n"
KEYS = b"        first = next(iter(sd), None)\n"


def refused(path: str, data: bytes) -> tuple[Refusal, ...]:
    with pytest.raises(PlacementError, match=r"cannot be patched safely: .*Nothing was changed") as caught:
        place(VARIANTS[path], path, data)
    assert caught.value.exit_code == EXIT_UNSUPPORTED
    assert caught.value.hint
    return caught.value.refusals


def change(path: str, old: bytes, new: bytes, flavour: str = "base") -> bytes:
    data = FILES[flavour][path]
    assert data.count(old) == 1
    return data.replace(old, new)


def around(after: bytes, line: int, size: int) -> list[str]:
    lines = after.decode().splitlines()
    return [lines[line - 2], *lines[line - 1 + size : line + size]]


@pytest.mark.parametrize("flavour", ["base", "old", "newer", "newest", "renamed"])
def test_every_hook_stands_beside_its_anchor(flavour: str) -> None:
    for path, data in FILES[flavour].items():
        result = place(VARIANTS[path], path, data)
        assert {item.hook for item in result.places} == {hunk.hook for hunk in VARIANTS[path][0].hunks}
        for item in result.places:
            hunk = OF_VARIANT[item.variant, item.hook]
            above, below = around(result.after, item.line, len(hunk.added))
            assert hunk.anchor_line.strip() == (above if hunk.anchor == "before" else below).strip()
        ast.parse(result.after)
        assert result.broken == ""


@pytest.mark.parametrize("flavour", ["base", "old", "newer", "newest", "renamed", "broken"])
def test_placing_twice_is_placing_once_and_removing_undoes_it(flavour: str) -> None:
    for path, data in FILES[flavour].items():
        result = place(VARIANTS[path], path, data)
        assert place(VARIANTS[path], path, result.after) == result
        assert remove_hooks(VARIANTS[path], path, result.after) == data


def test_exact_is_the_diffs_own_line_and_moved_counts_from_there() -> None:
    hunk = HUNKS["keys"]
    context = [*hunk.before, *hunk.after]
    top = ["class A:", "    def preprocess_loras(self, sd):"]
    fill = [f"        x = {number}" for number in range(hunk.line - len(top) - 2)]
    for extra, how in ((0, "exact"), (3, "moved")):
        data = "\n".join([*top, *fill, *fill[:extra], *context, ""]).encode()
        (item,) = place(VARIANTS[MODEL], MODEL, data).places
        assert (item.how, item.offset, item.line) == (how, extra, hunk.line + extra)


def test_offsets_do_not_count_our_own_lines() -> None:
    result = place(VARIANTS[WGP], WGP, FILES["base"][WGP])
    plain = FILES["base"][WGP].decode().splitlines()
    for item in result.places:
        hunk = HUNKS[item.hook]
        number = plain.index(hunk.anchor_line) + 1 + (hunk.anchor == "before")
        assert item.offset == number - hunk.line


def test_each_hook_takes_the_variant_that_matches() -> None:
    for flavour, expected in (("old", "9.0"), ("base", "10.0")):
        places = place(VARIANTS[ANY2VIDEO], ANY2VIDEO, FILES[flavour][ANY2VIDEO]).places
        assert {item.hook: item.variant for item in places}["condition"] == expected
        assert {item.how for item in places} == {"moved"}


@pytest.mark.parametrize(
    ("path", "old", "new", "hook"),
    [
        (WGP, CLIP + b"                    input_prompt = prompt,\n", CLIP + b"                    **given,\n", "clip"),
        (WGP, b"# remove sliding window overlapped", b"# drop overlapped", "stitch"),
        (ANY2VIDEO, b"        image_outputs = image_mode == 1\n", b"", "schedule"),
        (
            ANY2VIDEO,
            b"        seed_g = torch.Generator(device=self.device)\n",
            b"        seed_g = make()\n",
            "schedule",
        ),
        (ANY2VIDEO, b"            # if overlapped_latents != None:\n", b"            # note\n", "latents"),
        (MODEL, b"            return sd\n", b"            return {}\n", "keys"),
    ],
)
def test_less_context_is_enough_inside_the_function(path: str, old: bytes, new: bytes, hook: str) -> None:
    result = place(VARIANTS[path], path, change(path, old, new))
    assert [item.how for item in result.places if item.hook == hook] == ["reduced"]
    assert {item.how for item in result.places if item.hook != hook} <= {"moved"}


IF = Hunk("if", "Why.", ("one",), ("    if go:",), ("        print()  # svi-install",), ("        end()",), "before")
CALL = Hunk("call", "Why.", ("one",), ("    x = 1",), ("    print()  # svi-install",), ("    call()",), "after")
TOP = Hunk("top", "Why.", (), ("",), ("print()  # svi-install",), ("call()",), "after")


def tiny(hunk: Hunk, text: str) -> str:
    """Place one hunk of our own in a text of our own."""
    return place((Variant("a.py", "v", (hunk,), ()),), "a.py", text.encode()).after.decode()


def tiny_refusal(hunk: Hunk, text: str) -> Refusal:
    with pytest.raises(PlacementError) as caught:
        tiny(hunk, text)
    (refusal,) = caught.value.refusals
    return refusal


@pytest.mark.parametrize(
    ("hunk", "before", "after"),
    [
        (CALL, "def one():\n  call()\n", "def one():\n  HOOK\n  call()\n"),
        (CALL, "def one():\n\tcall()\n", "def one():\n\tHOOK\n\tcall()\n"),
        (CALL, "def one():\n    if x:\n        call()\n", "def one():\n    if x:\n        HOOK\n        call()\n"),
        (IF, "def one():\n  if go:\n   end()\n", "def one():\n  if go:\n   HOOK\n   end()\n"),
        (IF, "def one():\n\tif go:\n# end\n\n\t\tend()\n", "def one():\n\tif go:\n\t\tHOOK\n# end\n\n\t\tend()\n"),
    ],
)
def test_an_anchor_that_is_only_indented_anew_takes_the_hook_along(hunk: Hunk, before: str, after: str) -> None:
    assert tiny(hunk, before) == after.replace("HOOK", "print()  # svi-install")


def test_an_indented_anchor_at_the_end_of_a_broken_file_gets_its_own_indentation() -> None:
    assert tiny(IF, "def one():\n  if go:\n  # end") == "def one():\n  if go:\n  print()  # svi-install\n  # end"


def test_a_top_level_hook_never_follows_an_indentation() -> None:
    assert tiny_refusal(TOP, "if x:\n    call()\n").why == "its anchor is not there"
    assert tiny(TOP, "x = 1\n\ncall()\n") == "x = 1\n\nprint()  # svi-install\ncall()\n"


def test_a_hook_never_lands_in_a_text() -> None:
    for hunk, text in (
        (TOP, "x = '''\n\ncall()\n'''\n"),
        (CALL, "def one():\n    '''\n    x = 1\n    call()\n    '''\n"),
    ):
        assert tiny_refusal(hunk, text).why.startswith("the place found lies in a text, not code, not in ")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("def two():\n    x = 1\n    call()\ndef one(): pass\n", "the place found lies in two, not in one"),
        ("def one(): pass\ndef two():\n    call()\n", "the place found lies in two, not in one"),
        ("def two():\n    call()\n", "the place found lies in two, not in one"),
        ("class one:\n    x = 1\n    call()\n", "the place found lies in class one, not in one"),
        ("if one:\n    x = 1\n    call()\n", "the place found lies in the top level, not in one"),
        ("def one():\n  def two():\n    x = 1\n    call()\n", "the place found lies in two, not in one"),
        ("def two():\n    x = 1\n    call()\ndef one(: pass\n", "the place found lies in two, not in one"),
        ("def one():\n    call()\n    call()\n", "its anchor is found in 2 places"),
        ("def one():\n    x = 1\n    call()\n    x = 1\n    call()\n", "its anchor is found in 2 places"),
        ("def one():\n  call()\ndef two():\n   call()\n", "its anchor is found in 2 places"),
        ("def one():\n    x = 1\n    calls()\n", "its anchor is not there"),
        ("def one():\n    x = 1\n    call() \n", "its anchor is not there"),
        ("", "its anchor is not there"),
        ("def one():\n    x = (\n    call()\n    )\n", "the file would no longer compile"),
        ("def one():\n    x = 1 + \\\n    call()\n", "the line above it ends in a backslash"),
        ("def one():\n    x = 1 + \\\r\n    call()\r\n", "the line above it ends in a backslash"),
    ],
)
def test_in_doubt_it_refuses(text: str, why: str) -> None:
    assert tiny_refusal(CALL, text).why == why


def test_only_the_hook_that_does_harm_is_blamed() -> None:
    two = Variant("a.py", "v", (CALL, CALL._replace(hook="later", after=("    z()",))), ())
    with pytest.raises(PlacementError) as caught:
        place((two,), "a.py", b"def one():\n    call()\n    x = (\n    z()\n    )\n")
    assert [item.hook for item in caught.value.refusals] == ["later"]


def test_a_function_under_a_new_name_takes_the_whole_text_but_not_a_part_of_it() -> None:
    assert "print()" in tiny(CALL, "def two():\n    x = 1\n    call()\n")
    assert tiny_refusal(CALL, "def two():\n    x = 2\n    call()\n").why == "the place found lies in two, not in one"


def test_a_hook_whose_variables_upstream_renamed_is_refused() -> None:
    (refusal,) = refused(WGP, FILES["base"][WGP].replace(b"prefix_video", b"first_frames"))
    assert (refusal.hook, refusal.why) == ("clip", "the name prefix_video that it uses is not there any more")


def test_every_known_name_of_a_function_counts() -> None:
    assert "print()" in tiny(CALL._replace(functions=("one", "two")), "def two():\n    x = 2\n    call()\n")


def test_context_is_compared_up_to_the_ends_of_the_file() -> None:
    assert "print()" in tiny(CALL._replace(before=("", "", "    x = 1")), "def one():\n    x = 1\n    call()\n")
    assert "print()" in tiny(CALL._replace(after=("    call()", "")), "def one():\n    x = 1\n    call()\n")
    assert tiny(TOP._replace(before=("a", "")), "call()\n") == "print()  # svi-install\ncall()\n"


def test_the_variant_with_most_context_wins_and_a_tie_in_two_places_is_refused() -> None:
    near = CALL._replace(before=("    x = 2",))
    both = (Variant("a.py", "v", (CALL,), ()), Variant("a.py", "w", (near,), ()))
    text = "def one():\n    x = 2\n    call()\n    y = 3\n    call()\n"
    (item,) = place(both, "a.py", text.encode()).places
    assert (item.line, item.variant) == (3, "w")
    with pytest.raises(PlacementError, match="its anchor is found in 2 places"):
        place(both, "a.py", text.replace("y = 3", "x = 1").encode())


def test_hooks_keep_the_order_of_the_diff() -> None:
    two = Variant("a.py", "v", (CALL, CALL._replace(hook="later", after=("    z()",))), ())
    assert place((two,), "a.py", b"def one():\n    call()\n    z()\n").places[1].line == 4
    with pytest.raises(PlacementError, match="its anchor stands above the place of hook call, not below it") as caught:
        place((two,), "a.py", b"def one():\n    z()\n    call()\n")
    assert [(item.hook, item.candidates[0].line) for item in caught.value.refusals] == [("later", 2)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("def one():\r\n    call()\r\n", "def one():\r\n    HOOK\r\n    call()\r\n"),
        ("def one():\n    call()\r\n", "def one():\n    HOOK\r\n    call()\r\n"),
        ("def one():\r\n    call()\n", "def one():\r\n    HOOK\n    call()\n"),
        ("def one():\r\n    call()", "def one():\r\n    HOOK\r\n    call()"),
        ("\ufeffdef one():\n    call()", "\ufeffdef one():\n    HOOK\n    call()"),
        ("def one():\n\tx = 'äöü語'\n\tcall()", "def one():\n\tx = 'äöü語'\n\tHOOK\n\tcall()"),
    ],
)
def test_newlines_marks_and_letters_stay_as_they_are(before: str, after: str) -> None:
    assert tiny(CALL, before) == after.replace("HOOK", "print()  # svi-install")


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_hook_after_the_last_line_takes_over_its_missing_newline(newline: str) -> None:
    hunk = TOP._replace(before=("call()",), after=(), anchor="before")
    variants = (Variant("a.py", "v", (hunk,), ()),)
    text = f"x = 1{newline}call()"
    result = place(variants, "a.py", text.encode())
    assert result.after.decode() == f"{text}{newline}print()  # svi-install"
    assert result.places[0].line == 3
    assert remove_hooks(variants, "a.py", result.after) == text.encode()


def test_upstreams_own_syntax_error_is_said_and_not_blamed_on_us() -> None:
    result = place(VARIANTS[WGP], WGP, FILES["broken"][WGP])
    assert "line" in result.broken
    fixed = place(VARIANTS[WGP], WGP, FILES["base"][WGP])
    assert [item.hook for item in result.places] == [item.hook for item in fixed.places]


def test_an_unfinished_merge_is_refused() -> None:
    (refusal,) = refused(WGP, FILES["conflict"][WGP])
    number = FILES["conflict"][WGP].decode().splitlines().index("<<<<<<< HEAD") + 1
    assert refusal.why == f"line {number} is a conflict marker: a merge was left unfinished"


def test_an_edited_hook_line_is_refused_and_named() -> None:
    after = place(VARIANTS[WGP], WGP, FILES["base"][WGP]).after.replace(
        b"svi_wangp.install(globals())", b"svi_wangp.install({})"
    )
    (refusal,) = refused(WGP, after)
    assert refusal.why == "somebody changed a line of svi-install"
    assert "svi_wangp.install({})" in refusal.candidates[0].text
    assert after.splitlines()[refusal.candidates[0].line - 1].decode() == refusal.candidates[0].text


def test_another_patch_set_is_refused_with_the_way_out() -> None:
    data = change(WGP, b"    plugin_data=None,\n", b"    plugin_data=None,\n    svi_ref_pad_num=0,\n")
    with pytest.raises(PlacementError, match="wan2gp-svi") as caught:
        place(VARIANTS[WGP], WGP, data)
    assert "git checkout -- wgp.py" in caught.value.hint


def test_hooks_of_an_older_patch_set_are_replaced_in_one_step() -> None:
    older = HUNKS["keys"]._replace(added=("        dict(sd)  # svi-install",))
    before = place((Variant(MODEL, "older", (older,), ()),), MODEL, FILES["base"][MODEL]).after
    today = tuple(item._replace(retired=("dict(sd)  # svi-install",)) for item in VARIANTS[MODEL])
    assert place(today, MODEL, before) == place(today, MODEL, FILES["base"][MODEL])


def test_hooks_that_somebody_moved_go_back_to_their_place() -> None:
    good = place(VARIANTS[MODEL], MODEL, FILES["base"][MODEL])
    added = b"".join(line.encode() + b"\n" for line in HUNKS["keys"].added)
    assert good.after.count(added) == 1
    moved = good.after.replace(added, b"").replace(b"            return sd\n", b"            return sd\n" + added)
    assert place(VARIANTS[MODEL], MODEL, moved) == good


def test_a_missing_anchor_is_refused_with_what_comes_nearest() -> None:
    data = change(WGP, CLIP, b"                samples = wan_model.generate_frames(\n")
    (refusal,) = refused(WGP, data)
    assert (refusal.hook, refusal.path, refusal.why) == ("clip", WGP, "its anchor is not there")
    assert refusal.looked_for == "samples = wan_model.generate("
    number = data.decode().splitlines().index("                samples = wan_model.generate_frames(") + 1
    assert refusal.candidates[0].line == number


def test_every_hook_without_a_place_is_reported() -> None:
    data = change(WGP, CLIP, b"                samples = make(\n").replace(STITCH, b"                elif go:\n")
    assert {refusal.hook for refusal in refused(WGP, data)} == {"clip", "stitch"}


def test_a_copy_of_a_function_makes_its_anchors_ambiguous() -> None:
    data = FILES["base"][MODEL]
    start = data.index(b"    def preprocess_loras")
    copy = data[start:].replace(b"preprocess_loras", b"preprocess_loras_old")
    (refusal,) = refused(MODEL, data + copy)
    assert refusal.why == "its anchor is found in 2 places"
    assert [item.score for item in refusal.candidates] == [1.0, 1.0]


def test_a_wgp_py_with_none_of_it_is_refused() -> None:
    assert {refusal.hook for refusal in refused(WGP, b"print('hello')\n")} == {"clip", "stitch", "install"}
