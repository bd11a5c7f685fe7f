"""From a reply to its answer: where it is (``answers``), and what it means (``equivalence``)."""

from __future__ import annotations

from ponder.answers import schemas
from ponder.answers.equivalence import canonical
from ponder.answers.extract import extract, json_candidates
from ponder.answers.mathworker import MathWorker
from ponder.core.answer import Answer
from ponder.core.problem import Problem

_WORKER = MathWorker()  # one for the process; its child starts with the first formula


async def read(text: str, problem: Problem, truncated: bool) -> Answer | None:
    """The answer that a reply gives, or None; ``truncated`` if the reply was cut off.

    Raises:
        UsageError: the problem's JSON Schema is none; never because of the text.
    """
    if problem.answer_type == "json" and problem.schema.strip():
        found, _ = await satisfying(text, problem.schema, truncated)
    else:
        found = extract(text, problem, truncated=truncated)
    return None if found is None else await canonical(found, problem.answer_type, _WORKER)


async def satisfying(text: str, schema: str, truncated: bool) -> tuple[str | None, bool]:
    """The JSON within a text that satisfies the schema; True if to say so takes too long.

    Raises:
        UsageError: the schema is none.
    """
    candidates = json_candidates(text, truncated=truncated)
    number = await schemas.WORKER.first(schema, candidates)
    if number is None or number == schemas.NONE:
        return None, number is None
    return candidates[number], False
