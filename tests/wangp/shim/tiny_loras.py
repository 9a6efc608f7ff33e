"""svi-install's list of LoRAs for the tiny model: `render` proves those that it needs before it starts WanGP."""

from __future__ import annotations

from tiny_model import DIT

# What lab/media.py writes: the layers of the SVI files.
LAYOUT = {"tensors": 40, "rank": 4, "blocks": DIT["num_layers"], "width": DIT["dim"], "inner": DIT["ffn_dim"]}
UNKNOWN = {"size": None, "sha256": None, "tensor_bytes": None, "dtype": ""}


def install(after):
    after("svi_install.loras.catalogue", tiny)


def tiny(module):
    original = module._parse

    def parse(data):
        loras = [{**lora, "files": [{**file, **UNKNOWN} for file in lora["files"]]} for lora in data["loras"]]
        return original({**data, "layouts": dict.fromkeys(data["layouts"], LAYOUT), "loras": loras})

    module._parse = parse
