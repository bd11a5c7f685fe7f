"""Best-of-N (Cobbe 2021; Stiennon 2020): sample chains, keep what the verifier likes best.

``pick=weighted`` sums the scores of equal answers and keeps the answer with the largest sum
(weighted best-of-N: Li 2023, DiVeRSe; Snell 2024, section 5.1), which a lucky single score cannot
win. Both are worth as much as the verifier: with more samples a poor one finds more chains that
fool it.
"""

from __future__ import annotations

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

    traces: list[Trace] = []
    scores: list[Score] = []
    async with s.as_completed([scored] * n) as arriving:
        async for trace, score in arriving:
            traces.append(trace)
            scores.append(score)
            s.propose(_pick(s, traces, scores, pick), score.value)
    return _pick(s, traces, scores, pick)


def _pick(s: Session, traces: list[Trace], scores: list[Score], pick: str) -> Trace:
    answered = [(t, v) for t, v in zip(traces, scores, strict=True) if t.answer is not None]
    if not answered:
        return s.best(traces, scores)
    if pick == "weighted":
        votes = Vote()
        for trace, score in answered:
            votes.add(trace, score.value or 0.0)
        elected = votes.standings()[0].answer.key
        answered = [(t, v) for t, v in answered if t.answer and t.answer.key == elected]
    return s.best([t for t, _ in answered], [v for _, v in answered])
