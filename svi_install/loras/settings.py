"""What the environment says about downloads: hub address, token, offline, cache; and the limits of a download."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .catalogue import HUB
from .ledger import default_path

# What a token may hold in a header (RFC 6750).
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{1,512}")
_LARGEST_TOKEN_FILE = 65536
_TRUE = {"1", "ON", "YES", "TRUE"}


@dataclass(frozen=True)
class Limits:
    """Numbers a download keeps to.

    Args:
        connect: seconds to wait for a connection or for a single byte.
        stall_seconds: a connection slower than `stall_rate` for that long is dropped and made again.
        stall_rate: bytes a second.
        attempts: failures in a row, without a new byte between them, before a download gives up.
        backoff: seconds before the second attempt; doubles each time.
        longest_wait: seconds; a server that asks for more is reported instead of waited for.
        redirects: how many to follow.
        connections: at most that many at once.
        worthwhile_seconds: with less than that to go one more connection is not tried.
        trial_seconds: how long one more connection is tried before it is kept or given up.
        block: bytes that are read at a time.
        sync: bytes that may be lost when the power fails.
    """

    connect: float = 30.0
    stall_seconds: float = 30.0
    stall_rate: float = 1024.0
    attempts: int = 8
    backoff: float = 1.0
    longest_wait: float = 300.0
    redirects: int = 10
    connections: int = 4
    trial_seconds: float = 3.0
    worthwhile_seconds: float = 10.0
    block: int = 256 * 1024
    sync: int = 8 * 1024 * 1024


@dataclass(frozen=True)
class Settings:
    """How to reach the hub.

    Args:
        endpoint: address of the hub or of the mirror that stands in for it.
        token: access token, empty for none; sent to the endpoint only.
        token_fault: why the token that is set cannot be one, without the token; empty otherwise.
        offline: True when nothing may be asked from the network.
        caches: the hub's cache folders that may already hold a file.
        ca_bundle: file with further certificates, None for the system's.
        ledger: where the hashes of known files are kept.
        limits: numbers a download keeps to.
    """

    endpoint: str = HUB
    token: str = field(default="", repr=False)
    token_fault: str = ""
    offline: bool = False
    caches: tuple[Path, ...] = ()
    ca_bundle: Path | None = None
    ledger: Path = field(default_factory=lambda: default_path(os.environ))
    limits: Limits = field(default_factory=Limits)


def from_environment(environ: Mapping[str, str] | None = None, mirror: str = "") -> Settings:
    """Read the variables that the hub's own client reads.

    Args:
        environ: environment; None for that of this process.
        mirror: address from the command line; it goes before ``HF_ENDPOINT`` and never gets the token.

    Returns:
        The settings.
    """
    env = os.environ if environ is None else environ
    home = Path(env.get("HF_HOME") or Path(env.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface").expanduser()
    caches = [env.get("HF_HUB_CACHE"), env.get("HUGGINGFACE_HUB_CACHE")]
    bundle = next((env[name] for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE") if env.get(name)), "")
    offline = any(env.get(name, "").upper() in _TRUE for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))
    token, fault = ("", "") if mirror else _token(env, home)
    return Settings(
        endpoint=(mirror or env.get("HF_ENDPOINT") or HUB).strip().rstrip("/"),
        token=token,
        token_fault=fault,
        offline=offline,
        caches=tuple(dict.fromkeys([Path(path).expanduser() for path in caches if path] or [home / "hub"])),
        ca_bundle=Path(bundle) if bundle else None,
        ledger=default_path(env),
    )


def _token(env: Mapping[str, str], home: Path) -> tuple[str, str]:
    """Return the token and what is wrong with it; a wrong one is kept nowhere, so that nothing can show it."""
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        if env.get(name, "").strip():
            return _checked(env[name], name)
    if env.get("HF_HUB_DISABLE_IMPLICIT_TOKEN", "").upper() in _TRUE:
        return "", ""
    path = Path(env.get("HF_TOKEN_PATH") or home / "token")
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST_TOKEN_FILE:
            return "", ""
        return _checked(path.read_text(encoding="utf-8"), str(path))
    except (OSError, ValueError):
        return "", ""


def _checked(text: str, name: str) -> tuple[str, str]:
    token = text.strip()
    if not token or _TOKEN.fullmatch(token):
        return token, ""
    what = "more than one line" if len(token.splitlines()) > 1 else "signs that are in no token"
    return "", f"{name} holds {what}. It was sent to nobody."
