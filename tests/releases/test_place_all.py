"""Placing on the real WanGP: 172 releases and every commit of the main line, against anchors measured independently.

With CRLF line endings, and from a patch set that stopped at an older release, every sixth commit; all of them with
``SVI_TEST_ALL=1``.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from svi_install.history import repository
from svi_install.history.judge import Job, jobs_of, judge
from svi_install.history.releases import check, releases
from svi_install.package_data import data_folder
from svi_install.patching import patchset
from svi_install.patching.patchset import known_at
from svi_install.patching.placement import PlacementError, place, remove_hooks
from tests.every import some

pytestmark = pytest.mark.releases

PATCHES = patchset.load()
RELEASES = 172
COMMITS = 709
# What the anchors looked like when they were measured: the hook, the pattern, and whether the hook follows the line.
ANCHORS = {
    "install": (r'if __name__ == "__main__":', False),
    "clip": (r"[ \t]+samples = wan_model\.generate\(", False),
    "stitch": (r"[ \t]+elif sliding_window and window_no > 1 and reuse_frames > 0:", True),
    "schedule": (r"[ \t]+seed_g\.manual_seed\(seed\)", True),
    "condition": (r"[ \t]+lat_y = self\.vae\.encode\(\[enc\]", False),
    "latents": (r"[ \t]+overlapped_latents_frames_num = int\(1 \+ \(preframes_count-1\) // 4\)", True),
    "noise": (r"[ \t]+latents = torch\.randn\(batch_size, \*target_shape, .*generator=seed_g\)", True),
    "keys": (r"        first = next\(iter\(sd\), None\)", False),
}
# Upstream's own accidents: a commit with conflict markers, and a release that does not compile.
CONFLICT = "eaf01e614500446d8eeb2e1767dcd9c088df54d6"
BROKEN = "de660beb840f3b716e60a04b4eb844c2379083b7"


@pytest.fixture(scope="module")
def commits(git: Path) -> list[str]:
    """Every commit of the main line since 9.0."""
    return [item.commit.id for item in releases(git, PATCHES, all_commits=True)]


def contents(git: Path, commits: list[str]) -> Iterator[tuple[Job, bytes]]:
    """Yield each different content of each of the three files once."""
    jobs = dict.fromkeys(job for row in jobs_of(git, commits, PATCHES.paths) for job in row if job)
    yield from zip(jobs, repository.read_blobs(git, [job.blob for job in jobs]), strict=True)


def test_all_releases_and_all_commits_are_there(git: Path, commits: list[str]) -> None:
    assert len(PATCHES.commits) == RELEASES
    assert None not in repository.blob_ids(git, [f"{commit}^{{commit}}" for commit in PATCHES.commits.values()])
    assert len(commits) >= COMMITS


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"], ids=["lf", "crlf"])
def test_every_hook_of_every_commit_is_beside_its_anchor(git: Path, commits: list[str], newline: bytes) -> None:
    wanted = [*(commits if newline == b"\n" else some(commits, 12)), *(CONFLICT, BROKEN), *PATCHES.commits.values()]
    placed, refused, broken = 0, [], []
    for job, text in contents(git, wanted):
        data = text.replace(b"\n", newline)
        try:
            result = place(PATCHES.variants[job.path], job.path, data)
        except PlacementError as error:
            refused.append((job, error.refusals[0].why))
            continue
        if result.broken:
            broken.append(job)
        after = result.after.decode().replace("\r\n", "\n")
        lines = after.split("\n")
        for item in result.places:
            pattern, follows = ANCHORS[item.hook]
            size = len(next(h.added for h in PATCHES.variants[job.path][0].hunks if h.hook == item.hook))
            assert re.match(pattern, lines[item.line - 2 if follows else item.line - 1 + size]), (job, item)
            assert len(re.findall(rf"^{pattern}", after, re.MULTILINE)) == 1, (job, item)
        assert remove_hooks(PATCHES.variants[job.path], job.path, result.after) == data
        placed += len(result.places)
    conflict, first_12_24 = jobs_of(git, [CONFLICT, BROKEN], ["wgp.py"])
    assert [(job, why.split(" is ")[1]) for job, why in refused] == [
        (conflict[0], "a conflict marker: a merge was left unfinished")
    ]
    assert broken == [first_12_24[0]]
    assert placed > RELEASES * len(ANCHORS) / 2


def test_check_finds_every_release_patchable_and_one_commit_not(git: Path) -> None:
    verdicts = check(git, PATCHES, releases(git, PATCHES))
    assert len(verdicts) >= RELEASES
    assert [item.version for item in verdicts[:RELEASES] if not item.patchable] == []
    every = check(git, PATCHES, releases(git, PATCHES, all_commits=True), all_commits=True)
    assert [item.commit.id for item in every if not item.patchable] == [CONFLICT]
    (cause,) = next(item for item in every if not item.patchable).files[-1].causes
    assert cause.commit.id == CONFLICT


TOOLS = {"git": ("git", "apply"), "patch": ("patch", "-p1", "-F0", "-s", "-i")}


@pytest.mark.parametrize("tool", TOOLS)
def test_by_hand_the_named_diff_does_on_every_release_what_the_installer_does(
    git: Path, tmp_path: Path, tool: str
) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"{RELEASES} releases not tried by hand: {tool} is not here")
    folder = data_folder("patches")
    tried: set[tuple[str, str]] = set()
    for path in PATCHES.paths:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        for variant in PATCHES.variants[path]:
            rows = jobs_of(git, [PATCHES.commits[release] for release in variant.releases], [path])
            jobs = [job for row in rows for job in row if job]
            assert len(jobs) == len(variant.releases)
            once = list(dict.fromkeys(jobs))
            for job, data in zip(once, repository.read_blobs(git, [job.blob for job in once]), strict=True):
                (tmp_path / path).write_bytes(data)
                command = [*TOOLS[tool], str((folder / variant.diff).resolve())]
                done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
                assert done.returncode == 0, (variant.diff, job, done.stdout, done.stderr)
                assert (tmp_path / path).read_bytes() == place(PATCHES.variants[path], path, data).after, job
                tried.add((variant.diff, job.blob))
    assert len(tried) > RELEASES


def test_frozen_at_any_release_it_outlives_almost_everything_and_is_never_wrong(git: Path, commits: list[str]) -> None:
    tried = some(range(len(commits)), 12)
    rows = dict(zip(tried, jobs_of(git, [commits[number] for number in tried], PATCHES.paths), strict=True))
    wanted = [job for number in range(len(PATCHES.paths)) for row in rows.values() if (job := row[number])]
    position = {commit: number for number, commit in enumerate(commits)}
    judged = {}
    for release, commit in PATCHES.commits.items():
        if commit not in position:
            continue
        then = known_at(PATCHES, release)
        key = repr([(item.name, item.hunks) for items in then.variants.values() for item in items])
        if key not in judged:
            judged[key] = judge(git, wanted, then.variants, reference=PATCHES.variants)
        later = [row for number, row in rows.items() if number > position[commit]]
        found = [[judged[key][job] for job in row if job] for row in later]
        assert not [file for row in found for file in row if file.wrong], release
        placed = sum(not any(file.refusals for file in row) for row in found)
        assert placed >= 0.99 * len(later), release
    assert 1 < len(judged) < 10
