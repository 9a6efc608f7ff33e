"""How to reach the hub, and the numbers that a download keeps to."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from ...package_data import state_folder
from ..catalogue import HUB

_LEDGER = "loras.json"


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
        trial_seconds: how long one more connection is tried before it is kept or given up.
        worthwhile_seconds: with less than that to go one more connection is not tried.
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
        cache: the hub's cache folder, which may already hold a file; None for none.
        ca_bundle: file with further certificates, None for the system's.
        ledger: where the hashes of known files are kept.
    """

    endpoint: str = HUB
    token: str = field(default="", repr=False)
    token_fault: str = ""
    offline: bool = False
    cache: Path | None = None
    ca_bundle: Path | None = None
    ledger: Path = field(default_factory=lambda: state_folder(os.environ) / _LEDGER)
    limits: Limits = field(default_factory=Limits)


def ledger_path() -> Path:
    """Return the file in the person's own data that remembers the hashes of LoRAs."""
    return state_folder(os.environ) / _LEDGER
