"""Grades programs in the sandbox of the verifiers, by tests that no program ever sees.

The program runs in one process, the tests in another (``sandbox.peers``), so it cannot
forge a verdict. Only a sandbox that runs all of Python will do: a right answer is right whatever it
is written with.
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
    """Whether all tests passed; why (not); and what kept the program in.

    ``why`` is ``passed``, ``timeout``, ``no verdict`` (it ended before its tests did), or the name
    of the exception that they ended with.
    """

    passed: bool
    why: str
    confinement: str


class RunCode(Protocol):
    """Runs Python sources in one namespace, and the last of them, the tests, on it."""

    async def __call__(self, parts: Sequence[str]) -> Verdict:
        """The verdict: passed if none raises."""
        ...


@dataclass(slots=True)
class Confined:
    """A ``RunCode``. Any number may run at once.

    ``libraries`` are folders that programs may read, beside the standard library. ``sandbox`` is
    where they are run; by default one of ``sandboxes``.
    """

    limits: Limits = Limits()
    libraries: tuple[str, ...] = ()
    sandbox: Sandbox | None = None
    sandboxes: Sandboxes = field(default_factory=Sandboxes)

    async def __call__(self, parts: Sequence[str]) -> Verdict:
        """Run the parts.

        Raises:
            UsageError: there is no sandbox here, and they are not ``unsafe``.
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
