"""Diverse verifier tree search (Beeching 2024, 'Scaling test-time compute with open models').

Beam search with many beams ends with copies of one beginning. Here ``trees`` searches go their own
ways: each continues its chain ``fan`` times and keeps the best one, never a chain of another tree.
It is meant for many samples, where diversity is worth more than picking hard.
"""

from __future__ import annotations

from typing import Annotated

from ponder.core.concluding import concluded
from ponder.core.problem import Problem
from ponder.core.session import Session
from ponder.core.steps import step
from ponder.core.trace import Score, Trace
from ponder.policies.select import top_k
from ponder.strategies.knobs import Range, StepKind


async def dvts(
    s: Session,
    problem: Problem,
    *,
    trees: Annotated[int, Range(1, 256)] = 4,
    fan: Annotated[int, Range(1, 256)] = 4,
    steps: StepKind = "paragraph",
    step_tokens: Annotated[int, Range(1, 4096)] = 256,
) -> Trace:
    """Search ``trees`` trees greedily, each on its own; return the best of their chains."""
    unit = step(steps, step_tokens)
    found: list[tuple[Trace, Score]] = []

    async def tree(child: Session) -> tuple[Trace, Score]:
        chain = Trace.empty(problem)
        while True:
            grown = await child.extend([chain], fan, step=unit)
            scores = await child.score(grown)
            pairs = list(zip(grown, scores, strict=True))
            kept = top_k(pairs, [score.value for score in scores], 1)
            chain, score = kept[0] if kept else (child.first([]), Score(None, ""))
            if chain.done:
                return chain, score

    async with s.as_completed([tree] * trees) as arriving:
        async for pair in arriving:
            found.append(pair)
            best, score = s.best(found)
            s.propose(best, score.value)
    return await concluded(s, s.best(found)[0])
