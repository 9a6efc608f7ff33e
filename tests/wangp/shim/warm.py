"""A Python that has imported what every WanGP imports from other projects, and forks for each run: ``warm.py SOCKET``.

Half the time of a run with a tiny model goes into importing torch, gradio, transformers and so on, the same ones every
time. Nothing of a WanGP tree is imported here, so a fork knows no more about other runs than a new process does.
lab/warm.py asks: one connection per run, answered with the process id at once, and at the end with how it ended.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import random
import select
import signal
import socket
import sys
import threading
import traceback
import types
from pathlib import Path
from typing import Any

# In the order in which WanGP imports them.
MODULES = (
    *("torch", "torchvision", "mmgp.offload", "mmgp.safetensors2", "gradio", "huggingface_hub", "transformers"),
    *("diffusers", "diffusers.models", "peft", "accelerate", "pandas", "scipy", "scipy.signal", "scipy.optimize"),
    *("scipy.ndimage", "scipy.stats", "cv2", "PIL.Image", "av", "imageio", "imageio_ffmpeg", "matplotlib", "einops"),
    *("torchvision.transforms.v2.functional", "torchvision.transforms.functional", "omegaconf", "git", "librosa"),
    *("transformers.modeling_utils", "diffusers.loaders", "diffusers.pipelines.pipeline_utils", "soundfile", "ffmpeg"),
    *("diffusers.loaders.single_file_model", "diffusers.models.modeling_utils", "optimum.quanto", "safetensors.torch"),
    *("transformers.models.clip.modeling_clip", "transformers.models.t5.modeling_t5", "tomlkit", "ftfy"),
)


def serve(path: str) -> None:
    import cuda_on_cpu
    import sitecustomize

    sitecustomize.after("torch", cuda_on_cpu.apply)
    sys.meta_path[:0] = [sitecustomize.AfterFinder(), sitecustomize.TorchvisionFinder()]
    for name in MODULES:
        try:
            importlib.import_module(name)
        except Exception:  # noqa: BLE001 - WanGP meets the same where it asks for it
            continue
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        print("ready", flush=True)
        # Nothing is ever written to the standard input; it ends with the process that asked for this one.
        while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
            connection, _ = listener.accept()
            with connection:
                asked = connection.makefile("r").readline()
                if asked and os.fork() == 0:
                    listener.close()
                    attend(connection, json.loads(asked))


def attend(connection: socket.socket, asked: dict[str, Any]) -> None:
    """In a fork: starts the run in another one and tells how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    child = os.fork()
    if child == 0:
        connection.close()
        os._exit(run(asked))
    connection.sendall(f"{child}\n".encode())
    _, status, usage = os.wait4(child, 0)
    connection.sendall(f"{json.dumps([status, usage.ru_maxrss])}\n".encode())
    os._exit(0)


def run(asked: dict[str, Any]) -> int:
    """Becomes the Python that was asked for, up to its exit code."""
    import numpy
    import sitecustomize

    os.setsid()
    for number, handle in enumerate((os.open(os.devnull, os.O_RDONLY), os.open(asked["log"], os.O_WRONLY))):
        os.dup2(handle, number)
    os.dup2(1, 2)
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    random.seed()
    numpy.random.seed()
    script = Path(asked["command"][0]).absolute()
    sys.argv[:] = asked["command"]
    sys.path[0] = str(script.parent)
    sitecustomize.begin()
    main = types.ModuleType("__main__")
    main.__file__, main.__builtins__ = str(script), __builtins__
    sys.modules["__main__"] = main
    code = 0
    try:
        exec(compile(script.read_bytes(), script, "exec", dont_inherit=True), main.__dict__)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if end.code is not None and not isinstance(end.code, int):
            print(end.code, file=sys.stderr)
    except BaseException:  # noqa: BLE001 - as Python ends
        traceback.print_exc()
        code = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return code


if __name__ == "__main__":
    serve(sys.argv[1])
