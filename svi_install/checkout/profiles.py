"""Which profile goes where in one WanGP: its accelerator profiles, or the folder where it looks for LoRAs."""

from __future__ import annotations

from pathlib import Path

from ..loras.catalogue import load
from ..loras.inventory import Places, with_present_files
from ..package_data import data_folder
from ..writing import files
from ..writing.targets import outside_roots

# In the package the profiles lie where a WanGP with standard folders wants them.
_LORA_FOLDER = "loras/wan_i2v/"


def profile_files(root: Path) -> dict[str, bytes]:
    """Return the profiles and where this WanGP lists them.

    Returns:
        Bytes by path: relative to the checkout, or absolute where WanGP's LoRA folder was moved elsewhere by its
        configuration. A folder that only a start script names stays out of it, because it may be anything. A profile
        names the precision of a LoRA that is there already.

    Raises:
        SviError: the disk does not say where the LoRAs are, or which of them.
    """
    try:
        return _profile_files(root)
    except OSError as error:
        raise files.plain(error, Path(error.filename or root), "read") from error


def _profile_files(root: Path) -> dict[str, bytes]:
    folder = data_folder("profiles")
    known, places = load(), Places(root)
    found = {
        path.relative_to(folder).as_posix(): with_present_files(root, path.read_bytes(), known, places)
        for path in sorted(folder.rglob("*.json"))
    }
    lora_folder = _lora_folder(root, places)
    return {
        f"{lora_folder}/{name.removeprefix(_LORA_FOLDER)}" if name.startswith(_LORA_FOLDER) else name: data
        for name, data in found.items()
    }


def _lora_folder(root: Path, places: Places) -> str:
    folder = places.of("wan_i2v").folder
    if folder.is_relative_to(root):
        return folder.relative_to(root).as_posix()
    real = folder.resolve()
    if any(real.is_relative_to(outside) for outside in outside_roots(root)):
        return real.as_posix()
    return _LORA_FOLDER.rstrip("/")
