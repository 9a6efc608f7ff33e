"""A stand-in for WanGP whose clips show a boat that sails on from clip to clip: for the pictures of the documents.

No model draws here and nothing is passed off as one: `boat.py` does, by Pillow. A prompt with "sunset" or "moon" moves
the hour. ``strength.txt`` beside its wgp.py says how much each clip's colours go off on purpose, ``pace.txt`` how many
seconds a step takes.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from . import standin

# Reads and writes as the other stand-in does.
CLIP = (
    standin.CLIP.partition("def make(")[0]
    + """
import boat
import numpy as np

HOURS = {"sunset": 1.7, "moon": 3.0}

def make(task, step):
    with open("asked.jsonl", "a") as log:
        log.write(json.dumps(task) + "\\n")
    out, before = Path(task["svi_segment_out"]), task.get("svi_segment_before")
    Path(out, "begun").touch()
    for number in range(task["num_inference_steps"]):
        time.sleep(float(Path("pace.txt").read_text()))
        step(number + 1, task["num_inference_steps"])
    width, height = map(int, task["resolution"].split("x"))
    fresh = {"gain": [1, 1, 1], "frame": 0, "hour": 0}
    was = json.loads(Path(before, "state.json").read_text()) if before else fresh
    motion, count, seed = task.get("svi_num_motion_frames", 0), task["video_length"], task["seed"]
    strength = float(Path("strength.txt").read_text())
    gain = np.array(was["gain"]) * (1 + strength * np.array([1, 0.1, -1]))
    hour = next((hour for word, hour in HOURS.items() if word in task["prompt"]), was["hour"])
    frames = []
    for number in range(count):
        done = number / (count - 1)
        much = np.array(was["gain"]) + (gain - was["gain"]) * min(1, number / 8)
        when = was["hour"] + (hour - was["hour"]) * done
        drawn = boat.picture(width, height, (was["frame"] + number) / 16, when, seed, finer=1)
        frames.append((drawn * much).clip(0, 255).round().astype(np.uint8))
    (out / "frames.rgb").write_bytes(b"".join(frame.tobytes() for frame in frames))
    for back in range(motion, 0, -1):
        png(out / f"tail-{back:03d}.png", width, height, frames[-back].tobytes())
    state = {"gain": list(gain), "frame": was["frame"] + count - motion, "hour": hour}
    Path(out, "state.json").write_text(json.dumps(state))
    facts = {"frames": count, "width": width, "height": height, "motion_frames": motion}
    facts["svi"] = {"variant": "shot", "seeds": [seed]}
    (out / "segment.part").write_text(json.dumps(facts))
    (out / "segment.part").replace(out / "segment.json")
"""
)


def make(root: Path, strength: float = 0.0, pace: float = 0.0) -> Path:
    """Write the stand-in and return its folder."""
    standin.make(root, "file")
    (root / "clip.py").write_text(CLIP)
    shutil.copy(Path(__file__).with_name("boat.py"), root)
    (root / "strength.txt").write_text(str(strength))
    (root / "pace.txt").write_text(str(pace))
    return root


def studio(root: Path, image: Path, strength: float = 0.0, pace: float = 0.0) -> Path:
    """The same with the LoRAs that `render --variant fast` asks for, and the image that a film begins with."""
    from PIL import Image

    from svi_install.storyboard.script.variants import variant_of
    from tests.loras.conftest import lora_bytes

    from . import boat

    make(root, strength, pace)
    for name in variant_of("2.0-fast").settings["activated_loras"]:
        (root / "loras/wan_i2v" / name.rpartition("/")[2]).write_bytes(lora_bytes())
    Image.fromarray(boat.picture(832, 480, 0.0, 0.0, 7)).save(image)
    return root
