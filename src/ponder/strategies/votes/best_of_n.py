"""Best-of-N (Cobbe 2021; Stiennon 2020): draw samples, keep the one that the verifier scores
highest.

``pick=weighted`` sums the scores of equal answers and keeps the answer with the largest sum
(weighted best-of-N: Li 2023, DiVeRSe; Snell 2024, section 5.1), which a single lucky score cannot
win. Both depend on the verifier: with more samples a poor one finds more traces that fool it. If it
abstains on all of them, they vote. ``best`` stops early once a sample has the highest possible
score, as from a checker, and all samples requested before it have arrived.
"""

from __future__ import annotations

from typing import Annotated, Literal

from ponder.core.problem import Problem
from ponder.core.sessions.session import Session
from ponder.core.trace import Trace
from ponder.policies.ranking import Ranking
from ponder.strategies.declaring import RUN, strategy
from ponder.strategies.knobs import Range


@strategy("a verifier picks", "Cobbe 2021; Li 2023", verifier=RUN, tools=True)
async def best_of_n(
    s: Session,
    problem: Problem,
    *,
    n: Annotated[int, Range(1, 4096)] = 8,
    pick: Literal["best", "weighted"] = "best",
) -> Trace:
    """Draw n samples, score each as it arrives, return the best; samples without an answer come
    last.

    A listwise verifier is called once, when all have arrived.
    """
    ranking, asked = Ranking(pick), 0
    while n:
        async with s.scored(problem, n) as arriving:
            async for at, trace, score in arriving:
                s.propose(*ranking.add(asked + at, trace, score))
                edited = ranking.keep(await s.steer(ranking.traces))
                for one, judged in zip(edited, await s.score(edited), strict=True):
                    s.propose(*ranking.add(-1, one, judged))
                if ranking.settled and not s.listwise:
                    break
        asked, n = asked + n, s.granted()
    return ranking.winner or await s.spare(problem)
