from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from svi_install.errors import SviError
from svi_install.loras.catalogue import Place, load
from svi_install.loras.hub import from_environment, pin, stated
from svi_install.loras.transfer.failures import TransferError, download_error
from svi_install.loras.transfer.settings import Limits, Settings
from svi_install.loras.transfer.transport import Transport
from svi_install.writing import files

from .conftest import sha256
from .hub import COMMIT, Fault, Hub
from .wire import Wire

DATA = b"tensors" * 50
PLACE = Place("owner/name", "v 1/one.safetensors")


def test_nothing_set(tmp_path: Path) -> None:
    found = from_environment()
    assert found.endpoint == "https://huggingface.co"
    assert (found.token, found.offline, found.ca_bundle) == ("", False, None)
    assert found.cache == tmp_path / "hf-home" / "hub"
    assert (found.ledger.parent.name, found.ledger.name) == ("svi-install", "loras.json")


def test_the_variables_of_the_hub_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "HF_ENDPOINT": "https://hf-mirror.com/",
        "HF_TOKEN": " secret ",
        "HF_HUB_CACHE": str(tmp_path / "c"),
        "REQUESTS_CA_BUNDLE": "ca.pem",
    }.items():
        monkeypatch.setenv(name, value)
    found = from_environment()
    assert (found.endpoint, found.token, found.offline) == ("https://hf-mirror.com", "secret", False)
    assert found.cache == tmp_path / "c"
    assert found.ca_bundle == Path("ca.pem")


@pytest.mark.parametrize("name", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_offline_nobody_is_asked_and_no_token_is_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hub: Hub, name: str
) -> None:
    for variable, value in {name: "1", "HF_TOKEN": "secret", "HF_ENDPOINT": hub.url}.items():
        monkeypatch.setenv(variable, value)
    found = from_environment()
    assert (found.offline, found.token) == (True, "")
    with pytest.raises(TransferError) as caught:
        stated(PLACE, found)
    assert (caught.value.kind, hub.seen) == ("offline", [])


def test_the_token_that_the_hubs_own_client_keeps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "hf-home"
    home.mkdir()
    (home / "token").write_text("kept\n")
    assert from_environment().token == "kept"
    (tmp_path / "other").write_text("other")
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "other"))
    assert from_environment().token == "other"
    monkeypatch.setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
    assert from_environment().token == ""


def test_a_variable_that_huggingface_hub_cannot_read() -> None:
    script = "from svi_install.loras.hub import from_environment; from_environment()"
    environ = os.environ | {"HF_HUB_DOWNLOAD_TIMEOUT": "soon"}
    ran = subprocess.run([sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=False)
    assert "SviError: One of the HF_ variables should be a number but is not" in ran.stderr


def test_a_token_that_does_not_come_is_said(monkeypatch: pytest.MonkeyPatch, hub: Hub) -> None:
    monkeypatch.setenv("HF_OIDC_RESOURCE", "owner/name")
    monkeypatch.setenv("HF_OIDC_ID_TOKEN", "not one")
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    found = from_environment()
    assert found.token == ""
    assert found.token_fault.startswith("HF_OIDC_RESOURCE is set, but brought no token")


SECRET = "hf_ThisIsTheSecretToken"


@pytest.mark.parametrize(
    "token",
    [
        f"{SECRET}\nsecond line",
        f"{SECRET}\r\nX-Evil: 1",
        f"'{SECRET}'",
        f"Bearer {SECRET}",
        f"{SECRET}\x1b[2J",
        f"{SECRET}\u00e4",
        SECRET * 100,
    ],
)
@pytest.mark.parametrize("where", ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "file"])
def test_what_is_no_token_is_kept_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str, where: str
) -> None:
    path = tmp_path / "hf-home" / "token"
    if where == "file":
        path.parent.mkdir()
        path.write_text(token, "utf-8")
    else:
        monkeypatch.setenv(where, token)
    found = from_environment()
    assert found.token == ""
    assert found.token_fault.startswith(str(path) if where == "file" else where)
    assert SECRET not in repr(found)
    assert from_environment(mirror="https://m").token_fault == ""


def test_a_token_is_in_no_text_about_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", f" {SECRET}\n")
    found = from_environment()
    assert found.token == SECRET
    assert SECRET not in repr(found)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pipes with names")
def test_a_token_file_that_is_none_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "hf-home" / "token"
    path.parent.mkdir()
    os.mkfifo(path)
    assert from_environment().token == ""
    path.unlink()
    path.write_bytes(b"x" * 100_000)
    assert from_environment().token == ""
    path.write_bytes(b"\xff\xfe\xff")
    assert from_environment().token == ""


def test_a_mirror_from_the_command_line_never_gets_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    monkeypatch.setenv("HF_ENDPOINT", "https://a")
    found = from_environment(mirror="https://b/")
    assert (found.endpoint, found.token) == ("https://b", "")


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
    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(files, "write_new", refuse)
    with pytest.raises(SviError) as caught:
        pin(["one"], settings=settings(hub), path=path)
    assert caught.value.code == "read-only"


@pytest.mark.parametrize(
    ("status", "code", "kind", "said"),
    [
        (401, "GatedRepo", "gated", "accept their terms"),
        (403, "GatedRepo", "gated", "accept their terms"),
        (401, "RepoNotFound", "token", "only to people with an access token"),
        (404, "RepoNotFound", "missing", "no repository owner/name"),
        (404, "RevisionNotFound", "missing", "no longer has that version of owner/name"),
        (404, "EntryNotFound", "missing", "no v 1/one.safetensors in owner/name"),
        (404, "", "missing", "no such file"),
        (400, "", "refused", "status 400"),
    ],
)
def test_what_a_refusal_means(hub: Hub, status: int, code: str, kind: str, said: str) -> None:
    refusal = Fault(status=status, headers={"X-Error-Code": code}, at="hub")
    hub.faults.extend([refusal, refusal])
    with pytest.raises(TransferError) as asked:
        stated(PLACE, settings(hub))
    with pytest.raises(TransferError) as transferred:
        Transport(settings(hub)).get(PLACE.url(endpoint=hub.url))
    for caught in (asked, transferred):
        assert caught.value.kind == kind
        assert said in caught.value.message
        assert download_error(caught.value, "f", 0).hint


def test_nothing_but_the_file_is_asked_for(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its first request huggingface_hub fetches a list of programs that use it, and keeps that in HF_HOME."""
    monkeypatch.setattr("huggingface_hub.utils._detect_agent._registry", None, raising=False)
    hub.add("owner/name", "v 1/one.safetensors", DATA)
    assert stated(PLACE, settings(hub)).size == len(DATA)
    assert [(seen.method, seen.server) for seen in hub.seen] == [("HEAD", "hub")]
    assert not list((tmp_path / "hf-home").rglob("*"))


def test_another_hub_gets_neither_question_nor_token(hub: Hub) -> None:
    other = Hub()
    try:
        hub.always = Fault(location="https://huggingface.co{path}", at="hub")
        with pytest.raises(TransferError) as caught:
            stated(PLACE, replace(settings(hub), token="secret"))
        assert caught.value.kind == "redirects"
        hub.always = Fault(location=other.url + "{path}", at="hub")
        assert stated(PLACE, replace(settings(hub), token="secret")).sha256 == ""
        assert other.seen == []
    finally:
        other.close()


def test_a_token_that_has_run_out_does_not_keep_from_a_public_file(hub: Hub) -> None:
    hub.add("owner/name", "v 1/one.safetensors", DATA)
    hub.token = "new"
    assert stated(PLACE, replace(settings(hub), token="old")).sha256 == sha256(DATA)
    assert [seen.headers.get("authorization") for seen in hub.seen] == ["Bearer old", None]


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Linked-Size": "9" * 5000},
        {"X-Linked-Etag": "\x1b[2J"},
        {"X-Repo-Commit": "x" * 60000},
        {"X-Linked-Etag": '"' + "A" * 64 + '"', "X-Repo-Commit": "main"},
        {"X-Xet-Hash": "0" * 64, "X-HF-Warning": "a; \x1b[2J", "Set-Cookie": "a=b"},
    ],
)
def test_what_a_stranger_states_is_taken_as_far_as_it_makes_sense(hub: Hub, headers: dict[str, str]) -> None:
    hub.add("owner/name", "v 1/one.safetensors", DATA)
    hub.always = Fault(headers=headers, at="hub")
    found = stated(PLACE, settings(hub))
    assert found.sha256 in ("", sha256(DATA))
    assert found.size in (None, len(DATA))
    assert found.commit in ("", COMMIT)


def test_an_answer_without_end_is_not_waited_for() -> None:
    wire = Wire(lambda x: x.drip(itertools.repeat(b"X: y\r\n")))
    try:
        with pytest.raises(TransferError) as caught:
            stated(PLACE, Settings(endpoint=wire.url, limits=Limits(connect=0.3, stall_seconds=0.2)))
        assert caught.value.kind in ("timeout", "connection")
    finally:
        wire.close()
