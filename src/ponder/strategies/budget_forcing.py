"""Budget forcing: one chain is made to think longer, or cut short (Muennighoff 2025, 's1: Simple
test-time scaling', section 3.1).

When the chain would end, its end is suppressed and ``word`` appended, up to ``waits`` times, so
that it doubts and looks again; or for as long as it has fewer than ``least`` tokens. At the run's
limit of tokens a chain is made to answer. A model that thinks between marks (``</think>``) is held
before the closing one, and answers after it; of any other chat model the whole reply goes on.

It assumes that the model can find a mistake of its own, which small ones often cannot: then it
talks itself out of right answers, too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from ponder.core.problem import Problem
from ponder.core.session import Session
from ponder.core.steps import Step
from ponder.core.trace import Trace
from ponder.strategies.declaring import STEPS, strategy
from ponder.strategies.knobs import Range

END = "</think>"
"""The end of thinking, where a model has such a mark."""


@strategy("one chain is made to think longer", "Muennighoff 2025", needs=STEPS)
async def budget_forcing(
    s: Session,
    problem: Problem,
    *,
    waits: Annotated[int, Range(0, 32)] = 1,
    least: Annotated[int, Range(0, 10**6)] = 0,
    word: str = "Wait",
) -> Trace:
    """Think, and think again ``waits`` times or up to ``least`` tokens; return what comes out."""
    chain = await _thought(s, Trace.empty(problem))
    while chain.tokens < s.length and (waits > 0 or chain.tokens < least):
        [chain] = await s.steer([chain]) or [s.fail()]
        waits -= 1
        so_far = f"{chain.text.removesuffix(END).rstrip()}\n\n{word}"
        chain = await _thought(s, replace(chain, text=so_far, finish=None))
        if chain.answer is not None:
            s.propose(chain)
        if chain.text.removesuffix(END) == so_far:  # it has nothing more to say
            break
    if not chain.done:  # it has thought, and has not answered yet
        chain = await s.grow(chain, length=max(1, s.length - chain.tokens))
    return await s.conclude(chain)


async def _thought(s: Session, start: Trace) -> Trace:
    """The chain up to the end of its thinking, or to its end."""
    return await s.advance(start, step=Step((END,), s.length))
