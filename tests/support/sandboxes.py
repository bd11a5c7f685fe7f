"""The sandboxes that this machine has, for tests that run against each of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import pytest

from ponder.sandbox.base import Limits, Outcome, Output, Sandbox, Script
from ponder.sandbox.choice import confined
from ponder.sandbox.monty import monty
from ponder.strategies.registry import STRATEGIES

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


def needed(strategy: str) -> None:
    """Skip the test of a strategy that runs programs if this machine has no sandbox."""
    if STRATEGIES[strategy].executes and len(missing()) == len(NAMES):
        pytest.skip("this machine has no sandbox")


class Printing:
    """A sandbox for programs of one line that print a number or a text; every other one fails.

    ``ran`` are the programs, in the order in which they came.
    """

    name, whole = "printing", True

    def __init__(self) -> None:
        self.ran: list[str] = []

    async def test(self, program: Sequence[str], script: Script) -> list[Outcome]:
        raise NotImplementedError

    async def feed(self, program: Sequence[str], inputs: Sequence[str]) -> list[Output]:
        [*_, source], [given] = program, inputs
        self.ran.append(source)
        assert given == ""
        if source == "loop()":
            return [Output("timeout")]
        printed = re.fullmatch(r"print\(([\d.]+|'.*')\)", source)
        if printed is None:
            trace = f'Traceback:\n  File "<1>", line 1, in <module>\nNameError: not {source}\n'
            return [Output("error", "", trace)]
        return [Output("pass", printed[1].strip("'") + "\n")]

    async def here(self) -> Sandbox:
        """This one, as a run looks for it."""
        return self
