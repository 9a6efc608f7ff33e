"""Runs the real `python wgp.py --process` of a WanGP tree on the CPU with tiny models and says what came out of it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import tools

Settings = Mapping[str, Any]
LORA_FOLDERS = ("loras/wan_i2v", "loras/wan")  # of Wan 2.1 and of Wan 2.2
FAILURE = re.compile(r"\bError\b|\[ERROR\]|Traceback|not been loaded|unexpected module keys|Failed")


@dataclass(frozen=True)
class Generation:
    """One run through the windows of a video: what the model was asked for, and the files saved meanwhile."""

    windows: tuple[dict[str, Any], ...]
    saved: tuple[dict[str, Any], ...]

    @property
    def seeds(self) -> list[int]:
        return [window["seed"] for window in self.windows]

    @property
    def prompts(self) -> list[str]:
        return [window["input_prompt"] for window in self.windows]

    @property
    def frames(self) -> int:
        """Frames of the whole video, 0 when none was saved."""
        return self.saved[-1]["frames"] if self.saved else 0

    @property
    def md5(self) -> str:
        """Of the frames of the whole video before compression."""
        return self.saved[-1]["md5"] if self.saved else ""


@dataclass(frozen=True)
class Report:
    """What a WanGP process did. ok: exit code 0, and the queue says that every task that was asked for is done."""

    ok: bool
    ended: tools.Ended
    completed: tuple[int, int] | None
    generations: tuple[Generation, ...]
    loras: tuple[dict[str, Any], ...]
    lines: tuple[str, ...]
    replaced: tuple[str, ...]
    out: Path

    @property
    def svi_lines(self) -> list[str]:
        return [line[line.index("[SVI") :] for line in self.lines if "[SVI" in line]

    @property
    def errors(self) -> list[str]:
        return [line for line in self.lines if FAILURE.search(line)]

    def video(self, generation: int = -1) -> Path:
        """The file of the whole video of a generation."""
        return self.out / self.generations[generation].saved[-1]["file"]

    def why(self) -> str:
        """For the message of a failed assertion."""
        return f"exit code {self.ended.code}, queue {self.completed}, {self.out}\n" + "\n".join(
            [*self.svi_lines, *self.errors[:10], "...", *self.lines[-15:]]
        )


def complete(settings: Settings, folder: Path) -> dict[str, Any]:
    """Settings that every release takes: older ones want a list of start images, others a version.

    Images and videos are looked for beside folder.
    """
    # 10.80 runs no task whose settings lack pause_seconds, every other release fills it in.
    done: dict[str, Any] = {"model_type": "i2v", "settings_version": 2.5, "pause_seconds": 0, **settings}
    for name in ("image_start", "image_end", "image_refs"):
        if done.get(name):
            images = done[name] if isinstance(done[name], list) else [done[name]]
            done[name] = [str((folder / image).resolve()) for image in images]
    if done.get("video_source"):
        done["video_source"] = str((folder / done["video_source"]).resolve())
    return done


def place_loras(tree: Path, files: Iterable[Path]) -> None:
    """Copies LoRA files to where WanGP looks: it counts only those, and the fake hub serves empty files."""
    for folder in LORA_FOLDERS:
        (tree / folder).mkdir(parents=True, exist_ok=True)
        for file in files:
            shutil.copyfile(file, tree / folder / file.name)


def generate(
    tree: Path,
    environment: Path,
    tasks: Sequence[Settings],
    out: Path,
    *,
    timeout: float = 600,
    parity: Path | None = None,
    options: Sequence[str] = (),
    **lab: object,
) -> Report:
    """Runs the tasks in one WanGP process.

    Args:
        tree: a WanGP tree; tiny checkpoints and wgp_config.json are written into it when missing.
        environment: the laboratory's virtual environment.
        tasks: complete settings, one per task.
        out: folder of the videos, the settings and the console log.
        timeout: seconds after which the process is stopped.
        parity: the job file of parity_hooks.py.
        options: further command line options of wgp.py.
        lab: further variables for the shim, see sitecustomize.py.
    """
    out.mkdir(parents=True, exist_ok=True)
    tools.prepare(tree, environment, parity is not None)
    job, log, calls, stubs = (out / name for name in ("settings.json", "console.log", "calls.jsonl", "replaced.txt"))
    for old in (calls, stubs, *out.glob("*.mp4")):
        old.unlink(missing_ok=True)
    job.write_text(json.dumps(list(tasks) if len(tasks) > 1 else tasks[0], indent=1), "utf-8")
    env = tools.variables(
        tree, environment, TINY="parity" if parity else 1, CALLS=calls, STUBS=stubs, PARITY=parity, **lab
    )
    command = [str(tools.python_of(environment)), "wgp.py", "--process", str(job), "--output-dir", str(out), *options]
    return report(tools.run(command, tree, env, log, timeout), out, len(tasks))


def report(ended: tools.Ended, out: Path, tasks: int) -> Report:
    """Reads back what the shim and the console say of a finished process."""
    lines = tools.console_lines(out / "console.log")
    done = [tuple(map(int, m.groups())) for m in map(re.compile(r"Queue completed: (\d+)/(\d+)").search, lines) if m]
    calls = out / "calls.jsonl"
    events = [json.loads(line) for line in calls.read_text("utf-8").splitlines()] if calls.exists() else []
    stubs = out / "replaced.txt"
    # wgp.py ends with exit code 0 when it refuses an mmgp version, and leaves invalid tasks out of its count.
    ok = ended.code == 0 and bool(done) and done[-1] == (tasks, tasks)
    return Report(
        ok,
        ended,
        (done[-1][0], done[-1][1]) if done else None,
        tuple(split(events)),
        tuple(event for event in events if event["event"] == "loras"),
        tuple(lines),
        tuple(sorted(set(stubs.read_text("utf-8").split()))) if stubs.exists() else (),
        out,
    )


def split(events: Iterable[dict[str, Any]]) -> Iterable[Generation]:
    """A generation begins where the window number is 1 again."""
    windows: list[dict[str, Any]] = []
    saved: list[dict[str, Any]] = []
    for event in events:
        if event["event"] == "window":
            if event["window_no"] == 1 and windows:
                yield Generation(tuple(windows), tuple(saved))
                windows, saved = [], []
            windows.append(event)
        elif event["event"] == "saved":
            saved.append(event)
    if windows:
        yield Generation(tuple(windows), tuple(saved))


def metadata(video: Path) -> dict[str, Any]:
    """The settings that WanGP stored in a video file."""
    command = ["ffprobe", "-v", "error", "-show_entries", "format_tags=comment", "-of", "json", str(video)]
    probe = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(json.loads(probe.stdout)["format"]["tags"]["comment"])


def proof(settings: Settings) -> dict[str, Any] | None:
    """What a video says of SVI: in releases that refuse unknown settings among the values of the form's fields."""
    return settings.get("svi") or (settings.get("custom_settings") or {}).get("svi")


def decoded(video: Path, first: int | None = None) -> tuple[int, str]:
    """The number of frames of a video file and the md5 of what they decode to, or of what the first ones do."""
    probe = subprocess.run(
        [
            *("ffprobe", "-v", "error", "-select_streams", "v:0", "-count_frames"),
            *("-show_entries", "stream=nb_read_frames", "-of", "csv=p=0", str(video)),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    limit = () if first is None else ("-frames:v", str(first))
    command = ["ffmpeg", "-v", "error", "-i", str(video), "-map", "0:v:0", *limit, "-f", "md5", "-"]
    made = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(probe.stdout.strip().strip(",")), made.stdout.strip().removeprefix("MD5=")
