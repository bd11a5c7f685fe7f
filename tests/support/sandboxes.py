"""The sandboxes that this machine has, for tests that run against each of them."""

from __future__ import annotations

from functools import lru_cache

import pytest

from ponder.sandbox.base import Limits, Sandbox
from ponder.sandbox.choice import confined
from ponder.sandbox.monty import monty

NAMES = ("bubblewrap", "monty")
TIGHT = Limits(1, 2.5, 256 * 2**20, 2**20, processes=12, files=32)
"""For programs that use up whatever they get."""


@lru_cache(8)
def _make(name: str, limits: Limits) -> Sandbox | str:
    try:
        return confined(limits) if name == "bubblewrap" else monty(limits)
    except (OSError, ImportError) as error:
        return f"this machine has no {name}: {error}"


def missing() -> list[str]:
    """Why this machine does not have one of them, for each of those."""
    return [made for made in (_make(name, Limits()) for name in NAMES) if isinstance(made, str)]


def sandbox(name: str, limits: Limits | None = None) -> Sandbox:
    """The sandbox of that name; skips the test where there is none."""
    made = _make(name, limits or Limits())
    if isinstance(made, str):
        pytest.skip(made)
    return made
