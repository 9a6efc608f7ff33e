"""What an earlier run has left, damaged in every way: the right file in the end, and nothing of a person's touched.

``pytest tests/loras/test_damaged_parts.py -s -k table`` prints how many damages there are and what became of them.
"""

from __future__ import annotations

import json
import operator
import os
import shutil
import socket
import sys
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from svi_install.errors import EXIT_DOWNLOAD, SviError

from .conftest import Store, lora_bytes
from .hub import Fault, Hub

DATA = lora_bytes(seed=1)
CUT = 3000
VICTIM = b"a person's own file, as long as it likes to be" * 50


class Left(NamedTuple):
    """The two files of an interrupted download, and a file of the person's that is none of our business."""

    part: Path
    state: Path
    victim: Path


Damage = Callable[[Left], object]
DAMAGES: dict[str, Damage] = {}
# What cannot be used and cannot be removed either, because it is not ours.
IN_THE_WAY: set[str] = set()


def damage(name: str, do: Damage, *, in_the_way: bool = False) -> None:
    assert name not in DAMAGES
    DAMAGES[name] = do
    if in_the_way:
        IN_THE_WAY.add(name)


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at % len(data)] ^= 0xFF
    path.write_bytes(data)


def replaced(path: Path, make: Callable[[Path], object]) -> None:
    path.unlink()
    make(path)


def folder(path: Path) -> None:
    path.mkdir()
    (path / "inside").write_bytes(b"of a person")


def bound(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path.name)
    os.chdir(here)


def swapped(left: Left) -> None:
    part, state = left.part.read_bytes(), left.state.read_bytes()
    left.part.write_bytes(state)
    left.state.write_bytes(part)


def complete(left: Left) -> None:
    left.part.write_bytes(bytes(len(DATA)))
    forged(left, done=[[0, len(DATA)]], durable=[[0, len(DATA)]])


def forged(left: Left, **changes: Any) -> None:
    """Write a state that is whole, as far as its checksum goes."""
    slots = [left.state.read_bytes()[at : at + 4096].strip() for at in (0, 4096)]
    newest = max((json.loads(slot[9:]) for slot in slots if slot), key=lambda fields: int(fields["number"]))
    text = json.dumps(newest | changes).encode()
    write_state(left, text)


def write_state(left: Left, text: bytes) -> None:
    left.state.write_bytes(b"%08x %s" % (zlib.crc32(text), text))


for kind in ("part", "state"):
    of: Callable[[Left], Path] = operator.attrgetter(kind)
    damage(f"{kind}: missing", lambda left, of=of: of(left).unlink())
    damage(f"{kind}: empty", lambda left, of=of: of(left).write_bytes(b""))
    damage(f"{kind}: zeros", lambda left, of=of: of(left).write_bytes(bytes(of(left).stat().st_size)))
    damage(f"{kind}: noise", lambda left, of=of: of(left).write_bytes(bytes(range(256)) * 40))
    damage(f"{kind}: backwards", lambda left, of=of: of(left).write_bytes(of(left).read_bytes()[::-1]))
    damage(f"{kind}: a gigabyte of nothing", lambda left, of=of: os.truncate(of(left), 1 << 30))
    damage(f"{kind}: text behind", lambda left, of=of: of(left).write_bytes(of(left).read_bytes() + b"x" * 5000))
    damage(f"{kind}: text before", lambda left, of=of: of(left).write_bytes(b"x" + of(left).read_bytes()))
    damage(f"{kind}: a person's file", lambda left, of=of: of(left).write_bytes(VICTIM))
    damage(
        f"{kind}: second name of a person's file",
        lambda left, of=of: replaced(of(left), lambda path: os.link(left.victim, path)),
    )
    damage(
        f"{kind}: second name of itself", lambda left, of=of: os.link(of(left), of(left).with_name("mine.safetensors"))
    )
    for what, make in {
        "a folder": folder,
        "a pipe": os.mkfifo if sys.platform != "win32" else folder,
        "a socket": bound,
        "a link to nothing": lambda path: path.symlink_to("nowhere"),
        "a link to itself": lambda path: path.symlink_to(path.name),
        "a link to a folder": lambda path: path.symlink_to(path.parent),
        "a link to a device": lambda path: path.symlink_to("/dev/zero"),
    }.items():
        damage(f"{kind}: {what}", lambda left, of=of, make=make: replaced(of(left), make), in_the_way=True)
    damage(
        f"{kind}: a link to a person's file",
        lambda left, of=of: replaced(of(left), lambda path: path.symlink_to(left.victim)),
        in_the_way=True,
    )
    for number in range(30):
        damage(f"{kind}: byte {number} of 30 changed", lambda left, of=of, n=number: flip(of(left), n * 97 + n))
    for number in range(1, 30):
        damage(
            f"{kind}: cut at {number} of 30",
            lambda left, of=of, n=number: os.truncate(of(left), of(left).stat().st_size * n // 30),
        )
damage("both: missing", lambda left: [path.unlink() for path in left[:2]])
damage("both: the wrong way round", swapped)
damage("part: complete but for a byte", lambda left: left.part.write_bytes(DATA[:-1] + b"\0"))
damage("part: of another version", lambda left: left.part.write_bytes(lora_bytes(seed=2)[:CUT]))

for field in (
    "url",
    "identity",
    "validator",
    "size",
    "done",
    "durable",
    "booted",
    "number",
    "prefix",
    "digest",
    "host",
):
    for value in (None, True, -1, 0, 1.5, 10**30, "x", "", [], {}, [[]], {"a": 1}, "\x1b[2J\n", "9" * 2000):
        damage(
            f"forged: {field} is {json.dumps(value)[:20]}", lambda left, f=field, v=value: forged(left, **{f: v})
        )  # fmt: skip
for name, extents in {
    "overlap": [[0, 2000], [1000, 3000]], "backwards": [[3000, 0]], "negative": [[-5, 3000]], "beyond": [[0, 10**9]],
    "out of order": [[2000, 3000], [0, 1000]],
    "empty": [[5, 5]], "three numbers": [[0, 1, 2]], "texts": [["0", "9"]],
    "fractions": [[0.0, 3000.0]], "huge": [[0, 10**40]], "everything": [[0, len(DATA)]],
    "a gap": [[0, 9], [2990, 3000]],
    "the end alone": [[5000, len(DATA)]], "two hundred": [[n * 2, n * 2 + 1] for n in range(200)],
}.items():  # fmt: skip
    damage(f"forged: extents are {name}", lambda left, e=extents: forged(left, done=e, durable=e))
    damage(f"forged: the disk has {name}", lambda left, e=extents: forged(left, durable=e, booted=0.0))
for name, text in {
    "no JSON": b"{", "a list": b"[]", "a number": b"5", "deep": b"[" * 3000, "not a number": b'{"booted": NaN}',
    "infinite": b'{"booted": 1e999}', "a field too many": b'{"done": [], "durable": [], "later": 1}', "no bytes": b"",
    "not UTF-8": b'{"url": "\xff"}', "a long number": b'{"done": [], "durable": [], "size": ' + b"9" * 3900 + b"}",
}.items():  # fmt: skip
    damage(f"forged: the state is {name}", lambda left, t=text: write_state(left, t))
damage("forged: of the wrong bytes", lambda left: forged(left, digest="0" * 64))
damage("forged: complete", complete)
damage("forged: a shorter file", lambda left: forged(left, size=CUT, done=[[0, CUT]]))
damage("forged: another file", lambda left: forged(left, identity="0" * 64))
damage("forged: a line in the validator", lambda left: forged(left, validator='"a"\r\nX-Evil: b'))


@pytest.fixture
def left(store: Store, tmp_path: Path) -> Left:
    """Interrupt a download."""
    store.publish(DATA)
    store.limits(attempts=1)
    store.hub.faults.append(Fault(cut=CUT))
    with pytest.raises(SviError):
        store.fetch()
    store.limits(attempts=4)
    victim = tmp_path / "mine.txt"
    victim.write_bytes(VICTIM)
    return Left(store.part, store.target.with_name(store.target.name + ".part.state"), victim)


def attempt(store: Store, kept: Left, name: str) -> str:
    """Lay the files of the interrupted download out again, damage them and fetch; what became of it."""
    shutil.rmtree(store.root / "loras")
    store.target.parent.mkdir(parents=True)
    part, state = store.part, store.target.with_name(store.target.name + ".part.state")
    shutil.copy(kept.part, part)
    shutil.copy(kept.state, state)
    DAMAGES[name](Left(part, state, kept.victim))
    store.settings.ledger.unlink(missing_ok=True)
    if name in IN_THE_WAY:
        with pytest.raises(SviError) as caught:
            store.fetch()
        assert (caught.value.code, caught.value.exit_code) == ("download-in-the-way", EXIT_DOWNLOAD), name
        assert kept.victim.read_bytes() == VICTIM, name
        assert not os.path.lexists(store.target), name
        assert os.path.lexists(part), name
        return "refused"
    got = store.fetch()
    assert kept.victim.read_bytes() == VICTIM, name
    assert store.target.read_bytes() == DATA, name
    assert not store.target.is_symlink(), name
    assert not part.exists(), name
    return "resumed" if got.fetched < len(DATA) else "started again"


@pytest.fixture(params=[True, False], ids=["with a hash", "without a hash"])
def ends(request: pytest.FixtureRequest, hub: Hub, store: Store, left: Left, tmp_path: Path) -> Counter[str]:
    hub.large = request.param
    if not hub.large:
        # Made again by a hub that publishes no hash.
        shutil.rmtree(store.root / "loras")
        store.limits(attempts=1)
        hub.faults.append(Fault(cut=CUT))
        with pytest.raises(SviError):
            store.fetch()
        store.limits(attempts=4)
    kept = Left(tmp_path / "kept.part", tmp_path / "kept.state", left.victim)
    shutil.copy(left.part, kept.part)
    shutil.copy(left.state, kept.state)
    return Counter(attempt(store, kept, name) for name in DAMAGES)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pipes and sockets with names")
def test_table(ends: Counter[str]) -> None:
    print(f"\n{len(DAMAGES)} damages tried: {dict(ends)}; 0 wrong, 0 unexpected, nothing of a person's touched")
    assert len(DAMAGES) >= 200
    assert ends["refused"] == len(IN_THE_WAY)
    assert ends["resumed"] > 20
    assert ends["started again"] > 20
