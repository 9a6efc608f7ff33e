"""The LoRAs that profiles name: which file, from where, for which folder of WanGP, used by which profile."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ..errors import EXIT_USAGE, SviError
from ..package_data import data_folder

CATALOGUE = Path(__file__).with_name("catalogue.json")
HUB = "https://huggingface.co"

Folder = Literal["wan_i2v", "wan"]


class Place(NamedTuple):
    """A file on a hub: its repository, ``owner/name``, and its path in there."""

    repository: str
    path: str

    def url(self, revision: str = "main", endpoint: str = HUB) -> str:
        """Give the address that a hub resolves to the file."""
        return f"{endpoint.rstrip('/')}/{self.repository}/resolve/{revision or 'main'}/{self.path}"


class Layout(NamedTuple):
    """Which tensors a LoRA must have; `inner` is the width inside the feed-forward layers."""

    tensors: int
    rank: int
    blocks: int
    width: int
    inner: int


class LoraFile(NamedTuple):
    """One file of a LoRA. What nobody has seen yet is empty or None.

    Args:
        precision: ``fp32``, ``fp16`` or ``bf16``.
        mirrors: other places that publish it under the same base name.
        commit: of the repository; size and sha256 are those of the file in it.
        tensor_bytes: bytes of its tensors, without the header; the file is slightly larger.
        dtype: of its tensors as the header names it, such as ``F32``.
    """

    precision: str
    place: Place
    mirrors: tuple[Place, ...] = ()
    licence: str = ""
    commit: str = ""
    size: int | None = None
    sha256: str = ""
    tensor_bytes: int | None = None
    dtype: str = ""

    @property
    def filename(self) -> str:
        """The base name, which is what WanGP looks for in its LoRA folder."""
        return self.place.path.rsplit("/", 1)[-1]

    @property
    def url(self) -> str:
        """The address that a profile names."""
        return self.place.url()


class Lora(NamedTuple):
    """One LoRA and its files.

    Args:
        name: what people type.
        group: name that selects it together with its other half; empty when it stands alone.
        title: one line for people.
        folder: WanGP's LoRA folder for the model it belongs to.
        variant: SVI version, or ``accelerator``.
        layout: which tensors it must have; None when nothing is known about them.
        files: one per precision, the originals first.
    """

    name: str
    group: str
    title: str
    folder: Folder
    variant: str
    layout: Layout | None
    files: tuple[LoraFile, ...]

    def file(self, precision: str) -> LoraFile:
        """Choose the file for a precision."""
        return next((file for file in self.files if file.precision == precision), self.files[0])


class Catalogue(NamedTuple):
    """All known LoRAs."""

    default: tuple[str, ...]
    loras: tuple[Lora, ...]

    def knows(self, name: str) -> bool:
        """Tell whether a word means a LoRA."""
        return any(_answers_to(lora, name) for lora in self.loras)

    def select(self, names: Sequence[str] | None) -> tuple[Lora, ...]:
        """Find LoRAs by what a person or a profile calls them.

        Raises:
            SviError: a name is not in the catalogue.
        """
        wanted: set[str] = set()
        for name in self.default if names is None else names:
            found = {lora.name for lora in self.loras if _answers_to(lora, name)}
            if not found:
                known = ", ".join(sorted({lora.group or lora.name for lora in self.loras}))
                raise SviError(
                    "unknown-lora",
                    f"There is no LoRA called {name!r}. There are: {known}.",
                    "svi-install fetch --list",
                    EXIT_USAGE,
                )
            wanted |= found
        return tuple(lora for lora in self.loras if lora.name in wanted)

    def by_url(self, url: str) -> tuple[Lora, LoraFile] | None:
        """Find the file that an address out of a profile means."""
        for lora in self.loras:
            for file in lora.files:
                if place_of(url) in (file.place, *file.mirrors):
                    return lora, file
        return None


def _answers_to(lora: Lora, name: str) -> bool:
    if "://" in name:
        place = place_of(name)
        return any(place in (file.place, *file.mirrors) for file in lora.files)
    asked = name.casefold()
    return asked in (lora.name.casefold(), lora.group.casefold() or None) or any(
        asked == file.filename.casefold() for file in lora.files
    )


def place_of(url: str) -> Place | None:
    """Split an address of a hub into repository and path."""
    # Imported late: what only looks whether a LoRA is there asks for no address.
    from urllib.parse import unquote, urlsplit

    parts = unquote(urlsplit(url.split("|", 1)[0]).path).strip("/").split("/")
    if len(parts) < 5 or parts[2] != "resolve":
        return None
    return Place("/".join(parts[:2]), "/".join(parts[4:]))


def load(path: Path | None = None) -> Catalogue:
    """Read the catalogue.

    Raises:
        SviError: the file cannot be read or two different files would share one place in WanGP's folders.
    """
    path = path or CATALOGUE
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        catalogue = _parse(data)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SviError(
            "catalogue-unreadable",
            f"The LoRA catalogue {path} cannot be read ({error}). Nothing was changed.",
            "Install svi-install again.",
        ) from error
    _refuse_collisions(catalogue)
    return catalogue


def _parse(data: Mapping[str, Any]) -> Catalogue:
    if data["schema"] != 1:
        raise ValueError(f"schema {data['schema']} is not known")
    layouts = {name: Layout(**fields) for name, fields in data["layouts"].items()}
    loras = tuple(
        Lora(
            name=entry["name"],
            group=entry["group"],
            title=entry["title"],
            folder=entry["folder"],
            variant=entry["variant"],
            layout=layouts[entry["layout"]] if entry["layout"] else None,
            files=tuple(_parse_file(file) for file in entry["files"]),
        )
        for entry in data["loras"]
    )
    return Catalogue(tuple(data["default"]), loras)


def _parse_file(entry: Mapping[str, Any]) -> LoraFile:
    return LoraFile(
        precision=entry["precision"],
        place=Place(entry["repository"], entry["path"]),
        mirrors=tuple(Place(mirror["repository"], mirror["path"]) for mirror in entry["mirrors"]),
        licence=entry["licence"],
        commit=entry["commit"],
        size=entry["size"],
        sha256=entry["sha256"],
        tensor_bytes=entry["tensor_bytes"],
        dtype=entry.get("dtype", ""),
    )


def _refuse_collisions(catalogue: Catalogue) -> None:
    seen: dict[tuple[str, str], str] = {}
    for lora in catalogue.loras:
        for file in lora.files:
            # Windows and macOS do not tell upper case from lower case.
            key = (lora.folder, file.filename.casefold())
            if key in seen:
                raise SviError(
                    "catalogue-collision",
                    f"The LoRAs {seen[key]} and {lora.name} would both be {file.filename} in {lora.folder}.",
                    "Install svi-install again.",
                )
            seen[key] = lora.name


def urls_of(profile: bytes) -> tuple[str, ...]:
    """List the LoRA addresses in a profile."""
    try:
        settings = json.loads(profile)
    except ValueError:
        return ()
    named = settings.get("activated_loras") if isinstance(settings, dict) else None
    return tuple(url for url in named if isinstance(url, str)) if isinstance(named, list) else ()


def used_by(catalogue: Catalogue, folder: Path | None = None) -> Mapping[str, tuple[str, ...]]:
    """Find the profiles that need each LoRA."""
    found: dict[str, set[str]] = {lora.name: set() for lora in catalogue.loras}
    for path in (folder or data_folder("profiles")).rglob("*.json"):
        for lora in _loras_of(path.read_bytes(), catalogue):
            found[lora.name].add(path.stem)
    return {name: tuple(sorted(profiles)) for name, profiles in found.items()}


def _loras_of(profile: bytes, catalogue: Catalogue) -> Iterator[Lora]:
    for url in urls_of(profile):
        if place_of(url) is not None and (found := catalogue.by_url(url)) is not None:
            yield found[0]
