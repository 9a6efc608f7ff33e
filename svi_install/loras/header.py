"""The runtime's reader of LoRA heads, without the rest of the runtime, which would take longer to import than a status.

WanGP gets the same file, so that both say the same about a LoRA.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..runtime import lora_file
else:

    def _alone():
        name = f"{__package__.rpartition('.')[0]}.runtime.lora_file"
        if name not in sys.modules:
            path = Path(__file__).resolve().parent.parent / "runtime" / "lora_file.py"
            loader = SourceFileLoader(name, str(path))
            module = ModuleType(name)
            module.__spec__ = ModuleSpec(name, loader, origin=str(path))
            module.__file__, module.__package__ = str(path), name.rpartition(".")[0]
            # Known under its own name, there is only one of it, whoever imports it later.
            sys.modules[name] = module
            loader.exec_module(module)
        return sys.modules[name]

    lora_file = _alone()

Head = lora_file.Head
Unsound = lora_file.Unsound
read = lora_file.read

__all__ = ["Head", "Unsound", "lora_file", "read"]
