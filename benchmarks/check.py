"""`svi-install check` against `git apply --check`, in one run: ``python benchmarks/check.py GIT [ROUNDS]``.

The yardstick asks git about each release and each file with a process of its own, as a script would, on files that were
written out before the clock starts; it places only, where check also proves that the result compiles. The runs take
turns, and the best of each counts. Beside the seconds on the clock stand those that the processors worked, which a
busy machine changes less.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from svi_install.history import repository  # noqa: E402
from svi_install.history.judge import jobs_of  # noqa: E402
from svi_install.package_data import data_folder  # noqa: E402
from svi_install.patching import patchset  # noqa: E402


def write_out(git: Path, folder: Path) -> list[tuple[Path, Path]]:
    """Write every release's files out once; return a folder and a diff for each process of the yardstick."""
    patches = patchset.load()
    calls = []
    for release, commit in patches.commits.items():
        (row,) = jobs_of(git, [commit], patches.paths)
        target = folder / commit
        jobs = [job for job in row if job]
        for job, data in zip(jobs, repository.read_blobs(git, [job.blob for job in jobs]), strict=True):
            (target / job.path).parent.mkdir(parents=True, exist_ok=True)
            (target / job.path).write_bytes(data)
            variant = next(item for item in patches.variants[job.path] if release in item.releases)
            calls.append((target, (data_folder("patches") / variant.diff).resolve()))
    return calls


def measured(run: Callable[[], str]) -> tuple[float, float, str]:
    """Return the seconds on the clock, those that the processors worked, and what the run says."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    said = run()
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, said


def git_apply(calls: Sequence[tuple[Path, Path]]) -> str:
    """Ask git about each file of each release."""
    for folder, diff in calls:
        subprocess.run(["git", "apply", "--check", str(diff)], cwd=folder, check=True, capture_output=True)
    return f"{len(calls)} processes; places only, compiles nothing"


def ours(git: Path, *options: str) -> str:
    """Run the command as a person would; return its first line."""
    command = [sys.executable, "-m", "svi_install", "check", str(git), *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.partition("\n")[0]


def main() -> int:
    """Measure and print one line per run, and the ratio."""
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    git = repository.open_history(sys.argv[1])
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    with tempfile.TemporaryDirectory() as name:
        calls = write_out(git, Path(name))
        runs: dict[str, Callable[[], str]] = {
            "check": lambda: ours(git),
            "check --all-commits": lambda: ours(git, "--all-commits"),
            "git apply --check": lambda: git_apply(calls),
        }
        turns = [{key: measured(run) for key, run in runs.items()} for _ in range(rounds)]
    found = {key: min(turn[key] for turn in turns) for key in runs}
    print(f"{os.cpu_count()} processors, best of {rounds}, load {os.getloadavg()[0]:.1f}")
    for key, goal in zip(runs, ("goal 5 s", "goal 15 s", "yardstick"), strict=True):
        seconds, worked, said = found[key]
        print(f"{key:20} {seconds:6.2f} s  {worked:6.2f} s worked  {goal:10} {said}")
    mine, git_own = found["check"], found["git apply --check"]
    print(f"ratio of check to git apply: {mine[0] / git_own[0]:.2f} on the clock, {mine[1] / git_own[1]:.2f} worked")
    return 0


if __name__ == "__main__":
    sys.exit(main())
