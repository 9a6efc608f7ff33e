"""TF32 in SVI's clips: off where the person chose a VAE of 32 bit, untouched everywhere else, always put back."""

from __future__ import annotations

import contextlib
import functools
import itertools
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from . import standin

torch = pytest.importorskip("torch", reason="the runtime's tests need torch (the WanGP laboratory has it)")

from svi_install.runtime import precision  # noqa: E402

ON = {"svi_mode": True, "svi_num_motion_frames": 1, "svi_ref_pad_num": -1}
NEWER = hasattr(torch.backends, "fp32_precision")

# Everything that torch can be told about TF32, as one would write it. Whatever it refuses is left out.
OLDER_WRITES = (
    *(f"backends.cudnn.allow_tf32 = {value}" for value in (True, False)),
    *(f"backends.cuda.matmul.allow_tf32 = {value}" for value in (True, False)),
    *(f"set_float32_matmul_precision({value!r})" for value in ("highest", "high", "medium")),
)
NEWER_WRITES = tuple(
    f"backends.{owner}fp32_precision = {value!r}"
    for owner in ("", "cudnn.", "cudnn.conv.", "cudnn.rnn.", "cuda.matmul.", "mkldnn.matmul.")
    for value in ("ieee", "tf32", "none")
)
READINGS = ("backends.cudnn.allow_tf32", "backends.cuda.matmul.allow_tf32", "get_float32_matmul_precision()") + (
    (
        *("backends.fp32_precision", "backends.cudnn.fp32_precision", "backends.cudnn.conv.fp32_precision"),
        *("backends.cudnn.rnn.fp32_precision", "backends.cuda.matmul.fp32_precision"),
        *("backends.mkldnn.matmul.fp32_precision", "backends.mkldnn.conv.fp32_precision"),
    )
    if NEWER
    else ()
)
RESET = (
    *((NEWER_WRITES[2], NEWER_WRITES[5]) if NEWER else ()),
    *("backends.cudnn.allow_tf32 = True", "set_float32_matmul_precision('highest')"),
    *((NEWER_WRITES[14], NEWER_WRITES[17]) if NEWER else ()),
)


@functools.cache
def compiled(text: str, mode: str) -> types.CodeType:
    return compile(f"torch.{text}", "torch", mode)


def write(*statements: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for statement in statements:
            with contextlib.suppress(RuntimeError):  # torch refuses some combinations
                exec(compiled(statement, "exec"), {"torch": torch})


def state() -> dict[str, Any]:
    """Every reading, "refused" where torch finds its own settings contradictory."""
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for reading in READINGS:
            try:
                found[reading] = eval(compiled(reading, "eval"), {"torch": torch})
            except RuntimeError:
                found[reading] = "refused"
    return found


@pytest.fixture(autouse=True)
def _as_torch_starts() -> Iterator[None]:
    write(*RESET)
    yield
    write(*RESET)


class Pipeline:
    """The part of WanGP's pipeline object that is looked at."""

    def __init__(self, dtype: Any) -> None:
        self.vae = types.SimpleNamespace(dtype=dtype)

    def generate(self) -> dict[str, Any]:
        return state()


def fine(inside: dict[str, Any]) -> bool:
    """Whether neither convolutions nor products of matrices may use TF32."""
    names = ("backends.cudnn.allow_tf32", "backends.cuda.matmul.allow_tf32", *READINGS[5:8:2], *READINGS[7:8])
    return not any(inside[name] in (True, "tf32") for name in names)


def test_the_start_is_the_one_of_a_new_process() -> None:
    """What the tests begin with: convolutions in TF32, products of matrices not."""
    assert state()["backends.cudnn.allow_tf32"] is True
    assert state()["get_float32_matmul_precision()"] == "highest"
    assert not fine(state())


def test_off_inside_and_back_behind() -> None:
    write("set_float32_matmul_precision('high')")
    before = state()
    with precision.exact(functools.partial(Pipeline(torch.float32).generate)):
        assert fine(state())
    assert state() == before


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, GeneratorExit])
def test_back_after_an_error(error: type[BaseException]) -> None:
    before = state()

    def fail() -> None:
        assert fine(state())
        raise error

    with pytest.raises(error), precision.exact(Pipeline(torch.float32).generate):
        fail()
    assert state() == before


@pytest.mark.parametrize(
    "generate",
    [Pipeline(torch.float16).generate, Pipeline(torch.bfloat16).generate, Pipeline(None).generate, lambda: None],
)
def test_untouched_elsewhere(generate: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_settings", lambda: pytest.fail("torch's settings were looked at"))
    before = state()
    with precision.exact(generate):
        assert state() == before
    assert state() == before


def test_a_vae_that_does_not_tell() -> None:
    """The pipeline's own note of the choice counts then."""
    pipeline = Pipeline(None)
    pipeline.VAE_dtype = torch.float32  # type: ignore[attr-defined]
    with precision.exact(pipeline.generate):
        assert fine(state())


def test_any_settings_come_back(capsys: pytest.CaptureFixture[str]) -> None:
    """Every two of torch's own statements about TF32, and every three that begin with an older one; contradictory too.

    Inside TF32 is off, what could be read can be read, and behind it everything reads as before. What could not be
    read before may be readable afterwards: there is no telling what it was.
    """
    pipeline = Pipeline(torch.float32)
    tried = wrong = 0
    writes = OLDER_WRITES + (NEWER_WRITES if NEWER else ())
    starts: list[tuple[tuple[str, ...], ...]] = [(), (writes,), (writes, writes), (OLDER_WRITES, writes, writes)]
    sequences = [each for parts in starts for each in itertools.product(*parts)]
    for sequence in sequences:
        write(*RESET, *sequence)
        before = state()
        with precision.exact(pipeline.generate):
            inside = state()
        after = state()
        tried += 1
        readable = [name for name, value in before.items() if value != "refused"]
        wrong += (
            not fine(inside)
            or any(after[name] != before[name] for name in readable)
            or any(inside[name] == "refused" for name in readable)
        )
    with capsys.disabled():
        print(f"\n{tried} states of torch's settings, {wrong} wrong")
    assert tried == len(sequences) >= 400
    assert wrong == 0


def test_no_word_and_no_error_where_torch_refuses(monkeypatch: pytest.MonkeyPatch, recwarn: Any, capsys: Any) -> None:
    """As after torch.backends.disable_global_flags(), which no one can take back: every assignment raises."""
    monkeypatch.setitem(torch.backends.disable_global_flags.__globals__, "flags_frozen", lambda: True)
    with pytest.raises(RuntimeError):
        torch.backends.cudnn.allow_tf32 = False
    before = state()
    with precision.exact(Pipeline(torch.float32).generate):
        assert state() == before
    assert state() == before
    assert not recwarn.list
    assert capsys.readouterr() == ("", "")


class Refusing:
    """A setting that takes its first value and refuses every other one."""

    def __init__(self, value: object) -> None:
        self.__dict__["allow_tf32"] = value

    def __setattr__(self, name: str, value: object) -> None:
        raise RuntimeError(f"{name} cannot be {value}")


def fake_torch(older: bool, newer: bool, cudnn: Any = None) -> Any:
    """A torch with one of its two sets of settings, or both."""
    matmul, conv, rnn = types.SimpleNamespace(), types.SimpleNamespace(), types.SimpleNamespace()
    cudnn = cudnn or types.SimpleNamespace()
    made = types.SimpleNamespace(
        backends=types.SimpleNamespace(cudnn=cudnn, cuda=types.SimpleNamespace(matmul=matmul)), precision="high"
    )
    if newer:
        cudnn.conv, cudnn.rnn = conv, rnn
        conv.fp32_precision = rnn.fp32_precision = matmul.fp32_precision = "tf32"
    if older and not isinstance(cudnn, Refusing):
        cudnn.allow_tf32 = True
    matmul.allow_tf32 = older
    made.get_float32_matmul_precision = lambda: made.precision
    made.set_float32_matmul_precision = lambda value: setattr(made, "precision", value)
    return made


@pytest.mark.parametrize(("older", "newer"), [(True, False), (False, True)])
def test_torch_before_and_after(monkeypatch: pytest.MonkeyPatch, older: bool, newer: bool) -> None:
    """Without the newer settings (before 2.9), and without those that are older."""
    fake = fake_torch(older, newer)
    monkeypatch.setitem(sys.modules, "torch", fake)
    names = [name for name in ("allow_tf32", "conv", "rnn") if hasattr(fake.backends.cudnn, name)]
    before = repr(fake.backends)
    with precision.exact(Pipeline(torch.float32).generate):
        inside = [getattr(fake.backends.cudnn, name) for name in names]
        inside = [getattr(value, "fp32_precision", value) for value in inside]
        assert inside == ([False] if older else ["ieee", "ieee"])
        assert fake.precision == "highest"
        assert repr(fake.backends) != before
    assert repr(fake.backends) == before
    assert fake.precision == "high"


def test_what_was_switched_comes_back_when_the_next_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = fake_torch(True, False, Refusing(True))
    monkeypatch.setitem(sys.modules, "torch", fake)
    backwards = [each[::-1] for each in precision._settings()]
    monkeypatch.setattr(precision, "_settings", lambda: backwards)
    with precision.exact(Pipeline(torch.float32).generate):
        assert (fake.precision, fake.backends.cuda.matmul.allow_tf32) == ("high", True)
    assert (fake.precision, fake.backends.cuda.matmul.allow_tf32) == ("high", True)


class TestInWanGP:
    """In the stand-in: what its model is called with."""

    @pytest.fixture(params=standin.FLAVOURS)
    def wangp(self, request: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
        return standin.wangp(request.param, monkeypatch, tmp_path)

    def seen(self, wangp: dict[str, Any], monkeypatch: pytest.MonkeyPatch, dtype: Any, **settings: Any) -> list[bool]:
        """torch.backends.cudnn.allow_tf32 in each call of the model."""
        cls, seen = type(wangp["wan_model"]), []
        original = cls.generate

        @functools.wraps(original)
        def generate(model: Any, *args: Any, **arguments: Any) -> Any:
            seen.append(torch.backends.cudnn.allow_tf32)
            return original(model, *args, **arguments)

        monkeypatch.setattr(cls, "generate", generate)
        wangp["wan_model"].vae = types.SimpleNamespace(dtype=dtype)
        wangp["process"](standin.request(**settings))
        return seen

    def test_32_bit(self, wangp: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
        before = state()
        assert self.seen(wangp, monkeypatch, torch.float32, **ON) == [False, False, False]
        assert state() == before

    def test_16_bit(self, wangp: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
        assert self.seen(wangp, monkeypatch, torch.float16, **ON) == [True, True, True]

    def test_without_svi(self, wangp: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
        assert set(self.seen(wangp, monkeypatch, torch.float32, svi_mode=False)) == {True}

    def test_back_when_wangp_fails(self, wangp: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object, **__: object) -> None:
            assert not torch.backends.cudnn.allow_tf32
            raise ValueError("no memory")

        before = state()
        monkeypatch.setattr(torch, "randn", fail)
        with pytest.raises(ValueError, match="no memory"):
            self.seen(wangp, monkeypatch, torch.float32, **ON)
        assert state() == before

    def test_on_again_once_svi_stepped_aside(self, wangp: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
        """The second call of the first clip and the clips behind it are WanGP's own."""
        from svi_install.runtime.clip import Clip

        # The function has to lie in clip.py: only an error that began there is SVI's own.
        monkeypatch.setattr(Clip, "condition", lambda self, frames: Clip.noise(self, None))  # type: ignore[arg-type]
        assert self.seen(wangp, monkeypatch, torch.float32, **ON) == [False, True, True, True]
