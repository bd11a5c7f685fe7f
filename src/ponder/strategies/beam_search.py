"""Beam search over steps of reasoning, guided by a verifier (Snell 2024, section 5.2; Yao 2023).

It assumes a verifier that can tell a promising beginning from a poor one. The first step is drawn
``width`` x ``fan`` times; then the best ``width`` chains are each continued ``fan`` times, and so
on. Chains that say the same are one. A chain that has ended keeps its place among the ``width``;
one with the highest score that there is ends the search.
With ``lookahead`` a beginning is judged by where it leads: it is continued greedily for so many
steps, and the end is scored (lookahead search, ibid.); what was looked at is thrown away.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated

from ponder.core.concluding import concluded
from ponder.core.problem import Problem
from ponder.core.session import Session
from ponder.core.steps import Step, step
from ponder.core.trace import Score, Trace
from ponder.policies.select import distinct, top_k
from ponder.strategies.knobs import Range, StepKind


async def beam_search(
    s: Session,
    problem: Problem,
    *,
    width: Annotated[int, Range(1, 256)] = 4,
    fan: Annotated[int, Range(1, 256)] = 4,
    lookahead: Annotated[int, Range(0, 8)] = 0,
    steps: StepKind = "paragraph",
    step_tokens: Annotated[int, Range(1, 4096)] = 256,
) -> Trace:
    """Grow the best ``width`` chains step by step; return the best of those that ended."""
    unit = step(steps, step_tokens)
    finished: list[tuple[Trace, Score]] = []
    beams = [Trace.empty(problem)]
    while beams:
        grown = await s.extend(beams, fan if beams[0].text else width * fan, step=unit)
        grown = distinct(grown, lambda trace: trace.text)
        if lookahead:
            looked = await s.gather(
                [partial(_ahead, trace=t, count=lookahead, unit=unit) for t in grown]
            )
        else:
            looked = [(trace, trace) for trace in grown]
        scores = await s.score([end for _, end in looked])
        pairs = [(trace, score) for (trace, _), score in zip(looked, scores, strict=True)]
        kept = top_k(pairs, [score.value for score in scores], width - len(finished))
        finished += [(trace, score) for trace, score in kept if trace.done]
        beams = await s.steer([trace for trace, _ in kept if not trace.done])
        if finished:
            best, score = s.best(finished)
            s.propose(best, score.value)
            if s.unbeatable(best, score):
                break
    return await concluded(s, s.best(finished)[0])


async def _ahead(s: Session, trace: Trace, count: int, unit: Step) -> tuple[Trace, Trace]:
    """The trace, and where it leads."""
    end = trace
    for _ in range(count):
        end = await s.advance(end, step=unit, temperature=0.0)
    return trace, end
