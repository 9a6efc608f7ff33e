"""The precision that the person chose for the VAE, kept: no TF32 in the clips of SVI where that is 32 bit.

On graphics cards since Ampere torch computes convolutions of float32 numbers in TF32, which keeps 10 of their 23 bits
behind the point, unless it is told otherwise. What that does to a clip stands in docs/precision.md of svi-install.
"""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

# What torch's settings say where TF32 may be used.
ON = (True, "tf32", "high", "medium")


@contextlib.contextmanager
def exact(generate: Callable[..., Any]) -> Iterator[None]:
    """Keeps TF32 off while a clip is made, where WanGP's VAE computes in 32 bit; otherwise touches nothing.

    The settings are torch's own and hold for the whole process, so they come back as they were, whatever happens. Where
    they cannot be switched cleanly, they stay, and the clip is made with them.

    Args:
        generate: the method of WanGP's pipeline object, or a functools.partial of it.
    """
    before = _switch_off() if _is_32_bit(generate) else []
    try:
        yield
    finally:
        _put_back(before)


def _is_32_bit(generate: Callable[..., Any]) -> bool:
    pipeline = getattr(getattr(generate, "func", generate), "__self__", None)
    dtype = getattr(getattr(pipeline, "vae", None), "dtype", None) or getattr(pipeline, "VAE_dtype", None)
    return str(dtype) == "torch.float32"


class _Setting(NamedTuple):
    get: Callable[[], Any]
    set: Callable[[Any], object]
    off: Any

    def read(self) -> Any:
        """The value, None where this torch lacks the setting or refuses to tell."""
        try:
            return self.get()
        except (AttributeError, RuntimeError):
            return None


def _switch_off() -> list[tuple[_Setting, Any]]:
    """Switches TF32 off.

    From 2.9 on torch has two sets of settings. The older one, which torch itself, WanGP and others still read, raises
    when read as soon as the newer one says what it cannot express. So the older one is written where it can be read,
    the newer one where TF32 is on nevertheless, and what could be read before must be readable afterwards.

    Returns:
        The settings with their values until now, for ``_put_back``; nothing where TF32 was off or has to stay on.
    """
    before: list[tuple[_Setting, Any]] = []
    try:
        with _quiet():
            older, newer = _settings()
            before += [(each, value) for each in (*older, *newer) if (value := each.read()) is not None]
            for each, _ in before:
                if each.read() in ON:
                    each.set(each.off)
            if any(each.read() in (None, *ON) for each, _ in before):
                raise RuntimeError("torch's settings contradict each other")
    except Exception:  # noqa: BLE001  (finer numbers are not worth a lost video)
        _put_back(before)
        return []
    return before


def _put_back(before: list[tuple[_Setting, Any]]) -> None:
    # The newer settings come last: an older one, when written, writes several of them.
    for setting, value in before:
        with contextlib.suppress(Exception), _quiet():
            if setting.read() != value:
                setting.set(value)


def _settings() -> tuple[list[_Setting], list[_Setting]]:
    """torch's older and newer settings; some may be missing in the torch that runs."""
    import torch

    def attribute(path: str, name: str, off: Any) -> _Setting:
        def owner() -> Any:
            return functools.reduce(getattr, path.split("."), torch.backends)

        return _Setting(lambda: getattr(owner(), name), lambda value: setattr(owner(), name, value), off)

    # Before cuda.matmul.allow_tf32, which knows no "medium" and would contradict it.
    matmul = _Setting(torch.get_float32_matmul_precision, torch.set_float32_matmul_precision, "highest")
    older = [attribute("cudnn", "allow_tf32", False), matmul, attribute("cuda.matmul", "allow_tf32", False)]
    parts = ("cudnn.conv", "cudnn.rnn", "cuda.matmul", "mkldnn.matmul")
    return older, [attribute(part, "fp32_precision", "ieee") for part in parts]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Newer torch warns whoever touches the older settings, and the person cannot do anything about that."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
