from __future__ import annotations

from pathlib import Path

import pytest

from svi_install.commands import lora_files
from svi_install.commands.lora_files import keep_or_remove, svi_loras
from svi_install.loras import catalogue, local_files, needs
from svi_install.report.result import Result

DONE = Result("revert", "done", "SVI was taken out.", notes=("note",))


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    book = tmp_path / "ledger.json"
    monkeypatch.setattr(lora_files, "ledger_path", lambda: book)
    folder = tmp_path / "Wan2GP"
    folder.mkdir()
    (folder / "wgp.py").write_text('WanGP_version = "12.60"\n', "utf-8")
    return folder


def lora(root: Path, name: str = "svi-shot", precision: str = "fp32", *, ours: bool = True) -> Path:
    (need,) = needs(root, [name], precision=precision)
    need.target.parent.mkdir(parents=True, exist_ok=True)
    need.target.write_bytes(b"x" * 2048)
    if ours:
        local_files.record(lora_files.ledger_path(), need.target, need.file.url, "0" * 64, "published")
    return need.target


def test_without_loras_there_is_nothing_to_say(root: Path) -> None:
    assert keep_or_remove(DONE, root, remove=False, dry_run=False) is DONE
    assert keep_or_remove(DONE, root, remove=True, dry_run=False) is DONE


def test_loras_stay_and_the_way_to_delete_them_is_named(root: Path) -> None:
    target = lora(root)
    result = keep_or_remove(DONE, root, remove=False, dry_run=False)
    assert target.exists()
    assert result.notes[1].startswith("1 LoRA file of SVI (2.0 KB) stayed")
    assert f"svi-install --revert --loras {root}" in result.notes[1]


def test_loras_go_when_asked_for_in_every_precision(root: Path) -> None:
    both = {lora(root), lora(root, precision="fp16")}
    assert {need.target for need in svi_loras(root)} == both
    result = keep_or_remove(DONE, root, remove=True, dry_run=False)
    assert not any(target.exists() for target in both)
    assert all("was deleted" in note for note in result.notes[1:])
    assert result.headline == DONE.headline


def test_a_dry_run_deletes_nothing(root: Path) -> None:
    target = lora(root)
    planned = DONE._replace(status="planned")
    result = keep_or_remove(planned, root, remove=True, dry_run=True)
    assert target.exists()
    assert "would be deleted" in result.notes[1]
    assert result.status == "planned"


def test_a_damaged_file_takes_room_too(root: Path) -> None:
    target = lora(root)
    assert [need.fault for need in svi_loras(root)] == ["is not a safetensors file"]
    keep_or_remove(DONE, root, remove=True, dry_run=False)
    assert not target.exists()


@pytest.mark.parametrize("how", ["unknown", "changed"])
def test_a_file_that_is_not_ours_is_kept(root: Path, how: str) -> None:
    target = lora(root, ours=how != "unknown")
    if how == "changed":
        target.write_bytes(b"mine, and longer than before" * 100)
    result = keep_or_remove(DONE, root, remove=True, dry_run=False)
    assert target.exists()
    assert "was kept" in result.notes[1]


def test_accelerators_serve_others_too_and_stay(root: Path) -> None:
    name = next(lora.name for lora in catalogue.load().loras if lora.variant == "accelerator")
    target = lora(root, name)
    assert keep_or_remove(DONE, root, remove=True, dry_run=False) is DONE
    assert target.exists()


def test_loras_can_go_after_svi_itself(root: Path) -> None:
    lora(root)
    result = keep_or_remove(Result("revert", "unchanged", "Nothing to do."), root, remove=True, dry_run=False)
    assert (result.status, result.headline) == ("done", "SVI's LoRAs were deleted.")


def test_a_lora_that_cannot_be_deleted_is_left_to_do_and_the_rest_is_done(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, other = lora(root), lora(root, precision="fp16")
    unlink = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path == held:
            raise PermissionError(13, "Permission denied", str(path))
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    result = keep_or_remove(DONE, root, remove=True, dry_run=False)
    assert (held.exists(), other.exists()) == (True, False)
    assert (result.status, result.exit_code, result.headline) == ("done", 1, DONE.headline)
    assert result.todo == (f"delete {held} yourself: that failed (Permission denied).",)
