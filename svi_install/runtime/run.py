"""One generation: from WanGP's call for a video to its last clip."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from . import length, options
from .clip import Clip, official_frames
from .console import say

if TYPE_CHECKING:
    from torch import Tensor

# WanGP generates in one thread at a time, but not always in the same one; its form runs in others.
_local = threading.local()


def current() -> Run | ProRun | None:
    """The generation that this thread is making with SVI, None outside of one."""
    return getattr(_local, "run", None)


def begin(run: Run | ProRun | None) -> None:
    """Makes ``run`` the generation of this thread; None ends it."""
    _local.run = run


def attach(model: Any, scope: Mapping[str, Any]) -> None:
    """Hook before WanGP's call of ``wan_model.generate``: lets the current run change the arguments of that one call.

    Args:
        model: WanGP's pipeline object.
        scope: local variables of WanGP's function; only read.
    """
    run = current()
    if run is None:
        return

    def generate(**arguments: Any) -> Any:
        # An attribute of the object hides the method of its class until it is taken away again.
        del model.generate
        return run.clip(model.generate, arguments, scope)

    model.generate = generate


def stitch(scope: Mapping[str, Any]) -> None:
    """Hook where WanGP drops the head of a new clip: the old tail goes, the regenerated head stays.

    Writes the head over the tail in place, so nothing is copied and WanGP's own counting stays right.

    Args:
        scope: local variables of WanGP's function: ``sample`` (3, F, height, width), the new clip;
            ``frames_already_processed``, one tensor or a list of tensors; ``reuse_frames``, the overlap.
    """
    run = current()
    if isinstance(run, Run):
        try:
            run.stitch(scope)
        except Exception as error:  # noqa: BLE001  (a seam is not worth a lost video)
            say(f"kept WanGP's own seam between two clips: {type(error).__name__}: {error}")


class Run:
    """State of one SVI generation: the reference, the base seed, the clips made so far."""

    def __init__(self, chosen: options.Options, lengths: length.Lengths, loras: list[str], version: str) -> None:
        self.options = chosen
        self.lengths = lengths
        self._loras = loras
        self._version = version
        self._reference: Tensor | None = None
        self._base_seed = 0
        self._seeds: list[int] = []
        self._broken = False

    def announce(self) -> None:
        """Says on the console that SVI is on, and with what."""
        count, padding = self.options.motion_frames, self.options.padding
        words = {-1: "all", 0: "none"}.get(padding, str(padding))
        clips, frames = self.lengths.clips, self.lengths.clip_frames
        say(
            f"on: {self.options.label}, {count} motion frame{'s' if count > 1 else ''}, reference padding {words}, "
            f"{clips} clip{'s' if clips > 1 else ''} of {frames} frames = {self.lengths.total} frames"
        )

    def proof(self) -> dict[str, Any]:
        """What was done, for the metadata of the video."""
        return {
            "runtime": self._version,
            "variant": self.options.variant,
            "motion_frames": self.options.motion_frames,
            "reference_padding": self.options.padding,
            "official_sigmas": self.options.official_sigmas,
            "seeds": list(self._seeds),
            "loras": self._loras,
        }

    def clip(self, generate: Callable[..., Any], arguments: dict[str, Any], scope: Mapping[str, Any]) -> Any:
        """Makes one clip.

        Args:
            generate: WanGP's method.
            arguments: its keyword arguments, as WanGP calls it.
            scope: local variables of WanGP's function.

        Returns:
            What WanGP's method returns, led by the frames that WanGP counts as overlap but SVI does not hand on.
        """
        if self._broken:
            return generate(**arguments)
        try:
            changed = self._prepare(dict(arguments), scope)
        except Exception as error:  # noqa: BLE001  (WanGP must generate, with or without SVI)
            self._step_aside(f"{type(error).__name__}: {error}")
            return generate(**arguments)
        clip: Clip = changed["svi"]
        result = generate(**changed)
        if result is None:  # aborted
            return result
        if not (clip.conditioned and clip.masked):
            self._step_aside("models/wan/any2video.py has lost a line of svi-install; run svi-install again")
        return self._lead(result, arguments["input_video"], changed["input_video"].shape[1])

    def stitch(self, scope: Mapping[str, Any]) -> None:
        """See the function of that name."""
        if self._broken:
            return
        if scope.get("temporal_upsampling") or scope.get("spatial_upsampling") or scope.get("film_grain_intensity"):
            # The frames so far are upsampled or grained already and the head is not yet: the old tail stays.
            return
        sample, overlap = scope["sample"], scope["reuse_frames"]
        done = scope["frames_already_processed"]
        chunks = done if isinstance(done, list) else [done]
        left = overlap
        for chunk in reversed(chunks):
            count = min(left, chunk.shape[1])
            if count:
                head = sample[:, left - count : left]
                chunk[:, chunk.shape[1] - count :] = _like(head, chunk)
            left -= count
            if left == 0:
                break

    def _prepare(self, arguments: dict[str, Any], scope: Mapping[str, Any]) -> dict[str, Any]:
        number = arguments["window_no"]
        known = arguments["input_video"]
        if number == 1:
            self._base_seed, self._seeds = int(arguments["seed"]), []
            prefix = scope.get("prefix_video")
            first = known[:, :1] if prefix is None else prefix[:, :1]
            self._reference = _signed(first).clone()
        motion = min(self.options.motion_frames, known.shape[1])
        known = official_frames(_signed(known)[:, -motion:])
        seed = self._base_seed + options.SEED_STRIDE * (number - 1)
        prompts = scope.get("prompts") or []
        if len(prompts) > 1:
            # WanGP repeats the last prompt when there are more clips than prompts; the authors begin again.
            arguments["input_prompt"] = prompts[(number - 1) % len(prompts)]
        if self._reference is None:
            raise ValueError("the first clip was made without SVI")
        arguments.update(
            input_video=known,
            prefix_frames_count=motion,
            seed=seed,
            color_correction_strength=0,
            svi=Clip(
                self.options,
                self._reference,
                motion,
                int(arguments["sampling_steps"]),
                float(arguments["shift"]),
                arguments["sample_solver"] == "euler",
            ),
        )
        self._seeds.append(seed)
        total = max(self.lengths.clips, number)
        say(f'clip {number}/{total}: seed {seed}, prompt "{_short(arguments["input_prompt"])}"', after_progress=True)
        return arguments

    def _lead(self, result: Any, given: Tensor, motion: int) -> Any:
        """WanGP's window loop can only count overlaps of 4k+1 frames; other numbers of motion frames are filled up."""
        missing = given.shape[1] - motion
        if missing == 0:
            return result
        frames = result["x"] if isinstance(result, dict) else result
        import torch  # noqa: PLC0415

        led = torch.cat([_like(given[:, :missing], frames), frames], dim=1)
        return {**result, "x": led} if isinstance(result, dict) else led

    def _step_aside(self, reason: str) -> None:
        self._broken = True
        say(f"off for the rest of this video, WanGP goes on without it: {reason}")


class ProRun:
    """WanGP's own SVI 2 Pro with a new seed for every clip; nothing else is changed."""

    def __init__(self, version: str) -> None:
        self._version = version
        self._base_seed = 0
        self._seeds: list[int] = []

    def proof(self) -> dict[str, Any]:
        """What was done, for the metadata of the video."""
        return {"runtime": self._version, "variant": "2.0 Pro", "seeds": list(self._seeds)}

    def clip(self, generate: Callable[..., Any], arguments: dict[str, Any], scope: Mapping[str, Any]) -> Any:
        """Makes one clip with its own seed."""
        number = arguments["window_no"]
        if number == 1:
            self._base_seed, self._seeds = int(arguments["seed"]), []
        seed = self._base_seed + options.SEED_STRIDE * (number - 1)
        self._seeds.append(seed)
        say(f'clip {number}: seed {seed}, prompt "{_short(arguments["input_prompt"])}"', after_progress=True)
        return generate(**{**arguments, "seed": seed})


def _signed(frames: Tensor) -> Tensor:
    """Frames as float in -1..1, from uint8 too."""
    if frames.is_floating_point():
        return frames.float()
    return frames.float().div_(127.5).sub_(1)


def _like(frames: Tensor, target: Tensor) -> Tensor:
    """Frames in the number type and place of ``target``: uint8 0..255 or float -1..1."""
    if frames.is_floating_point() and not target.is_floating_point():
        frames = frames.float().add(1).mul_(127.5).round_().clamp_(0, 255)
    elif not frames.is_floating_point() and target.is_floating_point():
        frames = _signed(frames)
    return frames.to(target)


def _short(prompt: str, width: int = 60) -> str:
    line = " ".join(str(prompt).split())
    return line if len(line) <= width else line[: width - 3] + "..."
