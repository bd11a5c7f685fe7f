"""Every verifier, by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ponder.core.errors import UnknownName
from ponder.core.problem import Problem
from ponder.core.trace import Score, Trace
from ponder.verifiers.base import Verifier
from ponder.verifiers.confidence import lowest_group, mean_logprob


@dataclass(frozen=True, slots=True)
class Confidence:
    """A verifier that reads a trace's log-probabilities; without them it abstains."""

    name: str
    measure: Callable[[Sequence[float]], float | None]
    needs_logprobs: bool = True

    async def score(self, problem: Problem, traces: Sequence[Trace]) -> list[Score]:
        """One score per trace."""
        return [Score(self.measure(t.logprobs or ()), self.name) for t in traces]


VERIFIERS: dict[str, Verifier] = {
    v.name: v
    for v in (Confidence("mean_logprob", mean_logprob), Confidence("lowest_group", lowest_group))
}


def find(name: str) -> Verifier:
    """The verifier of that name.

    Raises:
        UnknownName: there is none; names the nearest.
    """
    if name not in VERIFIERS:
        raise UnknownName("verifier", name, VERIFIERS)
    return VERIFIERS[name]
