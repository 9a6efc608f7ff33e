"""WanGP's Python may have a huggingface_hub of before 2.0, which asks by another library: the answers are the same."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from svi_install.loras.catalogue import Place
from svi_install.loras.hub import Stated, from_environment, stated
from svi_install.loras.transfer.failures import TransferError
from svi_install.loras.transfer.settings import Settings

from .conftest import Store, lora_bytes, sha256
from .hub import COMMIT, Fault, Hub

DATA = b"tensors" * 50
PLACE = Place("owner/name", "v 1/one.safetensors")
Outcome = Stated | tuple[str, str]


def asked(place: Place, settings: Settings) -> Outcome:
    try:
        return stated(place, settings)
    except TransferError as failure:
        return failure.kind, failure.message


@pytest.fixture
def settings(hub: Hub, tmp_path: Path) -> Settings:
    hub.add(PLACE.repository, PLACE.path, DATA)
    return Settings(endpoint=hub.url, ledger=tmp_path / "ledger.json")


def older(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx2", None)


REFUSALS = [
    *((404, {"X-Error-Code": code}) for code in ("RevisionNotFound", "EntryNotFound", "RepoNotFound")),
    (403, {"X-Error-Code": "GatedRepo"}),
    (403, {"X-Error-Message": "Access to this resource is disabled."}),
    (401, {"X-Error-Message": "Invalid credentials in Authorization header"}),
    *((status, {}) for status in (401, 403, 404, 410, 418, 429, 500, 503)),
]


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("token", ["", "secret"])
def test_a_refusal_has_the_same_words(
    hub: Hub, settings: Settings, monkeypatch: pytest.MonkeyPatch, refusal: tuple[int, dict[str, str]], token: str
) -> None:
    hub.always = Fault(status=refusal[0], headers=refusal[1], at="hub")
    settings = replace(settings, token=token)
    newer = asked(PLACE, settings)
    older(monkeypatch)
    assert asked(PLACE, settings) == newer
    assert isinstance(newer, tuple)


@pytest.mark.parametrize("large", [True, False])
def test_what_it_states_is_the_same(hub: Hub, settings: Settings, monkeypatch: pytest.MonkeyPatch, large: bool) -> None:
    hub.large = large
    newer = asked(PLACE, settings)
    older(monkeypatch)
    assert asked(PLACE, settings) == newer
    assert newer == Stated(*((sha256(DATA), len(DATA), COMMIT, "127.0.0.1") if large else ("", len(DATA), COMMIT, "")))


def test_a_repository_with_another_name_today(hub: Hub, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    older(monkeypatch)
    hub.faults.append(Fault(location="/owner/name/resolve/main/v%201/one.safetensors", at="hub"))
    found = asked(Place("old/name", PLACE.path), settings)
    assert isinstance(found, Stated)
    assert found.sha256 == sha256(DATA)
    hub.always = Fault(location="{path}", at="hub")
    assert isinstance(asked(PLACE, settings), Stated)


def test_a_token_that_has_run_out(hub: Hub, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    older(monkeypatch)
    hub.token = "another"
    assert isinstance(asked(PLACE, replace(settings, token="old")), Stated)
    assert [each.headers.get("authorization") for each in hub.seen] == ["Bearer old", None]


def test_a_token_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    older(monkeypatch)
    monkeypatch.setenv("HF_TOKEN", "secret")
    assert from_environment().token == "secret"


def test_a_download_arrives_and_is_proven(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    older(monkeypatch)
    data = store.publish(lora_bytes())
    assert store.fetch().proof == "published"
    assert store.target.read_bytes() == data
