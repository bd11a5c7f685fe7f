"""From a reply to its answer: finding it (``extract``), and its meaning (``equivalence``)."""

from __future__ import annotations

from ponder.answers.equivalence import canonical
from ponder.answers.extract import extract, json_candidates
from ponder.answers.mathworker import MathWorker
from ponder.answers.schemas import NONE, SchemaWorker
from ponder.core.answer import Answer
from ponder.core.problem import Problem


class Reader:
    """Reads answers, with two child processes, each started when it is first needed."""

    def __init__(self) -> None:
        self.math = MathWorker()
        self.schemas = SchemaWorker()

    async def read(self, text: str, problem: Problem, truncated: bool) -> Answer | None:
        """Return the answer that a reply gives, or None; ``truncated`` if the reply is truncated.

        Raises:
            UsageError: the problem's JSON Schema is invalid; never because of the text.
        """
        if problem.answer_type == "json" and problem.schema.strip():
            found, _ = await self.satisfying(text, problem.schema, truncated)
        else:
            found = extract(text, problem, truncated=truncated)
        return None if found is None else await canonical(found, problem.answer_type, self.math)

    async def satisfying(self, text: str, schema: str, truncated: bool) -> tuple[str | None, bool]:
        """Return the JSON within a text that satisfies the schema, and True for a time-out.

        Raises:
            UsageError: the JSON Schema is invalid.
        """
        candidates = json_candidates(text, truncated=truncated)
        number = await self.schemas.first(schema, candidates)
        if number is None or number == NONE:
            return None, number is None
        return candidates[number], False

    async def check(self, problem: Problem) -> None:
        """Reject a problem with an invalid JSON Schema, before anything is spent on it.

        Raises:
            UsageError: the schema is invalid, or takes too long to check.
        """
        if problem.answer_type == "json":
            await self.schemas.check(problem.schema)

    def close(self) -> None:
        """End the child processes, and wait until they are gone."""
        self.math.end()
        self.schemas.end()
