"""From a reply to its answer: where it is (``answers``), and what it means (``equivalence``)."""

from __future__ import annotations

from ponder.answers.equivalence import canonical
from ponder.answers.extract import extract
from ponder.answers.mathworker import MathWorker
from ponder.core.answer import Answer
from ponder.core.problem import Problem

_WORKER = MathWorker()  # one for the process; its child starts with the first formula


async def read(text: str, problem: Problem, truncated: bool) -> Answer | None:
    """The answer that a reply gives, or None; ``truncated`` if the reply was cut off."""
    found = extract(text, problem, truncated=truncated)
    return None if found is None else await canonical(found, problem.answer_type, _WORKER)
