"""How far an SVI clip is from the official program's in every precision, on this machine's graphics card or processor.

    python benchmarks/precision.py TREE [--cpu] [--exact] [--json FILE]

Runs in WanGP's own Python environment; TREE (a WanGP folder, with or without SVI installed) is only read, and nothing
is downloaded: the models are tiny, with the weights and inputs that the official program had when it computed
tests/wangp/data/public.npz, in float32 on a processor. Each clip of SVI-Shot and SVI-2.0 begins with the official
frames, so that no difference hides behind one of the clip before.

Printed are the largest absolute differences over all clips. Masks, noise and time steps must be equal in every
precision; the exit status also says whether the row of 32 bit keeps the limits of tests/wangp/lab/compare.py.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import re
import sys
import types
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import wangp_pipeline

WANGP_TESTS = Path(__file__).resolve().parent.parent / "tests/wangp"
GOLDEN = WANGP_TESTS / "data/public.npz"
CASES = {"svi-shot": "shot", "svi-2.0": "2.0"}  # name in the file, variant
VAE_DIM = 16
TRANSFORMERS = ("float32", "bfloat16", "float16")
# A tile of 64 of 96 pixels: one seam.
TILE = 64


@dataclass(frozen=True)
class Vae:
    """How the VAE computes: WanGP's choice of 16 or 32 bit, its tiles, and torch's TF32 where 32 bit was chosen."""

    bits: int
    tile: int = 0
    tf32: bool = False

    @property
    def name(self) -> str:
        """In words."""
        return f"{self.bits} bit{', tiled' if self.tile else ''}{', TF32' if self.tf32 else ''}"


VAES = (Vae(32), Vae(32, tf32=True), Vae(16), Vae(32, TILE), Vae(16, TILE))
STRICT = ("float32", Vae(32))


@dataclass
class Row:
    """One precision: the largest difference of each quantity, and whether everything else was equal in each clip."""

    transformer: str
    vae: Vae
    conditioning: float = 0.0
    latents: float = 0.0
    frames: float = 0.0
    clips: int = 0
    equal: int = 0

    def add(self, conditioning: float, latents: float, frames: float, equal: bool) -> None:
        """Counts in one clip; a difference that is no number counts as infinite."""
        for name, value in (("conditioning", conditioning), ("latents", latents), ("frames", frames)):
            setattr(self, name, max(getattr(self, name), float("inf") if math.isnan(value) else value))
        self.clips += 1
        self.equal += equal


class Text:
    """Stands for the text encoder: what the official program had in its place."""

    model = None

    def __init__(self, **_: Any) -> None:
        pass

    def __call__(self, prompts: list[str], device: Any) -> list[Any]:
        """Features of each prompt."""
        import tiny
        import torch

        return [torch.from_numpy(tiny.text(prompt)).to(device) for prompt in prompts]


class Image:
    """Stands for the image encoder, likewise."""

    model = types.SimpleNamespace(image_size=224)
    # WanGP's loader has the layers behind it turn them into their own number type.
    dtype: Any = None

    def __init__(self, device: Any = None, **_: Any) -> None:
        self._device = device

    def visual(self, frames: list[Any]) -> Any:
        """Features of one image."""
        import tiny
        import torch

        return torch.from_numpy(tiny.clip_feature()).to(self._device, self.dtype)


def fill(model: Any, dtype: Any) -> None:
    """The weights of the official run, made from their names and shapes."""
    import tiny
    import torch

    def make(name: str, empty: Any, wanted: Any) -> Any:
        return torch.from_numpy(tiny.weight(name, tuple(empty.shape))).to("cuda", wanted)

    wangp_pipeline.assign(model, dtype, make)


def tiny_models(tree: Path) -> Any:
    """WanGP's module with SVI's lines, its classes at the sizes of the official run."""
    import torch

    module = wangp_pipeline.module_of(tree, "svi", True)
    from models.wan.modules import model, vae

    original = vae.WanVAE_.__init__

    def init(self: Any, *args: Any, **options: Any) -> None:
        original(self, *args, **{**options, "dim": VAE_DIM})

    vae.WanVAE_.__init__ = init
    own = model.WanRMSNorm.forward

    def rms_norm(self: Any, x: Any, in_place: bool = True) -> Any:
        if x.dtype != torch.float32:
            return own(self, x, in_place)
        # WanGP squares x.float() in place: right for 16 bits, where that is a copy, wrong for float32.
        y = x * torch.rsqrt(x.pow(2).mean(dim=-1, keepdim=True) + self.eps) * self.weight
        return x.copy_(y) if in_place else y

    model.WanRMSNorm.forward = rms_norm
    return module


def watch(pipeline: Any) -> dict[str, Any]:
    """What a clip is made of, noted as it passes: the first value of each name stays until all are cleared."""
    seen: dict[str, Any] = {}
    forward, vae = pipeline.model.forward, pipeline.vae
    decode, levels = vae.decode, getattr(vae, "decode_to_cpu_uint8", None)

    def passing(x: Any, *args: Any, **options: Any) -> Any:
        first, y = (v[0] if isinstance(v, (list, tuple)) else v for v in (x, options["y"]))
        seen.setdefault("noise", array(first[0] if first.dim() == 5 else first))
        seen.setdefault("y", array(y[0] if y.dim() == 5 else y))
        step = float(options["t"].flatten()[0])
        if step not in seen.setdefault("timesteps", []):
            seen["timesteps"].append(step)
        return forward(x, *args, **options)

    def decoded(latents: Any, *args: Any, **options: Any) -> Any:
        frames = decode(latents, *args, **options)
        seen.setdefault("latents", array(latents[0]))
        seen.setdefault("frames", array(frames[0].clamp(-1, 1)))
        return frames

    def rounded(latents: Any, tile: int, *args: Any, **options: Any) -> Any:
        decoded(latents, tile)
        return levels(latents, tile, *args, **options)

    pipeline.model.forward, vae.decode = passing, decoded
    if levels is not None:  # of newer releases; it rounds, so the frames are decoded a second time
        vae.decode_to_cpu_uint8 = rounded
    return seen


def array(tensor: Any) -> Any:
    """As float32 in memory."""
    return tensor.detach().float().cpu().numpy().copy()


@contextlib.contextmanager
def precision(vae: Vae) -> Iterator[None]:
    """For rows with TF32, takes away what the runtime does against it."""
    from svi_install.runtime import run

    exact = run.exact
    if vae.tf32:
        run.exact = lambda _: contextlib.nullcontext()
    try:
        yield
    finally:
        run.exact = exact


def clips(pipeline: Any, seen: dict[str, Any], golden: Any, case: str, row: Row) -> None:
    """Makes every clip of a case from the official frames and compares it."""
    import numpy as np
    import tiny
    import torch

    from svi_install.runtime import run as runtime

    total = sum(name.startswith(f"{case}/") and name.endswith("/latents") for name in golden.files)
    _, frames, height, width = golden[f"{case}/0/frames"].shape
    state = wangp_pipeline.svi_run(CASES[case], total, frames)
    prompts = [f"p{number}" for number in range(total)]
    fixed = wangp_pipeline.arguments(width, height, frames, tiny.STEPS, tiny.CFG)
    fixed |= {"shift": tiny.SHIFT, "n_prompt": tiny.NEGATIVE, "VAE_tile_size": row.vae.tile, "seed": 0}
    for number in range(total):
        seen.clear()
        known = torch.from_numpy(golden[f"{case}/{number}/first"]).permute(3, 0, 1, 2).float().div(127.5).sub(1)
        runtime.begin(state)
        runtime.attach(pipeline, prompts, known if number == 0 else None)
        pipeline.generate(
            **fixed, input_prompt=prompts[0], input_video=known, prefix_frames_count=1, window_no=number + 1
        )
        runtime.begin(None)
        if state.broken:
            raise SystemExit("a clip was made without SVI, see above")
        want = {name: golden[f"{case}/{number}/{name}"].astype(np.float32) for name in ("y", "latents", "frames")}
        generator = torch.Generator(device="cpu").manual_seed(number * tiny.SEED_STRIDE)
        noise = torch.randn((1, *want["latents"].shape), generator=generator, device="cpu")[0].numpy()
        row.add(
            worst(seen["y"][4:], want["y"][4:]),
            worst(seen["latents"], want["latents"]),
            worst(seen["frames"], want["frames"].clip(-1, 1)),
            np.array_equal(seen["y"][:4], want["y"][:4])
            and np.array_equal(seen["noise"], noise)
            and worst(np.float32(seen["timesteps"]), golden[f"{case}/timesteps"]) <= 1e-3,
        )


def worst(ours: Any, official: Any) -> float:
    """The largest absolute difference."""
    if ours.shape != official.shape:
        raise SystemExit(f"the shapes differ: {ours.shape}, official {official.shape}")
    return float(abs(ours.astype("float64") - official.astype("float64")).max())


def measure(tree: Path, transformers: tuple[str, ...], vaes: tuple[Vae, ...]) -> list[Row]:
    """One row for each number type of the transformer and each way of the VAE to compute."""
    import numpy as np
    import tiny
    import torch

    torch.set_grad_enabled(False)
    module, golden, rows = tiny_models(tree), np.load(GOLDEN), []
    for transformer in transformers:
        for bits in dict.fromkeys(vae.bits for vae in vaes):
            options = {"dtype": getattr(torch, transformer), "vae": torch.float32 if bits == 32 else torch.float16}
            torch.set_default_device("cpu")
            Image.dtype = options["dtype"]
            pipeline = wangp_pipeline.pipeline_of(module, tree, Text, Image, fill=fill, sizes=tiny.DIT, **options)
            seen = watch(pipeline)
            torch.set_default_device("cuda")  # as wgp.py does behind the loading
            for vae in (vae for vae in vaes if vae.bits == bits):
                row = Row(transformer, vae)
                with precision(vae):
                    for case in CASES:
                        clips(pipeline, seen, golden, case, row)
                rows.append(row)
                print(f"{transformer}, VAE {vae.name}: {row.clips} clips", file=sys.stderr, flush=True)
    return sorted(rows, key=lambda row: (transformers.index(row.transformer), vaes.index(row.vae)))


def show(rows: list[Row], where: str) -> bool:
    """Prints the table; returns whether everything that must be equal was, and whether 32 bit keeps the limits."""
    from compare import FRAMES, LATENTS, Y

    print(f"\n{where}\n\n| transformer | VAE | conditioning | final latents | frames, -1 to 1 |\n|---|---|---|---|---|")
    for row in rows:
        print(f"| {row.transformer} | {row.vae.name} | {row.conditioning:.1e} | {row.latents:.1e} | {row.frames:.1e} |")
    made, equal = sum(row.clips for row in rows), sum(row.equal for row in rows)
    strict = next(row for row in rows if (row.transformer, row.vae) == STRICT)
    kept = strict.conditioning <= Y and strict.latents <= LATENTS and strict.frames <= FRAMES
    print(f"\nmask, initial noise and time steps equal to the official ones in {equal} of {made} clips")
    print(
        f"{STRICT[0]} and {STRICT[1].name}: limits {Y:g}, {LATENTS:g} and {FRAMES:g} {'kept' if kept else 'EXCEEDED'}"
    )
    return kept and equal == made


def version(tree: Path) -> str:
    """WanGP's own."""
    found = re.search(r'^WanGP_version\s*=\s*["\']([^"\']+)', (tree / "wgp.py").read_text("utf-8"), re.M)
    return found.group(1) if found else "of unknown version"


def main() -> int:
    """Returns 0 when everything that must be equal was, and 32 bit keeps the limits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tree", type=Path, help="a WanGP folder; it is only read")
    parser.add_argument("--cpu", action="store_true", help="on the processor, also where there is a graphics card")
    parser.add_argument("--exact", action="store_true", help="only the row of 32 bit, which has to keep the limits")
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    options = parser.parse_args()
    sys.path[:0] = [str(WANGP_TESTS / "shim"), str(WANGP_TESTS / "lab")]
    import torch

    if options.cpu:
        import cuda_on_cpu

        cuda_on_cpu.apply(torch)
    tree = options.tree.resolve()
    transformers, vaes = TRANSFORMERS, tuple(vae for vae in VAES if not (options.cpu and vae.tf32))
    if options.exact:
        transformers, vaes = STRICT[:1], STRICT[1:]
    rows = measure(tree, transformers, vaes)
    card = "on the processor" if options.cpu else torch.cuda.get_device_name()
    where = f"WanGP {version(tree)}, {card}, torch {torch.__version__}"
    passed = show(rows, where)
    if options.json:
        options.json.write_text(json.dumps({"where": where, "rows": [asdict(row) for row in rows]}, indent=1), "utf-8")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
