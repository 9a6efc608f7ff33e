"""One clip: what the hook lines in any2video.py ask for while WanGP makes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from .options import Options

# Chained frames that came through uint8 lie on its grid, but division and multiplication move them off by this much.
GRID = 1e-3


class Clip:
    """Conditioning of one clip. Changes WanGP's own tensors in place: it holds no tensor of a clip's size.

    Args:
        options: the person's choice.
        reference: start image at the video's size, (3, 1, height, width), float, -1..1.
        motion_frames: frames that are known in this clip; 1 in the first clip of a start image.
        arguments: what WanGP's method gets for this clip: ``seed``, ``sample_solver``, ``shift``, and ``image_end``
            where the clip arrives at an image.
    """

    def __init__(self, options: Options, reference: Tensor, motion_frames: int, arguments: Mapping[str, Any]) -> None:
        self._options = options
        self._reference = reference
        self._motion_frames = motion_frames
        self._seed = int(arguments["seed"])
        self._arrives = arguments.get("image_end") is not None
        self._solver, self._shift = arguments["sample_solver"], float(arguments["shift"])
        self.conditioned = self.masked = False

    def condition(self, frames: Tensor) -> Tensor:
        """Puts the reference behind the motion frames, before the VAE encodes them.

        Args:
            frames: (3, F, height, width), -1..1: motion frames, then zeros (mid grey), and the image that the clip
                arrives at as its last frame. Changed in place.

        Returns:
            The frame that CLIP sees: the first motion frame, (3, height, width). The official pipeline encodes
            ``first_frames[0]``.
        """
        room = frames.shape[1] - self._motion_frames - self._arrives
        padded = room if self._options.padding < 0 else min(self._options.padding, room)
        if padded > 0:
            frames[:, self._motion_frames : self._motion_frames + padded] = self._reference.to(frames)
        self.conditioned = True
        return frames[:, 0]

    def first_frame_only(self, y: Tensor) -> int:
        """Marks only pixel frame 0 as known, however many motion frames there are, and the image of the end.

        Args:
            y: conditioning, (4 + latent channels, latent frames, height / 8, width / 8); the first four channels are
                the mask of the four pixel frames behind each latent frame. Changed in place.

        Returns:
            How many latent frames WanGP is to pin to the encoded motion frames at every step: none. The official
            pipeline keeps what the model repaired.
        """
        if not self._options.mask_all:
            y[:4, 1:] = 0
            if self._arrives:  # the last of the four pixel frames behind the last latent frame
                y[3, -1] = 1
        self.masked = True
        return 0

    def schedule(self, timesteps: Any, scheduler: Any) -> Any:
        """The noise schedule: the authors' where that is chosen and the solver is Euler, otherwise WanGP's own.

        ``sigma = linspace(1, 0, n + 1)[:-1]``, then ``s * sigma / (1 + (s - 1) * sigma)`` with the shift s
        (FlowMatchScheduler of the official pipeline); the last step goes to 0.

        Args:
            timesteps: WanGP's, (n,), 1000..0.
            scheduler: WanGP's scheduler object, None in releases that step by themselves. Gets the same timesteps.
        """
        if not (self._options.official_sigmas and self._solver == "euler"):
            return timesteps
        import torch

        sigmas = torch.linspace(1.0, 0.0, len(timesteps) + 1)[:-1]
        sigmas = self._shift * sigmas / (1 + (self._shift - 1) * sigmas)
        official = (sigmas * 1000).to(timesteps)
        if scheduler is not None:
            scheduler.timesteps = official
        return official

    def noise(self, latents: Tensor) -> Tensor:
        """The noise that this clip starts from, as the official pipeline draws it: on the CPU, in float32.

        Args:
            latents: WanGP's, (batch, channels, latent frames, height / 8, width / 8), drawn on its own device. Changed
                in place. On the CPU it is the official noise already.
        """
        import torch

        if latents.device.type == "cpu":
            return latents
        # WanGP makes the graphics card torch's default device.
        generator = torch.Generator(device="cpu").manual_seed(self._seed)
        return latents.copy_(torch.randn(latents.shape, generator=generator, device="cpu", dtype=torch.float32))


def official_frames(frames: Tensor) -> Tensor:
    """Chained frames as the official pipeline hands them on: truncated to the levels of uint8.

    Releases that keep clips in floating point would otherwise chain finer values than the authors' model has seen.

    Args:
        frames: (3, n, height, width), -1..1.
    """
    return frames.add(1).mul_(127.5).add_(GRID).clamp_(0, 255).floor_().div_(127.5).sub_(1)
