"""Run by parity.py with the Python of the environment: needs numpy, Pillow and torch.

compare.py describe GOLDEN.npz CASE START.png   the parameters of a case as JSON, its start image and its end images
compare.py compare GOLDEN.npz JOB.json          differences of the recorded runs of a job file as JSON
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "shim"))
import tiny

# The largest difference that still counts as the same computation, for a clip on official frames.
NOISE, MASK, Y, LATENTS, FRAMES = 0.0, 0.0, 1e-5, 2e-4, 1e-3  # golden frames are stored in float16
TIMESTEPS = 1e-3
CLIP_MEAN = 0.01  # mean over the resized picture, in [-1, 1]
# On frames that WanGP itself chained. One uint8 level comes to 0.016, 0.0054 and 0.0024 in the next clip.
CHAINED_Y, CHAINED_LATENTS, CHAINED_FRAMES = 0.04, 0.015, 0.008
INPUT_LEVELS, VIDEO_LEVELS, VIDEO_MEAN = 1.0, 1.0, 0.6


def clips_of(golden, case):
    return sum(1 for name in golden.files if name.startswith(f"{case}/") and name.endswith("/latents"))


def describe(golden, case, start):
    clips = clips_of(golden, case)
    if not clips:
        sys.exit(f"no case {case}; there are {sorted({name.split('/')[0] for name in golden.files})}")
    first = golden[f"{case}/0/first"]
    Image.fromarray(first[0]).save(start)
    ends = []
    for clip in range(clips):
        if f"{case}/{clip}/goal" in golden.files:
            ends.append((clip + 1, str(Path(start).with_suffix(f".{clip + 1}.png"))))
            Image.fromarray(golden[f"{case}/{clip}/goal"]).save(ends[-1][1])
    return {
        "clips": clips,
        "frames": golden[f"{case}/0/frames"].shape[1],
        "height": first.shape[1],
        "width": first.shape[2],
        "total": len(golden[f"{case}/video"]),
        "motion": len(golden[f"{case}/1/first"]) if clips > 1 else len(first),
        "steps": tiny.STEPS,
        "cfg": tiny.CFG,
        "shift": tiny.SHIFT,
        "negative": tiny.NEGATIVE,
        "switch": tiny.SWITCH,
        "ends": ends,
    }


def worst(a, b):
    """The largest absolute difference, None when the shapes differ."""
    if a is None or b is None or a.shape != b.shape:
        return None
    return float(np.abs(a.astype(np.float64) - b.astype(np.float64)).max())


def by_frame(a, b):
    """Where along axis 1 two arrays differ, for a person to read."""
    if a is None or a.shape != b.shape:
        return f"{None if a is None else a.shape}, official {b.shape}"
    return "by frame " + " ".join(f"{np.abs(a[:, i] - b[:, i]).max():.2g}" for i in range(a.shape[1]))


def clip_picture(frame):
    """A golden frame the way WanGP hands pictures to CLIP."""
    return (
        np.asarray(Image.fromarray(frame).resize((224, 224), Image.LANCZOS), np.float32).transpose(2, 0, 1) / 127.5 - 1
    )


class Rows(list):
    """What was compared: one dictionary per quantity."""

    def add(self, clip, quantity, value, limit, detail=""):
        ok = value is not None and value <= limit
        self.append(
            {"clip": clip, "quantity": quantity, "value": value, "limit": limit, "ok": bool(ok), "detail": detail}
        )


def compare_clip(rows, golden, run, clip, record):
    case, fed = run["case"], run["feed"]

    def want(name):
        return golden[f"{case}/{clip}/{name}"]

    def got(name):
        return record[f"{clip}/{name}"] if f"{clip}/{name}" in record.files else None

    if got("seed") is None:
        rows.add(clip, "window", None, 0, "WanGP made no such window")
        return
    first, official_seed = want("first"), clip * tiny.SEED_STRIDE
    rows.add(clip, "prompt", float(str(got("prompt")) != f"p{clip}"), 0, str(got("prompt")))
    if not (fed and clip > 0):
        rows.add(
            clip, "seed", abs(int(got("seed")) - official_seed), 0, f"{int(got('seed'))}, official {official_seed}"
        )
        given = got("input")
        levels = None if given is None else (given.transpose(1, 2, 3, 0) + 1) * 127.5
        seen = f"{0 if given is None else len(levels)} frames, official {len(first)}"
        rows.add(clip, "conditioning frames", worst(levels, first.astype(np.float32)), INPUT_LEVELS + 1e-3, seen)
    rows.add(clip, "VAE tile", int(got("tile") or 0), 0)
    steps = got("timesteps")
    rows.add(clip, "timesteps", worst(steps, golden[f"{case}/timesteps"]), TIMESTEPS, str(steps))
    generator = torch.Generator().manual_seed(official_seed)
    noise = torch.randn((1, *want("latents").shape), generator=generator)[0].numpy()
    rows.add(clip, "initial noise", worst(got("noise"), noise), NOISE, by_frame(got("noise"), noise))
    y, chained = got("y"), clip > 0 and not fed
    mask, latents = (None, None) if y is None else (y[:4], y[4:])
    rows.add(clip, "y mask", worst(mask, want("y")[:4]), MASK, by_frame(mask, want("y")[:4]))
    rows.add(
        clip, "y latents", worst(latents, want("y")[4:]), CHAINED_Y if chained else Y, by_frame(latents, want("y")[4:])
    )
    if run["sees"]:
        compare_clip_frame(rows, clip, got("clip_seen"), first, golden[f"{case}/0/first"][0])
    final = got("latents")
    limit = CHAINED_LATENTS if chained else LATENTS
    rows.add(clip, "final latents", worst(final, want("latents")), limit, by_frame(final, want("latents")))
    frames = want("frames").astype(np.float32).clip(-1, 1)
    decoded = got("frames")
    decoded = None if decoded is None else decoded.clip(-1, 1)
    limit = CHAINED_FRAMES if chained else FRAMES
    rows.add(clip, "decoded frames", worst(decoded, frames), limit, by_frame(decoded, frames))


def compare_clip_frame(rows, clip, seen, first, start):
    if seen is None:
        rows.add(clip, "CLIP frame", None, CLIP_MEAN, "CLIP was not asked")
        return
    pictures = {"first motion frame": first[0], "last motion frame": first[-1], "start image": start}
    seen = seen.reshape(3, 224, 224)
    distance = {name: float(np.abs(seen - clip_picture(frame)).mean()) for name, frame in pictures.items()}
    nearest = min(distance, key=distance.get)
    rows.add(clip, "CLIP frame", distance["first motion frame"], CLIP_MEAN, f"nearest: the {nearest}")


def compare(golden, run):
    """The rows of one recorded run."""
    case, fed, rows = run["case"], run["feed"], Rows()
    if not Path(run["record"]).is_file():
        rows.add("all", "run", None, 0, "nothing was recorded")
        return rows
    record = np.load(run["record"])
    clips, windows = clips_of(golden, case), sum(1 for name in record.files if name.endswith("/seed"))
    for clip in range(clips):
        compare_clip(rows, golden, run, clip, record)
    rows.add("all", "windows", abs(windows - clips), 0, f"{windows}, official {clips}")
    if not fed:
        video, official = record["video"] if "video" in record.files else None, golden[f"{case}/video"]
        count = 0 if video is None else len(video)
        rows.add("all", "video frames", abs(count - len(official)), 0, f"{count}, official {len(official)}")
        if video is not None and video.shape == official.shape:
            difference = np.abs(video.astype(int) - official)
            frame = f"worst frame {difference.mean(axis=(1, 2, 3)).argmax()}"
            rows.add("all", "video levels", float(difference.max()), VIDEO_LEVELS, frame)
            rows.add("all", "video mean", float(difference.mean()), VIDEO_MEAN, frame)
    return rows


def main():
    action, golden, *rest = sys.argv[1:]
    golden = np.load(golden)
    if action == "describe":
        print(json.dumps(describe(golden, *rest)))
    else:
        print(json.dumps([compare(golden, run) for run in json.loads(Path(rest[0]).read_text("utf-8"))["runs"]]))


if __name__ == "__main__":
    main()
