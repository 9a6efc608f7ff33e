"""The lock files: they agree with pyproject.toml, hold a hash for everything, and name no place to download from."""

from __future__ import annotations

import re
import sys
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
BACKEND = PROJECT["build-system"]["requires"]
WANTED = {
    "requirements.lock": [*PROJECT["project"]["dependencies"], *BACKEND],
    "drift.lock": PROJECT["project"]["optional-dependencies"]["drift"],
    ".github/release.lock": ["build>=1.2", "cyclonedx-bom>=7", *BACKEND],
    ".github/site.lock": PROJECT["project"]["optional-dependencies"]["site"],
}
PINNED = re.compile(r"([a-z0-9-]+)==([0-9][\w.]*)(?: ; ([^\\]+?))?((?: \\\n    --hash=sha256:[0-9a-f]{64})+)\n")


def pins(name: str) -> dict[str, list[tuple[str, str, int]]]:
    """Return versions, each with its marker and number of hashes, by package; the file must hold nothing else."""
    text = (ROOT / name).read_text("utf-8")
    first, _, rest = text.partition("\n")
    assert first == f"# Made by .github/lock.py from: {', '.join(WANTED[name])}", "run python .github/lock.py"
    assert PINNED.sub("", rest) == ""
    found: dict[str, list[tuple[str, str, int]]] = {}
    for match in PINNED.finditer(rest):
        found.setdefault(match[1], []).append((match[2], match[3] or "", match[4].count("sha256")))
    return found


def fits(marker: str, python: str) -> bool:
    return not marker or Marker(marker).evaluate({"python_full_version": f"{python}.1", "python_version": python})


@pytest.mark.parametrize("name", WANTED)
def test_everything_is_pinned_with_hashes_and_nothing_else_is_said(name: str) -> None:
    counts = [count for found in pins(name).values() for _, _, count in found]
    assert all(count >= 2 for count in counts), "a wheel and a source archive at least"
    assert not re.search(r"://|--index|--find|--extra|@|^-", (ROOT / name).read_text("utf-8"), re.MULTILINE)


@pytest.mark.parametrize("name", WANTED)
def test_the_lock_agrees_with_pyproject(name: str) -> None:
    found = pins(name)
    for text in WANTED[name]:
        wanted = Requirement(text)
        pinned = found[canonicalize_name(wanted.name)]
        for version_, _, _ in pinned:
            assert wanted.specifier.contains(version_), f"{text}: {version_} is locked; run python .github/lock.py"
        # Some packages leave an old Python behind; each Python has one version all the same.
        for python in ("3.10", "3.11", "3.12", "3.13", "3.14"):
            assert sum(fits(marker, python) for _, marker, _ in pinned) == 1, f"{text} on Python {python}"


def test_compiled_packages_have_files_for_every_system_and_python() -> None:
    # Four Pythons on six kinds of system, and the source archive.
    assert pins("requirements.lock")["pyyaml"][0][2] > 24
    # Three systems and kinds of processor at least, for each Python that a version is for, and the source archive.
    assert all(count > 5 for name in ("av", "numpy", "scipy") for _, _, count in pins("drift.lock")[name])


@pytest.mark.parametrize("name", WANTED)
def test_what_is_locked_needs_nothing_that_is_not(name: str) -> None:
    found = pins(name)
    looked = 0
    for package, pinned in found.items():
        try:
            if version(package) not in {each for each, _, _ in pinned}:
                continue
        except PackageNotFoundError:
            continue
        looked += 1
        for text in requires(package) or ():
            need = Requirement(text)
            if need.marker is None or any(
                need.marker.evaluate({"extra": "", "python_version": python, "sys_platform": system, "os_name": kind})
                for python in ("3.10", "3.13")
                for system, kind in (("linux", "posix"), ("win32", "nt"), ("darwin", "posix"))
            ):
                assert canonicalize_name(need.name) in found, f"{package} needs {text}"
    assert looked or name != "requirements.lock"


def test_every_environment_for_people_is_made_from_a_lock() -> None:
    workflows = (ROOT / ".github" / "workflows").glob("*.yml")
    installs = [
        line for path in workflows for line in path.read_text("utf-8").splitlines() if "install --quiet" in line
    ]
    assert len(installs) == 7
    for line in installs:
        assert "--require-hashes -r" in line or "--no-deps" in line or '-e ".[test]"' in line, line
    assert "python -m build --no-isolation" in (ROOT / ".github" / "workflows" / "release.yml").read_text("utf-8")
