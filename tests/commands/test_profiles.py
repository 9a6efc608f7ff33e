from __future__ import annotations

import json

import pytest

from svi_install.cli.main import main
from svi_install.commands import profiles as command
from svi_install.package_data import data_folder
from svi_install.report.text import plain_lines
from svi_install.storyboard.headless import estimate
from svi_install.storyboard.script.variants import variant_of


def test_every_profile_is_there_with_what_it_needs() -> None:
    rows = command.profiles().extra["profiles"]
    assert {row["name"] for row in rows} == {path.stem for path in data_folder("profiles").rglob("*.json")}
    for row in rows:
        settings = variant_of(row["name"]).settings
        assert row["steps"] == settings["num_inference_steps"]
        assert len(row["loras"]) == len(settings["activated_loras"])
        assert set(row["seconds"]) == {card.name for card in command.CARDS}


def test_the_numbers_are_those_of_the_estimate() -> None:
    rows = {row["name"]: row for row in command.profiles().extra["profiles"]}
    card = command.CARDS[3]
    task = {**variant_of("shot").settings, "resolution": "832x480", "video_length": 81}
    cost = estimate.clip(task, card)
    assert cost is not None
    assert rows["SVI-Shot Infinite - 50 Steps"]["seconds"][card.name] == cost.seconds
    assert f"~{cost.seconds / 60:.0f}" in "\n".join(plain_lines(command.profiles()))


def test_ten_steps_without_guidance_run_the_model_a_tenth_as_often() -> None:
    rows = {row["name"]: row for row in command.profiles().extra["profiles"]}
    for short in ("Shot Infinite", "2.0 Unified"):
        name = f"SVI-{short.split()[0]} FusioniX - 10 Steps"
        assert rows[f"SVI-{short} - 50 Steps"]["passes"] == 10 * rows[name]["passes"]
        assert "ten times" in rows[name]["use"]


def test_what_no_card_here_has_measured_is_said_to_be_computed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profiles"]) == 0
    said = capsys.readouterr().out
    assert "~ is computed, not measured on these cards" in said
    assert "RTX 3090 was reported" in said
    assert main(["profiles", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["basis"] == "computed"


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_table_fits(width: int) -> None:
    table = [line for line in plain_lines(command.profiles(width)) if "~" in line and "computed" not in line]
    assert table
    assert max(map(len, table)) <= width
