"""The SVI LoRAs among the chosen ones: which variant each was trained for, and whether its file could load."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from . import lora_file

PRO = "2.0 Pro"
# Names of the authors, of Kijai and of DeepBeepMeep; the first that fits.
_VARIANTS = (
    (re.compile(r"(?<![a-z])pro(?![a-z])"), PRO),
    (re.compile(r"svi[-_ .]?shot"), "shot"),
    (re.compile(r"svi[-_ .]?film"), "film"),
    (re.compile(r"svi[-_ .]?tom"), "tom"),
    (re.compile(r"svi[-_ .]?talk"), "talk"),
    (re.compile(r"svi[-_ .]?dance"), "dance"),
    (re.compile(r"(?<![a-z])v2(?![0-9.]*[1-9])|2\.0"), "2.0"),
)
_LABELS = {"shot": "SVI-Shot", "film": "SVI-Film", "tom": "SVI-Tom", "talk": "SVI-Talk", "dance": "SVI-Dance"}


def file_names(loras: Any) -> list[str]:
    """File names of the chosen LoRAs, which WanGP holds as names, paths or addresses."""
    chosen = [loras] if isinstance(loras, str) else list(loras or [])
    return [PurePosixPath(str(name).split("?")[0].split("|")[0].replace("\\", "/")).name for name in chosen]


def svi_loras(loras: Any) -> list[str]:
    """File names of the SVI LoRAs among the chosen ones."""
    return [file for file in file_names(loras) if "svi" in file.lower()]


def variant_of(file: str) -> str | None:
    """The variant that an SVI LoRA was trained for, by its file name; None where the name does not say."""
    name = file.lower()
    return next((variant for pattern, variant in _VARIANTS if pattern.search(name)), None)


def label_of(variant: str) -> str:
    """A variant as its authors write it."""
    return _LABELS.get(variant, f"SVI-{variant}")


def misfits(files: Sequence[str], variant: str, architecture: str) -> list[str]:
    """The SVI LoRAs that were made for something else, empty as soon as one of them fits or does not say.

    Args:
        files: file names of the active SVI LoRAs.
        variant: the chosen variant.
        architecture: WanGP's name of the model's architecture.
    """
    wrong = []
    for file in files:
        made_for = variant_of(file)
        model = re.search(r"wan[-_ ]?2[._]([12])", file.lower())
        other_model = model is not None and (model[1] == "2") != (architecture == "i2v_2_2")
        if not other_model and (made_for is None or made_for == variant):
            return []
        wrong.append(file)
    return wrong


def broken(namespace: Mapping[str, Any], model_type: Any, loras: Any) -> tuple[Path, str] | None:
    """The first chosen SVI LoRA whose file is there but could not load, and what is wrong with it.

    A file that is not there is WanGP's to download, or to miss.
    """
    folder = namespace["get_lora_dir"](model_type) if callable(namespace.get("get_lora_dir")) else None
    if folder is None:
        return None
    chosen = [loras] if isinstance(loras, str) else list(loras or [])
    for given, file in zip(chosen, file_names(chosen), strict=True):
        if "svi" not in file.lower():
            continue
        path = Path(str(given)) if Path(str(given)).is_absolute() else Path(folder, file)
        wrong = lora_file.problem(path) if path.exists() else None
        if wrong is not None:
            return path, wrong
    return None
