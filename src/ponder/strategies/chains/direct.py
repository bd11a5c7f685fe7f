"""Direct: one sample, unchanged. The baseline of every other strategy."""

from __future__ import annotations

from ponder.core.problem import Problem
from ponder.core.sessions.session import Session
from ponder.core.trace import Trace
from ponder.strategies.declaring import strategy


@strategy("one chain, taken as it comes", tools=True)
async def direct(s: Session, problem: Problem) -> Trace:
    """Draw one sample."""
    return s.first(await s.sample(problem, 1))
