"""The hub's own client against the same server: what it takes for right must be what we take for right."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from .conftest import PATH, REPOSITORY, Store, lora_bytes, sha256
from .hub import Fault

CLIENT = """
import sys
from huggingface_hub import hf_hub_download
print(hf_hub_download(sys.argv[1], sys.argv[2], cache_dir=sys.argv[3]))
"""


def official(store: Store, cache: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the client in a process of its own, because it reads HF_ENDPOINT when it is imported."""
    return subprocess.run(
        [sys.executable, "-c", CLIENT, REPOSITORY, PATH, str(cache)],
        env=os.environ | {"HF_ENDPOINT": store.hub.url, "HF_HUB_DISABLE_XET": "1"} | environ,
        capture_output=True,
        text=True,
        check=False,
    )


def test_both_clients_bring_the_same_bytes(store: Store, tmp_path: Path) -> None:
    data = store.publish(lora_bytes())
    theirs = official(store, tmp_path / "cache")
    assert theirs.returncode == 0, theirs.stderr
    assert Path(theirs.stdout.strip()).read_bytes() == data
    assert store.fetch().how == "downloaded"
    assert store.target.read_bytes() == data


def test_what_the_official_client_has_cached_is_not_fetched_again(store: Store, tmp_path: Path) -> None:
    data = store.publish(lora_bytes())
    assert isinstance(data, bytes)
    theirs = official(store, store.settings.cache)
    assert theirs.returncode == 0, theirs.stderr
    store.hub.seen.clear()
    got = store.fetch()
    assert (got.how, got.sha256) == ("linked", sha256(data))
    assert store.hub.downloads() == []


@pytest.mark.parametrize("large", [True, False])
def test_both_clients_survive_a_cut(store: Store, tmp_path: Path, large: bool) -> None:
    store.hub.large = large
    data = store.publish(lora_bytes())
    store.hub.faults.append(Fault(cut=700))
    theirs = official(store, tmp_path / "cache")
    assert theirs.returncode == 0, theirs.stderr
    store.hub.faults.append(Fault(cut=700))
    store.fetch()
    assert Path(theirs.stdout.strip()).read_bytes() == store.target.read_bytes() == data


def test_only_ours_notices_wrong_bytes(store: Store, tmp_path: Path) -> None:
    data = store.publish(lora_bytes())
    store.hub.faults.append(Fault(flip=len(data) - 1))  # type: ignore[arg-type]
    theirs = official(store, tmp_path / "cache")
    store.hub.faults.append(Fault(flip=len(data) - 1))  # type: ignore[arg-type]
    store.fetch()
    assert store.target.read_bytes() == data
    assert theirs.returncode == 0, "the official client checks hashes now: say so in the README"
    assert Path(theirs.stdout.strip()).read_bytes() != data


def test_both_clients_refuse_a_file_that_is_not_there(store: Store, tmp_path: Path) -> None:
    theirs = official(store, tmp_path / "cache")
    assert theirs.returncode != 0
    assert "404" in theirs.stderr


def test_both_clients_send_the_token_to_the_hub_alone(store: Store, tmp_path: Path) -> None:
    store.publish(lora_bytes())
    store.hub.token = "secret"
    store.hub.gated = True
    assert official(store, tmp_path / "cache", HF_TOKEN="secret").returncode == 0
    store.settings = replace(store.settings, token="secret")
    store.fetch()
    assert {seen.headers.get("authorization") for seen in store.hub.seen if seen.server == "store"} == {None}
    asked = [seen for seen in store.hub.seen if "/resolve/" in seen.path]
    assert {seen.headers.get("authorization") for seen in asked} == {"Bearer secret"}
