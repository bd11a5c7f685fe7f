"""Beam search over steps of reasoning, guided by a verifier (Snell 2024, section 5.2; Yao 2023).

It assumes a verifier that can tell a promising prefix from a poor one. The first step is drawn
``width`` x ``fan`` times; then the best ``width`` traces are each continued ``fan`` times, and so
on. Traces with the same text are merged. A finished trace keeps its place among the ``width``; one
with the highest possible score ends the search.

With ``lookahead``, a prefix is scored by its continuation: it is continued greedily for so many
steps, and the end is scored (lookahead search, ibid.). The continuation is then discarded.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated

from ponder.core.problem import Problem
from ponder.core.record.search import Node
from ponder.core.sessions.session import Session
from ponder.core.steps import Step, step
from ponder.core.trace import Score, Trace
from ponder.policies.tree import best_of
from ponder.strategies.declaring import RUN, STEPS, strategy
from ponder.strategies.knobs import Range, StepKind, StepTokens


@strategy("the best beginnings are continued", "Snell 2024", verifier=RUN, needs=STEPS)
async def beam_search(
    s: Session,
    problem: Problem,
    *,
    width: Annotated[int, Range(1, 256)] = 4,
    fan: Annotated[int, Range(1, 256)] = 4,
    lookahead: Annotated[int, Range(0, 8)] = 0,
    steps: StepKind = "paragraph",
    step_tokens: StepTokens = 256,
) -> Trace:
    """Grow the best ``width`` traces step by step; return the best finished one."""
    unit = step(steps, step_tokens)
    judge = partial(_ahead, s, count=lookahead, unit=unit) if lookahead else None
    frontier, ended = [s.tree(problem).root], list[Node]()
    while frontier:
        times = fan if frontier[0].depth else width * fan
        grown = await s.expand(frontier, times, unit, judge=judge, unlike=True)
        ended = s.standing(ended)
        kept = await s.select(grown, partial(best_of, count=width - len(ended)))
        ended += [node for node in kept if node.done]
        frontier = [node for node in kept if not node.done]
        if s.settle(ended):
            break
    return await s.conclude(ended)


async def _ahead(
    s: Session, traces: Sequence[Trace], *, count: int, unit: Step
) -> list[tuple[Trace, Score]]:
    """Score each trace by its continuation after ``count`` greedy steps."""

    async def look(child: Session, trace: Trace) -> tuple[Trace, Trace]:
        end = trace
        for _ in range(count):
            end = await child.advance(end, step=unit, temperature=0.0)
        return trace, end

    pairs = await s.gather([partial(look, trace=trace) for trace in traces])
    s.drop([end for _, end in pairs], "looked ahead", but=traces)
    scores = await s.score([end for _, end in pairs])
    return [(trace, score) for (trace, _), score in zip(pairs, scores, strict=True)]
