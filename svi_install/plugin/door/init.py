"""Keeps the door open: WanGP imports handler.py without a net, so a damaged one must not stop it.

In: the plugin's folder, as it happens to be. Out: a module `handler` that answers WanGP, whatever is in the folder.
"""

import importlib
import sys
import types
from typing import Any


class _Nothing:
    @staticmethod
    def query_supported_types() -> list[Any]:
        return []

    @staticmethod
    def query_family_infos() -> dict[Any, Any]:
        return {}

    @staticmethod
    def query_family_maps() -> tuple[dict[Any, Any], dict[Any, Any]]:
        return {}, {}


try:
    importlib.import_module(".handler", __name__).family_handler.query_supported_types  # noqa: B018
except (Exception, SystemExit) as error:  # noqa: BLE001
    _door = types.ModuleType(f"{__name__}.handler")
    _door.family_handler = _Nothing  # type: ignore[attr-defined]
    _door.meet = lambda: None  # type: ignore[attr-defined]
    _door.start = lambda: None  # type: ignore[attr-defined]
    sys.modules[_door.__name__] = _door
    print(f"[SVI Mode] off: the plugin is damaged ({type(error).__name__}: {error}); install it again", flush=True)
