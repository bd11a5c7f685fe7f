"""Best-of-N as samples arrive: the current choice, and whether another sample can still win."""

from __future__ import annotations

from collections.abc import Collection

from ponder.core.trace import Score, Trace, rank
from ponder.policies.vote import Vote

BEST = "best"
WEIGHTED = "weighted"


class Ranking:
    """Ranks scored samples, in whatever order they arrive.

    ``best`` keeps the highest score, ``weighted`` the answer with the largest sum of scores (Li
    2023, DiVeRSe). If the verifier abstains on all of them, they vote. Ties go to the sample that
    was requested first.
    """

    def __init__(self, pick: str = BEST) -> None:
        self._pick = pick
        self._ranked: list[tuple[int, Trace, Score]] = []
        self._votes, self._counts = Vote(), Vote()
        self._best: dict[str, tuple[Trace, Score]] = {}  # by answer; "" holds samples without one
        self._perfect: dict[int, bool] = {}
        self.winner: Trace | None = None

    def add(self, at: int, trace: Trace, score: Score) -> tuple[Trace, float | None]:
        """Add the ``at``-th sample; return the trace that is now chosen, and its score."""
        self._ranked.append((at, trace, score))
        self._votes.add(trace, score.value or 0.0)
        self._counts.add(trace)
        self._perfect[at] = trace.answer is not None and (score.value or 0.0) >= 1
        key = trace.answer.key if trace.answer else ""
        known = self._best.get(key, (trace, score))
        self._best[key] = max(known, (trace, score), key=_rank)
        standings = self._votes.standings()
        if self._pick == WEIGHTED and standings:
            best = self._best[standings[0].answer.key]
        else:
            best = max(self._best.values(), key=_rank)
        if best[1].value is None and (counts := self._counts.standings()):
            best = self._best[counts[0].answer.key]  # all abstained, so they vote
        self.winner = best[0]
        return best[0], best[1].value

    @property
    def traces(self) -> list[Trace]:
        """All samples so far, in order of arrival."""
        return [trace for _, trace, _ in self._ranked]

    def keep(self, traces: Collection[Trace]) -> list[Trace]:
        """Remove all other samples; return those that were not ranked before."""
        known = self.traces
        if list(traces) == known:
            return []
        ranked = [one for one in self._ranked if one[1] in traces]
        self.__init__(self._pick)  # type: ignore[misc]
        for one in ranked:
            self.add(*one)
        return [trace for trace in traces if trace not in known]

    @property
    def settled(self) -> bool:
        """True if no other sample can be chosen: one has the highest possible score, and all that
        were requested before it have arrived.
        """
        if self._pick != BEST:
            return False
        at = 0
        while at in self._perfect and not self._perfect[at]:
            at += 1
        return at in self._perfect


def _rank(scored: tuple[Trace, Score]) -> tuple[bool, float, tuple[int, ...]]:
    # They arrive in any order, so a tie goes to the one requested first.
    return *rank(scored), tuple(-part for part in scored[0].order)
