"""How far the last latent of what a clip of SVI 2 Pro was conditioned on is from that of an image.

Runs in a WanGP tree with the Python of the environment and the shim: only the VAE is WanGP's.

goals.py RECORD IMAGE ...: pairs of a file that shim/conditioning.py wrote and a picture of the video's own size. Prints
the largest difference of each pair.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from reference import signed


@torch.inference_mode()
def main():
    sys.path.insert(0, str(Path.cwd()))
    from models.wan.modules.vae import WanVAE

    torch.set_flush_denormal(True)
    vae = WanVAE(vae_pth="ckpts/Wan2.1_VAE.safetensors", dtype=torch.float32, device="cpu")
    worst = []
    for record, image in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
        picture = np.asarray(Image.open(image).convert("RGB"))[None]
        latent = vae.encode([signed(picture)], 0)[0][:, -1].numpy()
        worst.append(float(np.abs(np.load(record)["y"][4:, -1] - latent).max()))
    print(json.dumps(worst))


if __name__ == "__main__":
    main()
