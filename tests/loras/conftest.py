from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from huggingface_hub import constants

from svi_install.loras import hub as loras_hub
from svi_install.loras import prefetch
from svi_install.loras.catalogue import CATALOGUE, Catalogue, Layout, Lora, LoraFile, Place
from svi_install.loras.inventory import Fetched
from svi_install.loras.transfer.progress import Progress
from svi_install.loras.transfer.settings import Limits, Settings

from .hub import Hub

TINY = Layout(tensors=40, rank=2, blocks=2, width=4, inner=6)
REPOSITORY = "owner/name"
PATH = "version-1.0/svi-tiny.safetensors"


def shapes_of(layout: Layout, prefix: str, middle: str) -> dict[str, list[int]]:
    """Name the tensors of an SVI LoRA."""
    shapes: dict[str, list[int]] = {}
    modules = [f"{kind}_attn.{one}" for kind in ("self", "cross") for one in "qkvo"] + ["ffn.0", "ffn.2"]
    for block in range(layout.blocks):
        for module in modules:
            inner = layout.inner if module == "ffn.2" else layout.width
            outer = layout.inner if module == "ffn.0" else layout.width
            name = f"{prefix}blocks.{block}.{module}.lora"
            shapes[f"{name}_A{middle}.weight"] = [layout.rank, inner]
            shapes[f"{name}_B{middle}.weight"] = [outer, layout.rank]
    return shapes


def lora_bytes(layout: Layout = TINY, *, seed: int = 0, prefix: str = "pipe.dit.", middle: str = ".default") -> bytes:
    """Build a LoRA of our own with the tensor names of SVI and made-up numbers."""
    return safetensors(shapes_of(layout, prefix, middle), seed)


def head_of(shapes: dict[str, list[int]], dtype: str = "F32") -> tuple[bytes, int]:
    """Build the head of a safetensors file; the bytes of data that belong behind it."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, shape in shapes.items():
        size = {"F32": 4, "F16": 2, "U8": 1}[dtype]
        for side in shape:
            size *= side
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text, at


def safetensors(shapes: dict[str, list[int]], seed: int = 0) -> bytes:
    head, size = head_of(shapes)
    return head + random.Random(seed).randbytes(size)


def large_lora(size: int, seed: int = 0) -> bytes:
    """Build a LoRA with about that many bytes of data, in one matrix."""
    return safetensors({"blocks.0.lora_A.weight": [size // 4]}, seed)


def svi_file(path: Path, dtype: str = "F32", layout: str = "svi", cut: int = 0) -> Path:
    """Write a file with the layout and the size of a real SVI LoRA; its data are a hole and take no room."""
    known = json.loads(CATALOGUE.read_text("utf-8"))["layouts"][layout]
    head, size = head_of(shapes_of(Layout(**known), "pipe.dit.", ".default"), dtype)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(head)
    os.truncate(path, len(head) + size - cut)
    return path


@pytest.fixture
def hub() -> Iterator[Hub]:
    server = Hub()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the tests away from the token, the cache, the ledger and the proxies of the person who runs them."""
    for name in (
        "HF_TOKEN",
        "HUGGING_FACE_HUB_TOKEN",
        "HF_TOKEN_PATH",
        "HF_ENDPOINT",
        "HF_HUB_OFFLINE",
        "HF_HUB_CACHE",
        "HUGGINGFACE_HUB_CACHE",
        "HF_HUB_DISABLE_IMPLICIT_TOKEN",
        "TRANSFORMERS_OFFLINE",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
    ):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf-home"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "state"))
    reread_environment(monkeypatch)


def reread_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let huggingface_hub, which reads the environment once in a process, read it each time we ask."""

    def fresh() -> ModuleType:
        spec = importlib.util.find_spec("huggingface_hub.constants")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for name in filter(str.isupper, vars(module)):
            monkeypatch.setattr(constants, name, getattr(module, name))
        return constants

    monkeypatch.setattr(loras_hub, "_constants", fresh)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder that passes for a WanGP of today where LoRA folders are concerned."""
    folder = tmp_path / "Wan2GP"
    folder.mkdir()
    (folder / "wgp.py").write_text('DEFAULT_LORA_ROOT = "loras"\nserver_config = {"loras_root": DEFAULT_LORA_ROOT}\n')
    return folder


class Pauses(list[float]):
    """Stands in for waiting and remembers how long it would have taken."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


class Store:
    """The store against the server, with everything a test may want to change."""

    def __init__(self, hub: Hub, root: Path, tmp_path: Path) -> None:
        self.hub = hub
        self.root = root
        self.pauses = Pauses()
        self.reports: list[Progress] = []
        self.settings = Settings(
            endpoint=hub.url,
            cache=tmp_path / "hf-home" / "hub",
            ledger=tmp_path / "state" / "loras.json",
            limits=Limits(connect=5.0, stall_seconds=1.0, backoff=0.01),
        )
        self.file = LoraFile("fp32", Place(REPOSITORY, PATH))
        self.layout: Layout | None = TINY

    @property
    def catalogue(self) -> Catalogue:
        lora = Lora("svi-tiny", "", "SVI for tests", "wan_i2v", "1.0", self.layout, (self.file,))
        return Catalogue(("svi-tiny",), (lora,))

    @property
    def target(self) -> Path:
        return self.root / "loras" / "wan_i2v" / self.file.filename

    @property
    def part(self) -> Path:
        return self.target.with_name(self.target.name + ".part")

    @property
    def notes(self) -> list[str]:
        return [progress.note for progress in self.reports if progress.note]

    def limits(self, **changes: float) -> None:
        self.settings = replace(self.settings, limits=replace(self.settings.limits, **changes))  # type: ignore[arg-type]

    def publish(self, content: bytes | Path) -> bytes | Path:
        self.hub.add(REPOSITORY, PATH, content)
        return content

    def fetch(self, report: Callable[[Progress], None] | None = None) -> Fetched:
        def both(progress: Progress) -> None:
            self.reports.append(progress)
            if report is not None:
                report(progress)

        result = prefetch(
            self.root, None, report=both, settings=self.settings, catalogue=self.catalogue, pause=self.pauses
        )
        return result.files[0]

    def litter(self) -> list[str]:
        folder = self.target.parent
        return sorted(path.name for path in folder.iterdir() if path != self.target) if folder.exists() else []


@pytest.fixture
def store(hub: Hub, root: Path, tmp_path: Path) -> Store:
    return Store(hub, root, tmp_path)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
