"""Which profile uses which LoRA, read from the profiles themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..package_data import data_folder
from .catalogue import Catalogue, Lora, load, place_of
from .destination import locate
from .there import look


def urls_of(profile: bytes) -> tuple[str, ...]:
    """List the LoRA addresses in a profile.

    Args:
        profile: its bytes.

    Returns:
        Addresses in the order of the profile; none when it is no profile.
    """
    try:
        settings = json.loads(profile)
    except ValueError:
        return ()
    named = settings.get("activated_loras") if isinstance(settings, dict) else None
    return tuple(url for url in named if isinstance(url, str)) if isinstance(named, list) else ()


def used_by(catalogue: Catalogue, folder: Path | None = None) -> Mapping[str, tuple[str, ...]]:
    """Find out which profiles need a LoRA.

    Args:
        catalogue: the LoRAs.
        folder: folder with profiles; None for the package's own.

    Returns:
        Names of profiles, sorted, by the name of the LoRA.
    """
    found: dict[str, set[str]] = {lora.name: set() for lora in catalogue.loras}
    for path in (folder or data_folder("profiles")).rglob("*.json"):
        for lora in _loras_of(path.read_bytes(), catalogue):
            found[lora.name].add(path.stem)
    return {name: tuple(sorted(profiles)) for name, profiles in found.items()}


def profile_url(root: Path, lora: Lora, precision: str = "fp32") -> str:
    """Choose the address that a profile should name, so that WanGP finds the file that is there.

    Args:
        root: WanGP's folder.
        lora: the LoRA.
        precision: what the person prefers, ``fp32`` or ``fp16``.

    Returns:
        Address of the preferred file, or of another precision when only that one is in WanGP's folder and could load.
    """
    folder = locate(root, lora.folder).folder
    preferred = lora.file(precision)
    there = [file for file in (preferred, *lora.files) if look(folder / file.filename).present]
    return (there or [preferred])[0].url


def with_present_files(root: Path, profile: bytes, catalogue: Catalogue | None = None) -> bytes:
    """Let a profile name the files that are in WanGP's folder, so that WanGP does not load another precision.

    Args:
        root: WanGP's folder.
        profile: bytes of a profile.
        catalogue: None for the built-in one.

    Returns:
        The profile; where only another precision of a LoRA is there, with that file's address in place of the first.
    """
    known = catalogue or load()
    for url in urls_of(profile):
        found = known.by_url(url)
        if found is not None:
            lora, file = found
            profile = profile.replace(
                json.dumps(url).encode(), json.dumps(_choose(root, lora, file.precision, url)).encode()
            )
    return profile


def _choose(root: Path, lora: Lora, precision: str, url: str) -> str:
    chosen = profile_url(root, lora, precision)
    # Another address of the same file stays as the profile has it.
    return url if chosen == lora.file(precision).url else chosen


def _loras_of(profile: bytes, catalogue: Catalogue) -> Iterator[Lora]:
    for url in urls_of(profile):
        if place_of(url) is not None and (found := catalogue.by_url(url)) is not None:
            yield found[0]
