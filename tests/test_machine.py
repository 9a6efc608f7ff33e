"""A person, WanGP's updater, several versions of svi-install and crashes, in any order.

What has to hold: without hooks the files are always exactly what the person and WanGP made of them, and a command that
refuses changes nothing. ``SVI_MACHINE_STEPS=10000`` runs that many steps; the default is a small number.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from svi_install.errors import EXIT_UNSUPPORTED, SviError
from svi_install.patching import hooks, patchset, plan, state
from svi_install.writing import receipt, transaction
from tests import miniature
from tests.crash.layer import Fault, in_child, tree
from tests.older import OTHER_RUNTIME, RUNTIME, install, install_other, other, revert, revert_other
from tests.trees import posix

# Other tests cover the same lines; counting them here would double the time.
pytestmark = [posix, pytest.mark.no_cover]

PATCHES = patchset.load()
PATHS = PATCHES.paths
STEPS = int(os.environ.get("SVI_MACHINE_STEPS", "320"))
LENGTH = 40
COMMANDS: dict[str, Callable[[Path, patchset.PatchSet], plan.Plan]] = {
    "install": install,
    "install_other": install_other,
    "revert": revert,
    "revert_other": revert_other,
}
# Text of lines beside which a person writes something: far from every hook, and right at one.
NEAR = {
    "wgp.py": ("samples = wan_model.generate(", "elif sliding_window and window_no > 1", 'if __name__ == "__main__":'),
    "models/wan/any2video.py": (
        "seed_g.manual_seed(seed)",
        "lat_y = self.vae.encode([enc]",
        "overlapped_latents_frames_num = int(",
    ),
    "models/wan/modules/model.py": ("first = next(iter(sd), None)",),
}
counted = {"steps": 0, "refused": 0, "crashed": 0}


class Machine(RuleBasedStateMachine):
    """The model is one number of bytes per file: what it would be without svi-install."""

    def __init__(self) -> None:
        super().__init__()
        memory = Path("/dev/shm")
        self.folder = Path(tempfile.mkdtemp(prefix="svi-machine-", dir=memory if os.access(memory, os.W_OK) else None))
        self.root = self.folder / "WanGP"
        self.pristine: dict[str, bytes] = {}
        self.tampered = False
        self.receipt_lost = False
        self.edits = 0

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @initialize(flavour=st.sampled_from(["base", "old", "newer"]), newline=st.sampled_from(["\n", "\r\n"]))
    def start(self, flavour: str, newline: str) -> None:
        miniature.write(self.root, flavour, newline)
        self._wangps_files()
        self.empty = tree(self.root)

    def _wangps_files(self) -> None:
        self.pristine = {path: (self.root / path).read_bytes() for path in PATHS}
        self.tampered = False

    def _expected(self) -> dict[str, object]:
        expected = dict(self.empty)
        for path, data in self.pristine.items():
            kind, mode, owner, links, _ = self.empty[f"0:{path}"]  # type: ignore[misc]
            expected[f"0:{path}"] = (kind, mode, owner, links, data)
        return expected

    @rule(name=st.sampled_from(sorted(COMMANDS)))
    def command(self, name: str) -> None:
        before = tree(self.root)
        allowed = self._may_refuse(name)
        refusal = _run(name, self.root)
        if refusal is None:
            assert not self.tampered
            self._succeeded(name)
            return
        counted["refused"] += 1
        assert refusal.exit_code == EXIT_UNSUPPORTED, refusal.message
        assert allowed, refusal.message
        assert tree(self.root) == before

    def _may_refuse(self, name: str) -> bool:
        """Only a changed line may stop a command, or lines and files of another version that no receipt explains."""
        if self.tampered or (self.root / receipt.PATH).exists():
            return self.tampered
        patches, runtime = (other(PATCHES), OTHER_RUNTIME) if name.endswith("other") else (PATCHES, RUNTIME)
        there = {path: (self.root / path).read_bytes() for path in (*PATHS, *runtime) if (self.root / path).exists()}
        strange = any(hooks.edited_lines(patches.variants[path], there[path]) for path in PATHS)
        files = any(there.get(path, data) != data for path, data in runtime.items())
        return strange or (files and name.startswith("install"))

    def _succeeded(self, name: str) -> None:
        if name.startswith("revert"):
            expected, now = self._expected(), tree(self.root)
            if self.receipt_lost:
                # Without a receipt nobody knows which folders and which files of another version are ours.
                expected = {key: value for key, value in expected.items() if key in now}
                now = {key: value for key, value in now.items() if key in expected}
            assert now == expected
        if name == "install":
            assert state.read(self.root, PATCHES, RUNTIME).name == "installed"

    @rule(
        name=st.sampled_from(sorted(COMMANDS)), at=st.integers(0, 130), how=st.sampled_from(["before", "after", "torn"])
    )
    def crash(self, name: str, at: int, how: str) -> None:
        counted["crashed"] += 1
        start = tree(self.root)
        allowed = self._may_refuse(name)
        code = in_child(lambda: COMMANDS[name](self.root, PATCHES), Fault(at, how))
        transaction.recover(self.root)
        ended = tree(self.root)
        if code == 1:
            assert ended == start
            assert allowed
            return
        if ended != start:
            # It was complete: doing it again finds nothing to do.
            self._succeeded(name)
            assert COMMANDS[name](self.root, PATCHES).changes == ()

    @rule(path=st.sampled_from(PATHS), data=st.data(), above=st.booleans())
    def persons_edit(self, path: str, data: st.DataObject, above: bool) -> None:
        """Write a line beside a line of WanGP's, in the file as it is and in the model."""
        lines = self.pristine[path].splitlines()
        far = lines[0].decode() if lines[0].strip() else "import"
        text = data.draw(st.sampled_from((far, *NEAR[path]))).encode()
        self.edits += 1
        added = b"# a person's line %d" % self.edits
        self.pristine[path] = _insert(self.pristine[path], text, added, above)
        (self.root / path).write_bytes(_insert((self.root / path).read_bytes(), text, added, above))

    @rule(path=st.sampled_from(PATHS))
    def flip_line_ends(self, path: str) -> None:
        for data, store in (
            (self.pristine[path], lambda new: self.pristine.__setitem__(path, new)),
            ((self.root / path).read_bytes(), (self.root / path).write_bytes),
        ):
            unix = data.replace(b"\r\n", b"\n")
            store(unix if b"\r\n" in data else unix.replace(b"\n", b"\r\n"))

    @rule(flavour=st.sampled_from(["base", "old", "newer"]), newline=st.sampled_from(["\n", "\r\n"]))
    def reset_hard(self, flavour: str, newline: str) -> None:
        """WanGP's updater: tracked files are reset to another release, what is not tracked stays."""
        for path, data in miniature.files(flavour).items():
            (self.root / path).write_bytes(data.replace(b"\n", newline.encode()))
        self._wangps_files()

    @rule(path=st.sampled_from(PATHS))
    def reset_one(self, path: str) -> None:
        """A person restores one file with git."""
        (self.root / path).write_bytes(self.pristine[path])
        self.tampered = self._is_tampered()

    @rule(number=st.integers(0, 9))
    def pull(self, number: int) -> None:
        """A merge that brings lines of WanGP's and keeps every local change."""
        for path in PATHS:
            line = b"# WanGP's line %d" % number
            first = self.pristine[path].splitlines()[0]
            self.pristine[path] = _insert(self.pristine[path], first, line, above=False)
            (self.root / path).write_bytes(_insert((self.root / path).read_bytes(), first, line, above=False))

    @precondition(lambda self: not self.tampered and (self.root / receipt.PATH).exists())
    @rule()
    def delete_receipt(self) -> None:
        shutil.rmtree(self.root / ".svi-install")
        self.receipt_lost = True

    @rule(path=st.sampled_from(PATHS))
    def tamper(self, path: str) -> None:
        """Somebody changes one of our lines."""
        data = (self.root / path).read_bytes()
        for old, new in (
            (b"svi_wangp.attach(wan_model", b"svi_wangp.attach(None"),
            (b'bbargs["svi_wangp"].', b'bbargs["svi_wangp"].my_'),
        ):
            if old in data:
                (self.root / path).write_bytes(data.replace(old, new, 1))
                self.tampered = True
                return

    @precondition(lambda self: self.tampered)
    @rule()
    def put_back(self) -> None:
        for path in PATHS:
            data = (self.root / path).read_bytes()
            data = data.replace(b"svi_wangp.attach(None", b"svi_wangp.attach(wan_model").replace(
                b'bbargs["svi_wangp"].my_', b'bbargs["svi_wangp"].'
            )
            (self.root / path).write_bytes(data)
        self.tampered = self._is_tampered()

    def _is_tampered(self) -> bool:
        texts = (b"svi_wangp.attach(None", b'bbargs["svi_wangp"].my_')
        return any(text in (self.root / path).read_bytes() for path in PATHS for text in texts)

    @invariant()
    def without_hooks_every_file_is_the_models(self) -> None:
        counted["steps"] += 1
        if not self.pristine or self.tampered:
            return
        for path in PATHS:
            both = (*PATCHES.variants[path], *other(PATCHES).variants[path])
            assert hooks.remove_hooks(both, path, (self.root / path).read_bytes()) == self.pristine[path]

    @invariant()
    def nothing_is_left_lying_about(self) -> None:
        if self.pristine:
            assert not list(self.root.rglob(".svi-*.*"))
            folder = self.root / ".svi-install"
            assert not folder.exists() or [path.name for path in folder.iterdir()] == ["receipt.json"]

    @invariant()
    def the_state_can_be_told(self) -> None:
        if self.pristine:
            name = state.read(self.root, PATCHES, RUNTIME).name
            assert (name == "edited") >= self.tampered
            assert name not in ("foreign", "unsupported")


def _run(name: str, root: Path) -> SviError | None:
    try:
        COMMANDS[name](root, PATCHES)
    except SviError as error:
        return error
    return None


def _insert(data: bytes, beside: bytes, added: bytes, above: bool) -> bytes:
    lines = data.splitlines(keepends=True)
    at = next(number for number, line in enumerate(lines) if beside in line)
    end = b"\r\n" if lines[at].endswith(b"\r\n") else b"\n"
    lines.insert(at if above else at + 1, added + end)
    return b"".join(lines)


def test_any_order(capsys: pytest.CaptureFixture[str]) -> None:
    counted.update(steps=0, refused=0, crashed=0)
    chosen = settings(
        max_examples=max(STEPS // LENGTH, 1),
        stateful_step_count=LENGTH,
        deadline=None,
        # Under CI hypothesis would walk the same way each time, and the loop below would never meet anything new.
        derandomize=False,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    # What a random walk has not met by then, a longer one meets.
    while counted["steps"] < STEPS or (
        not (counted["refused"] and counted["crashed"]) and counted["steps"] < 20 * STEPS
    ):
        run_state_machine_as_test(Machine, settings=chosen)
    assert counted["refused"]
    assert counted["crashed"]
    with capsys.disabled():
        print(
            f"\nmachine: {counted['steps']} steps, {counted['crashed']} crashes, {counted['refused']} refusals", end=""
        )
