"""Votes: the leading answer, its margin, and tie-breaking."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ponder.core.answer import Answer
from ponder.core.trace import Trace


@dataclass(frozen=True, slots=True)
class Standing:
    """One answer in a vote."""

    answer: Answer
    weight: float
    """Sum of the weights of its votes."""
    voter: Trace
    """The first requested of its traces."""


class Vote:
    """Counts traces by the key of their answer; a trace without an answer has no vote.

    Ties go to the answer whose trace was requested first, so the order of arrival does not matter.
    (Wang 2023, self-consistency; with weights: Li 2023, DiVeRSe.)
    """

    def __init__(self) -> None:
        self._weights: dict[str, list[float]] = {}
        self._voters: dict[str, tuple[Answer, Trace]] = {}

    def add(self, trace: Trace, weight: float = 1.0) -> None:
        """Count one trace.

        Raises:
            ValueError: the weight is negative.
        """
        if weight < 0:
            raise ValueError(f"a vote's weight must not be negative, got {weight}.")
        if (answer := trace.answer) is None:
            return
        self._weights.setdefault(answer.key, []).append(weight)
        before = self._voters.get(answer.key)
        if before is None or trace.order < before[1].order:
            self._voters[answer.key] = answer, trace

    def standings(self) -> list[Standing]:
        """The answers, the leader first."""
        standings = [
            # The exact sum does not depend on the order of arrival.
            Standing(answer, math.fsum(self._weights[key]), voter)
            for key, (answer, voter) in self._voters.items()
        ]
        return sorted(standings, key=lambda s: (-s.weight, s.voter.order))


def vote(traces: Iterable[Trace]) -> list[Standing]:
    """Return the answers of traces with one vote each, the leader first."""
    votes = Vote()
    for trace in traces:
        votes.add(trace)
    return votes.standings()


def lead(standings: Sequence[Standing]) -> tuple[float, float]:
    """Return the weights of the leader and of the runner-up; zero if there is none."""
    first = standings[0].weight if standings else 0.0
    second = standings[1].weight if len(standings) > 1 else 0.0
    return first, second
