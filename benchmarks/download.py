"""Our download beside curl and beside hf_hub_download, from one server: time, memory, a kill, a wrong byte.

    python benchmarks/download.py [--size MIB] [--rounds N] [--kills N]

The server is the one of the tests, on loopback, in a process of its own. Each figure is printed with its limit, and the
exit status says whether all limits were kept. curl neither hashes nor forces anything to the disk; we do both, in
threads of their own. Beside the time the processor's time is printed, which a busy machine changes least.
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
LIST = 2.0

SERVER = """
import sys, json
from pathlib import Path
from tests.loras.hub import Hub
hub = Hub()
from tests.loras.hub import Fault
for name in ("big", "small"):
    hub.add("owner/name", f"{name}.safetensors", Path(sys.argv[1]) / f"{name}.safetensors")
    hub.sha256(f"owner/name/{name}.safetensors")
print(json.dumps({"url": hub.url}), flush=True)
for line in sys.stdin:
    if line.startswith("flip"):
        hub.always = Fault(flip=int(line.split()[1]))
    sent = sum(seen.sent[0] for seen in hub.seen)
    hub.seen.clear()
    print(json.dumps({"sent": sent}), flush=True)
"""
CLIENT = """
from dataclasses import replace
from svi_install.loras import prefetch
from svi_install.loras.catalogue import Catalogue, Lora, LoraFile, Place
from svi_install.loras.hub import from_environment
file = LoraFile("fp32", Place("owner/name", sys.argv[3]))
known = Catalogue(("big",), (Lora("big", "", "Big", "wan", "", None, (file,)),))
root = Path(sys.argv[1])
settings = replace(from_environment(), ledger=root / "ledger.json")
got = prefetch(root, None, settings=settings, catalogue=known).files[0]
print(json.dumps({"peak": peak(), "path": str(got.path)}))
"""
PEAK = """
import json, re, resource, sys
from pathlib import Path
def peak():
    status = Path("/proc/self/status")
    if status.exists():
        # ru_maxrss would be that of the benchmark, from which this process was forked.
        return int(re.search(r"VmHWM:\\s+(\\d+) kB", status.read_text())[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
"""
THEIRS = """
from huggingface_hub import hf_hub_download
got = hf_hub_download("owner/name", sys.argv[3], cache_dir=sys.argv[1])
print(json.dumps({"peak": peak(), "path": got}))
"""


def client(root: Path, endpoint: str, script: str = CLIENT, name: str = "big.safetensors") -> subprocess.Popen[str]:
    """Start one download in a fresh process."""
    environ = os.environ | {"HF_ENDPOINT": endpoint, "HF_HUB_DISABLE_XET": "1", "HF_HOME": str(root / "hf")}
    # A download that is wrong or refused is a result; its words are not.
    return subprocess.Popen(
        [sys.executable, "-c", PEAK + script, str(root), endpoint, name],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environ,
    )


def settle() -> None:
    """Let the disk finish what others have left: forcing one file to the disk forces them too, and only we do that."""
    if hasattr(os, "sync"):
        os.sync()


def worked() -> float:
    """Return the processor time of all clients so far, in seconds; Windows does not count it."""
    return sum(os.times()[2:4])


def timed_client(work: Path, endpoint: str, script: str = CLIENT) -> tuple[float, float, int, str]:
    """Download once, from the start of the process to its end; seconds, processor's seconds, peak memory and sha256."""
    root = Path(tempfile.mkdtemp(dir=work))
    settle()
    before, began = worked(), time.perf_counter()
    out, _ = client(root, endpoint, script).communicate()
    seconds, processor = time.perf_counter() - began, worked() - before
    got = json.loads(out)
    found = sha256_of(Path(got["path"]))
    shutil.rmtree(root)
    return seconds, processor, got["peak"], found


def sha256_of(path: Path) -> str:
    """Hash a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(16 * MIB):
            digest.update(block)
    return digest.hexdigest()


def written(path: Path) -> int:
    """Tell how much of a file is there; several connections leave holes in it."""
    status = path.stat()
    return min(status.st_size, getattr(status, "st_blocks", status.st_size) * 512)


def killed_once(work: Path, endpoint: str, script: str, size: int, sent: Callable[[], int]) -> int:
    """Kill a download when a good half of it is there and run it again; bytes that the second run asked for."""
    root = Path(tempfile.mkdtemp(dir=work))
    process = client(root, endpoint, script)
    while process.poll() is None:
        there = [written(path) for path in root.rglob("*") if path.is_file()]
        if max(there, default=0) > 0.6 * size:
            process.kill()
        time.sleep(0.002)
    process.communicate()
    sent()
    client(root, endpoint, script).communicate()
    shutil.rmtree(root)
    return sent()


def with_a_wrong_byte(work: Path, endpoint: str, script: str, sha256: str) -> str:
    """Download from a server that always changes one byte; what became of it."""
    root = Path(tempfile.mkdtemp(dir=work))
    process = client(root, endpoint, script, "small.safetensors")
    out, _ = process.communicate()
    what = "refused"
    if process.returncode == 0:
        what = "right" if sha256_of(Path(json.loads(out)["path"])) == sha256 else "taken for right"
    shutil.rmtree(root)
    return what


def timed_curl(work: Path, endpoint: str) -> tuple[float, float]:
    """Download once with curl, following the same redirect; seconds and the processor's seconds."""
    target = work / "curl.bin"
    settle()
    before, began = worked(), time.perf_counter()
    url = f"{endpoint}/owner/name/resolve/main/big.safetensors"
    subprocess.run(["curl", "-sSfL", "-o", str(target), url], check=True)
    seconds, processor = time.perf_counter() - began, worked() - before
    target.unlink()
    return seconds, processor


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
    final = sha256_of(Path(json.loads(out)["path"]))
    shutil.rmtree(root)
    return killed, worst, final


def client_start(root: Path) -> int:
    """Tell from the state on disk where the next run goes on."""
    from svi_install.loras.transfer.part_state import left_over

    return left_over(root / "loras" / "wan" / "big.safetensors")


def timed_list(work: Path, verdict: Callable[[str, bool], None]) -> None:
    """Time `fetch --list` from the start of the process to its end."""
    root = work / "Wan2GP"
    (root / "models" / "wan" / "modules").mkdir(parents=True)
    (root / "wgp.py").write_text('WanGP_version = "12.60"\nserver_config = {"loras_root": "loras"}\n')
    for name in ("models/wan/any2video.py", "models/wan/modules/model.py"):
        (root / name).touch()
    commands = {
        "list": [sys.executable, "-m", "svi_install", "fetch", "--list", str(root)],
        "click": [sys.executable, "-c", "import click"],
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(15):
        for name, command in commands.items():
            began = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            seconds[name].append(time.perf_counter() - began)
    ours, click = (statistics.median(seconds[name]) for name in ("list", "click"))
    told = f"fetch --list {ours * 1000:.0f} ms, import click {click * 1000:.0f} ms"
    verdict(f"{told}, ratio {ours / click:.2f} (at most {LIST})", ours <= LIST * click)


def compare(
    work: Path, endpoint: str, chosen: argparse.Namespace, sha256: str, verdict: Callable[[str, bool], None]
) -> None:
    """Time whole downloads, each client in turn, and their memory."""
    timed_curl(work, endpoint)
    times: dict[str, list[float]] = {"ours": [], "curl": [], "hf_hub_download": []}
    spent: dict[str, list[float]] = {name: [] for name in times}
    peaks: dict[str, list[int]] = {"ours": [], "hf_hub_download": []}
    for _ in range(chosen.rounds):
        for name, script in (("ours", CLIENT), ("hf_hub_download", THEIRS)):
            seconds, processor, peak, found = timed_client(work, endpoint, script)
            assert found == sha256
            times[name].append(seconds)
            spent[name].append(processor)
            peaks[name].append(peak)
        seconds, processor = timed_curl(work, endpoint)
        times["curl"].append(seconds)
        spent["curl"].append(processor)
    for name, all_of_them in times.items():
        print(
            f"      {name} {', '.join(f'{x:.2f}' for x in all_of_them)} s, "
            f"of the processor {', '.join(f'{x:.2f}' for x in spent[name])} s"
        )
    best = min(times["curl"]) / min(times["ours"])
    print(f"      the fastest of each: ratio {best:.2f}; a busy machine shows it better than the median")
    mine, theirs, hubs = (statistics.median(times[name]) for name in ("ours", "curl", "hf_hub_download"))
    verdict(
        f"throughput {chosen.size / mine:.0f} MiB/s, curl {chosen.size / theirs:.0f} MiB/s, "
        f"ratio {theirs / mine:.2f} (at least {RATIO})",
        theirs / mine >= RATIO,
    )
    most, others = max(peaks["ours"]), max(peaks["hf_hub_download"])
    verdict(f"peak memory {most / MIB:.0f} MiB (at most {MEMORY // MIB})", most <= MEMORY)
    print(f"      hf_hub_download: {hubs / mine:.1f} times our time, {others / MIB:.0f} MiB of memory")


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
        small = make_file(work / "small.safetensors", 64 * MIB)
        server = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(work)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=here,
        )
        assert server.stdout is not None
        assert server.stdin is not None
        endpoint = json.loads(server.stdout.readline())["url"]

        def sent(command: str = "sent") -> int:
            assert server.stdout is not None
            assert server.stdin is not None
            print(command, file=server.stdin, flush=True)
            return int(json.loads(server.stdout.readline())["sent"])

        try:
            compare(work, endpoint, chosen, sha256, verdict)
            for name, script in (("ours", CLIENT), ("hf_hub_download", THEIRS)):
                again = killed_once(work, endpoint, script, size, sent)
                text = f"{name}: killed at 60 %, the next run asks for {again * 100 // size} % of the file"
                verdict(text, again < size * 0.6) if script == CLIENT else print(f"      {text}")
            if chosen.kills:
                killed, worst, final = kill_often(work, endpoint, chosen.kills, size)
                verdict(
                    f"{killed} kills, hash {'right' if final == sha256 else 'WRONG'}, most lost at once "
                    f"{worst / MIB:.1f} MiB (at most {LOSS // MIB})",
                    killed == chosen.kills and final == sha256 and worst <= LOSS,
                )
            sent(f"flip {MIB}")
            for name, script in (("ours", CLIENT), ("hf_hub_download", THEIRS)):
                what = with_a_wrong_byte(work, endpoint, script, small)
                text = f"{name}: a file with one wrong byte is {what}"
                verdict(text, what == "refused") if script == CLIENT else print(f"      {text}")
            timed_list(work, verdict)
        finally:
            server.kill()
            server.wait()
    finally:
        shutil.rmtree(work)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
