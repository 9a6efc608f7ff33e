"""Runs a WanGP tree on the weights and inputs of golden runs of the official SVI program and compares each clip.

Two ways to feed a run:

own     the clips are conditioned on the frames that WanGP itself chains; also checks the stitched video
golden  from the second clip on the golden frames and seed are put in their place, so that one level of difference
        in the chained frames cannot hide or excuse anything else
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import tools
from .generate import Report, generate

GOLDEN = tools.FOLDER / "data/public.npz"
OFFICIAL = {
    "svi-shot": {"clips": 3, "frames": 17, "height": 64, "width": 96, "motion": 1, "padding": -1},
    "svi-2.0": {"clips": 2, "frames": 17, "height": 64, "width": 96, "motion": 5, "padding": -1},
}
# Cases that reference.py computes: the other variants, and what a person may choose.
FURTHER = {
    "svi-film": {"clips": 2, "frames": 17, "height": 64, "width": 64, "motion": 5, "padding": 0},
    "svi-tom": {"clips": 3, "frames": 13, "height": 48, "width": 64, "motion": 1, "padding": 0},
    "padding 3": {"clips": 2, "frames": 17, "height": 64, "width": 48, "motion": 5, "padding": 3},
    "motion 3": {"clips": 3, "frames": 13, "height": 80, "width": 64, "motion": 3, "padding": -1},
    "motion 9": {"clips": 2, "frames": 21, "height": 64, "width": 64, "motion": 9, "padding": -1},
    "one clip": {"clips": 1, "frames": 21, "height": 64, "width": 64, "motion": 1, "padding": -1},
}
# Clips that arrive at an image, on Wan 2.2: the authors have none, so reference.py puts the image into their steps.
ENDS = {
    "end in the middle": {"clips": 3, "frames": 17, "height": 64, "width": 64, "motion": 1, "padding": -1, "ends": [2]},
    "two ends": {"clips": 2, "frames": 17, "height": 64, "width": 48, "motion": 5, "padding": -1, "ends": [1, 2]},
    "end and grey": {"clips": 1, "frames": 13, "height": 48, "width": 64, "motion": 1, "padding": 3, "ends": [1]},
}
PADDING = {name: case["padding"] for name, case in {**OFFICIAL, **FURTHER, **ENDS}.items()}  # no array shows it


@dataclass(frozen=True)
class Job:
    """One run.

    Attributes:
        own_sigmas: whether the noise schedule of the tree stays; else the official one is put in.
        end: what a clip of ENDS gets: its "goal", the "start" image, or "nothing".
    """

    case: str
    feed: str = "own"
    own_sigmas: bool = True
    padding: int | None = None
    overlap: int | None = None
    end: str = "goal"

    @property
    def name(self) -> str:
        end = "" if self.end == "goal" else f"-{self.end}"
        return f"{self.case}-{self.feed}{'' if self.own_sigmas else '-official-sigmas'}{end}"

    @property
    def wan22(self) -> bool:
        return self.case in ENDS


@dataclass(frozen=True)
class Result:
    """The rows of one job: dictionaries with clip, quantity, value, limit, ok and detail."""

    job: Job
    rows: tuple[dict[str, Any], ...]

    @property
    def ok(self) -> bool:
        return bool(self.rows) and all(row["ok"] for row in self.rows)

    def table(self, everything: bool = True) -> str:
        return "\n".join(line(row) for row in self.rows if everything or not row["ok"])


def reference(tree: Path, environment: Path, cases: Mapping[str, Mapping[str, object]], out: Path) -> None:
    """Has reference.py compute golden runs in a WanGP tree, and writes them to out, a .npz file."""
    listed = out.with_suffix(".json")
    listed.write_text(json.dumps(cases), "utf-8")
    script = Path(__file__).with_name("reference.py")
    subprocess.run(
        [str(tools.python_of(environment)), str(script), str(listed), str(out)],
        cwd=tree,
        env=tools.variables(tree, environment, TINY="parity"),
        check=True,
        capture_output=True,
    )


def line(row: dict[str, Any]) -> str:
    value = "-" if row["value"] is None else f"{row['value']:.3g}"
    where = "run   " if row["clip"] == "all" else f"clip {row['clip']}"
    mark = "ok  " if row["ok"] else "FAIL"
    return f"  {mark} {where} {row['quantity']:<20} {value:>9}  limit {row['limit']:<7g} {row['detail'][:110]}"


def in_environment(environment: Path, *arguments: object) -> Any:
    command = [str(tools.python_of(environment)), str(Path(__file__).with_name("compare.py")), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    return json.loads(done.stdout)


def settings_of(job: Job, case: dict[str, Any], start: Path) -> dict[str, Any]:
    """The WanGP settings of a case: everything off that the official program does not have."""
    off = ("cfg_star_switch", "apg_switch", "slg_switch", "perturbation_switch", "pause_seconds")
    return {
        **dict.fromkeys(off, 0),
        "model_type": "i2v",
        "settings_version": 2.5,
        "prompt": "\n".join(f"p{i}" for i in range(case["clips"])),
        "multi_prompts_gen_type": 1,
        "negative_prompt": case["negative"],
        "image_start": [str(start)],
        "image_prompt_type": "S",
        "resolution": f"{case['width']}x{case['height']}",
        "video_length": case["total"],
        "sliding_window_size": case["frames"],
        "sliding_window_overlap": case["motion"] if job.overlap is None else job.overlap,
        "sliding_window_color_correction_strength": 0,
        "sliding_window_discard_last_frames": 0,
        "seed": 0,
        "num_inference_steps": case["steps"],
        "guidance_phases": 1,
        "guidance_scale": case["cfg"],
        "flow_shift": case["shift"],
        "sample_solver": "euler",
        "NAG_scale": 1,
        "RIFLEx_setting": 2,
        "svi_mode": True,
        "svi_ref_pad_num": PADDING[job.case] if job.padding is None else job.padding,
        "svi_num_motion_frames": case["motion"],
        "svi_ref_pad_cfg": False,
        "svi_official_sigmas": True,
        **(ends_of(job, case, start) if job.wan22 else {}),
    }


def ends_of(job: Job, case: dict[str, Any], start: Path) -> dict[str, Any]:
    """What a case of ENDS has besides: Wan 2.2 with both experts, and the images."""
    model = {
        **{"model_type": "i2v_2_2", "guidance_phases": 2, "guidance2_scale": case["cfg"]},
        **{"switch_threshold": case["switch"], "model_switch_phase": 1},
    }
    if job.end == "nothing":
        return model
    images = [str(start) if job.end == "start" else file for _, file in case["ends"]]
    return {
        **model,
        **{"image_end": images, "image_prompt_type": "SE", "svi_end_clips": [number for number, _ in case["ends"]]},
    }


def measure(
    tree: Path, environment: Path, jobs: Sequence[Job], out: Path, golden: Path = GOLDEN
) -> tuple[Report, list[Result]]:
    """Runs the jobs, one generation each, in one WanGP process."""
    out.mkdir(parents=True, exist_ok=True)
    tasks = []
    for job in jobs:
        start = out / f"start of {job.case}.png"
        tasks.append(settings_of(job, in_environment(environment, "describe", golden, job.case, start), start))
    list_file = out / "parity.json"
    runs = [
        {
            "case": job.case,
            "feed": job.feed == "golden",
            "own_sigmas": job.own_sigmas,
            "sees": not job.wan22,
            "record": str(out / f"{job.name}.npz"),
        }
        for job in jobs
    ]
    for run in runs:
        Path(run["record"]).unlink(missing_ok=True)
    list_file.write_text(json.dumps({"golden": str(golden), "runs": runs}), "utf-8")
    report = generate(tree, environment, tasks, out, parity=list_file)
    rows = in_environment(environment, "compare", golden, list_file)
    return report, [Result(job, tuple(each)) for job, each in zip(jobs, rows, strict=True)]


def show(results: Iterable[Result]) -> None:
    for result in results:
        print(f"== {result.job.name}: {'PASS' if result.ok else 'FAIL'}")
        print(result.table())
