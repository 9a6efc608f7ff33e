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
