"""Self-consistency (Wang 2023): sample chains independently, and let their answers vote.

It assumes that wrong chains disagree with each other while right ones agree, so it needs answers
that can be compared. Chains are asked for in waves: each is the fewest that could settle the vote
(``policies.stopping``), or ``batch`` of them, which is faster where the model works on many at
once; what still runs when the vote is settled is cancelled. With ``stop=exact`` the winner is the
one that all n chains would have elected. ``bayes`` is Adaptive-Consistency (Aggarwal 2023); it
looks between waves only, so that the outcome does not depend on what finishes first.
"""

from __future__ import annotations

from typing import Annotated, Literal

from ponder.core.errors import UsageError
from ponder.core.problem import Problem
from ponder.core.session import Session
from ponder.core.trace import Trace
from ponder.policies.stopping import Rule, may_stop, wave
from ponder.policies.vote import Vote, lead
from ponder.strategies.knobs import Range

Weight = Literal["votes", "confidence", "score"]


async def self_consistency(
    s: Session,
    problem: Problem,
    *,
    n: Annotated[int, Range(1, 4096)] = 8,
    weight: Weight = "votes",
    stop: Rule = "exact",
    threshold: Annotated[float, Range(0.5, 1.0)] = 0.95,
    batch: Annotated[int, Range(1, 4096)] = 1,
) -> Trace:
    """Sample up to n chains, at least ``batch`` at once; return one that holds the winning answer.

    A vote weighs 1 (``votes``), the chain's mean token probability (``confidence``), or what the
    run's verifier gives it (``score``); never more than 1, so ``exact`` is exact for all of them.
    Where the verifier abstains on all chains, they have one vote each.
    """
    if stop == "bayes" and weight != "votes":
        raise UsageError("stop=bayes counts votes: use it with weight=votes, or take stop=exact.")

    async def ballot(child: Session) -> tuple[Trace, float | None]:
        trace = await child.grow(Trace.empty(problem))
        if weight == "votes":
            return trace, 1.0
        [score] = await child.score([trace], "mean_logprob" if weight == "confidence" else "")
        return trace, score.value

    traces: list[Trace] = []
    votes, counts = Vote(), Vote()
    standings = votes.standings()
    asked = 0
    while not may_stop(stop, *lead(standings), n - asked, threshold):
        fewest = wave(stop, *lead(standings), n - asked, threshold)
        coming = min(max(fewest, batch), n - asked)
        asked += coming
        async with s.as_completed([ballot] * coming) as arriving:
            async for trace, weighs in arriving:
                coming -= 1
                traces.append(trace)
                votes.add(trace, weighs or 0.0)
                counts.add(trace)
                standings = votes.standings()
                remaining = n - asked + coming
                if standings:
                    s.propose(standings[0].voter, standings[0].weight)
                    s.vote([(v.answer.text, v.weight) for v in standings], remaining)
                if stop == "exact" and may_stop(stop, *lead(standings), remaining):
                    break
    if standings and not standings[0].weight:
        standings = counts.standings()
    return standings[0].voter if standings else s.first(traces)
