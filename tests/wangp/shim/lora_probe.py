"""Writes into LAB_LORAS, one JSON line per generation, how far the transformer's weights are from those of a LoRA.

LAB_LORA_FILES names a JSON list with one entry per generation: {"file": LORA.safetensors, "key": its names with
{block}, {layer} and {side} left open}, or null without a LoRA.

layers     linear layers of the blocks that the LoRA changes
deviation  largest difference of (effective weight - stored weight) from B @ A
size       largest value of B @ A
others     largest change of a layer that the LoRA has no matrices for
"""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path


def install(after):
    jobs = json.loads(Path(os.environ["LAB_LORA_FILES"]).read_text("utf-8"))
    changes = {}
    after("models.wan.any2video", lambda m: generations(m.WanAny2V, jobs, changes))
    after("models.wan.modules.model", lambda m: watch(m.WanModel, changes))


def generations(cls, jobs, changes):
    generate = cls.generate

    @functools.wraps(generate)
    def measured(self, *args, **kw):
        changes.clear()
        result = generate(self, *args, **kw)
        with Path(os.environ["LAB_LORAS"]).open("a", encoding="utf-8") as out:
            out.write(json.dumps(compare(jobs.pop(0), changes)) + "\n")
        return result

    cls.generate = measured


def watch(cls, changes):
    """Asks each linear layer for its effective weight when the model uses it: mmgp adds the LoRA at that moment."""
    import torch

    forward = cls.forward

    def ask(name, layer, *_):
        if name in changes:
            return
        changes[name] = None  # the questions below come here again
        unit = torch.eye(layer.in_features, dtype=layer.weight.dtype)
        effective = layer(unit) - layer(torch.zeros_like(unit[:1]))
        changes[name] = effective.T.float() - layer.weight.float()

    @functools.wraps(forward)
    def watched(self, *args, **kw):
        if not getattr(self, "lab_watched", False):
            self.lab_watched = True
            for name, module in self.named_modules():
                if name.startswith("blocks.") and isinstance(module, torch.nn.Linear):
                    module.register_forward_hook(functools.partial(ask, name))
        return forward(self, *args, **kw)

    cls.forward = watched


def compare(job, changes):
    from safetensors.torch import load_file

    tensors = load_file(job["file"]) if job else {}
    found = {"layers": 0, "deviation": 0.0, "size": 0.0, "others": 0.0}
    for name, change in changes.items():
        _, block, layer = name.split(".", 2)
        keys = [job["key"].format(block=block, layer=layer, side=side) if job else "" for side in "AB"]
        if not all(key in tensors for key in keys):
            found["others"] = max(found["others"], float(change.abs().max()))
            continue
        a, b = (tensors[key].float() for key in keys)
        found["layers"] += 1
        found["deviation"] = max(found["deviation"], float((change - b @ a).abs().max()))
        found["size"] = max(found["size"], float((b @ a).abs().max()))
    return found
