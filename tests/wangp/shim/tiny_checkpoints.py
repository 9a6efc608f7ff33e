"""Writes checkpoints of the tiny models into ckpts/ of the WanGP tree that is the current folder.

WanGP's own classes make them, under the file names that it looks for. Runs with this folder on PYTHONPATH and
LAB_TINY=1. With --parity: the transformers and the VAE with the weights of the golden runs, float32, into
ckpts/parity/; the two experts of Wan 2.2 have different ones.
"""

from __future__ import annotations

import base64
import functools
import json
import string
import sys
from pathlib import Path

sys.path.insert(0, str(Path.cwd()))
import tiny
import tiny_model
import torch
from safetensors.torch import save_file

I2V = "wan2.1_image2video_480p_14B_mbf16.safetensors"
T2V = "wan2.1_text2video_14B_mbf16.safetensors"
EXPERTS = ("wan2.2_image2video_14B_high_mbf16.safetensors", "wan2.2_image2video_14B_low_mbf16.safetensors")


def random_weights(module):
    weights = {}
    for name, value in module.state_dict().items():
        made = value
        if value.dtype.is_floating_point:
            scale = value.ndim == 1 and ("norm" in name or "gamma" in name) and name.endswith(("weight", "gamma"))
            made = torch.full(value.shape, float(scale)) if value.ndim <= 1 else torch.randn(value.shape) * 0.02
            made = made.to(torch.bfloat16)
        weights[name] = made.contiguous()
    return weights


def golden_weights(module, prefix=""):
    state = module.state_dict()
    return {name: torch.from_numpy(tiny.weight(prefix + name, tuple(value.shape))) for name, value in state.items()}


def transformer(path, config_name, weights, **sizes):
    from models.wan.modules.model import WanModel

    config = json.loads(Path(f"models/wan/configs/{config_name}.json").read_text("utf-8"))
    config.update(tiny_model.DIT, **sizes)
    model = WanModel(**{name: value for name, value in config.items() if not name.startswith("_")})
    embedded = base64.b64encode(json.dumps(config).encode()).decode()  # where mmgp looks for it
    save_file(weights(model), path, metadata={"format": "pt", "config_base64": embedded})


def vae(path, weights):
    from models.wan.modules.vae import WanVAE_

    model = WanVAE_(
        z_dim=16,
        dim_mult=[1, 2, 4, 4],
        num_res_blocks=2,
        attn_scales=[],
        temperal_downsample=[False, True, True],
        dropout=0.0,
    )
    save_file(weights(model), path)


def encoders(folder):
    from models.wan.modules.clip import clip_xlm_roberta_vit_h_14
    from models.wan.modules.t5 import umt5_xxl

    t5, clip = folder / "umt5-xxl", folder / "xlm-roberta-large"
    for each in (t5, clip):
        each.mkdir(parents=True, exist_ok=True)
        tokenizer(each)
    text = umt5_xxl(encoder_only=True, return_tokenizer=False)
    save_file(random_weights(text), t5 / "models_t5_umt5-xxl-enc-bf16.safetensors")
    image = clip_xlm_roberta_vit_h_14(
        pretrained=False, return_transforms=False, return_tokenizer=False, dtype=torch.float32, device="cpu"
    )
    save_file(random_weights(image), clip / "models_clip_open-clip-xlm-roberta-large-vit-huge-14-bf16.safetensors")


def tokenizer(folder):
    """One token per printable character, in the form that the real AutoTokenizer loads."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = ["<pad>", "</s>", "<unk>", *string.printable.strip()]
    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    words.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    fast = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")
    fast.save_pretrained(folder)
    for name in ("special_tokens_map.json", "spiece.model", "sentencepiece.bpe.model"):
        if not (folder / name).exists():
            (folder / name).write_text("{}" if name.endswith("json") else "")


def own_weights(module):
    """The initialisation of torch: with smaller weights the decoded picture would be flat."""
    return {name: value.contiguous() for name, value in module.state_dict().items()}


def main():
    torch.manual_seed(0)
    if "--parity" in sys.argv:
        folder = Path("ckpts/parity")
        folder.mkdir(parents=True, exist_ok=True)
        transformer(folder / I2V, "i2v", golden_weights, text_dim=tiny.DIT["text_dim"])
        for name, prefix in zip(EXPERTS, ("", "low."), strict=True):
            weights = functools.partial(golden_weights, prefix=prefix)
            transformer(folder / name, "i2v_2_2", weights, text_dim=tiny.DIT["text_dim"])
        vae(folder / "Wan2.1_VAE.safetensors", golden_weights)
    else:
        folder = Path("ckpts")
        encoders(folder)
        transformer(folder / I2V, "i2v", random_weights)
        transformer(folder / T2V, "t2v", random_weights)
        wan22 = json.loads(Path("defaults/i2v_2_2.json").read_text("utf-8"))["model"]
        for url in wan22["URLs"] + wan22.get("URLs2", []):
            if "quanto" not in url and "gguf" not in url.lower():
                transformer(folder / Path(url).name, "i2v_2_2", random_weights)
        vae(folder / "Wan2.1_VAE.safetensors", own_weights)
    (folder / "lab_complete").write_text("")


if __name__ == "__main__":
    main()
