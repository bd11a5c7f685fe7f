"""An open vote: weighted ballots, the number still to come, and a rule that closes it."""

from __future__ import annotations

from collections.abc import Collection

from ponder.core.trace import Trace
from ponder.policies.stopping import Rule, may_stop, wave
from ponder.policies.vote import Standing, Vote, lead


class Poll:
    """At most ``n`` ballots, requested in waves until ``rule`` allows a stop.

    A ballot weighs at most 1. If no ballot has any weight (the verifier abstained on all of them),
    each counts as one vote.
    """

    def __init__(self, n: int, rule: Rule, threshold: float) -> None:
        self.n = n
        self._rule: Rule = rule
        self._threshold = threshold
        self._ballots: list[tuple[Trace, float]] = []
        self._coming = 0
        self._asked = 0
        self._votes, self._counts = Vote(), Vote()

    @property
    def traces(self) -> list[Trace]:
        """All traces with a ballot, in order of arrival."""
        return [trace for trace, _ in self._ballots]

    @property
    def remaining(self) -> int:
        """Number of ballots that may still come."""
        return self.n - self._asked + self._coming

    @property
    def standings(self) -> list[Standing]:
        """The answers, the leader first."""
        weighted = self._votes.standings()
        if weighted and not weighted[0].weight:
            return self._counts.standings()
        return weighted

    @property
    def winner(self) -> Trace | None:
        """The leader; None if no trace has an answer."""
        standings = self.standings
        return standings[0].voter if standings else None

    def wave(self, least: int) -> int:
        """Return the number of ballots to request next: the fewest that could settle the vote, at
        least ``least``; 0 if it is settled.
        """
        first, second = lead(self._votes.standings())
        left = self.n - self._asked
        if may_stop(self._rule, first, second, left, self._threshold):
            return 0
        fewest = wave(self._rule, first, second, left, self._threshold)
        self._coming = min(max(fewest, least), left)
        self._asked += self._coming
        return self._coming

    def add(self, trace: Trace, weight: float) -> None:
        """Count a ballot that was requested."""
        self._coming -= 1
        self._ballots.append((trace, weight))
        self._votes.add(trace, weight)
        self._counts.add(trace)

    @property
    def settled(self) -> bool:
        """True if no outcome of the remaining ballots could change the winner."""
        return self._rule == "exact" and may_stop(
            self._rule, *lead(self._votes.standings()), self.remaining
        )

    def keep(self, traces: Collection[Trace]) -> None:
        """Remove the ballots of all other traces; traces without a ballot get one of weight 1."""
        if list(traces) == self.traces:
            return
        weights = {trace.id: weight for trace, weight in self._ballots}
        self._ballots = [(trace, weights.get(trace.id, 1.0)) for trace in traces]
        self._votes, self._counts = Vote(), Vote()
        for trace, weight in self._ballots:
            self._votes.add(trace, weight)
            self._counts.add(trace)
