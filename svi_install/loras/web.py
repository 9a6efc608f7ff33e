"""Addresses and texts of other computers, brought to a form that may be shown and counted on."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_NUMBER = re.compile(r"[0-9]{1,18}")
_LONGEST = 200


def number(text: str | None) -> int | None:
    """Read a number of bytes or seconds out of a header.

    Args:
        text: what the server says.

    Returns:
        The number, None when it is none or larger than anything of this world.
    """
    stripped = (text or "").strip(" \t")
    return int(stripped) if _NUMBER.fullmatch(stripped) else None


def clean(text: object) -> str:
    """Bring a text of another computer to one short line that cannot move the cursor of a terminal.

    Args:
        text: what it said.

    Returns:
        Its printable ASCII, cut where it goes on for too long.
    """
    line = "".join(sign if " " <= sign <= "~" else "?" for sign in str(text)[: _LONGEST + 1])
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."


def shown(url: str) -> str:
    """Return an address as it may be shown: without what signs it and without a password.

    Args:
        url: any text.

    Returns:
        Scheme, host and path.
    """
    text = url.split("?", 1)[0].split("#", 1)[0]
    scheme, mark, rest = text.partition("://")
    if not mark:
        return clean(text)
    authority, slash, path = rest.partition("/")
    return clean(f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}")


def host(url: str) -> str:
    """Return the name of the computer in an address; the address as it may be shown where it has none."""
    try:
        name = urlsplit(url).hostname
    except ValueError:
        name = None
    return clean(name) if name else shown(url)


def origin(url: str) -> tuple[str, str]:
    """Return what a token may be sent to."""
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def fault(url: str) -> str:
    """Say why an address cannot be asked.

    Args:
        url: any text.

    Returns:
        A few words, empty when it can be asked.
    """
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            return "is no web address"
        parts.hostname.encode("idna")
        if parts.port == 0:
            return "names a port that is none"
        if "@" in parts.netloc:
            return "names a user"
    except ValueError:
        return "is no web address"
    if any(sign <= " " or sign == "\x7f" for sign in parts.netloc):
        return "is no web address"
    return ""
