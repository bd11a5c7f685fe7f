"""A chain that ended without an answer is asked for one: cut off, or lost in its thoughts."""

from __future__ import annotations

from dataclasses import replace

from ponder.core.problem import Problem
from ponder.core.session import Session
from ponder.core.trace import Trace

CUES = {
    "code": "\n\nThe final program:\n\n```python\n",
    "json": "\n\nThe final answer:\n\n```json\n",
}
CUE = "\n\nTherefore, the final answer is \\boxed{"
LENGTH = {"code": 512, "json": 256}
SHORT = 48


def cue(problem: Problem) -> str:
    """What a chain goes on with that is to be answered."""
    return CUES.get(problem.answer_type, CUE)


def room(problem: Problem) -> tuple[int, int]:
    """How many tokens it takes at most: the cue, and the answer."""
    return len(cue(problem).encode()), LENGTH.get(problem.answer_type, SHORT)


async def concluded(s: Session, trace: Trace) -> Trace:
    """The trace itself if it has an answer, else with one that it was made to give (greedily).

    (Forcing the answer by what the assistant's turn goes on with: Muennighoff 2025, s1, section 3.)
    """
    if trace.answer is not None:
        return trace
    cued = replace(trace, text=trace.text.rstrip() + cue(trace.problem), finish=None)
    return await s.grow(cued, length=room(trace.problem)[1], temperature=0.0)
