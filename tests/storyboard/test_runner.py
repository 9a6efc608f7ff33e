from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from svi_install.errors import SviError
from svi_install.storyboard.headless import failures, runner, wangp

from . import standin


def tasks(folder: Path, image: Path, *prompts: str) -> list[dict[str, Any]]:
    made = []
    for number, prompt in enumerate(prompts):
        out = folder / str(number)
        out.mkdir()
        made.append(
            {
                "prompt": prompt,
                "seed": number,
                "resolution": "16x16",
                "video_length": 5,
                "num_inference_steps": 2,
                "image_start": [str(image)],
                "svi_segment_out": str(out),
            }
        )
    return made


def test_long_films_come_in_batches(tmp_path: Path, image: Path) -> None:
    """WanGP opens the images of a whole batch at once, so a batch is not the whole film."""
    root = standin.make(tmp_path / "WanGP", "process")
    asked = tasks(tmp_path, image, *(f"prompt {number}" for number in range(runner.BATCH + 2)))
    seen: list[runner.Step] = []
    job = runner.Job(wangp.find(root, env={}), tmp_path / "out")
    assert list(runner.run(job, asked, seen.append)) == list(range(runner.BATCH + 2))
    assert [step.index for step in seen if step.step == 2] == list(range(runner.BATCH + 2))
    log = (tmp_path / "out" / runner.LOG).read_text()
    assert log.count(f"[Task 1/{runner.BATCH}]") == 1
    assert log.count("[Task 1/2]") == 1


def test_a_wangp_that_says_nothing_is_ended(tmp_path: Path, image: Path) -> None:
    root = standin.make(tmp_path / "WanGP")
    job = runner.Job(wangp.find(root, env={}), tmp_path / "out", patience=2.0)
    with pytest.raises(SviError, match=r"has said nothing for 2 seconds and was ended") as ended:
        list(runner.run(job, tasks(tmp_path, image, "hang"), lambda step: None))
    assert ended.value.code == "wangp-silent"
    assert "minutes" in failures.silent(120, ["[Task 1/1] hang..."]).message


def test_options_and_environment_reach_wangp(wangp_root: Path, tmp_path: Path, image: Path) -> None:
    clip = wangp_root / "clip.py"
    clip.write_text(
        clip.read_text()
        + "\nprint('variable', os.environ.get('MINE'), os.environ.get('MPLBACKEND'), sys.argv[1:], flush=True)\n"
    )
    job = runner.Job(
        wangp.find(wangp_root, env={}),
        tmp_path / "out",
        ("--profile", "5"),
        {"MINE": "x", "MPLBACKEND": "notebook", "PATH": "/bin"},
    )
    assert list(runner.run(job, tasks(tmp_path, image, "one"), lambda step: None)) == [0]
    log = (tmp_path / "out" / runner.LOG).read_text()
    assert "variable x None" in log
    assert "--profile" in log


def test_wangps_own_modules_come_first(wangp_root: Path, tmp_path: Path, image: Path) -> None:
    """svi-install has modules of the same names beside the one that starts WanGP."""
    for name in ("task", "text", "card"):
        (wangp_root / f"{name}.py").write_text("WHOSE = 'WanGP'\n")
    clip = wangp_root / "clip.py"
    clip.write_text(
        clip.read_text() + "\nimport card, task, text\nprint(card.WHOSE, task.WHOSE, text.WHOSE, flush=True)\n"
    )
    job = runner.Job(wangp.find(wangp_root, env={}), tmp_path / "out")
    assert list(runner.run(job, tasks(tmp_path, image, "one"), lambda step: None)) == [0]
    assert "WanGP WanGP WanGP" in (tmp_path / "out" / runner.LOG).read_text()


def test_programs_of_wangp_do_not_eat_its_tasks(wangp_root: Path, tmp_path: Path, image: Path) -> None:
    clip = wangp_root / "clip.py"
    text = clip.read_text().replace(
        "    frames = []\n", "    import subprocess; subprocess.run(['cat'])\n    frames = []\n"
    )
    clip.write_text(text)
    job = runner.Job(wangp.find(wangp_root, env={}), tmp_path / "out")
    assert list(runner.run(job, tasks(tmp_path, image, "one", "two"), lambda step: None)) == [0, 1]


def test_a_wangp_that_does_not_start(wangp_root: Path, tmp_path: Path, image: Path) -> None:
    (wangp_root / "clip.py").write_text("raise SystemExit('Incorrect version of mmgp (1), version 2 is needed')\n")
    (wangp_root / "shared").joinpath("api.py").unlink(missing_ok=True)
    job = runner.Job(wangp.find(wangp_root, env={}), tmp_path / "out")
    with pytest.raises(SviError) as caught:
        list(runner.run(job, tasks(tmp_path, image, "one"), lambda step: None))
    assert caught.value.code == "wangp-packages"


def test_stopping_in_the_middle_ends_wangp(wangp_root: Path, tmp_path: Path, image: Path) -> None:
    from svi_install.writing import process

    job = runner.Job(wangp.find(wangp_root, env={}), tmp_path / "out")
    running = runner.run(job, tasks(tmp_path, image, "one", "slow two", "three"), lambda step: None)
    assert next(running) == 0
    pid = int((wangp_root / "pid").read_text())
    running.close()
    assert process.started(pid) is None
    assert not (tmp_path / "2" / "segment.json").exists()
