"""WanGP's own model classes at sizes that a CPU runs in seconds, and no network.

Only widths and depths that no other module depends on change: head size, latent channels and the encoders'
outputs stay.
"""

from __future__ import annotations

import functools
import gc
import os
from pathlib import Path

DIT = {"dim": 256, "ffn_dim": 256, "num_heads": 2, "num_layers": 2}
T5 = {"vocab_size": 512, "dim_attn": 64, "dim_ffn": 64, "num_heads": 4, "encoder_layers": 1, "decoder_layers": 1}
CLIP = {
    **{"vision_mlp_ratio": 0.25, "vision_layers": 2},
    **{"vocab_size": 512, "text_dim": 64, "text_heads": 4, "text_layers": 1},
}
VAE_DIM = 16


def install(after):
    parity = os.environ["LAB_TINY"] == "parity"
    sizes = {**DIT, "text_dim": 32} if parity else DIT
    if parity:
        after("shared.utils.files_locator", parity_checkpoints)
    after("models.wan.modules.model", lambda m: constructor(m.WanModel, **sizes))
    after("models.wan.modules.vae", lambda m: constructor(m.WanVAE_, dim=VAE_DIM))
    after("models.wan.modules.t5", lambda m: setattr(m, "umt5_xxl", with_sizes(m.umt5_xxl, T5)))
    after("models.wan.modules.clip", clip)
    after("models.wan.any2video", lambda m: cheap_collection(m.WanAny2V))
    after("huggingface_hub", offline_hub)
    after("gradio.networking", reachable)


def reachable(module):
    """Gradio gives its own page three seconds and ends the server after that, which a busy machine exceeds."""
    module.url_ok = lambda url: True


def cheap_collection(cls):
    """mmgp collects garbage at each change of model; with a million objects of imports that is half of the time."""
    generate = cls.generate

    @functools.wraps(generate)
    def frozen(self, *args, **kw):
        gc.freeze()
        return generate(self, *args, **kw)

    cls.generate = frozen


def clip(module):
    module.clip_xlm_roberta_vit_h_14 = with_sizes(module.clip_xlm_roberta_vit_h_14, CLIP)


def parity_checkpoints(module):
    original = module.set_checkpoints_paths
    module.set_checkpoints_paths = lambda paths: original(["ckpts/parity", *paths])


def constructor(cls, **sizes):
    # Some releases ignore the configuration inside a checkpoint, hence at construction.
    original = cls.__init__

    @functools.wraps(original)
    def init(self, *args, **kw):
        original(self, *args, **{**kw, **sizes})

    cls.__init__ = init


def with_sizes(function, sizes):
    @functools.wraps(function)
    def sized(*args, **kw):
        return function(*args, **{**kw, **sizes})

    return sized


def offline_hub(module):
    """What WanGP would download becomes an empty file; what it really loads lies in ckpts/ already."""

    def hf_hub_download(repo_id=None, filename=None, local_dir=None, subfolder=None, **kw):
        path = Path(local_dir or ".", subfolder or "", filename)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        return str(path)

    def snapshot_download(*args, local_dir=None, **kw):
        Path(local_dir or ".").mkdir(parents=True, exist_ok=True)
        return local_dir or "."

    module.hf_hub_download, module.snapshot_download = hf_hub_download, snapshot_download
