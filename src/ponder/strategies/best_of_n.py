"""Best-of-N (Cobbe 2021; Stiennon 2020): sample chains, keep what the verifier likes best.

``pick=weighted`` sums the scores of equal answers and keeps the answer with the largest sum
(weighted best-of-N: Li 2023, DiVeRSe; Snell 2024, section 5.1), which a lucky single score cannot
win. Both are worth as much as the verifier: with more samples a poor one finds more chains that
fool it. Where it abstains on all of them, they vote. The best needs no more samples once one has
the highest score that there is, as from a checker, and all that were asked for before it have come.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

from ponder.core.problem import Problem
from ponder.core.session import Session
from ponder.core.trace import Score, Trace, rank
from ponder.policies.vote import Vote
from ponder.strategies.knobs import Range


async def best_of_n(
    s: Session,
    problem: Problem,
    *,
    n: Annotated[int, Range(1, 4096)] = 8,
    pick: Literal["best", "weighted"] = "best",
) -> Trace:
    """Sample n chains, score each as it arrives, return the best; unanswered ones come last.

    A verifier that compares chains is asked once, when all have come.
    """
    poll = _Poll(pick)
    came: dict[int, tuple[Trace, Score]] = {}
    settled = 0

    async def scored(child: Session, at: int) -> tuple[int, Trace, Score]:
        trace = await child.grow(Trace.empty(problem))
        [score] = await child.score([trace])
        return at, trace, score

    if s.joint:
        traces = await s.sample(problem, n)
        for trace, score in zip(traces, await s.score(traces), strict=True):
            poll.add(trace, score)
    else:
        async with s.as_completed([partial(scored, at=i) for i in range(n)]) as arriving:
            async for at, trace, score in arriving:
                s.propose(*poll.add(trace, score))
                came[at] = trace, score
                while settled in came and not s.unbeatable(*came[settled]):
                    settled += 1
                if settled in came and pick == "best":
                    break
    return poll.chosen or s.first([])


class _Poll:
    """The chains so far, and which of them is chosen."""

    def __init__(self, pick: str) -> None:
        self._pick = pick
        self._votes, self._counts = Vote(), Vote()
        self._best: dict[str, tuple[Trace, Score]] = {}  # by answer; "" holds those without one
        self.chosen: Trace | None = None

    def add(self, trace: Trace, score: Score) -> tuple[Trace, float | None]:
        """One more; returns what is chosen now."""
        self._votes.add(trace, score.value or 0.0)
        self._counts.add(trace)
        key = trace.answer.key if trace.answer else ""
        known = self._best.get(key, (trace, score))
        self._best[key] = max(known, (trace, score), key=_rank)
        standings = self._votes.standings()
        if self._pick == "weighted" and standings:
            best = self._best[standings[0].answer.key]
        else:
            best = max(self._best.values(), key=_rank)
        if best[1].value is None and (counts := self._counts.standings()):
            best = self._best[counts[0].answer.key]  # all abstained: the vote is what is left
        self.chosen = best[0]
        return best[0], best[1].value


def _rank(scored: tuple[Trace, Score]) -> tuple[bool, float, tuple[int, ...]]:
    # They arrive in any order, so a tie goes to the one asked for first.
    return *rank(scored), tuple(-part for part in scored[0].order)
