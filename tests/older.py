"""A svi-install of another day: other hook lines, other runtime files, another profile."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

from svi_install.patching import plan
from svi_install.patching.patchset import Hunk, PatchSet, Variant
from svi_install.writing import transaction

RUNTIME = {"svi_wangp/clip.py": b"CLIP = 1\n", "svi_wangp/__init__.py": b"from .clip import CLIP\n"}
PROFILES = {"loras/wan_i2v/SVI.json": b'{"svi": 1}\n', "profiles/new/SVI 2.2.json": b"{}\n"}
OTHER_RUNTIME = {"svi_wangp/long.py": b"LONG = 1\n", "svi_wangp/__init__.py": b"from .long import LONG\n"}
OTHER_PROFILES = {"loras/wan_i2v/SVI.json": b'{"svi": 0}\n', "loras/old/SVI Old.json": b"{}\n"}


OTHER_LINES = {
    "clip": ('if globals().get("svi"): svi.attach(wan_model)  # svi-install',),
    "latents": ('if "svi" in bbargs: pass  # svi-install', 'if "svi" in bbargs: bbargs["svi"].pin(y)  # svi-install'),
    "keys": (
        "try: from svi_wangp import keys; sd = keys(sd)  # svi-install",
        "except ImportError: sd = sd  # svi-install",
    ),
}


def other(patchset: PatchSet) -> PatchSet:
    """Return the patch set with hook lines that differ in text and number."""
    variants = {
        path: tuple(variant._replace(hunks=tuple(map(_other_hunk, variant.hunks))) for variant in items)
        for path, items in patchset.variants.items()
    }
    return patchset._replace(version="0" * 12, variants=MappingProxyType(variants))


def _other_hunk(hunk: Hunk) -> Hunk:
    indent = hunk.added[0][: len(hunk.added[0]) - len(hunk.added[0].lstrip())]
    lines = OTHER_LINES.get(hunk.hook)
    return hunk if lines is None else hunk._replace(added=tuple(indent + line for line in lines))


def first(patchset: PatchSet) -> PatchSet:
    """Return the patch set whose hooks called the runtime ``svi``: the first ones, now retired."""
    variants = {
        path: tuple(variant._replace(hunks=_first_hunks(variant), retired=()) for variant in items)
        for path, items in patchset.variants.items()
    }
    return patchset._replace(version="1" * 12, variants=MappingProxyType(variants))


def _first_hunks(variant: Variant) -> tuple[Hunk, ...]:
    retired = iter(variant.retired)
    hunks = tuple(
        hunk._replace(added=tuple(line[: len(line) - len(line.lstrip())] + next(retired) for line in hunk.added))
        for hunk in variant.hunks
    )
    assert not list(retired)
    return hunks


def install(root: Path, patchset: PatchSet) -> plan.Plan:
    """Install with the small runtime and profiles of today."""
    made = plan.plan_install(root, patchset, RUNTIME, PROFILES)
    transaction.run(made)
    return made


def install_other(root: Path, patchset: PatchSet) -> plan.Plan:
    """Install with the other svi-install."""
    made = plan.plan_install(root, other(patchset), OTHER_RUNTIME, OTHER_PROFILES)
    transaction.run(made)
    return made


def revert(root: Path, patchset: PatchSet) -> plan.Plan:
    """Revert with today's svi-install."""
    made = plan.plan_revert(root, patchset, RUNTIME, PROFILES)
    transaction.run(made)
    return made


def revert_other(root: Path, patchset: PatchSet) -> plan.Plan:
    """Revert with the other svi-install."""
    made = plan.plan_revert(root, other(patchset), OTHER_RUNTIME, OTHER_PROFILES)
    transaction.run(made)
    return made
