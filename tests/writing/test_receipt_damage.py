"""Damaged receipts, one by one: SVI goes out all the same, and nothing that is WanGP's or a person's changes.

``pytest tests/patching/test_receipt_damage.py -s`` prints how many were tried.
"""

from __future__ import annotations

import copy
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from svi_install.patching import patchset, plan, state
from svi_install.writing import receipt, transaction
from tests import miniature
from tests.every import some
from tests.older import PROFILES, RUNTIME, first, install, revert
from tests.trees import posix

pytestmark = posix

PATCHES = patchset.load()
FIRST = first(PATCHES)
Damage = tuple[str, Callable[[Path], object]]

# What no entry of a receipt may be; the words are JSON already where Python has no such value.
VALUES = (
    *("null", "true", "3", "-1", "0.5", "1e999", "-1e999", "NaN", str(1 << 70), "9" * 5000, '""', '"x"', '"\\u0000"'),
    *('"\\ud800"', '"../../x.json"', '"/etc/passwd"', '"' + "a" * 5000 + '"', "[]", "{}", "[null]", "[[3]]"),
    *('{"a": 3}', "[" * 3000 + "]" * 3000, '["import sys"]', '{"wgp.py": "' + "0" * 64 + '"}'),
)
WHOLE = (
    *(b"", b"\n", b"null", b"3", b"{}", b"[]", b'"x"', b"{", b"\0" * 100, b"\xff\xfe", b"1e999", b"NaN", b"{]"),
    *(b"[" * 100_000, b'{"a":' * 100_000, b"9" * 10_000, "{}".encode("utf-16"), b"\xef\xbb\xbf{}", b'{"schema": 1}'),
    *(b'{"schema": 2}', b'{"schema": null}', b'{"schema": 1, "patched": []}', b'{"schema": 1e999}'),
)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the disk has it in time is tested elsewhere."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture(scope="module")
def base() -> Iterator[Path]:
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        root = miniature.write(Path(folder) / "absent")
        (root / "loras" / "wan_i2v" / "mine.json").write_bytes(b"{}")
        shutil.copytree(root, Path(folder) / "now")
        install(Path(folder) / "now", PATCHES)
        shutil.copytree(root, Path(folder) / "first")
        transaction.run(plan.plan_install(Path(folder) / "first", FIRST, RUNTIME, PROFILES))
        yield Path(folder)


def contents(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def outcome(base: Path, start: str, damage: Callable[[Path], object], *, leaves: bool = False) -> str:
    """Damage one receipt, ask for the state, take SVI out; return what is wrong, nothing when all is well."""
    root = base / "case"
    shutil.copytree(base / start, root, symlinks=True)
    try:
        damage(root / receipt.PATH)
        state.read(root, PATCHES, RUNTIME)
        revert(root, PATCHES)
        now, before = contents(root), contents(base / "absent")
        if leaves:
            now = {path: data for path, data in now.items() if path not in PROFILES and path != receipt.PATH}
        wrong = [path for path in now.keys() | before.keys() if now.get(path) != before.get(path)]
        return ", ".join(wrong)
    except Exception as error:  # noqa: BLE001 (whatever it was is what the test is about)
        return f"{type(error).__name__}: {error}"
    finally:
        shutil.rmtree(root)


def check(
    base: Path, start: str, cases: list[Damage], capsys: pytest.CaptureFixture[str], leaves: bool = False
) -> None:
    cases = some(cases, 3)
    found = {name: outcome(base, start, damage, leaves=leaves) for name, damage in cases}
    assert len(found) == len(cases)
    assert {name: wrong for name, wrong in found.items() if wrong} == {}
    with capsys.disabled():
        print(f"\n{start}: {len(cases)} damaged receipts, all taken out", end="")


def stored(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


def on_the_disk(data: bytes) -> list[Damage]:
    """Bits and bytes that flip, and files that are cut off."""
    found: list[Damage] = [(f"cut at {at}", stored(data[:at])) for at in range(0, len(data), len(data) // 60)]
    for number, at in enumerate(range(1, len(data), len(data) // 100)):
        bit = bytes([data[at] ^ (1 << number % 8)])
        found.append((f"bit {number % 8} of {at}", stored(data[:at] + bit + data[at + 1 :])))
    for at in range(2, len(data), len(data) // 60):
        found.append((f"zeros at {at}", stored(data[:at] + b"\0" * len(data[at : at + 64]) + data[at + 64 :])))
    return found


def leaves_of(raw: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    pairs = raw.items() if isinstance(raw, dict) else enumerate(raw) if isinstance(raw, list) else ()
    for key, value in pairs:
        yield from leaves_of(value, (*path, key))


def with_value(raw: Any, path: tuple[Any, ...], value: str, *, summed: bool) -> bytes:
    """Return a receipt with another value in one place, and with the sum that fits it where asked for."""
    changed = copy.deepcopy(raw)
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = "PLACE OF THE VALUE"
    text = json.dumps(changed).replace('"PLACE OF THE VALUE"', value)
    if summed:
        try:
            whole = json.loads(text)
            whole["sum"] = receipt._sum({name: item for name, item in whole.items() if name != "sum"})
            text = json.dumps(whole)
        except (ValueError, RecursionError):
            pass  # then it is damaged anyway
    return text.encode()


def in_its_values(data: bytes, *, summed: bool) -> list[Damage]:
    """Values of every wrong kind in every place, and places that are missing."""
    raw = json.loads(data)
    found: list[Damage] = []
    for path in leaves_of(raw):
        # Of the three files, which are alike, all values are tried on the first one only; elsewhere they take turns.
        turn = 2 if path[:2] == ("patched", 0) else 5
        for number in range(len(found) % turn, len(VALUES), turn):
            value = VALUES[number]
            found.append((f"{path} {number}", stored(with_value(raw, path, value, summed=summed))))
    return found


def strange(path: Path, make: Callable[[Path], object]) -> None:
    path.unlink()
    make(path)


KINDS: list[tuple[str, Callable[[Path], object]]] = [
    ("a pipe", os.mkfifo),
    ("a folder", Path.mkdir),
    ("a link to nothing", lambda path: path.symlink_to("nothing")),
    ("a link to itself", lambda path: path.symlink_to(path.name)),
    ("a link to a device", lambda path: path.symlink_to("/dev/zero")),
    ("a link to a file of WanGP's", lambda path: path.symlink_to("../wgp.py")),
]


@pytest.mark.parametrize("start", ["now", "first"])
def test_damaged_by_the_disk(base: Path, start: str, capsys: pytest.CaptureFixture[str]) -> None:
    cases = on_the_disk((base / start / receipt.PATH).read_bytes())
    cases += [(f"whole {number}", stored(data)) for number, data in enumerate(WHOLE)]
    # Of the older kind every third is enough.
    cases = cases if start == "now" else cases[::3]
    assert len(cases) >= (220 if start == "now" else 70)
    check(base, start, cases, capsys)


def test_wrong_values(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cases = in_its_values((base / "now" / receipt.PATH).read_bytes(), summed=False)
    assert len(cases) >= 300
    check(base, "now", cases, capsys)


def test_wrong_values_that_somebody_summed_up(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No disk does that; a hand may. Profiles that such a receipt does not name are nobody's to take."""
    cases = in_its_values((base / "now" / receipt.PATH).read_bytes(), summed=True)[::4]
    assert len(cases) >= 75
    check(base, "now", cases, capsys, leaves=True)


@pytest.mark.parametrize(("name", "make"), KINDS)
def test_what_is_no_file(base: Path, name: str, make: Callable[[Path], object]) -> None:
    root = base / "case"
    shutil.copytree(base / "now", root)
    try:
        strange(root / receipt.PATH, make)
        assert state.read(root, PATCHES, RUNTIME).name == "installed"
        with pytest.raises(receipt.SviError, match="nothing can be noted there"):
            plan.plan_install(root, PATCHES, RUNTIME, PROFILES)
        notes = revert(root, PATCHES).notes
        assert any("not an ordinary file and was left alone" in note for note in notes)
        assert contents(root) == contents(base / "absent")
        assert os.path.lexists(root / receipt.PATH)
    finally:
        shutil.rmtree(root)
