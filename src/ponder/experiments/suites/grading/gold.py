"""Gold: a benchmark's reference for an answer. It lives in ``experiments`` alone.

No strategy, verifier, handler or model ever gets one. Its repr does not show its content, so that
it cannot reach a prompt, a log or a journal by accident. ``to_json`` is its form in a pool.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ponder.core.collecting.collect import collect
from ponder.core.errors import UsageError
from ponder.core.problem import AnswerType
from ponder.core.text.numbers import exact


class Gold:
    """The reference of one problem; ``grading.grade`` compares an answer with it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}, hidden>"

    def to_json(self) -> Any:
        """Return a pool's ``gold``."""
        raise NotImplementedError

    def secrets(self) -> tuple[str, ...]:
        """Return the texts that give it away."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, repr=False)
class Reference(Gold):
    """A reference answer; an answer is right if it means the same (``answers.equivalence``)."""

    text: str
    answer_type: AnswerType

    def to_json(self) -> str:
        """Return the answer itself."""
        return self.text

    def secrets(self) -> tuple[str, ...]:
        """Return the answer."""
        return (self.text,)


@dataclass(frozen=True, slots=True, repr=False)
class Arithmetic(Gold):
    """Any expression that uses each of ``numbers`` exactly once and makes ``target``.

    Nothing of it is secret: the question states it all.
    """

    numbers: tuple[int, ...]
    target: Fraction

    def to_json(self) -> dict[str, Any]:
        """Return the numbers and the target."""
        return {"numbers": list(self.numbers), "target": str(self.target)}

    def secrets(self) -> tuple[str, ...]:
        """Return nothing."""
        return ()


@dataclass(frozen=True, slots=True, repr=False)
class HiddenTests(Gold):
    """Tests of a program, as Python source that raises if the program is wrong."""

    tests: str
    entry_point: str = ""
    """The function that the program must define; empty: any."""
    preamble: str = ""
    """Source run before the program: the imports and helpers that the question shows."""
    stub: str = ""
    """The stub to complete, for an answer that is a function's body alone."""

    def to_json(self) -> dict[str, str]:
        """Return all of it, so that a pool can be graded without the suite."""
        return {
            "tests": self.tests,
            "entry_point": self.entry_point,
            "preamble": self.preamble,
            "stub": self.stub,
        }

    def secrets(self) -> tuple[str, ...]:
        """Return the lines of the tests that assert something."""
        return tuple(x.strip() for x in self.tests.split("\n") if x.strip().startswith("assert "))


@dataclass(frozen=True, slots=True, repr=False)
class Scored(Gold):
    """A generated task (reasoning-gym) that decides itself which answers are right."""

    task: str
    options: tuple[tuple[str, Any], ...]
    """With ``index``, they generate the same entry again."""
    index: int
    answer: str
    """The answer that the entry knows."""
    answer_type: AnswerType

    def to_json(self) -> dict[str, Any]:
        """Return the data that generate the entry again, and its answer."""
        return {
            "task": self.task,
            "options": dict(self.options),
            "index": self.index,
            "answer": self.answer,
        }

    def secrets(self) -> tuple[str, ...]:
        """Return the answer."""
        return (self.answer,)


def from_json(value: Any, answer_type: AnswerType) -> Gold:
    """Return the gold in a pool: the inverse of ``to_json``.

    Raises:
        UsageError: it cannot be graded, or holds tests that no program could fail.
    """
    try:
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            return Reference(str(value), answer_type)
        if isinstance(value, Mapping):
            if "target" in value:
                numbers = tuple(int(n) for n in value["numbers"])
                return Arithmetic(numbers, exact(value["target"]))
            if "tests" in value:
                hidden = HiddenTests(**{name: str(part) for name, part in value.items()})
                collect(hidden.tests, hidden.entry_point)
                return hidden
            if "task" in value:
                options = tuple(sorted(value["options"].items()))
                return Scored(value["task"], options, value["index"], value["answer"], answer_type)
    except (TypeError, KeyError, ValueError, AttributeError, ArithmeticError):
        pass
    raise UsageError(
        "this gold cannot be graded: expected an answer, or an object with 'target' and 'numbers', "
        "'tests', or 'task'; see docs/data.md."
    )
