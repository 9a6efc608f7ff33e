"""The command `fetch`, from the command line to the files, against a hub on loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from svi_install.cli.main import main
from svi_install.commands import fetch
from svi_install.errors import EXIT_DONE, EXIT_DOWNLOAD, EXIT_FAILED, EXIT_USAGE, SviError
from svi_install.loras import catalogue
from svi_install.loras.catalogue import load

from ..loras.conftest import TINY, lora_bytes, reread_environment, sha256
from ..loras.hub import Hub

CATALOGUE = {
    "schema": 1,
    "default": ["svi-shot"],
    "layouts": {"svi": TINY._asdict()},
    "loras": [
        {
            "name": name,
            "group": "",
            "title": name,
            "folder": "wan_i2v",
            "variant": "1.0",
            "layout": "svi",
            "files": [
                {
                    "precision": precision,
                    "repository": "owner/name",
                    "path": f"{name}{'' if precision == 'fp32' else '_fp16'}.safetensors",
                    "licence": "",
                    "commit": "",
                    "size": None,
                    "sha256": "",
                    "tensor_bytes": None,
                    "mirrors": [],
                }
                for precision in precisions
            ],
        }
        for name, precisions in (("svi-shot", ("fp32", "fp16")), ("svi-tom", ("fp32",)))
    ],
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "Wan2GP"
    (folder / "models" / "wan" / "modules").mkdir(parents=True)
    (folder / "wgp.py").write_text('WanGP_version = "12.60"\nserver_config = {"loras_root": "loras"}\n', "utf-8")
    for name in ("models/wan/any2video.py", "models/wan/modules/model.py"):
        (folder / name).write_text("", "utf-8")
    return folder


@pytest.fixture
def hub() -> Iterator[Hub]:
    server = Hub()
    server.add("owner/name", "svi-shot.safetensors", lora_bytes(seed=1))
    server.add("owner/name", "svi-shot_fp16.safetensors", lora_bytes(seed=2))
    server.add("owner/name", "svi-tom.safetensors", lora_bytes(seed=3))
    yield server
    server.close()


@pytest.fixture(autouse=True)
def _small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hub: Hub) -> None:
    """A catalogue of small files, a hub on loopback, and nothing of the person who runs the tests."""
    path = tmp_path / "catalogue.json"
    path.write_text(json.dumps(CATALOGUE), "utf-8")

    monkeypatch.setattr(catalogue, "CATALOGUE", path)
    for name in ("HF_TOKEN", "HF_HUB_OFFLINE", "HTTP_PROXY", "http_proxy", "WANGP_HOME", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    reread_environment(monkeypatch)


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict[str, Any]]:
    code = main(["fetch", *(str(argument) for argument in arguments), "--json"])
    return code, json.loads(capsys.readouterr().out)


def shot(root: Path) -> Path:
    return root / "loras" / "wan_i2v" / "svi-shot.safetensors"


def test_without_a_name_svi_shot_comes(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, got = run(capsys, root)
    assert (code, got["status"]) == (EXIT_DONE, "done")
    (file,) = got["loras"]
    assert (file["name"], file["how"], file["proof"]) == ("svi-shot", "downloaded", "published")
    assert sha256(shot(root).read_bytes()) == file["sha256"]
    code, got = run(capsys, root)
    assert (code, got["status"], got["loras"][0]["how"]) == (EXIT_DONE, "unchanged", "have")


def test_a_person_reads_what_will_come_and_what_came(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fetch", str(root)]) == EXIT_DONE
    said = capsys.readouterr()
    assert "To download: svi-shot" in said.err
    assert "Fetched 1 LoRA" in said.out
    assert str(shot(root)) in said.out
    assert "matches the hash published by 127.0.0.1" in said.out


def test_all(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, got = run(capsys, "--all", root)
    assert (code, [file["name"] for file in got["loras"]]) == (EXIT_DONE, ["svi-shot", "svi-tom"])


def test_fp16_and_the_command_that_makes_profiles_name_it(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, got = run(capsys, "svi-shot", "svi-tom", root, "--precision", "fp16")
    assert code == EXIT_DONE
    assert [Path(file["path"]).name for file in got["loras"]] == ["svi-shot_fp16.safetensors", "svi-tom.safetensors"]
    assert "There is no fp16 version of svi-tom, so you got the original." in got["notes"]
    assert got["next_command"] == f"svi-install {root}"
    code, got = run(capsys, "svi-tom", root)
    assert got["next_command"] is None


def test_the_list(root: Path, hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "svi-shot", root)
    hub.seen.clear()
    code, got = run(capsys, "--list", root)
    assert code == EXIT_DONE
    assert [(lora["name"], lora["have"]) for lora in got["loras"]] == [("svi-shot", True), ("svi-tom", False)]
    assert hub.seen == []
    assert main(["fetch", "--list", str(root)]) == EXIT_DONE
    table = capsys.readouterr().out
    assert "You have 1 of 2 LoRAs." in table
    assert "loras/wan_i2v" in table


def test_the_list_shows_the_other_precision_and_what_is_half_there(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "svi-shot", root, "--precision", "fp16")
    _, got = run(capsys, "--list", "svi-shot", root)
    assert any("fp16" in note for note in got["notes"])


def test_verify(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, got = run(capsys, "--verify", root)
    assert (code, got["loras"]) == (EXIT_DONE, [])
    run(capsys, root)
    code, got = run(capsys, "--verify", root)
    assert (code, len(got["loras"]), got["problems"]) == (EXIT_DONE, 1, [])
    data = bytearray(shot(root).read_bytes())
    data[-1] ^= 1
    shot(root).write_bytes(data)
    code, got = run(capsys, "--verify", root)
    assert (code, got["problems"][0]["name"]) == (EXIT_FAILED, "svi-shot")
    assert any(f"svi-install fetch svi-shot {root}" in line for line in got["todo"])


def test_a_lora_that_cannot_load_is_not_there(root: Path, hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, root)
    hub.seen.clear()
    for data, said in ((b"", "is empty"), (b"<html>" * 7000, "is not a safetensors file")):
        shot(root).write_bytes(data)
        code, got = run(capsys, "--list", "svi-shot", root)
        assert (code, got["loras"][0]["have"], got["loras"][0]["fault"]) == (EXIT_DONE, False, said)
        assert got["todo"] == [f"{shot(root)} {said}. Remove it, then: svi-install fetch svi-shot {root}"]
        code, got = run(capsys, "--verify", root)
        assert (code, got["problems"][0]["why"]) == (EXIT_FAILED, said)
        code, got = run(capsys, root)
        assert (code, got["error"]["code"]) == (EXIT_DOWNLOAD, "lora-name-taken")
        assert shot(root).read_bytes() == data
    assert hub.seen == []
    assert main(["fetch", "--list", str(root)]) == EXIT_DONE
    assert "damaged" in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"<html>Sign in</html>" * 2100, b"", lora_bytes(TINY._replace(blocks=1))])
def test_wrong_bytes_with_a_published_hash_do_not_stay(
    root: Path, hub: Hub, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    hub.add("owner/name", "svi-shot.safetensors", content)
    code, got = run(capsys, root)
    assert (code, got["error"]["code"]) == (EXIT_DOWNLOAD, "download-not-a-lora")
    assert not (root / "loras").exists()


def test_who_vouches_is_said(root: Path, hub: Hub, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    _, got = run(capsys, root)
    assert (got["loras"][0]["proof"], got["loras"][0]["vouched"]) == (
        "published",
        "matches the hash published by 127.0.0.1",
    )
    run(capsys, "--pin", "svi-tom")
    _, got = run(capsys, "svi-tom", root)
    assert (got["loras"][0]["proof"], got["loras"][0]["vouched"]) == ("pinned", "matches the pinned hash")
    hub.large = False
    _, got = run(capsys, root, "--precision", "fp16")
    assert (got["loras"][0]["proof"], got["loras"][0]["vouched"]) == ("layout", "checked by layout and size only")
    _, got = run(capsys, "--verify", root)
    assert {file["vouched"] for file in got["loras"]} == {"matches the pinned hash", "checked by layout and size only"}
    assert main(["fetch", "--verify", str(root)]) == EXIT_DONE
    assert "checked by layout and size only" in capsys.readouterr().out


@pytest.mark.parametrize("token", ["hf_ThisIsTheSecret\nsecond line", "hf_ThisIsTheSecret\x1b[2J"])
def test_a_token_is_never_on_the_screen(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    assert main(["fetch", str(root)]) == EXIT_DOWNLOAD
    said = capsys.readouterr()
    assert "HF_TOKEN contains" in said.err
    assert "ThisIsTheSecret" not in said.out + said.err
    assert "Set it to the token alone" in said.err


def test_a_part_that_is_a_link_is_named_and_left_alone(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine.safetensors"
    mine.write_bytes(b"of a person")
    shot(root).parent.mkdir(parents=True)
    part = shot(root).with_name("svi-shot.safetensors.part")
    part.symlink_to(mine)
    code, got = run(capsys, root)
    assert (code, got["error"]["code"]) == (EXIT_DOWNLOAD, "download-in-the-way")
    assert str(part) in got["error"]["message"]
    assert f"svi-install fetch svi-shot {root}" in got["error"]["hint"]
    assert mine.read_bytes() == b"of a person"


def test_what_is_checked_is_said(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fetch", str(root)]) == EXIT_DONE
    assert "svi-shot.safetensors: checking the file on disk" in capsys.readouterr().err


def test_a_mirror(root: Path, hub: Hub, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_TOKEN", "secret")
    code, _ = run(capsys, "--mirror", hub.url, root)
    assert code == EXIT_DONE
    assert all("authorization" not in seen.headers for seen in hub.seen)


def test_a_failure_has_its_own_exit_code(root: Path, hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    hub.files.clear()
    code, got = run(capsys, root)
    assert (code, got["error"]["code"]) == (EXIT_DOWNLOAD, "download-missing")
    assert not (root / "loras").exists()


@pytest.mark.parametrize("arguments", [["nothing-like-it"], ["--all", "svi-shot"], ["--precision", "fp8"]])
def test_a_wrong_command_line(root: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, got = run(capsys, *arguments, root)
    assert (code, got["status"]) == (EXIT_USAGE, "failed")


def test_words_are_names_but_for_a_path_at_the_end(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fetch.split_words(()) == ((), None)
    assert fetch.split_words(("svi-shot",)) == (("svi-shot",), None)
    assert fetch.split_words(("svi-shot", str(root))) == (("svi-shot",), root)
    assert fetch.split_words((str(root / "not" / "there"),)) == ((), root / "not" / "there")
    monkeypatch.chdir(root.parent)
    assert fetch.split_words(("svi-tom", "Wan2GP")) == (("svi-tom",), Path("Wan2GP"))
    (root.parent / "svi-tom").mkdir()
    assert fetch.split_words(("svi-tom",)) == (("svi-tom",), None)
    with pytest.raises(SviError, match="svi-toom"):
        fetch.split_words(("svi-toom",))


def test_a_maintainer_pins(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, got = run(capsys, "--pin", "svi-tom")
    assert (code, got["status"]) == (EXIT_DONE, "done")
    pinned = load(tmp_path / "catalogue.json").select(["svi-tom"])[0].files[0]
    assert pinned.sha256 == sha256(lora_bytes(seed=3))
    code, got = run(capsys, "--pin")
    assert code == EXIT_DONE


def test_a_pin_that_the_hub_refuses_is_a_failure(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    hub.files.clear()
    code, got = run(capsys, "--pin", "svi-tom")
    assert (code, got["status"]) == (EXIT_FAILED, "unchanged")
    assert "404" in got["todo"][0]
