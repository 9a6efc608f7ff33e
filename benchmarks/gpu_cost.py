"""What an SVI clip costs on a graphics card beside a clip of WanGP's own sliding window: time and peak memory.

    python benchmarks/gpu_cost.py TREE [--steps N] [--rounds N] [--json FILE]

Runs in WanGP's own Python environment, with the layer sizes of Wan 2.1 image-to-video 14B and random weights: nothing
is downloaded, and TREE (a WanGP folder, with or without SVI installed) is only read. Needs about 70 GB of graphics
memory. The text and image encoders are fixed random features, because both sides ask them for the same; the VAE runs in
float32, where random weights cannot overflow.

All sides make clips by turns in one process, after a warm-up: WanGP's pipeline as it came, the same with svi-install's
lines and SVI off, and with SVI on. A clip is what WanGP's window loop does with it: the call of the pipeline, the
frames for the next clip, the seam. The exit status says whether the limits were kept.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import statistics
import sys
import time
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

RATIO = 1.01
MEMORY = 1.001

PIPELINE = "models/wan/any2video.py"
PROMPTS = ("a boat leaves the harbour", "a bridge in the fog", "a bird above the sea")
SEED = 7
GIB = 1024**3

# What is timed as SVI's own work: every function of the runtime that a clip passes through.
OWN = (("run", "Run", "_prepare"), ("clip", "Clip", "condition"), ("clip", "Clip", "first_frame_only"))
OWN += (("clip", "Clip", "schedule"), ("clip", "Clip", "noise"), ("run", None, "stitch"))


@dataclass(frozen=True)
class Clip:
    """One clip: seconds, peak of allocated graphics memory in bytes."""

    seconds: float
    peak: int


@dataclass
class Side:
    """One way to make a video, clip after clip; ``run`` is the runtime's state where SVI is on."""

    name: str
    pipeline: Any
    overlap: int
    run: Any = None
    known: Any = None
    done: list[Any] = field(default_factory=list)
    clips: list[Clip] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Median of the clips."""
        return statistics.median(clip.seconds for clip in self.clips)

    @property
    def peak(self) -> int:
        """Highest of the clips."""
        return max(clip.peak for clip in self.clips)


@dataclass(frozen=True)
class Pair:
    """One side against another: the ratio of their times in each round, and of their peaks."""

    name: str
    ratios: tuple[float, ...]
    memory: float

    @property
    def ratio(self) -> float:
        """Median of the rounds."""
        return statistics.median(self.ratios)

    @property
    def kept(self) -> bool:
        """Whether both limits are kept."""
        return self.ratio <= RATIO and self.memory <= MEMORY


class FixedText:
    """Stands for the text encoder: the same random features for every prompt."""

    model = None

    def __init__(self, **_: Any) -> None:
        pass

    def __call__(self, prompts: list[str], device: Any) -> list[Any]:
        """Features of each prompt, (120, 4096)."""
        return [noise(120, 4096).to(device) for _ in prompts]


class FixedImage:
    """Stands for the image encoder."""

    model = types.SimpleNamespace(image_size=224)

    def __init__(self, device: Any = None, **_: Any) -> None:
        self._device = device

    def visual(self, frames: list[Any]) -> Any:
        """Features of one image, (1, 257, 1280)."""
        import torch

        return noise(len(frames), 257, 1280).to(self._device, torch.bfloat16)


def noise(*shape: int) -> Any:
    """The same standard normal numbers every time, on the CPU."""
    import torch

    generator = torch.Generator(device="cpu").manual_seed(SEED)
    return torch.randn(*shape, generator=generator, device="cpu")


def fill(model: Any, dtype: Any) -> None:
    """Gives a model without memory random weights on the card: small matrices, scales of 1, no biases."""
    import torch

    for module in model.modules():
        wanted = getattr(module, "_lock_dtype", None) or dtype
        for name, empty in list(module.named_parameters(recurse=False)):
            made = torch.empty(empty.shape, dtype=wanted, device="cuda")
            if empty.ndim > 1 and name not in ("gamma", "modulation"):
                made.normal_(0, (empty[0].numel()) ** -0.5)
            else:
                made.fill_(float(name not in ("bias", "modulation")))
            setattr(module, name, torch.nn.Parameter(made, requires_grad=False))
        for name, empty in list(module.named_buffers(recurse=False)):
            if empty.is_meta:
                setattr(module, name, torch.zeros(empty.shape, dtype=empty.dtype, device="cuda"))
    model._model_dtype = dtype


def stand_ins(offload: Any) -> None:
    """Has WanGP's loader make models with random weights instead of reading files."""
    import torch

    def load_model(_: Any, modelClass: Any, defaultConfigPath: str, pre_load_callback: Any, **rest: Any) -> Any:  # noqa: N803
        config = json.loads(Path(defaultConfigPath).read_text("utf-8"))
        with torch.device("meta"):
            model = modelClass(**{name: value for name, value in config.items() if not name.startswith("_")})
        pre_load_callback(model)
        fill(model, rest["default_dtype"])
        return model.eval()

    def load_data(model: Any, *_: Any, **__: Any) -> None:
        fill(model, torch.float32)

    offload.fast_load_transformers_model, offload.load_model_data = load_model, load_data


def pipelines(tree: Path) -> tuple[Any, Any]:
    """WanGP's pipeline as it came and with svi-install's lines, over the same weights."""
    from svi_install import patchset, placement

    variants = patchset.load().variants[PIPELINE]
    source = (tree / PIPELINE).read_bytes()
    plain = placement.remove_hooks(variants, PIPELINE, source)
    hooked = placement.place(variants, PIPELINE, source).after

    import torch

    sys.path.insert(0, str(tree))
    from mmgp import offload

    offload.shared_state["_attention"] = "sdpa"
    importlib.import_module("models.wan.configs")
    stand_ins(offload)
    stock, svi = (module_of(tree, f"any2video_{name}", text) for name, text in (("plain", plain), ("svi", hooked)))
    stock.T5EncoderModel, stock.CLIPModel = FixedText, FixedImage
    stock.fl.locate_file = stock.fl.locate_folder = lambda path, *_, **__: str(path)
    first = stock.WanAny2V(
        config=sys.modules["models.wan.configs"].WAN_CONFIGS["i2v-14B"],
        checkpoint_dir="",
        model_filename=["random"],
        submodel_no_list=[1],
        model_type="i2v",
        model_def={"i2v_class": True, "config_file": str(tree / "models/wan/configs/i2v.json")},
        base_model_type="i2v",
        text_encoder_filename="random",
        dtype=torch.bfloat16,
        VAE_dtype=torch.float32,
    )
    first._interrupt = False
    first.model.cache = None
    second = object.__new__(svi.WanAny2V)
    second.__dict__.update(first.__dict__)
    return first, second


def module_of(tree: Path, name: str, text: bytes) -> Any:
    """A module of WanGP's package ``models.wan`` from its text."""
    module = types.ModuleType(f"models.wan.{name}")
    module.__package__, module.__file__ = "models.wan", str(tree / PIPELINE)
    sys.modules[module.__name__] = module
    exec(compile(text, name, "exec"), module.__dict__)
    return module


def svi_run(variant: str, frames: int) -> Any:
    """The runtime's state of one video, as an installed WanGP makes it."""
    from svi_install.runtime import length, options, run

    chosen = options.resolve({options.VARIANT: variant}, None, "i2v")
    assert chosen is not None
    return run.Run(chosen, length.plan(100 * frames, frames, chosen.motion_frames, False), [], "benchmark")


def make_clip(side: Side, number: int, arguments: dict[str, Any]) -> Clip:
    """Makes the next clip of a side as WanGP's window loop does, and measures it."""
    import torch

    from svi_install.runtime import run as runtime

    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    began = time.perf_counter()
    runtime.begin(side.run)
    runtime.attach(side.pipeline, PROMPTS, side.known if number == 1 else None)
    made = side.pipeline.generate(
        **arguments,
        input_video=side.known,
        prefix_frames_count=side.known.shape[1],
        overlap_size=side.overlap,
        window_no=number,
        seed=SEED,
    )
    sample = made["x"] if isinstance(made, dict) else made
    side.known = sample[:, -side.overlap :].clone()
    if side.known.dtype == torch.uint8:
        side.known = side.known.float().div_(127.5).sub_(1.0)
    if number > 1:
        runtime.stitch(side.done, sample, side.overlap, False)
        sample = sample[:, side.overlap :]
    side.done.append(sample)
    runtime.begin(None)
    torch.cuda.synchronize()
    seconds = time.perf_counter() - began
    if sample.float().std() == 0 or (side.run is not None and side.run.broken):
        raise SystemExit(f"{side.name}: this clip proves nothing, it is flat or was made without SVI")
    return Clip(seconds, torch.cuda.max_memory_allocated())


@contextmanager
def own_work(spent: dict[str, float]) -> Iterator[None]:
    """Adds up in ``spent`` the seconds in the runtime's functions, the card's work for them included."""
    import torch

    def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            torch.cuda.synchronize()
            began = time.perf_counter()
            result = function(*args, **kwargs)
            torch.cuda.synchronize()
            spent[name] = spent.get(name, 0.0) + time.perf_counter() - began
            return result

        return wrapper

    replaced = []
    for module, holder, name in OWN:
        owner = importlib.import_module(f"svi_install.runtime.{module}")
        owner = getattr(owner, holder) if holder else owner
        replaced.append((owner, name, getattr(owner, name)))
        setattr(owner, name, timed(name, getattr(owner, name)))
    try:
        yield
    finally:
        for owner, name, function in replaced:
            setattr(owner, name, function)


def sides_of(tree: Path, frames: int, start: Any) -> list[Side]:
    """All ways to make the video."""
    stock, hooked = pipelines(tree)
    sides = [
        Side("WanGP, overlap 1", stock, 1),
        Side("installed, SVI off, overlap 1", hooked, 1),
        Side("SVI-Shot, 1 motion frame", hooked, 1, svi_run("shot", frames)),
        Side("WanGP, overlap 5", stock, 5),
        Side("SVI-2.0, 5 motion frames", hooked, 5, svi_run("2.0", frames)),
    ]
    for side in sides:
        side.known = start.clone()
    return sides


def pairs_of(sides: list[Side]) -> list[Pair]:
    """Each side that svi-install changes against WanGP with the same overlap."""
    pairs = []
    for stock, other in ((0, 1), (0, 2), (3, 4)):
        ratios = tuple(b.seconds / a.seconds for a, b in zip(sides[stock].clips, sides[other].clips, strict=True))
        pairs.append(Pair(sides[other].name, ratios, sides[other].peak / max(1, sides[stock].peak)))
    return pairs


def measure(options: argparse.Namespace) -> tuple[list[Side], dict[str, dict[str, float]]]:
    """Warms up, makes the clips of all rounds, and looks at SVI's own work once more."""
    import torch

    torch.set_grad_enabled(False)
    width, height = map(int, options.size.split("x"))
    # A picture whose levels lie on the grid of uint8, as those of a picture file do.
    start = noise(3, 1, height, width).clamp_(-2, 2).mul_(63.75).round_().div_(127.5)
    sides = sides_of(options.tree.resolve(), options.frames, start)
    torch.set_default_device("cuda")  # as wgp.py does behind the loading
    arguments = {
        **{"input_prompt": PROMPTS[0], "n_prompt": "blurred", "frame_num": options.frames},
        **{"height": height, "width": width, "shift": 5.0, "sample_solver": "euler", "guide_scale": options.guidance},
        **{"sampling_steps": options.steps, "cfg_star_switch": False, "color_correction_strength": 0},
        **{"callback": lambda *_, **__: None, "set_header_text": lambda _: None, "VAE_tile_size": 0},
        **{"loras_slists": {"phase1": [], "phase2": [], "phase3": [], "shared": []}, "model_type": "i2v"},
        # Everything stays on the card, so that no transfer of mmgp's hides a cost.
        **{"offloadobj": types.SimpleNamespace(unload_all=lambda: None), "fps": 16, "joint_pass": True},
    }
    print("warm-up: the first clip of every side, 1 step", flush=True)
    for side in sides:
        make_clip(side, 1, {**arguments, "sampling_steps": 1})
    for number in range(2, options.rounds + 2):
        # Every other round goes backwards, so that a drift of the clocks hits both of a pair alike.
        for side in sides if number % 2 == 0 else sides[::-1]:
            side.clips.append(make_clip(side, number, arguments))
            print(f"clip {number} of {side.name}: {side.clips[-1].seconds:.2f} s", flush=True)
    spent: dict[str, dict[str, float]] = {}
    for side in (side for side in sides if side.run is not None):
        with own_work(spent.setdefault(side.name, {})):
            make_clip(side, options.rounds + 2, {**arguments, "sampling_steps": 1})
    return sides, spent


def show(options: argparse.Namespace, sides: list[Side], spent: dict[str, dict[str, float]]) -> list[Pair]:
    """Prints the tables and returns the pairs."""
    import torch

    pairs = pairs_of(sides)
    print(f"\n{torch.cuda.get_device_name()}, torch {torch.__version__}, {options.size}, {options.frames} frames,")
    print(f"{options.steps} steps, guidance {options.guidance}, {options.rounds} rounds\n")
    print(f"{'side':<32}{'seconds per clip':<{9 * options.rounds}} median  peak GiB")
    for side in sides:
        each = "".join(f"{clip.seconds:<9.3f}" for clip in side.clips)
        print(f"{side.name:<32}{each} {side.seconds:6.3f}  {side.peak / GIB:8.3f}")
    print(f"\n{'against WanGP, same overlap':<32}{'time ratio':<{9 * options.rounds}} median  peak ratio")
    for pair in pairs:
        each = "".join(f"{ratio:<9.4f}" for ratio in pair.ratios)
        verdict = "" if pair.kept else f"  OVER THE LIMITS {RATIO} and {MEMORY}"
        print(f"{pair.name:<32}{each} {pair.ratio:6.4f}  {pair.memory:.6f}{verdict}")
    for name, functions in spent.items():
        each = ", ".join(f"{function} {1000 * seconds:.1f}" for function, seconds in functions.items())
        print(f"\nown work of {name}, milliseconds per clip: {each}; all {1000 * sum(functions.values()):.1f}")
    return pairs


def main() -> int:
    """Returns 0 when every limit was kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tree", type=Path, help="a WanGP folder; it is only read")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=4, help="measured clips of each side")
    parser.add_argument("--frames", type=int, default=81)
    parser.add_argument("--size", default="832x480", help="width x height")
    parser.add_argument("--guidance", type=float, default=5.0)
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    options = parser.parse_args()
    sides, spent = measure(options)
    pairs = show(options, sides, spent)
    if options.json:
        numbers = {
            "sides": [{"name": side.name, "clips": [asdict(clip) for clip in side.clips]} for side in sides],
            "pairs": [{**asdict(pair), "ratio": pair.ratio, "kept": pair.kept} for pair in pairs],
            "own_work": spent,
        }
        options.json.write_text(json.dumps(numbers, indent=1), "utf-8")
    return 0 if all(pair.kept for pair in pairs) else 1


if __name__ == "__main__":
    sys.exit(main())
