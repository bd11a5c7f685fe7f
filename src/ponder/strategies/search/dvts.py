"""Diverse verifier tree search (Beeching 2024, 'Scaling test-time compute with open models').

Beam search with many beams ends with copies of one prefix. Here ``trees`` searches are independent:
each continues its trace ``fan`` times and keeps the best, never a trace of another tree. It is
meant for many samples, where diversity is worth more than strict selection.
"""

from __future__ import annotations

from typing import Annotated

from ponder.core.problem import Problem
from ponder.core.record.search import Node
from ponder.core.sessions.session import Session
from ponder.core.steps import step
from ponder.core.trace import Trace
from ponder.policies.tree import best_of
from ponder.strategies.declaring import RUN, STEPS, strategy
from ponder.strategies.knobs import Range, StepKind, StepTokens


@strategy(
    "trees of their own, each searched greedily",
    "Beeching 2024",
    verifier=RUN,
    needs=STEPS,
)
async def dvts(
    s: Session,
    problem: Problem,
    *,
    trees: Annotated[int, Range(1, 256)] = 4,
    fan: Annotated[int, Range(1, 256)] = 4,
    steps: StepKind = "paragraph",
    step_tokens: StepTokens = 256,
) -> Trace:
    """Search ``trees`` trees greedily and independently; return the best of their traces."""
    unit = step(steps, step_tokens)
    root = s.tree(problem).root
    ended: list[Node] = []

    async def grown(child: Session) -> Node:
        node = root
        while not node.done:
            grown = await child.expand([node], fan, unit)
            kept = best_of(grown, 1)
            node, *_ = child.drop(grown, "outranked by a sibling", but=kept) or [child.fail()]
        return node

    async with s.as_completed([grown] * trees) as arriving:
        async for node in arriving:
            ended.append(node)
            s.settle(ended)
    return await s.conclude(ended)
