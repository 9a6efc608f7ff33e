from __future__ import annotations

import json
from pathlib import Path

import pytest

from svi_install.errors import SviError
from svi_install.loras.catalogue import load
from svi_install.loras.pin import pin
from svi_install.loras.settings import Limits, Settings

from .conftest import sha256
from .hub import COMMIT, Fault, Hub

DATA = b"tensors" * 50


@pytest.fixture
def path(tmp_path: Path) -> Path:
    entry = {"precision": "fp32", "licence": "", "commit": "", "size": None, "sha256": "", "tensor_bytes": None}
    loras = [
        {
            "name": name,
            "group": "",
            "title": name,
            "folder": "wan",
            "variant": "1.0",
            "layout": "",
            "files": [entry | {"repository": "owner/name", "path": f"v 1/{name}.safetensors", "mirrors": []}],
        }
        for name in ("one", "two")
    ]
    found = tmp_path / "catalogue.json"
    found.write_text(json.dumps({"schema": 1, "default": ["one"], "layouts": {}, "loras": loras}))
    return found


def settings(hub: Hub) -> Settings:
    return Settings(endpoint=hub.url, limits=Limits(connect=5.0))


def test_what_the_hub_says_is_written(hub: Hub, path: Path) -> None:
    hub.add("owner/name", "v 1/one.safetensors", DATA)
    said: list[str] = []
    one, two = pin(settings=settings(hub), path=path, say=said.append)
    assert said == ["one.safetensors", "two.safetensors"]
    assert {field for field, _, _ in one.changes} == {"licence", "commit", "size", "sha256"}
    assert "404" in two.failure
    first, second = load(path).loras
    file = first.files[0]
    assert (file.sha256, file.size, file.commit, file.licence) == (sha256(DATA), len(DATA), COMMIT, "apache-2.0")
    assert (second.files[0].sha256, second.files[0].size, second.files[0].licence) == ("", None, "")


def test_a_second_time_changes_nothing(hub: Hub, path: Path) -> None:
    hub.add("owner/name", "v 1/one.safetensors", DATA)
    pin(["one"], settings=settings(hub), path=path)
    before = path.read_bytes()
    (again,) = pin(["one"], settings=settings(hub), path=path)
    assert (again.changes, path.read_bytes()) == ((), before)


def test_what_was_known_stays_when_the_hub_says_less(hub: Hub, path: Path) -> None:
    hub.add("owner/name", "v 1/one.safetensors", DATA)
    pin(["one"], settings=settings(hub), path=path)
    hub.licence = ""
    hub.faults.append(Fault(status=500, at="hub"))
    (failed,) = pin(["one"], settings=settings(hub), path=path)
    assert failed.failure
    pin(["one"], settings=settings(hub), path=path)
    assert load(path).loras[0].files[0].licence == "apache-2.0"


def test_a_changed_file_is_reported(hub: Hub, path: Path) -> None:
    hub.add("owner/name", "v 1/one.safetensors", DATA)
    pin(["one"], settings=settings(hub), path=path)
    hub.add("owner/name", "v 1/one.safetensors", DATA + b"x")
    (changed,) = pin(["one"], settings=settings(hub), path=path)
    assert ("sha256", sha256(DATA), sha256(DATA + b"x")) in changed.changes


def test_a_small_file_gets_no_made_up_hash(hub: Hub, path: Path) -> None:
    hub.large = False
    hub.add("owner/name", "v 1/one.safetensors", DATA)
    pin(["one"], settings=settings(hub), path=path)
    assert (load(path).loras[0].files[0].sha256, load(path).loras[0].files[0].size) == ("", len(DATA))


def test_a_catalogue_that_cannot_be_written(hub: Hub, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "write_text", refuse)
    with pytest.raises(SviError) as caught:
        pin(["one"], settings=settings(hub), path=path)
    assert caught.value.code == "catalogue-unwritable"
