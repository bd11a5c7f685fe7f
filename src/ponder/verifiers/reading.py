"""From a reply to its answer: where it is (``answers``), and what it means (``equivalence``)."""

from __future__ import annotations

from ponder.core.answer import Answer
from ponder.core.problem import Problem
from ponder.verifiers.answers import extract
from ponder.verifiers.equivalence import canonical
from ponder.verifiers.mathworker import MathWorker

_WORKER = MathWorker()  # one for the process; its child starts with the first formula


async def read(text: str, problem: Problem, truncated: bool) -> Answer | None:
    """The answer that a reply gives, or None; ``truncated`` if the reply was cut off."""
    found = extract(text, problem, truncated=truncated)
    return None if found is None else await canonical(found, problem.answer_type, _WORKER)
