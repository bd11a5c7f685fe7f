"""The one Protocol that every verifier speaks. It sees problem and traces, never the gold.

A verifier that asks a model (a judge) does so through the session it is given: what that costs is
booked in the run's own ledger, under its own role, and counts against the run's budget.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self, runtime_checkable

from ponder.answers.reading import Reader
from ponder.core.problem import Problem
from ponder.core.session import Session
from ponder.core.trace import Score, Trace
from ponder.sandbox.base import Sandbox
from ponder.sandbox.choice import Sandboxes


@dataclass(frozen=True, slots=True)
class Tools:
    """What outlives a verifier: child processes that it uses, and whoever made these closes."""

    reader: Reader = field(default_factory=Reader)
    """Reads answers, and tells whether JSON satisfies a schema."""
    sandboxes: Sandboxes = field(default_factory=Sandboxes)
    """Run programs."""

    @classmethod
    def of(cls, *, unsafe: bool) -> Tools:
        """Tools of which none works yet; ``unsafe`` as for ``Sandboxes``."""
        return cls(sandboxes=Sandboxes(unsafe=unsafe))

    async def sandbox(self) -> Sandbox:
        """Return the best sandbox here.

        Raises:
            UsageError: there is none, and it need not be ``unsafe``.
        """
        return await asyncio.to_thread(self.sandboxes.find)

    def close(self) -> None:
        """End their processes, and wait until they are gone."""
        self.reader.close()
        self.sandboxes.close()


class Verifier(Protocol):
    """Scores traces at inference time."""

    @property
    def name(self) -> str:
        """How it is called in ``--verifier``, the journal and the receipt."""
        ...

    @property
    def needs_logprobs(self) -> bool:
        """Whether its traces must come with log-probabilities."""
        ...

    @property
    def listwise(self) -> bool:
        """Whether a trace's score depends on the traces beside it."""
        ...

    @property
    def models(self) -> tuple[str, ...]:
        """The names of the models that it asks, beside the run's own."""
        ...

    async def score(
        self, problem: Problem, traces: Sequence[Trace], session: Session
    ) -> list[Score]:
        """One score per trace, in their order; an abstention has no value."""
        ...


@runtime_checkable
class Handy(Protocol):
    """A verifier that uses tools, or is made of some that may. Without any it makes its own."""

    def using(self, tools: Tools) -> Self:
        """Return the same verifier with these tools."""
        ...


def using(verifier: Verifier, tools: Tools) -> Verifier:
    """Return the verifier with these tools, if it uses any."""
    return verifier.using(tools) if isinstance(verifier, Handy) else verifier
