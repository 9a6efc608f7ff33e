"""One clip's noise; what a clip does to WanGP's tensors is judged on the real WanGP, in tests/wangp/."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from svi_install.runtime import clip, options

torch = pytest.importorskip("torch", reason="the runtime's tests need torch (the WanGP laboratory has it)")


class OnCard:
    """Stands for latents on a graphics card: keeps what is copied into it."""

    shape = (1, 16, 2, 4, 4)
    device = SimpleNamespace(type="cuda")

    def copy_(self, noise):
        self.noise = noise
        return self


def made(seed):
    chosen = options.resolve({options.VARIANT: "shot"}, None, "i2v")
    return clip.Clip(chosen, torch.zeros(3, 1, 8, 8), 1, {"seed": seed, "sample_solver": "euler", "shift": 5.0})


def test_noise_is_that_of_the_cpu_whatever_the_default_device_is():
    """wgp.py makes the card torch's default device; "meta" stands for it here."""
    latents = OnCard()
    with torch.device("meta"):
        assert made(49).noise(latents) is latents
    official = torch.randn(OnCard.shape, generator=torch.Generator().manual_seed(49))
    assert latents.noise.dtype == torch.float32
    assert torch.equal(latents.noise, official)


def test_noise_on_the_cpu_is_left_as_wangp_drew_it():
    latents = torch.ones(2, 2)
    assert made(49).noise(latents) is latents
    assert torch.equal(latents, torch.ones(2, 2))


def test_the_image_that_a_clip_arrives_at_stays_its_last_frame_and_is_marked():
    chosen = options.resolve({options.VARIANT: "2.0"}, None, "i2v_2_2")
    arguments = {"seed": 7, "sample_solver": "euler", "shift": 5.0, "image_end": torch.ones(3, 8, 8)}
    one = clip.Clip(chosen, torch.full((3, 1, 8, 8), 0.25), 1, arguments)
    frames = torch.zeros(3, 9, 8, 8)
    frames[:, 0], frames[:, -1] = -1, 1
    one.condition(frames)
    assert [float(frame.mean()) for frame in frames.unbind(1)] == [-1, *[0.25] * 7, 1]
    y = torch.ones(20, 3, 1, 1)
    one.first_frame_only(y)
    # Three latent frames of four pixel frames each; the first stands for frame 0 alone.
    assert y[:4, :, 0, 0].T.tolist() == [[1, 1, 1, 1], [0, 0, 0, 0], [0, 0, 0, 1]]
    assert torch.equal(y[4:], torch.ones(16, 3, 1, 1))
