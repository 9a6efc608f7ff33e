"""Makes the test environment and runs every check and test: ``python3 tests/run.py [pytest arguments]``.

Standard library only, so that Python 3.10 or newer is all that a new machine needs. Where the WanGP history is there
(``WANGP_GIT`` or ``~/.config/svi-install/wangp-git``), the tests with the real WanGP run too, in an environment of
2.3 GB that is made once; ``SVI_TEST_WANGP=0`` leaves them out.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv-test"
LAB_VENV = ROOT / ".venv-wangp"
STAMP = "pyproject.sha256"
COVERAGE = "coverage.json"
RUNTIME = "svi_install/runtime/"
REAL = "tests/wangp"
APPEND = ["--cov-append"]
# Percent of lines and branches; 100 for the modules that write, or decide what is written.
GATE = 90
CORE = {
    "patching": "patchset placement hooks syntax diffs known plan state unified",
    "writing": "transaction journal receipt recovery index git_folder",
    "gitfilter": "sections drivers hooking smudge",
    "checkout": "inspection mp4",
}
GATES = {f"svi_install/{room}/{name}.py": 100 for room, names in CORE.items() for name in names.split()}


def python(venv: Path) -> str:
    """Return the Python of an environment."""
    return str(venv / "Scripts" / "python.exe" if sys.platform == "win32" else venv / "bin" / "python")


def step(name: str, command: Sequence[str], env: Mapping[str, str] | None = None) -> bool:
    """Run one step and say how it went."""
    print(f"== {name}", flush=True)
    start = time.monotonic()
    code = subprocess.run(command, cwd=ROOT, env={**os.environ, **(env or {})}, check=False).returncode
    print(
        f"== {name}: {'ok' if code == 0 else f'FAILED (exit code {code})'}, {time.monotonic() - start:.0f} s",
        flush=True,
    )
    return code == 0


def environment() -> bool:
    """Make the test environment, or bring it up to date when pyproject.toml changed."""
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    stamp = VENV / STAMP
    if stamp.is_file() and stamp.read_text("utf-8") == wanted and Path(python(VENV)).exists():
        return True
    made = step("test environment", [sys.executable, "-m", "venv", str(VENV)])
    pip = [python(VENV), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-e", ".[test]"]
    if not (made and step("test packages", pip)):
        return False
    in_ascii(VENV)
    stamp.write_text(wanted, "utf-8")
    return True


def in_ascii(venv: Path) -> None:
    """Let an editable install in a folder with an umlaut be found in the locale C, where Python reads it as ASCII."""
    for path in venv.rglob("_editable_*.pth"):
        text = path.read_text("utf-8").strip()
        if not text.isascii():
            path.write_text(f"import sys; sys.path.append({text!a})\n", "ascii")


def wangp_git() -> str:
    """Return the git directory of WanGP's history, or an empty string."""
    named = os.environ.get("WANGP_GIT", "")
    pointer = Path.home() / ".config" / "svi-install" / "wangp-git"
    if not named and pointer.is_file():
        named = pointer.read_text("utf-8").strip()
    return named if named and Path(named).exists() else ""


class Laboratory:
    """The environment of the tests with the real WanGP, made beside other steps where its history is."""

    def __init__(self) -> None:
        self._git = wangp_git()
        self._folder = Path(os.environ.get("LAB_VENV") or LAB_VENV)
        self._making: subprocess.Popen[bytes] | None = None
        self._start = time.monotonic()
        if not self._git or os.environ.get("SVI_TEST_WANGP") == "0":
            print("== WanGP's history is not here or not wanted: tests that need it skip and say so", flush=True)
            return
        print("== laboratory of the real WanGP: begun", flush=True)
        command = [python(VENV), "tests/wangp/setup_lab.py", str(self._folder)]
        self._says = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as it is made
        self._making = subprocess.Popen(command, cwd=ROOT, stdout=self._says, stderr=subprocess.STDOUT)

    @property
    def env(self) -> dict[str, str]:
        """Variables for tests that need no more than the history."""
        return {"WANGP_GIT": self._git} if self._making is not None else {}

    def made(self) -> tuple[dict[str, str], str]:
        """Wait until it is made.

        Returns:
            Variables for the tests, and why tests with the real WanGP skip, empty where they run.
        """
        if self._making is None:
            return {}, "the real WanGP is not wanted" if self._git else "no WanGP history here"
        code = self._making.wait()
        with self._says:
            self._says.seek(0)
            print(self._says.read().decode("utf-8", "replace"), end="")
        how = "ok" if code == 0 else f"FAILED (exit code {code})"
        print(f"== laboratory of the real WanGP: {how}, after {time.monotonic() - self._start:.0f} s", flush=True)
        if code:
            print("== the laboratory cannot be made: tests that need it skip and say so", flush=True)
            return self.env, "no laboratory of the real WanGP"
        return {**self.env, "LAB_VENV": str(self._folder)}, ""


def coverage_gates(with_runtime: bool) -> bool:
    """Hold the measured coverage against the gates; modules that no test imported count as uncovered.

    Args:
        with_runtime: whether the tests of the runtime ran; they need torch, which only the laboratory has.
    """
    report = json.loads((ROOT / COVERAGE).read_text("utf-8"))
    summaries = {name.replace("\\", "/"): entry["summary"] for name, entry in report["files"].items()}
    files = {name: summary["percent_covered"] for name, summary in summaries.items()}
    counted = [each for name, each in summaries.items() if with_runtime or not name.startswith(RUNTIME)]
    covered = sum(each["covered_lines"] + each["covered_branches"] for each in counted)
    total = 100 * covered / sum(each["num_statements"] + each["num_branches"] for each in counted)
    failures = [
        f"{name}: {files.get(name, 0):.1f} %, wanted {gate} %"
        for name, gate in GATES.items()
        if files.get(name, 0) < gate
    ]
    if total < GATE:
        failures.append(f"all modules: {total:.1f} %, wanted {GATE} %")
    print(
        "\n".join([f"== coverage {total:.1f} % of lines and branches", *(f"   {line}" for line in failures)]),
        flush=True,
    )
    return not failures


def counted(name: str, command: Sequence[str], env: Mapping[str, str], counts: list[dict[str, Any]]) -> bool:
    """Run one step of tests and add what it counted; a run that counts nothing has not passed."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "counts.json"
        fine = step(name, command, {**env, "SVI_TEST_COUNTS": str(file)})
        if file.is_file():
            counts.append(json.loads(file.read_text("utf-8")))
            return fine
    return False


def last_line(fine: bool, counts: Sequence[Mapping[str, Any]], without: str) -> str:
    """Say how it went, with what was left out, so that nobody takes a run without the real WanGP for the whole.

    Args:
        fine: whether every step passed.
        counts: of the steps that ran tests.
        without: why tests with the real WanGP skipped, empty where they ran.
    """
    words = {"passed": "passed", "failed": "failed", "error": "in error", "xfailed": "expected failures"}
    totals = {kind: sum(each[kind] for each in counts) for kind in (*words, "skipped")}
    parts = [f"{totals[kind]} {word}" for kind, word in words.items() if totals[kind] or kind == "passed"]
    reasons: Counter[str] = sum((Counter(each["reasons"]) for each in counts), Counter())
    if totals["skipped"]:
        most = [f"{number} x {' '.join(reason.split())[:60]}" for reason, number in reasons.most_common(3)]
        parts.append(f"{totals['skipped']} skipped ({'; '.join([*([without] if without else []), *most])})")
    return f"== {'all passed' if fine else 'FAILED'}: {', '.join(parts)}"


def main(arguments: Sequence[str]) -> int:
    """Run all steps, the fast ones first, and go on after a failure so that one run shows everything."""
    if sys.version_info < (3, 10):  # noqa: UP036 - a person may start this with any Python
        print(f"The tests need Python 3.10 or newer; this is {sys.version.split()[0]}.", file=sys.stderr)
        return 1
    if not environment():
        return 1
    tool = [python(VENV), "-m"]
    lab = Laboratory()
    passed = [
        step("lint", [*tool, "ruff", "check", "."]),
        step("format", [*tool, "ruff", "format", "--check", "."]),
        step("types", [*tool, "mypy"]),
    ]
    counts: list[dict[str, Any]] = []
    tests = [*tool, "pytest", "--durations=60"]
    if arguments:
        # A part of the tests says nothing about the coverage of all.
        env, without = lab.made()
        passed.append(counted("tests", [*tests, *arguments], env, counts))
    else:
        measure = ["--cov", "--cov-report=", f"--cov-report=json:{COVERAGE}"]
        # What the tests of a file share is made once, so a file stays in one process. xdist's groups of files
        # ("loadgroup") would share more, but 3.8 does not see them under pytest 9.
        # One process more than there are processors: tests that wait for a program of theirs leave one idle.
        beside = ["-n", str(1 + (os.cpu_count() or 1)), "--dist", "loadfile", "--no-loadscope-reorder"]
        passed.append(counted("tests", [*tests, *measure, *beside, "--ignore", REAL], lab.env, counts))
        measure += APPEND
        env, without = lab.made()
        if "LAB_VENV" in env:
            torch = [python(Path(env["LAB_VENV"])), "-m", "pytest", "-q", *measure]
            passed.append(counted("runtime with torch", [*torch, "tests/runtime"], env, counts))
        passed.append(counted("tests on the real WanGP", [*tests, *measure, *beside, REAL], env, counts))
        passed.append(coverage_gates("LAB_VENV" in env))
    print(last_line(all(passed), counts, without), flush=True)
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
