"""Direct: one chain, taken as it comes. What every other strategy has to beat."""

from __future__ import annotations

from ponder.core.problem import Problem
from ponder.core.session import Session
from ponder.core.trace import Trace
from ponder.strategies.declaring import strategy


@strategy("one chain, taken as it comes")
async def direct(s: Session, problem: Problem) -> Trace:
    """One pass."""
    return s.first(await s.sample(problem, 1))
