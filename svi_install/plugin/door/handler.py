"""What WanGP asks a plugin of models for. This one has none: it uses the moment to get to know WanGP."""

import importlib
from pathlib import Path
from typing import Any

HOME = Path(__file__).resolve().parent


def start() -> Any:
    """Return the module that does the work, None when it cannot be imported; that is said once."""
    if not _started:
        try:
            _started.append(importlib.import_module(".svi_install.plugin.start", __package__))
        except (Exception, SystemExit) as error:  # noqa: BLE001
            _started.append(None)
            why = f"{type(error).__name__}: {error}"
            print(f"[SVI Mode] off: the plugin is damaged ({why}); install it again", flush=True)
    return _started[0]


_started: list[Any] = []


def meet() -> None:
    """Introduce the WanGP that has called to the plugin; nothing of what goes wrong there reaches WanGP."""
    module = start()
    try:
        wangp = module and module.wangp_above()
        if wangp:
            module.plugin(HOME).meet(wangp)
    except (Exception, SystemExit) as error:  # noqa: BLE001
        print(f"[SVI Mode] off: {type(error).__name__}: {error}", flush=True)


class family_handler:  # noqa: N801  (WanGP's word)
    """A handler without models."""

    @staticmethod
    def query_supported_types() -> list[str]:
        """WanGP asks this while it starts, once for each copy of wgp.py that is imported."""
        meet()
        return []

    @staticmethod
    def query_family_infos() -> dict[str, tuple[int, str]]:
        """Return no family of models."""
        return {}

    @staticmethod
    def query_family_maps() -> tuple[dict[str, str], dict[str, list[str]]]:
        """Return no models that are like others."""
        return {}, {}
