"""``svi-install repair-patches``: propose the diffs for a WanGP that is refused, for a person to review."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import EXIT_DONE, EXIT_UNSUPPORTED, SviError, counted
from ..history import repository
from ..history.git_environment import Progress, environment
from ..history.judge import jobs_of, judge_text
from ..history.repair import Repair, repair
from ..package_data import data_folder
from ..patching.patchset import TABLE, load
from ..report.result import Line, Result

FAILED = "real WanGP: FAILED"


def repair_patches(
    source: str | None,
    revision: str,
    *,
    output: Path | None = None,
    patches: Path | None = None,
    smoke: bool = True,
    progress: Progress = repository.silent,
) -> Result:
    """Propose a diff for each file of a revision that is refused; the patch set itself stays as it is.

    Args:
        source: a git clone or a URL; WanGP's own repository when None.
        revision: the commit that was refused.
        output: write the whole candidate patch set to this new folder.
        patches: another folder with a patch set.
        smoke: run the real WanGP with the candidate where the laboratory for it is.
        progress: told how far a transfer has come.

    Returns:
        The result with the diffs and what proves them; exit code 4 when a hook has no sure place, or when the real
        WanGP fails with the candidate.

    Raises:
        SviError: no history, no such revision, or the output folder exists already.
    """
    folder = patches or data_folder("patches")
    patchset = load(folder)
    git = repository.open_history(source, progress=progress)
    commit = repository.resolve(git, revision)
    (row,) = jobs_of(git, [commit], patchset.paths)
    main = next((job for job in row if job and job.path == patchset.paths[-1]), None)
    data = b"".join(repository.read_blobs(git, [main.blob])) if main else b""
    name = (judge_text(patchset.variants, main, data).version if main else "") or commit[:10]
    found = repair(git, patchset, commit, name)
    if not found:
        return Result("repair-patches", "unchanged", f"WanGP {name} ({commit[:10]}) is not refused: nothing to repair.")
    solved = all(item.diff for item in found)
    proof: list[str] = []
    if solved:
        if output is not None and output.exists():
            raise SviError("exists", f"{output} exists already and was left alone.", "Name a new folder.")
        with tempfile.TemporaryDirectory(prefix="svi-install-") as scratch:
            target = output or Path(scratch) / "patches"
            write_candidate(folder, target, found, name, commit)
            proof = [*prove_candidate(git, target, commit), *(run_smoke(git, target, commit) if smoke else [])]
    failed = any(FAILED in line for line in proof)
    release = f"WanGP {name} ({commit[:10]})"
    if not solved:
        headline = f"{release} needs a person: a hook has no sure place."
    elif failed:
        headline = f"{release} needs a person: the real WanGP fails with the {len(found)} proposed diffs."
    else:
        headline = f"Proposed {counted(len(found), 'diff')} for {release}; review before use."
    return Result(
        "repair-patches",
        "done",
        headline,
        body=tuple(_body(found, proof)),
        notes=(f"The candidate patch set is in {output}.",) if solved and output else (),
        extra=_extra(found, name, commit, proof),
        exit_code=EXIT_DONE if solved and not failed else EXIT_UNSUPPORTED,
    )


def write_candidate(folder: Path, target: Path, found: Sequence[Repair], name: str, commit: str) -> None:
    """Copy a patch set to a new folder and add the proposed diffs, for a release and its commit, to the copy."""
    shutil.copytree(folder, target)
    table: dict[str, Any] = json.loads((target / TABLE).read_text(encoding="utf-8"))
    release = name if table["releases"].get(name, commit) == commit else f"{name} ({commit[:10]})"
    table["releases"][release] = commit
    for item in found:
        entry = table["files"][item.path]
        stem = f"{Path(item.path).stem}-{name}"
        file = f"{stem}.diff" if not (target / f"{stem}.diff").exists() else f"{stem}-{commit[:10]}.diff"
        (target / file).write_bytes(item.diff.encode())
        entry["variants"].append({"name": Path(file).stem, "diff": file, "releases": [release]})
        for hook in entry["hooks"]:
            for function in (item.functions or {}).get(hook["name"], ()):
                hook["functions"].setdefault(function, release)
    (target / TABLE).write_bytes(json.dumps(table, indent=2).encode() + b"\n")


def prove_candidate(git: Path, folder: Path, commit: str) -> list[str]:
    """Hold a candidate patch set against the revision that it is for, and against git itself.

    Returns:
        What was proven, one line each.

    Raises:
        SviError: the candidate does not do what it is for.
    """
    candidate = load(folder)
    (row,) = jobs_of(git, [commit], candidate.paths)
    lines = []
    with tempfile.TemporaryDirectory(prefix="svi-install-") as scratch:
        for job in row:
            if job is None:
                continue
            (data,) = repository.read_blobs(git, [job.blob])
            verdict = judge_text(candidate.variants, job, data)
            if verdict.refusals:
                raise SviError("bad-candidate", f"The candidate does not work: {job.path}: {verdict.refusals[0].why}.")
            target = Path(scratch, job.path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
            newest = candidate.variants[job.path][-1].diff
            done = subprocess.run(
                ["git", "apply", "--check", str((folder / newest).resolve())],
                cwd=scratch,
                capture_output=True,
                check=False,
                env=environment(),
            )
            how = "takes" if done.returncode == 0 else "does not take"
            lines.append(f"{job.path}: all hooks placed; plain git apply {how} {newest}")
    return lines


def run_smoke(git: Path, folder: Path, commit: str) -> list[str]:
    """Generate with the real WanGP and the candidate, where a source tree with its laboratory is.

    Returns:
        How it went, one line.
    """
    tree = Path(__file__).resolve().parents[2]
    if not (tree / "tests" / "wangp" / "smoke.py").is_file():
        return ["real WanGP: not run, this is not a source tree"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.wangp.smoke", str(git), commit, str(folder.resolve())],
        cwd=tree,
        capture_output=True,
        text=True,
        check=False,
    )
    said = (done.stdout or done.stderr).strip().splitlines()
    return [f"real WanGP: {said[-1] if said else f'exit code {done.returncode}'}"]


def _body(found: Sequence[Repair], proof: Sequence[str]) -> list[Line]:
    lines: list[Line] = []
    for item in found:
        lines += [(), ((item.path, "bold"),)]
        for anchor in item.anchors:
            lines += [
                ((f"  hook {anchor.hook}: line {anchor.line} ({', '.join(anchor.reasons)})", ""),),
                ((f"    was  {anchor.was}", "red"),),
                ((f"    now  {anchor.now}", "green"),),
            ]
        if item.why_not:
            lines.append(((f"  {item.why_not}", "yellow"),))
        lines += [((f"  {text}", ""),) for text in item.proof]
        lines += [((text, ""),) for text in ["", *item.diff.splitlines()] if item.diff]
    return [*lines, *([()] if proof else []), *(((text, ""),) for text in proof)]


def _extra(found: Sequence[Repair], name: str, commit: str, proof: Sequence[str]) -> dict[str, Any]:
    return {
        "version": name,
        "commit": commit,
        "proof": list(proof),
        "files": [
            {
                "path": item.path,
                "diff": item.diff or None,
                "why_not": item.why_not or None,
                "functions": {hook: list(names) for hook, names in (item.functions or {}).items()},
                "anchors": [
                    {
                        "hook": a.hook,
                        "line": a.line,
                        "was": a.was,
                        "now": a.now,
                        "function": a.function,
                        "score": a.score,
                    }
                    for a in item.anchors
                ],
            }
            for item in found
        ],
    }
