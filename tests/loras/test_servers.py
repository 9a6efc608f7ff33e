"""Every way a server may behave, one after the other: the right file or a clear error, in bounded memory and time.

``pytest tests/loras/test_servers.py -s -k table`` prints how many there are and what became of them.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from svi_install.errors import EXIT_DOWNLOAD, SviError
from svi_install.loras import prefetch
from svi_install.loras.catalogue import Catalogue, Lora, LoraFile, Place
from svi_install.loras.transfer.settings import Limits, Settings
from tests.loras.server_cases import CASES, DATA, QUERY, TOKEN

from .conftest import PATH, REPOSITORY, TINY
from .wire import Wire


class Outcome(NamedTuple):
    what: str
    said: str
    found: bytes | None
    flooded: bool


def attempt(name: str, folder: Path) -> Outcome:
    """Fetch the LoRA of the tests from a server that behaves like that."""
    chosen = CASES[name]
    wire = Wire(chosen.behave)
    root = folder / "Wan2GP"
    root.mkdir(parents=True)
    (root / "wgp.py").write_text('server_config = {"loras_root": "loras"}\n')
    lora = Lora(
        "svi-tiny", "", "SVI", "wan_i2v", "1.0", TINY, (LoraFile("fp32", Place(REPOSITORY, PATH), dtype="F32"),)
    )
    limits = Limits(connect=20.0, stall_seconds=20.0, stall_rate=1.0, attempts=3, backoff=0.0)
    if chosen.slow:
        limits = replace(limits, connect=0.4, stall_seconds=0.3, stall_rate=1024.0, attempts=2)
    settings = Settings(endpoint=wire.url, token=TOKEN, ledger=folder / "ledger.json", limits=limits)
    target = root / "loras" / "wan_i2v" / "svi-tiny.safetensors"
    notes: list[str] = []
    try:
        prefetch(
            root,
            None,
            report=lambda progress: notes.append(progress.note),
            settings=settings,
            catalogue=Catalogue(("svi-tiny",), (lora,)),
            pause=lambda _seconds: None,
        )
        what, said = "right", ""
    except SviError as error:
        what = error.code if error.exit_code == EXIT_DOWNLOAD else f"exit code {error.exit_code}"
        said = f"{error.message} {error.hint}"
    finally:
        wire.close()
    return Outcome(what, "\n".join([*notes, said]), target.read_bytes() if target.exists() else None, wire.flooded)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome | BaseException]:
    """Try them side by side: most of the time is spent waiting for servers that say nothing."""
    folder = tmp_path_factory.mktemp("servers")
    found: dict[str, Outcome | BaseException] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("svi_install.loras.fetching._LARGEST_LORA", 8 * 1024 * 1024)
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            patch.delenv(name, raising=False)
        with ThreadPoolExecutor(8) as pool:
            tried = {name: pool.submit(attempt, name, folder / str(n)) for n, name in enumerate(CASES)}
            for name, future in tried.items():
                error = future.exception(timeout=240)
                found[name] = future.result() if error is None else error
    return found


@pytest.mark.parametrize("name", CASES)
def test_the_right_file_or_a_clear_error(outcomes: dict[str, Outcome | BaseException], name: str) -> None:
    got = outcomes[name]
    if isinstance(got, BaseException):
        raise got
    assert got.what == CASES[name].outcome, got.said
    assert got.found == (DATA if got.what == "right" else None)
    assert not got.flooded
    assert TOKEN not in got.said
    assert QUERY.partition("=")[2] not in got.said
    assert got.said.replace("\n", " ").isprintable()
    assert len(got.said) < 3000


def test_table(outcomes: dict[str, Outcome | BaseException]) -> None:
    ends = Counter("unexpected" if isinstance(got, BaseException) else got.what for got in outcomes.values())
    wrong = sum(isinstance(got, Outcome) and got.found not in (None, DATA) for got in outcomes.values())
    print(
        f"\n{len(CASES)} servers tried: {ends['right']} right, {wrong} wrong, {ends['unexpected']} unexpected, 0 hung"
    )
    print(", ".join(f"{count} {what}" for what, count in sorted(ends.items())))
    assert len(CASES) >= 73
    assert (wrong, ends["unexpected"]) == (0, 0)
