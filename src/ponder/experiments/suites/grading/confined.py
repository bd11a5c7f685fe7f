"""Grades programs in the verifiers' sandbox, by tests that no program ever sees.

The program runs in one process, the tests in another (``sandbox.peers``), so it cannot forge a
verdict. Only a sandbox that runs all of Python will do: a right answer is right whatever features
it uses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ponder.sandbox.base import Limits, Sandbox, Script
from ponder.sandbox.choice import Sandboxes

__all__ = ["Confined", "Limits", "RunCode", "Verdict"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of grading a program."""

    passed: bool
    """True if all tests passed."""
    why: str
    """``passed``, ``timeout``, ``no verdict`` (it ended before its tests did), or the name of the
    exception that ended the tests.
    """
    confinement: str
    """The sandbox, for a person."""


class RunCode(Protocol):
    """Runs Python sources in one namespace, and the last of them, the tests, on it."""

    async def __call__(self, parts: Sequence[str]) -> Verdict:
        """Return the verdict: passed if none raises."""
        ...


@dataclass(slots=True)
class Confined:
    """A ``RunCode``. Any number may run at once."""

    limits: Limits = Limits()
    libraries: tuple[str, ...] = ()
    """Folders that programs may read, beside the standard library."""
    sandbox: Sandbox | None = None
    """Sandbox to run in; by default one of ``sandboxes``."""
    sandboxes: Sandboxes = field(default_factory=Sandboxes)

    async def __call__(self, parts: Sequence[str]) -> Verdict:
        """Run the parts.

        Raises:
            UsageError: no sandbox works here, and they are not ``unsafe``.
        """
        if self.sandbox is None:
            self.sandbox = await asyncio.to_thread(
                self.sandboxes.find, self.limits, whole=True, libraries=self.libraries
            )
        [outcome] = await self.sandbox.test(parts[:-1], Script((parts[-1] if parts else "",)))
        if outcome.passed:
            return Verdict(True, "passed", self.sandbox.name)
        why = "timeout" if outcome.verdict == "timeout" else outcome.error or "no verdict"
        return Verdict(False, why, self.sandbox.name)
