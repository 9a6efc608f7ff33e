"""What an SVI clip costs on a graphics card beside a clip of WanGP's own sliding window: time and peak memory.

    python benchmarks/gpu_cost.py TREE [--vae 16|32] [--steps N] [--guidance G] [--rounds N] [--own-work] [--json FILE]

Runs in WanGP's own Python environment, with the layer sizes of Wan 2.1 image-to-video 14B and random weights: nothing
is downloaded, and TREE (a WanGP folder, with or without SVI installed) is only read. Needs about 40 GiB of graphics
memory, with --own-work far less. The text and image encoders are fixed random features, because all sides ask them
for the same. All sides have a LoRA of SVI's size.

All sides make clips by turns in one process, after a warm-up: WanGP's pipeline as it came, the same with svi-install's
lines and SVI off, and with SVI on. A clip is what WanGP's window loop does with it: the call of the pipeline, the
frames for the next clip, the seam. Two things are judged: that the median of the ratios stays within 1 %, which is
about as fine as clips can be told apart by the clock ("off" may well come out faster than WanGP as it came), and the
runtime's own work, measured by itself in milliseconds; --own-work measures nothing else, with one layer in the place of
40. The exit status says whether the limits were kept.

With a VAE of 32 bit, SVI's clips are made without TF32. So are then those of all sides, or the ratios would compare two
kinds of numbers; what that costs is measured apart.
"""

from __future__ import annotations

import argparse
import gc
import json
import re
import statistics
import sys
import time
import types
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import wangp_pipeline
from benchmarks.own_work import own_work

RATIO = 1.01
OWN_MS = 50.0
MEMORY = 1.001

PROMPTS = ("a boat leaves the harbour", "a bridge in the fog", "a bird above the sea")
SEED = 7
GIB = 1024**3
# What SVI's LoRAs change, and their rank.
LORA = re.compile(r"blocks\.\d+\.((self|cross)_attn\.[qkvo]|ffn\.[02])")
LAYERS, RANK = 10, 128  # of each block


@dataclass(frozen=True)
class Clip:
    """One clip: seconds, peak of allocated graphics memory in bytes."""

    seconds: float
    peak: int


@dataclass
class Side:
    """One way to make a video, clip after clip.

    ``run`` is the runtime's state where SVI is on; ``short`` are clips of one step, and only of such a side: against
    ``clips`` they tell what a step takes and what all the rest.
    """

    name: str
    pipeline: Any
    overlap: int
    run: Any = None
    known: Any = None
    done: list[Any] = field(default_factory=list)
    clips: list[Clip] = field(default_factory=list)
    short: list[Clip] = field(default_factory=list)

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


@dataclass
class Numbers:
    """Everything that was measured.

    Attributes:
        sides: with their clips.
        own: by side, seconds of the runtime's own work in each of three clips, by function.
        vae: seconds of the VAE for one clip, by its bits.
    """

    sides: list[Side]
    own: dict[str, list[dict[str, float]]]
    vae: dict[str, float] = field(default_factory=dict)

    def own_ms(self, name: str) -> float:
        """The runtime's own work in one clip of a side, the median, in milliseconds."""
        return 1000 * statistics.median(sum(clip.values()) for clip in self.own[name])

    @property
    def kept(self) -> bool:
        """Whether the runtime's own work keeps its limit."""
        return all(self.own_ms(name) <= OWN_MS for name in self.own)


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
    """Random weights on the card: small matrices, scales of 1, small biases.

    Without biases a grey frame would stay zero up to the norms of the VAE, whose 16 bits cannot divide by that.
    """
    import torch

    def make(path: str, empty: Any, wanted: Any) -> Any:
        name = path.rpartition(".")[2]
        made = torch.empty(empty.shape, dtype=wanted, device="cuda")
        if name == "bias":
            return made.normal_(0, 0.02)
        if empty.ndim > 1 and name not in ("gamma", "modulation"):
            return made.normal_(0, (empty[0].numel()) ** -0.5)
        return made.fill_(float(name != "modulation"))

    wangp_pipeline.assign(model, dtype, make)


def add_lora(model: Any) -> None:
    """Adds a LoRA of SVI's size to the transformer of all sides, by the two products of matrices that mmgp makes."""
    import torch

    def two_products(layer: Any, args: tuple[Any, ...], result: Any) -> Any:
        given = args[0].reshape(-1, layer.in_features).to(result.dtype)
        result.view(-1, layer.out_features).addmm_(given @ layer.lora_a.T, layer.lora_b.T)
        return result

    layers = [layer for name, layer in model.named_modules() if LORA.fullmatch(name)]
    for layer in layers:
        options = {"dtype": layer.weight.dtype, "device": "cuda"}
        layer.lora_a = torch.randn(RANK, layer.in_features, **options).div_(1000)
        layer.lora_b = torch.randn(layer.out_features, RANK, **options).div_(1000)
        layer.register_forward_hook(two_products)
    if len(layers) != LAYERS * len(model.blocks):
        raise SystemExit(f"{len(layers)} layers have the names that SVI's LoRAs change, not {LAYERS} of each block")


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


def sides_of(options: argparse.Namespace, start: Any) -> list[Side]:
    """All ways to make the video."""
    import torch

    made = {"vae": torch.float16 if options.vae == 16 else torch.float32, "dtype": torch.bfloat16, "fill": fill}
    if options.own_work:
        made["sizes"] = {"num_layers": 1}
    stock, hooked = wangp_pipeline.pipelines(options.tree.resolve(), FixedText, FixedImage, **made)
    add_lora(stock.model)
    shot, longer = (wangp_pipeline.svi_run(variant, 100, options.frames) for variant in ("shot", "2.0"))
    sides = [
        Side("WanGP, overlap 1", stock, 1),
        Side("installed, SVI off, overlap 1", hooked, 1),
        Side("SVI-Shot, 1 motion frame", hooked, 1, shot),
        Side("WanGP, overlap 5", stock, 5),
        Side("SVI-2.0, 5 motion frames", hooked, 5, longer),
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


def measure(options: argparse.Namespace) -> Numbers:
    """Warms up, makes the clips of all rounds, and looks at SVI's own work once more."""
    import torch

    torch.set_grad_enabled(False)
    torch.backends.cudnn.allow_tf32 = options.vae == 16
    width, height = map(int, options.size.split("x"))
    # A picture whose levels lie on the grid of uint8, as those of a picture file do.
    start = noise(3, 1, height, width).clamp_(-2, 2).mul_(63.75).round_().div_(127.5)
    sides = sides_of(options, start)
    torch.set_default_device("cuda")  # as wgp.py does behind the loading
    arguments = wangp_pipeline.arguments(width, height, options.frames, options.steps, options.guidance)
    arguments |= {"input_prompt": PROMPTS[0], "n_prompt": "blurred"}
    short = {**arguments, "sampling_steps": 1}
    ours = [side for side in sides if side.run is not None]
    print("warm-up: the first clip of every side, 1 step", flush=True)
    for side in ours if options.own_work else sides:
        make_clip(side, 1, short)
    measured = Numbers(sides, {})
    for number in (2, 3, 4):
        for side in ours:
            with own_work({}) as spent:
                side.short.append(make_clip(side, number, short))
            measured.own.setdefault(side.name, []).append(spent)
    if options.own_work:
        return measured
    for number in range(5, options.rounds + 5):
        # Every other round goes backwards, so that a drift of the clocks hits both of a pair alike.
        for side in sides if number % 2 else sides[::-1]:
            side.clips.append(make_clip(side, number, arguments))
            print(f"clip {number} of {side.name}: {side.clips[-1].seconds:.2f} s", flush=True)
    measured.vae = vae_of(sides[0], arguments)
    return measured


def vae_of(side: Side, arguments: dict[str, Any]) -> dict[str, float]:
    """Seconds in which the VAE encodes and decodes one clip, by its bits; the second time counts."""
    import torch

    frames = noise(3, arguments["frame_num"], arguments["height"], arguments["width"]).clamp_(-1, 1).cuda()
    seconds = {}
    for name, dtype in (("16", torch.float16), ("32", torch.float32), ("32 without TF32", torch.float32)):
        torch.backends.cudnn.allow_tf32 = name != "32 without TF32"
        vae = type(side.pipeline.vae)(vae_pth="random", dtype=dtype, device="cpu")
        vae.device = side.pipeline.device
        for _ in range(2):
            torch.cuda.synchronize()
            began = time.perf_counter()
            vae.decode(vae.encode([frames], 0), 0)
            torch.cuda.synchronize()
            seconds[name] = time.perf_counter() - began
    return seconds


def show(options: argparse.Namespace, measured: Numbers) -> list[Pair]:
    """Prints the tables and returns the pairs, none where only the runtime's own work was measured."""
    import torch

    print(f"\n{torch.cuda.get_device_name()}, torch {torch.__version__}, {options.size}, {options.frames} frames,")
    steps = "own work only, one layer and 1 step" if options.own_work else f"{options.steps} steps"
    print(f"{steps}, guidance {options.guidance:g}, transformer bfloat16, VAE {options.vae} bit,")
    print(f"a LoRA of rank {RANK} on {LAYERS} layers of each block of every side")
    pairs = [] if options.own_work else show_sides(options.rounds, measured)
    for name, clips in measured.own.items():
        each = ", ".join(f"{function} {1000 * seconds:.1f}" for function, seconds in clips[-1].items())
        every = ", ".join(f"{1000 * sum(clip.values()):.1f}" for clip in clips)
        verdict = "" if measured.own_ms(name) <= OWN_MS else f"  OVER THE LIMIT {OWN_MS:.0f}"
        print(f"\nown work of {name}: {measured.own_ms(name):.0f} ms per clip ({every}){verdict}\nthe last one: {each}")
    return pairs


def show_sides(rounds: int, measured: Numbers) -> list[Pair]:
    """Prints the sides against each other."""
    sides, pairs = measured.sides, pairs_of(measured.sides)
    print(f"\n{'side':<32}{'seconds per clip':<{9 * rounds}} median  peak GiB")
    for side in sides:
        each = "".join(f"{clip.seconds:<9.2f}" for clip in side.clips)
        print(f"{side.name:<32}{each} {side.seconds:6.2f}  {side.peak / GIB:8.1f}")
    print(f"\n{'against WanGP, same overlap':<32}{'difference in time':<{9 * rounds}} median  peak memory")
    for pair in pairs:
        each = "".join(f"{f'{100 * ratio - 100:+.1f} %':<9}" for ratio in pair.ratios)
        verdict = "" if pair.kept else f"  OVER THE LIMITS {100 * RATIO - 100:.0f} % and {100 * MEMORY - 100:.1f} %"
        print(f"{pair.name:<32}{each} {100 * pair.ratio - 100:+4.1f} %  {100 * pair.memory - 100:+.2f} %{verdict}")
    seconds = ", ".join(f"{seconds:.1f} s with {bits}" for bits, seconds in measured.vae.items())
    print(f"\nthe VAE encodes and decodes a clip, by its bits: {seconds}")
    return pairs


def setting(options: argparse.Namespace) -> dict[str, Any]:
    """What was measured on which card, for `benchmarks/clip_times.py`."""
    import torch

    chosen = {name: getattr(options, name) for name in ("size", "frames", "steps", "guidance", "vae", "own_work")}
    return {"card": torch.cuda.get_device_name(), "torch": str(torch.__version__), **chosen}


def main() -> int:
    """Returns 0 when every limit was kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tree", type=Path, help="a WanGP folder; it is only read")
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=4, help="measured clips of each side")
    parser.add_argument("--frames", type=int, default=81)
    parser.add_argument("--size", default="832x480", help="width x height")
    parser.add_argument("--guidance", type=float, default=5.0)
    parser.add_argument("--vae", type=int, choices=(16, 32), default=16, help="bits, as chosen in WanGP's settings")
    parser.add_argument("--own-work", action="store_true", help="measure only the runtime's own work")
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    options = parser.parse_args()
    measured = measure(options)
    pairs = show(options, measured)
    if options.json:
        numbers = {
            "setting": setting(options),
            "sides": [
                {"name": side.name, "clips": [*map(asdict, side.clips)], "short": [*map(asdict, side.short)]}
                for side in measured.sides
            ],
            "pairs": [{**asdict(pair), "ratio": pair.ratio, "kept": pair.kept} for pair in pairs],
            **{"own_work": measured.own, "vae": measured.vae},
        }
        options.json.write_text(json.dumps(numbers, indent=1), "utf-8")
    return 0 if measured.kept and all(pair.kept for pair in pairs) else 1


if __name__ == "__main__":
    sys.exit(main())
