"""One generation: from WanGP's call for a video to its last clip."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from . import home, length, options
from .clip import GRID, Clip, official_frames
from .console import say
from .precision import exact

if TYPE_CHECKING:
    from torch import Tensor

    from .segment import Segment

# WanGP generates in one thread at a time, but not always in the same one; its form runs in others.
_local = threading.local()


def current() -> Run | ProRun | None:
    """The generation that this thread is making with SVI, None outside of one."""
    return getattr(_local, "run", None)


def begin(run: Run | ProRun | None) -> None:
    """Makes ``run`` the generation of this thread; None ends it."""
    _local.run = run


def attach(model: Any, prompts: Sequence[str], source: Tensor | None) -> None:
    """Hook before WanGP's call of ``wan_model.generate``: lets the current run change the arguments of that one call.

    Args:
        model: WanGP's pipeline object.
        prompts: the prompts of all clips.
        source: start image or video that is continued, (3, n, height, width), float -1..1 or uint8; WanGP has it
            in the first window only.
    """
    run = current()
    if run is None:
        return
    before = None if source is None else Source.of(source, run.motion_frames)

    def generate(*args: Any, **arguments: Any) -> Any:
        # An attribute of the object hides the method of its class until it is taken away again.
        del model.generate
        method = functools.partial(model.generate, *args)
        # An error before WanGP's call leaves the attribute behind for a later generation, which is none of ours.
        return run.clip(method, arguments, prompts, before) if current() is run else method(**arguments)

    model.generate = generate


def stitch(done: Tensor | list[Tensor], sample: Tensor, overlap: int, processed: Any) -> None:
    """Hook where WanGP drops the head of a new clip: the old tail goes, the regenerated head stays.

    Writes the head over the tail in place, so nothing is copied and WanGP's own counting stays right.

    Args:
        done: the video so far, (3, frames, height, width), or a list of its parts. Changed in place.
        sample: the new clip, (3, F, height, width).
        overlap: frames at the head of the clip that are the tail of the video.
        processed: whether the video so far is upsampled or grained already. The head is not, so the old tail stays.
    """
    run = current()
    if not isinstance(run, Run) or run.broken or processed or not run.keeps_head:
        return
    try:
        _keep_head(done if isinstance(done, list) else [done], sample, overlap)
    except Exception as error:  # noqa: BLE001  (a seam is not worth a lost video)
        say(f"kept WanGP's own seam between two clips: {type(error).__name__}: {error}")


def _keep_head(parts: list[Tensor], sample: Tensor, overlap: int) -> None:
    left = overlap
    for part in reversed(parts):
        count = min(left, part.shape[1])
        if count:
            part[:, part.shape[1] - count :] = _like(sample[:, left - count : left], part)
        left -= count
        if left == 0:
            return


class Source(NamedTuple):
    """What SVI needs of the start image or the continued video.

    Attributes:
        first: its first frame, (3, 1, height, width), the reference of all clips.
        tail: its last motion frames, as many as it has, (3, n, height, width).
    """

    first: Tensor
    tail: Tensor

    @classmethod
    def of(cls, video: Tensor, motion_frames: int) -> Source:
        """Copies the frames out of the video: a view would keep all of it alive."""
        return cls(video[:, :1].clone(), video[:, max(video.shape[1] - motion_frames, 0) :].clone())


class Run:
    """State of one SVI generation: the reference, the base seed, the clips made so far."""

    def __init__(
        self,
        chosen: options.Options,
        lengths: length.Lengths,
        loras: list[str],
        version: str,
        *,
        segment: Segment | None = None,
        keeps_head: bool = True,
        arrivals: Sequence[int] = (),
    ) -> None:
        self.options = chosen
        self.motion_frames = chosen.motion_frames
        self.keeps_head = keeps_head
        self._segment = segment
        self._arrivals = tuple(sorted(arrivals))
        self.lengths = lengths
        self._loras = loras
        self._version = version
        self._reference: Tensor | None = None
        self._base_seed = 0
        self._seeds: list[int] = []
        self.broken = False

    def announce(self) -> None:
        """Says on the console that SVI is on, and with what."""
        padding = {-1: "all", 0: "none"}.get(self.options.padding, str(self.options.padding))
        say(
            f"on: {self.options.label}, {_count(self.options.motion_frames, 'motion frame')}, "
            f"reference padding {padding}, {self.lengths.describe()}"
        )
        if self._arrivals:
            say(f"arriving at an End Image: clip {', '.join(map(str, self._arrivals))}")

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
            **({"end_images": list(self._arrivals)} if self._arrivals else {}),
        }

    def clip(
        self, generate: Callable[..., Any], arguments: dict[str, Any], prompts: Sequence[str], source: Source | None
    ) -> Any:
        """Makes one clip.

        Args:
            generate: WanGP's method.
            arguments: its keyword arguments, as WanGP calls it.
            prompts: the prompts of all clips.
            source: the start image or the continued video; first window only.

        Returns:
            What WanGP's method returns, its head made as long as the overlap that WanGP counts.
        """
        if arguments["window_no"] not in self._arrivals and "image_end" in arguments:
            # WanGP hands the n-th image to the n-th window; those of other clips only keep the places.
            arguments["image_end"] = None
        if self.broken:
            return generate(**arguments)
        try:
            changed = self._prepare(dict(arguments), prompts, source)
        except Exception as error:
            if self._segment is not None:  # a film that goes on without SVI for one clip is of no use
                raise
            self._step_aside(f"{type(error).__name__}: {error}")
            return generate(**arguments)
        clip: Clip = changed["svi_wangp"]
        try:
            with exact(generate):
                result = generate(**changed)
        except Exception as error:
            if self._segment is not None or not _raised_in_clip(error):
                raise
            self._step_aside(f"{type(error).__name__}: {error}")
            return generate(**arguments)
        if result is None:  # aborted
            return result
        if not (clip.conditioned and clip.masked):
            self._step_aside(f"models/wan/any2video.py has lost a line of svi-install; {home.remedy()}")
        if self._segment is not None:
            if not self.broken:
                frames = _frames_of(result)
                tail = official_frames(_signed(frames[:, -self.options.motion_frames :]))
                # Half a hair above each level, so that truncation keeps it.
                self._segment.save(_levels(frames), _levels(tail + GRID), {"svi": self.proof()})
            return result
        return self._align(result, arguments["input_video"], changed["input_video"].shape[1])

    def _prepare(self, arguments: dict[str, Any], prompts: Sequence[str], source: Source | None) -> dict[str, Any]:
        number = arguments["window_no"]
        known = arguments["input_video"]
        if number == 1:
            self._base_seed, self._seeds = int(arguments["seed"]), []
            self._reference = _signed(known[:, :1] if source is None else source.first).clone()
            if source is not None and source.tail.shape[1] > known.shape[1]:
                # From 12.10 on WanGP hands over one frame of a continued video, whatever the overlap.
                known = source.tail
            if len(prompts) > self.lengths.clips:
                say(f"{len(prompts)} prompts for {self.lengths.describe()}: those after the last clip are not used")
            if self._segment is not None:
                # The start image of every segment is the one of the film; what moves comes from the clip before.
                before = self._segment.motion_frames(self.options.motion_frames)
                known = known if before is None else before.to(known.device)
        motion = min(self.options.motion_frames, known.shape[1])
        known = official_frames(_signed(known)[:, -motion:])
        seed = self._base_seed + options.SEED_STRIDE * (number - 1)
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
        )
        if (goal := arguments.get("image_end")) is not None:
            arguments["image_end"] = official_frames(_signed(goal))
        arguments["svi_wangp"] = Clip(self.options, self._reference, motion, arguments)
        self._seeds.append(seed)
        total = max(self.lengths.clips, number)
        say(f'clip {number}/{total}: seed {seed}, prompt "{_short(arguments["input_prompt"])}"', after_progress=True)
        return arguments

    def _align(self, result: Any, given: Tensor, motion: int) -> Any:
        """Makes the head of a clip as long as WanGP takes it to be.

        Its window loop can only count overlaps of 4k+1 frames; other numbers of motion frames are filled up. Of a
        continued video it may count fewer; what is more is dropped, in the way that it offers to its own models.
        """
        missing = given.shape[1] - motion
        if missing == 0:
            return result
        frames = _frames_of(result)
        if missing < 0:
            return {**(result if isinstance(result, dict) else {"x": frames}), "post_decode_pre_trim": -missing}
        import torch

        led = torch.cat([_like(given[:, :missing], frames), frames], dim=1)
        return {**result, "x": led} if isinstance(result, dict) else led

    def _step_aside(self, reason: str) -> None:
        self.broken = True
        say(f"off for the rest of this video; WanGP carries on without it: {reason}")


class ProRun:
    """WanGP's own SVI 2 Pro with a new seed for every clip; nothing else is changed."""

    motion_frames = 1

    def __init__(self, version: str, segment: Segment | None = None) -> None:
        self._version = version
        self._segment = segment
        self._base_seed = 0
        self._seeds: list[int] = []

    def proof(self) -> dict[str, Any]:
        """What was done, for the metadata of the video."""
        return {"runtime": self._version, "variant": "2.0 Pro", "seeds": list(self._seeds)}

    def clip(
        self, generate: Callable[..., Any], arguments: dict[str, Any], prompts: Sequence[str], source: Source | None
    ) -> Any:
        """Makes one clip with its own seed; for the arguments see Run.clip."""
        number = arguments["window_no"]
        if number == 1:
            self._base_seed, self._seeds = int(arguments["seed"]), []
        seed = self._base_seed + options.SEED_STRIDE * (number - 1)
        self._seeds.append(seed)
        say(f'clip {number}: seed {seed}, prompt "{_short(arguments["input_prompt"])}"', after_progress=True)
        if self._segment is None:
            return generate(**{**arguments, "seed": seed})
        # The last latent is what WanGP itself hands from window to window.
        handed = {"overlapped_latents": self._segment.latents(), "return_latent_slice": slice(-1, None)}
        result = generate(**{**arguments, "seed": seed, **handed})
        if result is not None:
            trimmed = _frames_of(result)[:, int(result.get("post_decode_pre_trim", 0)) :]
            levels = _levels(trimmed)
            self._segment.save(levels, levels[:, :0], {"svi": self.proof()}, result["latent_slice"])
        return result


def _raised_in_clip(error: Exception) -> bool:
    """Whether an error that came through WanGP's method began in what the hook lines of any2video.py call."""
    from . import clip

    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == clip.__file__:
            return True
        trace = trace.tb_next
    return False


def _frames_of(result: Any) -> Tensor:
    """The frames in what WanGP's method returns: a tensor in some releases, a dictionary in others."""
    frames: Tensor = result["x"] if isinstance(result, dict) else result
    return frames


def _levels(frames: Tensor) -> Tensor:
    """Frames as uint8, by truncation as the official pipeline does it."""
    if not frames.is_floating_point():
        return frames
    import torch

    return frames.float().clamp(-1, 1).add_(1).mul_(127.5).to(torch.uint8)


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


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _short(prompt: str, width: int = 60) -> str:
    line = " ".join(str(prompt).split())
    return line if len(line) <= width else line[: width - 3] + "..."
