"""SVI for WanGP: what the hook lines that svi-install adds to WanGP call.

In: WanGP's own objects, at the places of the hooks. Out: the same, changed for SVI where SVI is on; when it is off,
every function here hands its input through untouched. This folder is copied into a WanGP checkout as ``svi_wangp``. It
uses nothing but the standard library and the torch that WanGP itself has loaded, and writes only what `render` asked
for.
"""

from __future__ import annotations

try:
    from .console import say
    from .lora_keys import lora_keys
    from .run import attach, stitch
    from .version import __version__
    from .wgp import install
except Exception as error:
    # The hook in model.py passes over an ImportError and no other: WanGP's LoRAs must load without the runtime.
    raise ImportError(f"{type(error).__name__}: {error}") from error

__all__ = ["__version__", "attach", "install", "lora_keys", "say", "stitch"]
