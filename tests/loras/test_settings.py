from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from svi_install.loras.settings import from_environment


def test_nothing_set(tmp_path: Path) -> None:
    found = from_environment({"HF_HOME": str(tmp_path)})
    assert found.endpoint == "https://huggingface.co"
    assert (found.token, found.offline, found.ca_bundle) == ("", False, None)
    assert found.caches == (tmp_path / "hub",)


def test_the_variables_of_the_hub_count(tmp_path: Path) -> None:
    found = from_environment(
        {
            "HF_ENDPOINT": "https://hf-mirror.com/",
            "HF_TOKEN": " secret ",
            "HF_HUB_OFFLINE": "1",
            "HF_HUB_CACHE": str(tmp_path / "c"),
            "REQUESTS_CA_BUNDLE": "ca.pem",
        }
    )
    assert found.endpoint == "https://hf-mirror.com"
    assert (found.token, found.offline) == ("secret", True)
    assert found.caches == (tmp_path / "c",)
    assert found.ca_bundle == Path("ca.pem")


def test_the_token_that_the_hubs_own_client_keeps(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("kept\n")
    assert from_environment({"HF_HOME": str(tmp_path)}).token == "kept"
    assert from_environment({"HF_HOME": str(tmp_path), "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"}).token == ""
    (tmp_path / "other").write_text("other")
    assert from_environment({"HF_HOME": str(tmp_path), "HF_TOKEN_PATH": str(tmp_path / "other")}).token == "other"


SECRET = "hf_ThisIsTheSecretToken"


@pytest.mark.parametrize(
    "token",
    [
        f"{SECRET}\nsecond line",
        f"{SECRET}\r\nX-Evil: 1",
        f"'{SECRET}'",
        f"Bearer {SECRET}",
        f"{SECRET}\x1b[2J",
        f"{SECRET}\0",
        f"{SECRET}\u00e4",
        SECRET * 100,
    ],
)
@pytest.mark.parametrize("where", ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "file"])
def test_what_is_no_token_is_kept_nowhere(tmp_path: Path, token: str, where: str) -> None:
    env = {"HF_HOME": str(tmp_path)}
    if where == "file":
        (tmp_path / "token").write_text(token, "utf-8")
    else:
        env[where] = token
    found = from_environment(env)
    assert found.token == ""
    assert found.token_fault.startswith(str(tmp_path / "token") if where == "file" else where)
    assert SECRET not in repr(found)
    assert from_environment(env, mirror="https://m").token_fault == ""


def test_a_token_is_in_no_text_about_the_settings(tmp_path: Path) -> None:
    found = from_environment({"HF_HOME": str(tmp_path), "HF_TOKEN": f" {SECRET}\n"})
    assert found.token == SECRET
    assert SECRET not in repr(found)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pipes with names")
def test_a_token_file_that_is_none_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "token")
    assert from_environment({"HF_HOME": str(tmp_path)}).token == ""
    (tmp_path / "token").unlink()
    (tmp_path / "token").write_bytes(b"x" * 100_000)
    assert from_environment({"HF_HOME": str(tmp_path)}).token == ""


def test_a_mirror_from_the_command_line_never_gets_the_token(tmp_path: Path) -> None:
    found = from_environment({"HF_TOKEN": "secret", "HF_ENDPOINT": "https://a"}, mirror="https://b/")
    assert (found.endpoint, found.token) == ("https://b", "")


def test_the_ledger_lies_outside_every_wangp(tmp_path: Path) -> None:
    env = {"XDG_STATE_HOME": str(tmp_path), "LOCALAPPDATA": str(tmp_path)}
    assert from_environment(env).ledger.name == "loras.json"
    assert from_environment(env).ledger.parent.name == "svi-install"
