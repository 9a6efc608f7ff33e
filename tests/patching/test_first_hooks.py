"""The first hooks called the runtime ``svi``: they are upgraded and taken out, and that name is WanGP's to use."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from svi_install.errors import SviError
from svi_install.patching import hooks, patchset, plan, state
from svi_install.writing import receipt, transaction
from tests import miniature
from tests.older import PROFILES, RUNTIME, first, install, revert

PATCHES = patchset.load()
FIRST = first(PATCHES)
NEWLINES = ["\n", "\r\n"]
# Lines of WanGP's own, each with the name that the first hooks used.
WGP_OWN = (
    ("import sys\n", "import sys\nimport models.wan.own as svi\nsvi.install(globals())\nerror = 'kept'\n"),
    ("        window_no += 1\n", "        window_no += 1\n        svi.attach(window_no)\n"),
    (
        "                frames_already_processed = sample\n",
        "                frames_already_processed = sample\n                svi.stitch(sample)\n",
    ),
    ("def main():\n", 'def main():\n    print(svi.seen, error, globals().get("svi_" + "wangp"))\n'),
)
ANY_OWN = (
    "        image_outputs = image_mode == 1\n",
    '        image_outputs = image_mode == 1 and bbargs["svi"].own\n',
)
OWN = """\
seen = []
def install(names):
    seen.append("install")
def attach(number):
    seen.append(number)
def stitch(sample):
    seen.append(sample)
"""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the disk has it in time is tested elsewhere."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


def snapshot(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def install_first(root: Path) -> None:
    transaction.run(plan.plan_install(root, FIRST, RUNTIME, PROFILES))


def edit(root: Path, path: str, old: str, new: str) -> None:
    data = (root / path).read_bytes()
    assert data.count(old.encode()) == 1
    (root / path).write_bytes(data.replace(old.encode(), new.encode()))


def own(root: Path) -> Path:
    """A WanGP with a module of its own under the name ``svi``."""
    miniature.write(root)
    for old, new in WGP_OWN:
        edit(root, miniature.WGP, old, new)
    edit(root, miniature.ANY2VIDEO, *ANY_OWN)
    (root / "models/wan/own.py").write_text(OWN)
    return root


@pytest.mark.parametrize("newline", NEWLINES, ids=["lf", "crlf"])
@pytest.mark.parametrize("flavour", ["base", "old", "newer", "newest"])
@pytest.mark.parametrize("with_receipt", [True, False])
class TestOlderInstall:
    def root(self, tmp_path: Path, flavour: str, newline: str) -> Path:
        return miniature.write(tmp_path / "WanGP", flavour, newline)

    def installed(self, root: Path, with_receipt: bool) -> None:
        install_first(root)
        if not with_receipt:
            (root / receipt.PATH).unlink()
        texts = [(root / path).read_bytes() for path in PATCHES.paths]
        assert sum(text.count(b"# svi-install") for text in texts) == 10
        assert sum(text.count(b"svi.attach(") for text in texts) == 1

    def test_it_is_outdated(self, tmp_path: Path, flavour: str, newline: str, with_receipt: bool) -> None:
        root = self.root(tmp_path, flavour, newline)
        self.installed(root, with_receipt)
        found = state.read(root, PATCHES, RUNTIME)
        assert (found.name, found.next_command) == ("outdated", f"svi-install {root}")

    def test_it_is_upgraded(self, tmp_path: Path, flavour: str, newline: str, with_receipt: bool) -> None:
        root = self.root(tmp_path, flavour, newline)
        fresh = self.root(tmp_path / "fresh", flavour, newline)
        install(fresh, PATCHES)
        self.installed(root, with_receipt)
        install(root, PATCHES)
        assert state.read(root, PATCHES, RUNTIME).name == "installed"
        for path in PATCHES.paths:
            assert (root / path).read_bytes() == (fresh / path).read_bytes()

    def test_it_is_taken_out(self, tmp_path: Path, flavour: str, newline: str, with_receipt: bool) -> None:
        root = self.root(tmp_path, flavour, newline)
        before = snapshot(root)
        self.installed(root, with_receipt)
        revert(root, PATCHES)
        assert snapshot(root) == before

    def test_upgraded_it_is_taken_out(self, tmp_path: Path, flavour: str, newline: str, with_receipt: bool) -> None:
        root = self.root(tmp_path, flavour, newline)
        before = snapshot(root)
        self.installed(root, with_receipt)
        install(root, PATCHES)
        revert(root, PATCHES)
        assert snapshot(root) == before


def test_it_is_named_even_when_the_version_is_the_same(tmp_path: Path) -> None:
    root = miniature.write(tmp_path / "WanGP")
    install_first(root)
    assert "An earlier build of svi-install version" in state.read(root, PATCHES, RUNTIME).details[0]


def test_an_old_install_that_lost_a_hook_is_partial(tmp_path: Path) -> None:
    root = miniature.write(tmp_path / "WanGP")
    install_first(root)
    (root / receipt.PATH).unlink()
    line = next(line for line in (root / "wgp.py").read_text().splitlines(True) if "svi.attach(" in line)
    edit(root, "wgp.py", line, "")
    assert state.read(root, PATCHES, RUNTIME).name == "partial"


@pytest.mark.parametrize(
    ("path", "line"),
    [(path, line) for path in PATCHES.paths for line in PATCHES.variants[path][0].retired],
)
def test_an_old_hook_line_that_lost_our_mark_is_never_left_behind(path: str, line: str, tmp_path: Path) -> None:
    root = miniature.write(tmp_path / "WanGP")
    install_first(root)
    (root / receipt.PATH).unlink()
    edit(root, path, line, line.removesuffix("  # svi-install"))
    before = snapshot(root)
    assert state.read(root, PATCHES, RUNTIME).name == "edited"
    for command in (install, revert):
        with pytest.raises(SviError, match="somebody changed a line of svi-install") as caught:
            command(root, PATCHES)
        assert line.removesuffix("  # svi-install") in caught.value.message
    assert snapshot(root) == before


class TestNameOfWangpsOwn:
    def test_no_line_of_its_own_is_taken_for_a_hook(self, tmp_path: Path) -> None:
        root = own(tmp_path / "WanGP")
        for path in PATCHES.paths:
            data = (root / path).read_bytes()
            assert hooks.edited_lines(PATCHES.variants[path], data) == ()
            assert hooks.remove_hooks(PATCHES.variants[path], path, data) == data
        assert state.read(root, PATCHES, RUNTIME).name == "absent"

    @pytest.mark.parametrize("old_first", [False, True])
    def test_in_and_out_leaves_it_alone(self, tmp_path: Path, old_first: bool) -> None:
        root = own(tmp_path / "WanGP")
        before = snapshot(root)
        if old_first:
            install_first(root)
            assert state.read(root, PATCHES, RUNTIME).name == "outdated"
        install(root, PATCHES)
        assert state.read(root, PATCHES, RUNTIME).name == "installed"
        revert(root, PATCHES)
        assert snapshot(root) == before

    @pytest.mark.parametrize("works", [True, False], ids=["with the runtime", "with a runtime that fails"])
    def test_it_keeps_its_meaning(self, tmp_path: Path, works: bool) -> None:
        root = own(tmp_path / "WanGP")
        install(root, PATCHES)
        text = "def install(names): pass" if works else "def install(names): raise ValueError('broken')"
        (root / "svi_wangp/__init__.py").write_text(text)
        ran = subprocess.run([sys.executable, "wgp.py"], cwd=root, capture_output=True, text=True, check=True)
        first_lines = ran.stdout.splitlines()
        if works:
            assert first_lines[0].startswith("['install'] kept <module 'svi_wangp'")
        else:
            assert first_lines[:2] == ["[SVI Mode] off: broken", "['install'] kept None"]

    def test_no_name_that_a_hook_binds_can_be_wangps(self) -> None:
        """What a hook line makes up itself begins with the name of the runtime; all else is set for WanGP."""
        import ast

        set_for_wangp = {
            "timesteps",
            "original_timesteps",
            "clip_image_start",
            "overlapped_latents_frames_num",
            "latents",
        }
        bound = set()
        for items in PATCHES.variants.values():
            for hunk in (hunk for variant in items for hunk in variant.hunks):
                code = "\n".join(line.strip() for line in hunk.added)
                for node in ast.walk(ast.parse(code)):
                    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                        bound.add(node.id)
                    if isinstance(node, ast.alias):
                        bound.add(node.asname or node.name)
                    if isinstance(node, ast.ExceptHandler) and node.name:
                        bound.add(node.name)
        assert {name for name in bound if not name.startswith("svi_wangp")} == set_for_wangp | {"sd"}
