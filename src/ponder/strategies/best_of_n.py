"""Best-of-N (Cobbe 2021; Stiennon 2020): sample chains, keep what the verifier likes best.

``pick=weighted`` sums the scores of equal answers and keeps the answer with the largest sum
(weighted best-of-N: Li 2023, DiVeRSe; Snell 2024, section 5.1), which a lucky single score cannot
win. Both are worth as much as the verifier: with more samples a poor one finds more chains that
fool it.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from ponder.core.problem import Problem
from ponder.core.session import Session
from ponder.core.trace import Score, Trace
from ponder.policies.vote import Vote
from ponder.strategies.knobs import Range


async def best_of_n(
    s: Session,
    problem: Problem,
    *,
    n: Annotated[int, Range(1, 4096)] = 8,
    pick: Literal["best", "weighted"] = "best",
) -> Trace:
    """Sample n chains, score each as it arrives, return the best; unanswered ones come last."""

    async def scored(child: Session) -> tuple[Trace, Score]:
        trace = await child.grow(Trace.empty(problem))
        [score] = await child.score([trace])
        return trace, score

    votes = Vote()
    best: dict[str, tuple[Trace, Score]] = {}  # by answer; "" holds those without one
    async with s.as_completed([scored] * n) as arriving:
        async for trace, score in arriving:
            votes.add(trace, score.value or 0.0)
            key = trace.answer.key if trace.answer else ""
            best[key] = max(best.get(key, (trace, score)), (trace, score), key=_rank)
            chosen = best[_elected(votes, best, pick)]
            s.propose(chosen[0], chosen[1].value)
    return chosen[0] if best else s.first([])


def _elected(votes: Vote, best: dict[str, tuple[Trace, Score]], pick: str) -> str:
    if pick == "weighted" and (standings := votes.standings()):
        return standings[0].answer.key
    return max(best, key=lambda key: _rank(best[key]))


def _rank(scored: tuple[Trace, Score]) -> tuple[bool, float, tuple[int, ...]]:
    trace, score = scored
    value = -math.inf if score.value is None else score.value
    return trace.answer is not None, value, tuple(-part for part in trace.order)
