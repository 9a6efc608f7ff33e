"""Ends four patchers at every system call that changes the tree: ``python benchmarks/crash.py [PATCH_PACKAGE_FOLDER]``.

svi-install, `git apply`, GNU patch and patch-package do the same job, the hooks in three files of WanGP's size. strace
ends each of them before every changing call (SIGKILL), then lets every one fail with ENOSPC, EACCES and EIO. What lies
there afterwards is counted, and again after the next command of a person: the same one once more, for svi-install
`recover` before it, as every command of it does. Needs Linux and strace; patch-package needs node and a folder with
``node_modules/patch-package``.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from svi_install.patching import patchset, placement  # noqa: E402
from svi_install.patching.unified import unified  # noqa: E402
from tests import miniature  # noqa: E402

CALLS = (
    "openat,open,creat,write,pwrite64,writev,fsync,fdatasync,rename,renameat,renameat2,link,linkat,unlink,unlinkat,"
    "mkdir,mkdirat,rmdir,chmod,fchmod,fchmodat,chown,fchown,fchownat,ftruncate,truncate,utimensat,symlink,symlinkat,"
    "copy_file_range,sendfile,setxattr,lsetxattr,fsetxattr"
)
ERRORS = ("ENOSPC", "EACCES", "EIO")
SIZE = {"wgp.py": 800_000, "models/wan/any2video.py": 110_000, "models/wan/modules/model.py": 95_000}
OURS = """
import sys
from pathlib import Path
sys.path.insert(0, {source!r})
from svi_install.writing import transaction
from svi_install.writing.change import Change, Plan
root = Path(sys.argv[1])
if sys.argv[2] == "again":
    transaction.recover(root)
pairs = [(path, Path({old!r}, path).read_bytes(), Path({new!r}, path).read_bytes()) for path in {paths!r}]
changes = tuple(Change(*pair) for pair in pairs if (root / pair[0]).read_bytes() != pair[2])
transaction.run(Plan("install", root, changes, {{}}))
"""
_LINE = re.compile(r"^(?:\d+\s+)?(\w+)\((.*)$")


@dataclass(frozen=True)
class Tool:
    """A patcher: its commands get the folder to work in as their current one.

    Attributes:
        name: for people.
        command: the job.
        again: what a person runs next when the job was interrupted.
        inside: where the three files are below the folder.
    """

    name: str
    command: tuple[str, ...]
    again: tuple[str, ...]
    inside: str = ""


@dataclass(frozen=True)
class Job:
    """The bytes before and after, by path."""

    old: dict[str, bytes]
    new: dict[str, bytes]


def make_job(newline: bytes = b"\n") -> Job:
    """Return the three files of the miniature, filled up to WanGP's size, without and with hooks."""
    patches = patchset.load()
    old: dict[str, bytes] = {}
    for path, data in miniature.files().items():
        line = b"# This line stands for the many that WanGP has here.\n"
        head, _, rest = data.partition(b"\n\n")
        old[path] = (head + b"\n\n" + line * ((SIZE[path] - len(data)) // len(line)) + rest).replace(b"\n", newline)
    new = {path: placement.place(patches.variants[path], path, old[path]).after for path in patches.paths}
    return Job({path: old[path] for path in patches.paths}, new)


def write(folder: Path, files: dict[str, bytes], inside: str = "") -> Path:
    """Write files below a folder."""
    for path, data in files.items():
        (folder / inside / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / inside / path).write_bytes(data)
    return folder


def tools(base: Path, job: Job, patch_package: Path | None) -> Iterator[Tool]:
    """Prepare the patchers."""
    write(base / "old", job.old)
    write(base / "new", job.new)
    code = OURS.format(source=str(ROOT), old=str(base / "old"), new=str(base / "new"), paths=list(job.old))
    (base / "ours.py").write_text(code)
    python = (sys.executable, "-B", str(base / "ours.py"), ".")
    yield Tool("svi-install", (*python, "first"), (*python, "again"))
    diff = base / "all.diff"
    diff.write_bytes(b"".join(unified(path, job.old[path], job.new[path]) for path in job.old))
    apply = ("git", "apply", str(diff))
    yield Tool("git apply", apply, apply)
    patch = ("patch", "-p1", "--batch", "--forward", "-i", str(diff))
    yield Tool("GNU patch", patch, patch)
    if patch_package is not None:
        node = ("node", str(patch_package / "node_modules" / "patch-package" / "index.js"))
        yield Tool("patch-package", node, node, "node_modules/wangp")


def fresh(tool: Tool, base: Path, job: Job) -> Path:
    """Make the folder that a patcher works in."""
    folder = base / "case"
    shutil.rmtree(folder, ignore_errors=True)
    write(folder, job.old, tool.inside)
    if tool.inside:
        package = '{"name": "wangp", "version": "1.0.0"}'
        (folder / tool.inside / "package.json").write_text(package)
        (folder / "package.json").write_text('{"name": "x", "version": "1.0.0", "dependencies": {"wangp": "1.0.0"}}')
        (folder / "package-lock.json").write_text('{"lockfileVersion": 3}')
        (folder / "patches").mkdir()
        parts = (unified(f"{tool.inside}/{path}", job.old[path], job.new[path]) for path in job.old)
        (folder / "patches" / "wangp+1.0.0.patch").write_bytes(b"".join(parts))
    return folder


def points(tool: Tool, base: Path, job: Job) -> list[tuple[str, int]]:
    """Run once under strace and return each changing call in the folder as its name and its number of that name."""
    folder = fresh(tool, base, job)
    log = base / "strace.log"
    command = ["strace", "-f", "-y", "-qq", "-e", f"trace={CALLS}", "-e", "signal=none", "-o", str(log), *tool.command]
    subprocess.run(command, cwd=folder, capture_output=True, check=True)
    seen: Counter[tuple[str, str]] = Counter()
    found = []
    for line in log.read_text("utf-8", "replace").splitlines():
        match = _LINE.match(line)
        if match is None:
            continue
        thread, name, rest = line.split()[0], match[1], match[2]
        seen[thread, name] += 1
        reads = name in ("open", "openat") and not re.search(r"O_(WRONLY|RDWR|CREAT)", rest)
        inside = str(folder) in rest or re.match(r'(AT_FDCWD(<[^>]*>)?, )?"[^/]', rest)
        if inside and not reads:
            found.append((name, seen[thread, name]))
    return found


def judge(folder: Path, tool: Tool, job: Job, names: set[str]) -> str:
    """Say what lies there: ``old``, ``new``, ``mixed`` or ``torn``; a plus sign stands for litter."""
    kinds = set()
    for path, old in job.old.items():
        file = folder / tool.inside / path
        data = file.read_bytes() if file.is_file() else None
        kinds.add("old" if data == old else "new" if data == job.new[path] else "torn")
    kind = "torn" if "torn" in kinds else "mixed" if len(kinds) > 1 else kinds.pop()
    litter = {str(path.relative_to(folder)) for path in folder.rglob("*")} - names
    return f"{kind}+" if litter else kind


def measure(tool: Tool, base: Path, job: Job) -> tuple[int, int, Counter[str], Counter[str]]:
    """Interrupt a patcher everywhere; return calls, cases and what was found directly and after the next command."""
    places = points(tool, base, job)
    directly: Counter[str] = Counter()
    afterwards: Counter[str] = Counter()
    names = {str(path.relative_to(base / "case")) for path in fresh(tool, base, job).rglob("*")}
    for name, number in places:
        for what in ("signal=SIGKILL", *(f"error={error}" for error in ERRORS)):
            folder = fresh(tool, base, job)
            inject = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"inject={name}:{what}:when={number}"]
            subprocess.run([*inject, *tool.command], cwd=folder, capture_output=True, check=False)
            directly[judge(folder, tool, job, names)] += 1
            subprocess.run(tool.again, cwd=folder, capture_output=True, check=False)
            afterwards[judge(folder, tool, job, names)] += 1
    return len(places), sum(directly.values()), directly, afterwards


def takes_crlf(tool: Tool, base: Path, job: Job) -> bool:
    """Tell whether a patcher made for LF files can do its job on a checkout with CRLF."""
    folder = fresh(tool, base, job)
    wanted = make_job(b"\r\n")
    write(folder, wanted.old, tool.inside)
    if tool.name == "svi-install":
        # It places the hooks in what is there instead of keeping finished diffs.
        patches = patchset.load()
        return all(
            placement.place(patches.variants[path], path, old).after == wanted.new[path]
            for path, old in wanted.old.items()
        )
    subprocess.run(tool.command, cwd=folder, capture_output=True, check=False)
    return all((folder / tool.inside / path).read_bytes() == data for path, data in wanted.new.items())


def main() -> None:
    """Measure and print one line for each patcher."""
    patch_package = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else None
    job = make_job()
    print("directly | after the next command; + means that other files were left", flush=True)
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        base = Path(folder)
        # GNU patch renames its temporary files into place only when they lie on the same disk.
        (base / "tmp").mkdir()
        os.environ["TMPDIR"] = str(base / "tmp")
        for tool in tools(base, job, patch_package):
            calls, cases, directly, afterwards = measure(tool, base, job)
            crlf = "CRLF yes" if takes_crlf(tool, base, job) else "CRLF no"
            print(
                f"{tool.name:14} {calls:3} calls {cases:4} cases  {_show(directly)} | {_show(afterwards)}  {crlf}",
                flush=True,
            )


def _show(counts: Counter[str]) -> str:
    return ", ".join(f"{kind} {count}" for kind, count in sorted(counts.items()))


if __name__ == "__main__":
    main()
