"""Downloads through the LoRA store beside curl, from the same server in the same run; memory, cuts and kills too.

    python benchmarks/download.py [--size MIB] [--rounds N] [--kills N]

The server is the one of the tests, on loopback, in a process of its own. Each figure is printed with its limit, and the
exit status says whether all limits were kept.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

MIB = 1024 * 1024
RATIO = 0.9
MEMORY = 100 * MIB
LOSS = 8 * MIB
START = 0.150

SERVER = """
import sys, json
from pathlib import Path
from tests.loras.hub import Hub
hub = Hub()
hub.add("owner/name", "big.safetensors", Path(sys.argv[1]))
hub.sha256("owner/name/big.safetensors")
print(json.dumps({"url": hub.url, "store": hub.store}), flush=True)
sys.stdin.read()
"""
CLIENT = """
import json, re, resource, sys
from pathlib import Path
from svi_install.loras import prefetch
from svi_install.loras.catalogue import Catalogue, Lora, LoraFile, Place
from svi_install.loras.hub import Settings
file = LoraFile("fp32", Place("owner/name", "big.safetensors"))
known = Catalogue(("big",), (Lora("big", "", "Big", "wan", "", None, (file,)),))
root = Path(sys.argv[1])
settings = Settings(endpoint=sys.argv[2], ledger=root / "ledger.json")
got = prefetch(root, None, settings=settings, catalogue=known).files[0]
status = Path("/proc/self/status")
if status.exists():
    # ru_maxrss would be that of the benchmark, from which this process was forked.
    peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", status.read_text())[1]) * 1024
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"peak": peak, "sha256": got.sha256, "fetched": got.fetched, "resumed": got.resumed}))
"""


def client(root: Path, endpoint: str) -> subprocess.Popen[str]:
    """Start one download in a fresh process."""
    return subprocess.Popen([sys.executable, "-c", CLIENT, str(root), endpoint], stdout=subprocess.PIPE, text=True)


def settle() -> None:
    """Let the disk finish what others have left: forcing one file to the disk forces them too, and only we do that."""
    if hasattr(os, "sync"):
        os.sync()


def timed_client(work: Path, endpoint: str) -> tuple[float, dict[str, int | str]]:
    """Download once, from the start of the process to its end."""
    root = Path(tempfile.mkdtemp(dir=work))
    settle()
    began = time.perf_counter()
    process = client(root, endpoint)
    out, _ = process.communicate()
    seconds = time.perf_counter() - began
    shutil.rmtree(root)
    return seconds, json.loads(out)


def timed_curl(work: Path, endpoint: str) -> float:
    """Download once with curl, following the same redirect."""
    target = work / "curl.bin"
    settle()
    began = time.perf_counter()
    url = f"{endpoint}/owner/name/resolve/main/big.safetensors"
    subprocess.run(["curl", "-sSfL", "-o", str(target), url], check=True)
    seconds = time.perf_counter() - began
    target.unlink()
    return seconds


def make_file(path: Path, size: int) -> str:
    """Write a LoRA of one matrix that no disk can compress and return its sha256."""
    digest = hashlib.sha256()
    generator = random.Random(4)
    length = 128
    matrix = {"dtype": "U8", "shape": [size - 8 - length], "data_offsets": [0, size - 8 - length]}
    head = length.to_bytes(8, "little") + json.dumps({"lora_A": matrix}).encode().ljust(length)
    with path.open("wb") as file:
        for at in range(0, size, 16 * MIB):
            block = generator.randbytes(min(16 * MIB, size - at))
            block = head + block[len(head) :] if not at else block
            file.write(block)
            digest.update(block)
    return digest.hexdigest()


def kill_often(work: Path, endpoint: str, kills: int, size: int) -> tuple[int, int, str]:
    """Kill the client again and again, each time a random stretch further; return kills, worst loss and final hash."""
    root = Path(tempfile.mkdtemp(dir=work))
    generator = random.Random(5)
    part = root / "loras" / "wan" / "big.safetensors.part"
    killed = worst = 0
    for _ in range(kills):
        goal = client_start(root) + generator.randrange(size // kills)
        process = client(root, endpoint)
        while process.poll() is None and (part.stat().st_size if part.exists() else -1) <= goal:
            time.sleep(0.0005)
        if process.poll() is not None:
            break
        process.kill()
        process.communicate()
        killed += 1
        worst = max(worst, part.stat().st_size - client_start(root))
    process = client(root, endpoint)
    out, _ = process.communicate()
    shutil.rmtree(root)
    return killed, worst, json.loads(out)["sha256"]


def client_start(root: Path) -> int:
    """Tell from the state on disk where the next run goes on."""
    from svi_install.loras.part_state import left_over

    return left_over(root / "loras" / "wan" / "big.safetensors")


def timed_list(work: Path, verdict: Callable[[str, bool], None]) -> None:
    """Time `fetch --list` from the start of the process to its end."""
    root = work / "Wan2GP"
    (root / "models" / "wan" / "modules").mkdir(parents=True)
    (root / "wgp.py").write_text('WanGP_version = "12.60"\nserver_config = {"loras_root": "loras"}\n')
    for name in ("models/wan/any2video.py", "models/wan/modules/model.py"):
        (root / name).touch()
    command = [sys.executable, "-m", "svi_install", "fetch", "--list", str(root)]
    seconds = []
    for _ in range(11):
        began = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - began)
    middle = statistics.median(seconds)
    verdict(f"fetch --list {middle * 1000:.0f} ms (at most {START * 1000:.0f})", middle <= START)


def main() -> int:
    """Run everything and say whether the limits were kept."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--size", type=int, default=2048, help="MiB of the file")
    options.add_argument("--work", type=Path, help="folder to work in, such as /dev/shm to leave the disk out")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--kills", type=int, default=200)
    chosen = options.parse_args()
    size = chosen.size * MIB
    work = Path(tempfile.mkdtemp(dir=chosen.work))
    here = Path(__file__).resolve().parent.parent
    failed = False

    def verdict(text: str, kept: bool) -> None:
        nonlocal failed
        failed = failed or not kept
        print(f"{'ok  ' if kept else 'FAIL'}  {text}", flush=True)

    try:
        sha256 = make_file(work / "big.safetensors", size)
        server = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(work / "big.safetensors")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=here,
        )
        assert server.stdout is not None
        endpoint = json.loads(server.stdout.readline())["url"]
        try:
            timed_curl(work, endpoint)
            ours, curls, peaks = [], [], []
            for _ in range(chosen.rounds):
                seconds, got = timed_client(work, endpoint)
                assert got["sha256"] == sha256
                ours.append(seconds)
                peaks.append(int(got["peak"]))
                curls.append(timed_curl(work, endpoint))
            mine, theirs = statistics.median(ours), statistics.median(curls)
            print(f"      ours {', '.join(f'{x:.2f}' for x in ours)} s")
            print(f"      curl {', '.join(f'{x:.2f}' for x in curls)} s")
            verdict(
                f"throughput {chosen.size / mine:.0f} MiB/s, curl {chosen.size / theirs:.0f} MiB/s, "
                f"ratio {theirs / mine:.2f} (at least {RATIO})",
                theirs / mine >= RATIO,
            )
            verdict(f"peak memory {max(peaks) / MIB:.0f} MiB (at most {MEMORY // MIB})", max(peaks) <= MEMORY)
            if chosen.kills:
                killed, worst, final = kill_often(work, endpoint, chosen.kills, size)
                verdict(
                    f"{killed} kills, hash {'right' if final == sha256 else 'WRONG'}, most lost at once "
                    f"{worst / MIB:.1f} MiB (at most {LOSS // MIB})",
                    killed == chosen.kills and final == sha256 and worst <= LOSS,
                )
            timed_list(work, verdict)
        finally:
            server.kill()
            server.wait()
    finally:
        shutil.rmtree(work)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
