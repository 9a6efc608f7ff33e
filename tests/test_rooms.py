"""The house as CONTRIBUTING draws it: rooms, what each may use, and how large a file may become."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "svi_install"
# From the top floor down: a room uses only rooms that stand behind it here.
FLOORS = (
    "__main__", "cli", "commands", "report", "plugin", "storyboard", "drift", "gitfilter", "history", "patching",
    "checkout", "loras", "writing", "package_data", "signals", "runtime", "errors", "bootstrap", "__init__",
)  # fmt: skip
# Only a revert on a full disk comes that way, and what it needs there is where the hooks were.
UPWARDS = {
    ("svi_install.writing.full_disk", "svi_install.patching.patchset"),
    ("svi_install.writing.full_disk", "svi_install.patching.placement"),
}
LARGEST = 400


def modules() -> dict[str, Path]:
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imports(name: str, path: Path) -> set[str]:
    """Return the modules of the package that a module imports, early or late."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.ImportFrom):
            continue
        base = node.module or ""
        if node.level:
            parts = package.split(".")
            base = ".".join([*parts[: len(parts) - node.level + 1], *([base] if base else [])])
        for alias in node.names:
            full = f"{base}.{alias.name}"
            found.update(each for each in ((full if full in MODULES else base),) if each in MODULES)
    return found


def room(name: str) -> str:
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def test_every_room_has_its_floor() -> None:
    assert {room(name) for name in MODULES} == set(FLOORS)


@pytest.mark.parametrize("name", sorted(MODULES))
def test_nothing_is_used_from_a_floor_above(name: str) -> None:
    floor = FLOORS.index(room(name))
    above = {(name, used) for used in imports(name, MODULES[name]) if FLOORS.index(room(used)) < floor}
    assert above <= UPWARDS


def test_the_exceptions_are_still_needed() -> None:
    used = {(name, each) for name, path in MODULES.items() for each in imports(name, path)}
    assert used >= UPWARDS


def test_no_circles() -> None:
    uses = {name: imports(name, path) for name, path in MODULES.items()}
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join((*way, name))
        if name not in done:
            for used in sorted(uses[name]):
                visit(used, (*way, name))
            done.add(name)

    for name in sorted(uses):
        visit(name, ())


def test_at_most_six_modules_beside_the_rooms() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= 6


# From the first on: a room of a film uses only those before it.
STORYBOARD = ("script", "archive", "headless", "media", "film", "farm", "sheet", "finish")


def test_a_film_goes_one_way() -> None:
    inside = {name: path for name, path in MODULES.items() if name.count(".") == 3 and ".storyboard." in name}
    assert {name.split(".")[2] for name in inside} == set(STORYBOARD)
    beside = PACKAGE / "storyboard"
    assert [path.name for path in beside.glob("*.py")] == ["__init__.py"]
    for name, path in inside.items():
        for used in imports(name, path) & set(inside):
            assert STORYBOARD.index(used.split(".")[2]) <= STORYBOARD.index(name.split(".")[2]), (name, used)


@pytest.mark.parametrize(
    "folder", sorted(path.parent.relative_to(PACKAGE).as_posix() for path in PACKAGE.glob("*/**/__init__.py"))
)
def test_a_room_says_what_it_is_for(folder: str) -> None:
    said = ast.get_docstring(ast.parse((PACKAGE / folder / "__init__.py").read_text("utf-8")))
    assert said is not None
    assert len(said.splitlines()) >= 3
    assert "In:" in said
    assert "Out:" in said


@pytest.mark.parametrize(
    "path",
    sorted(path.relative_to(ROOT).as_posix() for top in ("svi_install", "tests", "benchmarks", ".github", "docs")
           for path in (ROOT / top).rglob("*.py")),
)  # fmt: skip
def test_no_file_is_too_long(path: str) -> None:
    assert len((ROOT / path).read_text("utf-8").splitlines()) <= LARGEST
