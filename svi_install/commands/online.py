"""What the compat file says of a WanGP; it is read when somebody asks for it, and nothing but its address is sent."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from .. import __version__
from ..checkout.inspection import Checkout
from ..errors import EXIT_DOWNLOAD, SviError
from ..package_data import page_address
from ..patching.patchset import PatchSet

if TYPE_CHECKING:
    from ..history.compat import Compat, Known

_LARGEST = 4 * 1024 * 1024
_SECONDS = 15.0
NAME = "compat.json"


def fetch(env: Mapping[str, str] = os.environ) -> Compat:
    """Read the compat file.

    Raises:
        SviError: its address is not known, it could not be read, or it is none; nothing was changed.
    """
    address = page_address(env)
    if not address:
        raise SviError(
            "no-page",
            "This svi-install does not know the address of its page of releases. Nothing was changed.",
            "Set SVI_INSTALL_PAGE to it, or leave --online out.",
        )
    from http.client import HTTPException
    from urllib.error import URLError
    from urllib.request import Request, urlopen

    from ..history.compat import parse

    url = f"{address.rstrip('/')}/{NAME}"
    if not url.startswith(("https://", "http://127.0.0.1:", "http://localhost:")):
        raise SviError(
            "no-page", f"{url} is not an https address. Nothing was changed.", "Set SVI_INSTALL_PAGE to one."
        )
    why = ""
    try:
        request = Request(url, headers={"User-Agent": "svi-install"})
        with urlopen(request, timeout=_SECONDS) as answer:
            data = answer.read(_LARGEST + 1)
        if len(data) <= _LARGEST:
            return parse(data)
        why = "it is much too large"
    except URLError as error:
        why = str(error.reason)
    except OSError as error:
        why = error.strerror or str(error)
    except (ValueError, HTTPException):
        why = "the answer is not that file"
    raise SviError(
        "page-unreadable",
        f"The page of releases could not be read from {url}: {why}. Nothing was changed.",
        "Check the network, or run the same command without --online.",
        EXIT_DOWNLOAD,
    )


def told(compat: Compat, checkout: Checkout, patches: PatchSet) -> tuple[str, ...]:
    """Say what the compat file knows about a checkout and about the newest WanGP."""
    lines = [_of_this(compat, checkout)]
    newest = compat.commits.get(compat.newest)
    if newest is not None and compat.of(checkout.commit) is not newest:
        lines.append(f"The newest WanGP is {newest.version}: {_said(newest)}.")
    if compat.patch_set != patches.version:
        other = f"version {compat.version}" if compat.version != __version__ else f"another build of {__version__}"
        lines.append(f"The page was made with {other} of this program; {__version__}, this one, may find otherwise.")
    return tuple(lines)


def _of_this(compat: Compat, checkout: Checkout) -> str:
    known = compat.of(checkout.commit)
    day = compat.made[:10]
    if known is None:
        why = (
            "there is no git in it to tell which commit it is"
            if checkout.commit is None
            else "its commit is not listed"
        )
        return f"The page of {day} does not know this WanGP {checkout.version}: {why}."
    return f"The page of {day} on this WanGP {known.version}: {_said(known)}."


def _said(known: Known) -> str:
    if not known.placed:
        return f"SVI does not go in yet{f' ({known.why})' if known.why else ''}"
    return (
        "SVI goes in, and was really run on this release" if known.proven else "SVI goes in, but was not run on it yet"
    )
