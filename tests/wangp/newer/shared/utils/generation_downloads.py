"""Stands above generate_media. Written for the laboratory; part of shared/utils/download.py in WanGP 13.14 and later.

Read: shared/utils/download.py before 17.17 and wgp.py 13.14, which gives it a second argument: generation_downloads
keeps the signature (wraps), binds every call to it, and asks for state and send_cmd.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any


def generation_downloads(get_gen_info: Callable[[Any], Any], *_: Any) -> Callable[..., Any]:
    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            given = signature.bind(*args, **kwargs).arguments
            assert callable(given["send_cmd"])
            get_gen_info(given["state"])
            return function(*args, **kwargs)

        return run

    return decorate
