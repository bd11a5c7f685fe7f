"""The one Protocol that every verifier speaks. It sees problem and traces, never the gold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ponder.core.problem import Problem
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

    async def score(self, problem: Problem, traces: Sequence[Trace]) -> list[Score]:
        """One score per trace, in their order; an abstention has no value."""
        ...
