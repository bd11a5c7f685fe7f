"""The one Protocol that every verifier speaks. It sees problem and traces, never the gold.

A verifier that asks a model (a judge) does so through the session it is given: what that costs is
booked in the run's own ledger, under its own role, and counts against the run's budget.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ponder.core.problem import Problem
from ponder.core.session import Session
from ponder.core.trace import Score, Trace


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
    def joint(self) -> bool:
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
