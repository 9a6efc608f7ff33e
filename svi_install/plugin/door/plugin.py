"""The plugin's part on WanGP's page: the tab SVI. The work is done in svi_install/plugin."""

import importlib

from shared.utils.plugins import WAN2GPPlugin

from . import handler


class SVIPlugin(WAN2GPPlugin):  # type: ignore[misc]
    """What WanGP's plugin manager makes one of."""

    def setup_ui(self) -> None:
        """WanGP is about to make its page."""
        handler.meet()
        try:
            importlib.import_module(".svi_install.plugin.page", __package__).add(self, handler)
        except (Exception, SystemExit) as error:  # noqa: BLE001
            print(f"[SVI Mode] the SVI tab could not be made: {type(error).__name__}: {error}", flush=True)
