"""Whether SVI is in a WanGP, by looking at its files: before a film is begun, and where a clip came without it."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path

from ... import __version__
from ...checkout import plugin
from ...checkout.inspection import version_in
from ...errors import SviError, quoted
from ...package_data import MARKER, PATCHED, RUNTIME_FOLDER, runtime_files
from ...runtime import wgp as hooked
from ...writing import files, receipt

FILMS = f"{RUNTIME_FOLDER}/segment.py"
# Without it WanGP loads no tensor of the official LoRAs, and the film drifts without a word.
LORAS = {"models/wan/modules/model.py": ("from svi_wangp import lora_keys",)}


def lacking(root: Path) -> str:
    """Say what keeps SVI from running in a WanGP.

    Returns:
        One sentence that names the file, empty when everything is there.

    Raises:
        SviError: a file is there and cannot be read.
    """
    if as_plugin(root):
        return ""
    if files.read(root / RUNTIME_FOLDER / "__init__.py") is None:
        return f"the folder {RUNTIME_FOLDER} with SVI is missing"
    if files.read(root / FILMS) is None:
        return f"the SVI in it{_version_of(root)} is too old to render films"
    for path in _runtime(root):
        data = files.read(root / path)
        if data is None:
            return f"{path} is missing"
        try:
            compile(data, path, "exec", dont_inherit=True)
        except (SyntaxError, ValueError):
            return f"{path} is damaged"
    lost = [path for path, lines in _hooks(root).items() if _misses(root / path, lines)]
    if lost:
        names = " and ".join(filter(None, (", ".join(lost[:-1]), lost[-1])))
        return f"svi-install's lines are gone from {names}, as happens when WanGP is updated"
    return ""


def films(root: Path) -> Path:
    """Return the module of the SVI in a WanGP that keeps the clips of films."""
    return root / (f"{plugin.HOME}/svi_install/runtime/segment.py" if as_plugin(root) else FILMS)


def as_plugin(root: Path) -> bool:
    """Tell whether WanGP has SVI from the plugin alone: it is enabled, can render films, and no file holds a hook."""
    found = plugin.look(root)
    if not found.enabled or files.read(root / plugin.HOME / "svi_install/runtime/segment.py") is None:
        return False
    return all(MARKER.encode() not in (files.read(root / path) or b"") for path in PATCHED)


def next_command(root: Path) -> str:
    """Return the command that mends what is lacking: what `status` proposes, the doctor where that sees no fault."""
    from ...patching import patchset, state

    try:
        now = state.read(root, patchset.load())
    except SviError:
        return f"svi-install doctor {quoted(root)}"
    return now.next_command if now.name != "installed" else f"svi-install doctor {quoted(root)}"


def older(root: Path) -> str:
    """Return the version of the SVI in a WanGP where it is another one than this, empty where it is this one."""
    version = _version_of(root).strip(" ()")
    return "" if version == __version__ else version


def _misses(path: Path, lines: tuple[str, ...]) -> bool:
    text = (files.read(path) or b"").decode("utf-8", "replace")
    return any(line not in text for line in lines)


def _hooks(root: Path) -> Mapping[str, tuple[str, ...]]:
    """The lines that the runtime in this WanGP looks for itself when a generation starts."""
    source = files.read(root / RUNTIME_FOLDER / "wgp.py") or b""
    try:
        for node in ast.parse(source).body:
            if isinstance(node, ast.Assign) and [getattr(target, "id", "") for target in node.targets] == ["HOOKS"]:
                return {**ast.literal_eval(node.value), **LORAS}
    except (SyntaxError, ValueError, TypeError):
        pass  # put together in another way by another version
    return {**hooked.HOOKS, **LORAS}


def _runtime(root: Path) -> tuple[str, ...]:
    """Files of the runtime that is in this WanGP; without a receipt, those of this version."""
    old = receipt.load(root)
    listed = runtime_files() if old is None else old.added
    return tuple(path for path in listed if path.startswith(f"{RUNTIME_FOLDER}/") and path.endswith(".py"))


def _version_of(root: Path) -> str:
    version = version_in(files.read(root / RUNTIME_FOLDER / "version.py") or b"", "__version__")
    return "" if version is None else f" ({version})"
