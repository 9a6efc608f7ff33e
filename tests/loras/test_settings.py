from __future__ import annotations

from pathlib import Path

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


def test_a_mirror_from_the_command_line_never_gets_the_token(tmp_path: Path) -> None:
    found = from_environment({"HF_TOKEN": "secret", "HF_ENDPOINT": "https://a"}, mirror="https://b/")
    assert (found.endpoint, found.token) == ("https://b", "")


def test_the_ledger_lies_outside_every_wangp(tmp_path: Path) -> None:
    env = {"XDG_STATE_HOME": str(tmp_path), "LOCALAPPDATA": str(tmp_path)}
    assert from_environment(env).ledger.name == "loras.json"
    assert from_environment(env).ledger.parent.name == "svi-install"
