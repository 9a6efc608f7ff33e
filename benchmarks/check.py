"""`svi-install check` against `git apply --check`, in one run: ``python benchmarks/check.py GIT [ROUNDS]``.

The yardstick asks git about each release and each file with a process of its own, as a script would, on files that were
written out before the clock starts. The runs alternate, and the best of each counts.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from svi_install import history, patchset  # noqa: E402
from svi_install.data import data_folder  # noqa: E402
from svi_install.judge import jobs_of  # noqa: E402


def write_out(git: Path, folder: Path) -> list[tuple[Path, Path]]:
    """Write every release's files out once; return a folder and a diff for each process of the yardstick."""
    patches = patchset.load()
    calls = []
    for release, commit in patches.commits.items():
        (row,) = jobs_of(git, [commit], patches.paths)
        target = folder / commit
        jobs = [job for job in row if job]
        for job, data in zip(jobs, history.read_blobs(git, [job.blob for job in jobs]), strict=True):
            (target / job.path).parent.mkdir(parents=True, exist_ok=True)
            (target / job.path).write_bytes(data)
            variant = next(item for item in patches.variants[job.path] if release in item.releases)
            calls.append((target, (data_folder("patches") / variant.diff).resolve()))
    return calls


def git_apply(calls: Sequence[tuple[Path, Path]]) -> float:
    """Ask git about each file of each release; return the seconds."""
    start = time.perf_counter()
    for folder, diff in calls:
        subprocess.run(["git", "apply", "--check", str(diff)], cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - start


def ours(git: Path, *options: str) -> tuple[float, str]:
    """Run the command as a person would; return the seconds and its first line."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "svi_install", "check", str(git), *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return time.perf_counter() - start, done.stdout.partition("\n")[0]


def main() -> int:
    """Measure and print one line per run, and the ratio."""
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    git = history.open_history(sys.argv[1])
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    with tempfile.TemporaryDirectory() as name:
        calls = write_out(git, Path(name))
        best = {"releases": float("inf"), "commits": float("inf"), "git apply": float("inf")}
        said = {}
        for _ in range(rounds):
            for key, options in (("releases", ()), ("commits", ("--all-commits",))):
                seconds, said[key] = ours(git, *options)
                best[key] = min(best[key], seconds)
            best["git apply"] = min(best["git apply"], git_apply(calls))
    print(f"{os.cpu_count()} processors, best of {rounds}, load {os.getloadavg()[0]:.1f}")
    print(f"check                 {best['releases']:6.2f} s  goal 5   {said['releases']}")
    print(f"check --all-commits   {best['commits']:6.2f} s  goal 15  {said['commits']}")
    print(f"git apply --check     {best['git apply']:6.2f} s  {len(calls)} processes; places only, compiles nothing")
    print(f"ratio of check to git apply --check: {best['releases'] / best['git apply']:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
