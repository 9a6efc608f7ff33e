"""Quantized Wan models (GGUF): the definition that WanGP reads, and the files that it needs."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import EXIT_UNSUPPORTED, SviError
from ...loras.catalogue import Lora, LoraFile, place_of
from ...loras.hub import from_environment
from ...loras.inventory import Fetched, Need
from ...loras.transfer.progress import Report
from ...loras.transfer.settings import Settings
from ...writing.files import read
from ..archive.store import write_json
from ..script.variants import PRO, Variant, variant_of
from .hardware import QUALITIES
from .wangp import WanGP

HUB = "https://huggingface.co"
WAN21 = "city96/Wan2.1-I2V-14B-480P-gguf/resolve/main/wan2.1-i2v-14b-480p-{quality}.gguf"
WAN22 = "QuantStack/Wan2.2-I2V-A14B-GGUF/resolve/main/{half}Noise/Wan2.2-I2V-A14B-{half}Noise-{quality}.gguf"
# One step above the transformer costs little: the text encoder runs once per segment.
TEXT_ENCODER = "city96/umt5-xxl-encoder-gguf/resolve/main/umt5-xxl-encoder-{quality}.gguf"
TEXT_FOLDER = "umt5-xxl"
FINETUNES = "finetunes"
TEXT_READER = Path("models/wan/modules/t5.py")


@dataclass(frozen=True)
class Model:
    """A quantized model as WanGP is told of it.

    Args:
        name: WanGP's model type; the definition is ``finetunes/<name>.json``.
        definition: what that file says.
        files: address and path below WanGP's checkpoint folder of what it needs.
    """

    name: str
    definition: dict[str, Any]
    files: tuple[tuple[str, str], ...]


def model_of(variant: Variant, quality: str, wangp: WanGP) -> Model:
    """Make the definition of a quantized model.

    Args:
        quality: such as ``Q4_K_M``.
        wangp: the WanGP that is to read it.

    Returns:
        The definition and its files.

    Raises:
        SviError: this WanGP cannot read GGUF files.
    """
    if not wangp.gguf:
        raise SviError(
            "no-gguf",
            f"WanGP {wangp.version} cannot read GGUF files. Nothing was started.",
            "Update WanGP to 10.40 or newer, or run the same command without --quality.",
            EXIT_UNSUPPORTED,
        )
    return _model(variant, quality, wangp.root)


def _model(variant: Variant, quality: str, root: Path) -> Model:
    two = variant.architecture != "i2v"
    wan = "Wan 2.2" if two else "Wan 2.1"
    halves = ("High", "Low") if two else ("",)
    urls = [f"{HUB}/{(WAN22 if two else WAN21).format(half=half, quality=quality)}" for half in halves]
    files = [(url, url.rsplit("/", 1)[-1]) for url in urls]
    model: dict[str, Any] = {
        "name": f"{wan} Image2video 14B GGUF {quality}",
        "architecture": variant.architecture,
        "description": f"{wan} image-to-video, quantized to {quality} to need less memory. Added by svi-install.",
        "URLs": urls[:1],
        **({"URLs2": urls[1:], "group": "wan2_2"} if two else {}),
    }
    if variant.architecture != "i2v_2_2" and two:
        model.update(_of_stock(root, variant.model))
    if reads_text_gguf(root):
        url = f"{HUB}/{TEXT_ENCODER.format(quality=text_quality(quality))}"
        model["text_encoder_URLs"] = [url]
        files.append((url, f"{TEXT_FOLDER}/{url.rsplit('/', 1)[-1]}"))
    return Model(name_of(variant, quality), {"model": model}, tuple(files))


def name_of(variant: Variant, quality: str) -> str:
    """Return WanGP's model type of a quantized model."""
    return f"svi_{variant.architecture}_{quality.lower()}"


def reads_text_gguf(root: Path) -> bool:
    """Tell whether this WanGP can read a GGUF text encoder for Wan."""
    try:
        return b"gguf" in (root / TEXT_READER).read_bytes().lower()
    except OSError:
        return False


def define(root: Path, model: Model) -> bool:
    """Write a definition into WanGP's folder of finetunes, where it appears in the list of models too.

    Returns:
        Whether anything had to be written.

    Raises:
        SviError: a file of that name says something else and is not from svi-install, or the disk refuses.
    """
    path = root / FINETUNES / f"{model.name}.json"
    before = read(path)
    if before is not None:
        if _parsed(before) == model.definition:
            return False
        if b"svi-install" not in before:
            raise SviError(
                "finetune", f"{path} was not written by svi-install and was left alone.", "Rename that file."
            )
    path.parent.mkdir(exist_ok=True)
    write_json(path, model.definition)
    return True


def definitions(root: Path) -> dict[str, bytes]:
    """Find the definitions in a WanGP that say what `define` writes there.

    Returns:
        Bytes by path relative to the folder; without those that a person has changed.

    Raises:
        SviError: a file there cannot be read.
    """
    ours = []
    for name in ("shot", "wan22", PRO):
        for quality in QUALITIES:
            # A WanGP without SVI 2 Pro has no definition of it to go by.
            with contextlib.suppress(OSError, ValueError, KeyError):
                ours.append(_model(variant_of(name), quality, root).definition)
    present = {path.name: read(path) for path in sorted((root / FINETUNES).glob("svi_*.json"))}
    return {f"{FINETUNES}/{name}": data for name, data in present.items() if data and _parsed(data) in ours}


def _parsed(data: bytes) -> Any:
    """Return what a JSON file says, None when it is none."""
    try:
        return json.loads(data)
    except ValueError:
        return None


def needs(root: Path, model: Model) -> tuple[Need, ...]:
    """List the files of a model and where they belong."""
    folder = checkpoints(root)
    found = []
    for url, path in model.files:
        place = place_of(url)
        assert place is not None
        target = folder / path
        lora = Lora(target.name, "", target.name, "wan", "gguf", None, (LoraFile("", place),))
        present = target.is_file()
        part = target.with_name(f"{target.name}.part")
        kept = part.stat().st_size if part.is_file() else 0
        found.append(
            Need(
                lora,
                lora.files[0],
                target,
                "WanGP's checkpoints",
                target.stat().st_size if present else None,
                present,
                kept,
            )
        )
    return tuple(found)


def fetch(root: Path, model: Model, report: Report, settings: Settings | None = None) -> tuple[Fetched, ...]:
    """Bring the files of a model; an interrupted download goes on where it was.

    Args:
        settings: hub, token and limits; None for those of the environment.

    Raises:
        SviError: with the exit code for downloads; what has arrived stays.
    """
    missing = [need for need in needs(root, model) if not need.present]
    if not missing:
        return ()
    from ...loras.fetching import Run

    run = Run(root, settings or from_environment(), report, time.sleep)
    return tuple(run.put_in_place(need) for need in missing)


def checkpoints(root: Path) -> Path:
    """Return the first of WanGP's checkpoint folders."""
    try:
        paths = json.loads((root / "wgp_config.json").read_text("utf-8"))["checkpoints_paths"]
        return root / str(paths[0])
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return root / "ckpts"


def _of_stock(root: Path, name: str) -> dict[str, Any]:
    """LoRAs that WanGP's own definition of SVI 2 Pro brings."""
    model = json.loads((root / "defaults" / f"{name}.json").read_text("utf-8"))["model"]
    return {key: model[key] for key in ("loras", "loras_multipliers") if key in model}


def text_quality(quality: str) -> str:
    """Return the quantization of the text encoder that goes with one of the transformer."""
    return {"Q3_K_M": "Q4_K_M", "Q4_K_M": "Q5_K_M", "Q5_K_M": "Q6_K"}.get(quality, "Q8_0")
