"""Serves every request for a "cuda" device with the CPU and answers what WanGP and mmgp ask a graphics card."""

from __future__ import annotations

import contextlib
import functools

# Large enough for WanGP to choose the untiled VAE in every release.
MEMORY = 64 * 1024**3

FACTORIES = (
    *("zeros", "ones", "empty", "full", "tensor", "as_tensor", "asarray", "scalar_tensor", "eye", "empty_strided"),
    *("arange", "linspace", "logspace", "rand", "randn", "randint", "randperm", "sparse_coo_tensor"),
    *("zeros_like", "ones_like", "empty_like", "full_like", "rand_like", "randn_like", "randint_like"),
    *("tril_indices", "triu_indices", "hann_window", "hamming_window", "set_default_device"),
)
METHODS = ("to", "new_zeros", "new_ones", "new_full", "new_empty", "new_tensor")


class Card:
    """What torch.cuda.get_device_properties returns."""

    name, total_memory, major, minor = "CPU in the place of a GPU", MEMORY, 8, 6
    multi_processor_count, warp_size, gcnArchName = 1, 32, ""


class Waiting:
    """A stream or an event: everything is done by the time it is asked."""

    priority = 0

    def __init__(self, *args, **kw):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *args):
        pass

    def synchronize(self, *args, **kw):
        pass

    wait = wait_stream = wait_event = record = record_event = synchronize

    def query(self):
        return True

    def elapsed_time(self, *args):
        return 0.0


class Stream(Waiting):
    """A class of its own: torch._dynamo wants to tell it from an event."""


class Event(Waiting):
    """See Stream."""


def apply(torch):
    devices(torch)
    autocast(torch)
    questions(torch)
    layer_norm(torch)
    torch.compile = lambda model=None, *args, **kw: model if model is not None else (lambda inner: inner)


def devices(torch):
    def on_cpu(value):
        if isinstance(value, str) and value.startswith("cuda"):
            return "cpu"
        if isinstance(value, torch.device) and value.type == "cuda":
            return torch.device("cpu")
        return value

    def redirect(function):
        @functools.wraps(function)
        def redirected(*args, **kw):
            if "device" in kw:
                device = kw["device"]
                kw["device"] = "cpu" if isinstance(device, int) and not isinstance(device, bool) else on_cpu(device)
            kw.pop("pin_memory", None)
            return function(*(on_cpu(a) if isinstance(a, (str, torch.device)) else a for a in args), **kw)

        return redirected

    for name in FACTORIES:
        if hasattr(torch, name):
            setattr(torch, name, redirect(getattr(torch, name)))
    for name in METHODS:
        setattr(torch.Tensor, name, redirect(getattr(torch.Tensor, name)))
    torch.nn.Module.to = redirect(torch.nn.Module.to)
    torch.Tensor.cuda = lambda self, *args, **kw: self
    torch.Tensor.pin_memory = lambda self, *args, **kw: self
    torch.nn.Module.cuda = lambda self, *args, **kw: self
    torch.Tensor.is_pinned = lambda self, *args, **kw: True
    load = torch.load

    def load_on_cpu(*args, **kw):
        if "map_location" in kw:
            kw["map_location"] = on_cpu(kw["map_location"])
        return load(*args, **kw)

    torch.load = load_on_cpu

    class Generator(torch.Generator):
        def __new__(cls, device=None):
            # A per-thread setting, and WanGP makes its Generator in the thread that generates: with random
            # weights denormal numbers make the VAE five times slower.
            torch.set_flush_denormal(True)
            return super().__new__(cls, device="cpu")

    torch.Generator = Generator
    torch.set_flush_denormal(True)


def autocast(torch):
    class Autocast(torch.autocast):
        def __init__(self, device_type="cuda", dtype=None, enabled=True, cache_enabled=None):
            if device_type == "cuda":
                device_type = "cpu"
                if dtype == torch.float16:
                    dtype = torch.bfloat16
                if dtype == torch.float32:  # means "no reduced precision here", which the CPU refuses as a type
                    dtype, enabled = None, False
            super().__init__(device_type, dtype=dtype, enabled=enabled, cache_enabled=cache_enabled)

    class CudaAutocast(Autocast):
        def __init__(self, enabled=True, dtype=torch.float16, cache_enabled=True):
            super().__init__("cuda", dtype, enabled, cache_enabled)

    torch.autocast = torch.amp.autocast = torch.amp.autocast_mode.autocast = Autocast
    import torch.cuda.amp

    torch.cuda.amp.autocast = CudaAutocast


def questions(torch):
    cuda, stream = torch.cuda, Stream()

    def answer(names, value=None):
        for name in names.split():  # a function of its own for each: torch._dynamo rejects one under two names
            setattr(cuda, name, lambda *args, **kw: value)

    cuda.Stream, cuda.Event, cuda.stream = Stream, Event, lambda stream=None: contextlib.nullcontext(stream)
    answer("current_stream default_stream", stream)
    answer("get_device_capability", (Card.major, Card.minor))
    answer("get_device_properties", Card)
    answer("get_device_name", Card.name)
    answer("device_count", 1)
    answer("is_bf16_supported", True)
    answer("mem_get_info", (MEMORY, MEMORY))
    answer("memory_stats", {})
    answer("current_device memory_allocated memory_reserved max_memory_allocated max_memory_reserved", 0)
    answer("set_device synchronize empty_cache ipc_collect reset_peak_memory_stats manual_seed manual_seed_all")


def layer_norm(torch):
    """CUDA autocast accepts parameters of another type than the input, CPU kernels do not."""
    functional = torch.nn.functional
    original = functional.layer_norm

    def same_type(x, shape, weight=None, bias=None, eps=1e-5):
        weight, bias = (p if p is None or p.dtype == x.dtype else p.to(x.dtype) for p in (weight, bias))
        return original(x, shape, weight, bias, eps)

    functional.layer_norm = same_type
