"""Budget forcing: one trace is made to think longer, or truncated (Muennighoff 2025, 's1: Simple
test-time scaling', section 3.1).

When the trace would end, its end is suppressed and ``word`` is appended, up to ``waits`` times, or
for as long as it has fewer than ``least`` tokens, so that the model checks its work. At the run's
length limit an answer is forced. If the model thinks between marks (``</think>``), it is stopped
before the closing mark and answers after it; any other chat model continues its whole reply.

It assumes that the model can find its own mistakes. Small models often cannot, and then abandon
right answers too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from ponder.core.problem import Problem
from ponder.core.sessions.session import Session
from ponder.core.steps import Step
from ponder.core.trace import Trace
from ponder.strategies.declaring import STEPS, strategy
from ponder.strategies.knobs import Range

END = "</think>"
"""Mark at the end of thinking, if the model has one."""


@strategy("one chain is made to think longer", "Muennighoff 2025", needs=STEPS)
async def budget_forcing(
    s: Session,
    problem: Problem,
    *,
    waits: Annotated[int, Range(0, 32)] = 1,
    least: Annotated[int, Range(0, 10**6)] = 0,
    word: str = "Wait",
) -> Trace:
    """Think, and think again ``waits`` times or up to ``least`` tokens; return the result."""
    chain = await _thought(s, Trace.empty(problem))
    while chain.tokens < s.length and (waits > 0 or chain.tokens < least):
        [chain] = await s.steer([chain]) or [await s.spare(problem)]
        waits -= 1
        longer = _continued(chain, word)
        chain = await _thought(s, longer)
        if chain.answer is not None:
            s.propose(chain)
        if chain.turn == longer.turn:  # it has nothing to add
            break
    if not chain.done:  # it has thought, but not answered yet
        closed = replace(chain, text=chain.text or "\n\n")
        chain = await s.grow(closed, length=max(1, s.length - chain.tokens))
    return await s.conclude(chain)


def _continued(chain: Trace, word: str) -> Trace:
    """Return the chain with its end suppressed, and ``word`` appended."""
    if chain.reasoning and not chain.text:
        return replace(chain, reasoning=f"{chain.reasoning.rstrip()}\n\n{word}", finish=None)
    return replace(chain, text=f"{chain.text.rstrip()}\n\n{word}", finish=None)


async def _thought(s: Session, start: Trace) -> Trace:
    """Return the trace up to the end of its thinking, or to its end."""
    return await s.advance(start, step=Step((END,), s.length))
