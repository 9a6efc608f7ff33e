"""Options of the whole test run."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--wangp-all", action="store_true", help="also run the long tests on the real WanGP")
