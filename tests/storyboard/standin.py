"""A stand-in for WanGP that makes clips in no time: same files, same console, same two ways to run without a window.

What a clip shows follows from its prompt, its seed, its start image and the tail that it goes on from, so that every
mistake in the order, the seeds or the tails is seen in the film. A prompt can also say what goes wrong, and that the
frames at both ends are "exactly" the images.
"""

from __future__ import annotations

import sys
from pathlib import Path

CLIP = """
import hashlib, json, os, struct, sys, time, zlib
from pathlib import Path

def png(path, width, height, pixels):
    rows = b"".join(b"\\0" + pixels[at:at + width * 3] for at in range(0, len(pixels), width * 3))
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\\x89PNG\\r\\n\\x1a\\n" + body)

def ends(task):
    return [key for key in ("image_start", "image_end") if key in task]

def make(task, step):
    with open("asked.jsonl", "a") as log:
        log.write(json.dumps(task) + "\\n")
    prompt = task["prompt"]
    if "fail" in prompt:
        raise RuntimeError(prompt.replace("_", " "))
    if "tight" in prompt and "--profile 5" not in Path("options").read_text():
        raise RuntimeError("CUDA out of memory")
    if "die" in prompt:
        os._exit(9)
    width, height = map(int, task["resolution"].split("x"))
    declared = {"svi_variant": "off", "svi_clip_seeds": "off"} if Path("declares").exists() else {}
    # From 13.0 on WanGP writes what is declared for a field into every task that does not name it (clean_settings).
    fields = {**declared, **task.get("custom_settings", {})}
    silent = "silent" in prompt or (declared and fields["svi_variant"] == "off")
    if not silent:
        Path(task["svi_segment_out"], "begun").touch()
    motion, before = task.get("svi_num_motion_frames", 0), task.get("svi_segment_before")
    # wgp.py, _load_task_attachments: a relative name counts from the folder of the task's file, which is not the
    # person's; a file that is not found, or that has another ending than a picture, is a line and nothing more.
    seen = json.dumps([prompt, task["seed"]]).encode()
    for key in ("image_start", "image_end"):
        for name in task.get(key, ()):
            path = Path(task["base"], name)
            if not path.exists():
                print(f"[load] Warning: File not found for '{key}': {path}", flush=True)
            elif path.suffix.lower() not in (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp"):
                print(f"[load] Using path: {path}", flush=True)
            else:
                seen += path.read_bytes()
                print(f"[load] Loaded image: {path}", flush=True)
    if before and not Path(before, "segment.json").exists():
        print("[SVI Mode] not started: the previous clip is not finished: segment.json is missing", flush=True)
        return
    for back in range(motion, 0, -1) if before else ():
        seen += Path(before, f"tail-{back:03d}.png").read_bytes()
    for number in range(task["num_inference_steps"]):
        step(number + 1, task["num_inference_steps"])
        if "slow" in prompt:
            time.sleep(0.2)
        if "hang" in prompt and not Path("hung").exists():
            Path("hung").touch()
            time.sleep(600)
    if silent:
        if "silent" in prompt:
            print("[SVI Mode] off: a line is missing", flush=True)
        return
    frames = []
    for number in range(task["video_length"]):
        colour = hashlib.sha256(seen + bytes([number])).digest()[:3]
        frames.append(colour * (width * height))
    if "exactly" in prompt:
        shown = {key: hashlib.sha256(Path(task["base"], task[key][0]).read_bytes()).digest()[:3] for key in ends(task)}
        if not before:
            frames[0] = shown["image_start"] * (width * height)
        if "image_end" in shown:
            frames[-1] = shown["image_end"] * (width * height)
    out = Path(task["svi_segment_out"])
    (out / "frames.rgb").write_bytes(b"".join(frames))
    for back in range(motion, 0, -1):
        png(out / f"tail-{back:03d}.png", width, height, frames[-back])
    facts = {"frames": len(frames), "width": width, "height": height, "motion_frames": motion}
    facts["svi"] = {"variant": "shot", "seeds": [task["seed"]]}
    (out / "segment.part").write_text(json.dumps(facts))
    (out / "segment.part").replace(out / "segment.json")
"""

WGP = """
WanGP_version = "{version}"
import sys
# What render looks for: args.process svi_wangp shared.qtypes.gguf profile == 3.5 profile == 4.5
def get_model_custom_settings(model_def):
    return []
if __name__ == "__main__":
    import json, os
    from clip import make
    open("pid", "w").write(str(os.getpid()))
    open("options", "w").write(" ".join(sys.argv))
    file = sys.argv[sys.argv.index("--process") + 1]
    tasks = [{{**task, "base": os.path.dirname(file)}} for task in json.load(open(file))]
    for number, task in enumerate(tasks, 1):
        print(f"\\n[Task {{number}}/{{len(tasks)}}] {{task['prompt']}}...")
        try:
            make(task, lambda step, steps: print(f"\\r  [{{step}}/{{steps}}] Denoising", end="", flush=True))
            print(f"\\n  Task {{number}} completed", flush=True)
        except Exception as error:
            print(f"\\n  [ERROR] {{error}}", flush=True)
    print(f"Queue completed: {{len(tasks)}}/{{len(tasks)}} tasks in 1s", flush=True)
"""

API = """
import os
import queue
import threading
from pathlib import Path
from types import SimpleNamespace

class Session:
    def submit_task(self, task):
        from clip import make
        events, errors = [], []
        class Job:
            def release_output_payload(self):
                events.clear()
            def result(self):
                return SimpleNamespace(success=not errors, errors=errors)
        class Events:
            def iter(self, timeout):
                # As WanGP does: the work goes on in a thread of its own, and what it tells is told meanwhile.
                told = queue.SimpleQueue()

                def work():
                    try:
                        print(f"\\n[Task 1/1] {task['prompt'][:60]}...", flush=True)
                        task["base"] = os.getcwd()
                        make(task, lambda step, steps: told.put(SimpleNamespace(current_step=step, total_steps=steps)))
                    except Exception as error:
                        errors.append(error)
                    finally:
                        told.put(None)

                thread = threading.Thread(target=work)
                thread.start()
                while (data := told.get()) is not None:
                    yield SimpleNamespace(kind="progress", data=data)
                thread.join()
        job = Job()
        job.events = Events()
        return job

def init(root, output_dir, cli_args, console_isatty):
    print("[SVI Mode] WanGP starts with", *cli_args)
    Path("pid").write_text(str(os.getpid()))
    Path("options").write_text(" ".join(cli_args))
    return Session()
"""


def make(root: Path, headless: str = "api", version: str = "12.60") -> Path:
    """Writes a stand-in and returns its folder."""
    for folder in ("models/wan/modules", "svi_wangp", "defaults", "shared", "loras/wan_i2v", "loras/wan", "env/bin"):
        (root / folder).mkdir(parents=True)
    (root / "wgp.py").write_text(WGP.format(version=version))
    (root / "clip.py").write_text(CLIP)
    (root / "models/wan/modules/t5.py").write_text("# gguf\n")
    put_svi_in(root)
    for name in ("i2v", "i2v_2_2", "i2v_2_2_svi2pro"):
        (root / f"defaults/{name}.json").write_text('{"model": {"loras": ["pro"], "loras_multipliers": ["1"]}}')
    if headless == "api":
        (root / "shared/__init__.py").write_text("")
        (root / "shared/api.py").write_text(API)
    python = root / "env/bin/python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return root


def put_svi_in(root: Path) -> None:
    """What of SVI `render` looks for in a WanGP: its runtime, and in each of WanGP's files the hook lines."""
    from svi_install.package_data import runtime_files
    from svi_install.runtime.wgp import HOOKS
    from svi_install.storyboard.headless.svi_files import LORAS

    for path, data in runtime_files().items():
        (root / path).write_bytes(data)
    for path, lines in {**HOOKS, **LORAS}.items():
        with (root / path).open("a") as file:
            file.writelines(f"# {line}\n" for line in lines)


def asked(root: Path) -> list[dict[str, object]]:
    """The tasks that the stand-in was given, in their order."""
    import json

    path = root / "asked.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
