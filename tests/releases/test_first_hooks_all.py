"""The first hooks in WanGP releases: they are outdated, are upgraded to today's, and go out byte for byte.

Every eighth release; all with ``SVI_TEST_ALL=1``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from svi_install.patching import patchset, plan, state
from svi_install.writing import transaction
from tests.every import some
from tests.older import RUNTIME, first
from tests.releases.test_install_all import releases, sources, tree  # noqa: F401 (a fixture)

# Other tests cover the same lines; counting them here would double the time.
pytestmark = [pytest.mark.releases, pytest.mark.no_cover]

PATCHES = patchset.load()
FIRST = first(PATCHES)


def test_releases_upgraded_and_out(
    tmp_path: Path,
    sources: dict[tuple[str, str], bytes],  # noqa: F811
    hurried: None,
) -> None:
    wrong = {}
    assert len(releases()) == 172
    for number, (release, _) in enumerate(some(releases(), 8)):
        root = tmp_path / release.strip("<")
        newline = b"\r\n" if number % 2 else b"\n"
        for path in PATCHES.paths:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(sources[release, path].replace(b"\n", newline))
        before = tree(root)
        facts = {}
        for upgrade in (False, True):
            transaction.run(plan.plan_install(root, FIRST, RUNTIME, {}))
            facts[f"outdated {upgrade}"] = state.read(root, PATCHES, RUNTIME).name == "outdated"
            if upgrade:
                transaction.run(plan.plan_install(root, PATCHES, RUNTIME, {}))
                facts["upgraded"] = state.read(root, PATCHES, RUNTIME).name == "installed"
                facts["none left"] = all(b"svi.attach(" not in tree(root)[path] for path in PATCHES.paths)
            transaction.run(plan.plan_revert(root, PATCHES, RUNTIME, {}))
            facts[f"byte for byte {upgrade}"] = tree(root) == before
        if not all(facts.values()):
            wrong[release] = [name for name, good in facts.items() if not good]
    assert not wrong
