"""Random edits of the miniature: every hook lands beside its own anchor or is refused, and nothing else changes."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from itertools import pairwise

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from svi_install.errors import SviError
from svi_install.patching import patchset
from svi_install.patching.placement import Placement, place, remove_hooks
from tests import miniature

VARIANTS = patchset.load().variants
SOURCES = [(path, data.decode()) for name in ("base", "old", "newer") for path, data in miniature.files(name).items()]
ANCHORS = {
    hunk.hook: hunk for items in VARIANTS.values() for item in items for hunk in item.hunks
}  # the anchors of all variants differ in their indentation alone


@dataclass(frozen=True)
class Line:
    """A line and the number it had before any edit; a copy keeps the number, a rewritten line loses it."""

    origin: int
    text: str


def near(path: str, lines: list[str]) -> list[int]:
    wanted = {ANCHORS[hunk.hook].anchor_line.strip() for hunk in VARIANTS[path][0].hunks}
    return [number for number, text in enumerate(lines) if text.strip() in wanted]


@st.composite
def edited(draw: st.DrawFn) -> tuple[str, list[Line], list[str]]:
    """Draw a source and up to eight edits; half of them happen within four lines of an anchor."""
    path, text = draw(st.sampled_from(SOURCES))
    original = text.split("\n")
    lines = [Line(number, line) for number, line in enumerate(original)]
    texts = st.sampled_from(
        [
            "x = 1",
            "# note",
            "",
            "pass",
            "try:",
            "call(",
            ")",
            "if x:",
            "'''",
            "return",
            "def other():",
            "\\",
            "é = '語'",
        ]
    )
    for _ in range(draw(st.integers(0, 8))):
        size = len(lines)
        close = near(path, [line.text for line in lines])
        if close and draw(st.booleans()):
            at = min(max(draw(st.sampled_from(close)) + draw(st.integers(-4, 4)), 0), size - 1)
        else:
            at = draw(st.integers(0, size - 1))
        line = lines[at]
        indent = line.text[: len(line.text) - len(line.text.lstrip())]
        kind = draw(st.sampled_from(["insert", "delete", "rewrite", "copy", "move", "indent", "rename", "block"]))
        if kind == "insert":
            lines.insert(at, Line(-1, indent + draw(texts)))
        elif kind == "delete" and size > 1:
            del lines[at]
        elif kind == "rewrite":
            lines[at] = Line(-1, indent + draw(texts))
        elif kind == "copy":
            lines.insert(draw(st.integers(0, size)), line)
        elif kind == "move":
            del lines[at]
            lines.insert(draw(st.integers(0, size - 1)), line)
        elif kind == "indent":
            last = min(at + draw(st.integers(1, 6)), size)
            lines[at:last] = [Line(old.origin, "    " + old.text if old.text else "") for old in lines[at:last]]
        elif kind == "rename":
            lines = [Line(old.origin, old.text.replace("generate_media", "generate_clip")) for old in lines]
        elif kind == "block":
            last = min(at + draw(st.integers(1, 60)), size)
            lines[draw(st.integers(0, size)) : 0] = lines[at:last]
    return path, lines, original


def try_to_place(path: str, data: bytes) -> Placement | None:
    try:
        return place(VARIANTS[path], path, data)
    except SviError:
        return None


def function_at(tree: ast.AST, line: int) -> str:
    """Name the innermost function or class around a line, by Python's own syntax tree."""
    spans = [
        (node.lineno, node.name)
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
        and node.lineno <= line <= (node.end_lineno or 0)
    ]
    return max(spans)[1] if spans else ""


@settings(max_examples=400, deadline=None)
@given(edited())
def test_a_hook_lands_beside_its_anchor_or_nowhere(case: tuple[str, list[Line], list[str]]) -> None:
    path, lines, original = case
    data = "\n".join(line.text for line in lines).encode()
    result = try_to_place(path, data)
    if result is None:
        return
    after = result.after.decode().split("\n")
    shift = 0
    for item in result.places:
        hunk = ANCHORS[item.hook]
        plain = item.line - shift - 1
        anchor = lines[plain - 1 if hunk.anchor == "before" else plain]
        assert original[anchor.origin].strip() == hunk.anchor_line.strip()
        assert anchor.origin >= 0
        found = [line.strip() for line in after[item.line - 1 : item.line - 1 + len(hunk.added)]]
        assert found == [line.strip() for line in hunk.added]
        shift += len(hunk.added)
    for hunk in (ANCHORS[item.hook] for item in result.places):
        assert sum(line.strip() == hunk.added[0].strip() for line in after) == 1
    assert all(first.line < second.line for first, second in pairwise(result.places))
    if not result.broken:
        tree = ast.parse(result.after)
        named = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        for item in result.places:
            functions = ANCHORS[item.hook].functions
            inside = function_at(tree, item.line)
            assert inside in functions or (inside and named.isdisjoint(functions)) or (not functions and not inside)


@settings(max_examples=200, deadline=None)
@given(edited(), st.data())
def test_every_byte_comes_back(case: tuple[str, list[Line], list[str]], draw: st.DataObject) -> None:
    path, lines, _ = case
    ends = draw.draw(st.lists(st.sampled_from(["\n", "\r\n"]), min_size=1, max_size=7))
    text = "".join(line.text + ends[number % len(ends)] for number, line in enumerate(lines))
    if draw.draw(st.booleans()):
        text = text.rstrip("\r\n")
    if draw.draw(st.booleans()):
        text = "\ufeff" + text
    data = text.encode()
    result = try_to_place(path, data)
    assume(result is not None)
    assert result is not None
    assert remove_hooks(VARIANTS[path], path, result.after) == data
    assert place(VARIANTS[path], path, result.after) == result
    for item in result.places:
        hunk = ANCHORS[item.hook]
        rows = result.after.split(b"\n")
        for row in range(item.line - 1, item.line - 1 + len(hunk.added)):
            neighbour = rows[item.line - 2 if hunk.anchor == "before" else item.line - 1 + len(hunk.added)]
            last = max(item.line + len(hunk.added), row + 1) >= len(rows)
            assert last or rows[row].endswith(b"\r") == neighbour.endswith(b"\r")


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(SOURCES), st.binary(max_size=200), st.integers(0, 2**16))
def test_bytes_that_are_no_text_never_break_it(source: tuple[str, str], noise: bytes, at: int) -> None:
    path, text = source
    data = text.encode()
    data = data[: at % len(data)] + noise + data[at % len(data) :]
    result = try_to_place(path, data)
    if result is not None:
        assert remove_hooks(VARIANTS[path], path, result.after) == data
