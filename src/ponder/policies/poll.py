"""An open vote: weighted ballots, the number still to come, and a rule that closes it."""

from __future__ import annotations

import bisect
from collections.abc import Collection

from ponder.core.outlook import Seen
from ponder.core.trace import Trace
from ponder.policies.stopping import Exact, Never, Rule, decided
from ponder.policies.vote import Standing, Vote, lead


class Poll:
    """At most ``n`` ballots, requested in waves until ``rule`` allows a stop.

    A ballot weighs at most 1. If no ballot has any weight (the verifier abstained on all of them),
    each counts as one vote. Rules other than ``Exact`` and ``Never`` look at the votes, not at
    their weights.
    """

    def __init__(self, n: int, rule: Rule) -> None:
        self.n = n
        self._rule = rule
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
    def seen(self) -> Seen:
        """The votes that have arrived, without their weights."""
        counts = tuple(int(standing.weight) for standing in self._counts.standings())
        return Seen(counts, len(self._ballots) - sum(counts))

    @property
    def winner(self) -> Trace | None:
        """The leader; None if no trace has an answer."""
        standings = self.standings
        return standings[0].voter if standings else None

    def wave(self, least: int, rule: Rule | None = None) -> int:
        """Return the number of ballots to request next: the fewest that could close the vote, at
        least ``least``; 0 if it is closed. ``rule`` replaces the vote's own from now on.
        """
        self._rule = rule or self._rule
        left = self.n - self._asked
        if self._closes(0, left):
            return 0
        if isinstance(self._rule, Exact | Never):  # once enough votes close it, more of them do too
            fewest = bisect.bisect_left(
                range(left), True, lo=min(1, left), key=lambda k: self._closes(k, left - k)
            )
        else:
            fewest = next(k for k in range(1, left + 1) if self._closes(k, left - k))
        self._coming = min(max(fewest, least), left)
        self._asked += self._coming
        return self._coming

    def _closes(self, more: int, left: int) -> bool:
        """Return True if the vote is closed after ``more`` votes for the leader, ``left`` before
        the end.
        """
        if left == 0:
            return True
        first, second = lead(self._votes.standings())
        if first + more == 0 or isinstance(self._rule, Never):
            return False
        if decided(first + more, second, left):
            return True
        seen, run = self.seen, self._run() + more
        if more:
            leader, *others = seen.counts or (0,)
            seen = Seen((leader + more, *others), seen.silent)
        return self._rule.stops(seen, left, run)

    def _run(self) -> int:
        """Return the number of latest ballots, in the order of request, with the same answer."""
        keys = [t.answer.key if t.answer else None for t in sorted(self.traces, key=_order)]
        if not keys or keys[-1] is None:
            return 0
        return next((i for i, key in enumerate(reversed(keys)) if key != keys[-1]), len(keys))

    def add(self, trace: Trace, weight: float) -> None:
        """Count a ballot that was requested."""
        self._coming -= 1
        self._ballots.append((trace, weight))
        self._votes.add(trace, weight)
        self._counts.add(trace)

    @property
    def settled(self) -> bool:
        """True if no outcome of the remaining ballots could change the winner.

        Only ``Exact`` looks while ballots are on their way: all others look between waves, so that
        the outcome does not depend on the order of arrival.
        """
        return isinstance(self._rule, Exact) and self._closes(0, self.remaining)

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


def _order(trace: Trace) -> tuple[int, ...]:
    return trace.order
