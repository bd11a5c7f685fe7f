"""Cues that make an unfinished trace state its answer."""

from __future__ import annotations

from ponder.core.problem import Problem
from ponder.core.sessions.run import Cue, boxed

_CUES = {
    "code": Cue("\n\nThe final program:\n\n```python\n", 512),
    "json": Cue("\n\nThe final answer:\n\n```json\n", 256),
}


def cue(problem: Problem) -> Cue:
    """Return the cue for answers of the problem's type."""
    return _CUES.get(problem.answer_type) or boxed(problem)
