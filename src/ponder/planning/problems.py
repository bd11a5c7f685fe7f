"""Construction of a problem from a caller's question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ponder.answers.extract import instruction
from ponder.core.errors import UnknownName, UsageError
from ponder.core.problem import ANSWER_TYPES, AnswerType, Message, Problem, offered, read_tests
from ponder.core.tools import Toolset
from ponder.planning.infer import infer


@dataclass(frozen=True, slots=True)
class Described:
    """A problem in the form of ``Problem.describe``, as it is decoded."""

    messages: tuple[Message, ...]
    answer_type: AnswerType
    choices: tuple[str, ...]
    schema: str
    tests: Mapping[str, Any] | None = None
    instruction: str = ""
    examples: tuple[Message, ...] = ()
    tools: Toolset | None = None

    def read(self) -> Problem:
        """Return the problem.

        Raises:
            Malformed, UsageError: its parts do not go together.
        """
        return Problem(
            self.messages,
            self.answer_type,
            self.choices,
            self.schema,
            read_tests(self.tests),
            self.instruction,
            self.examples,
            self.tools,
        )


def problem(
    question: str | Sequence[Message] | Problem,
    answer_type: str = "auto",
    *,
    choices: Sequence[str] = (),
    schema: str = "",
    system: str = "",
) -> Problem:
    """Return the question as a problem, with an instruction on the form of the answer.

    A ``Problem`` is returned unchanged. A chat with tools goes on as it is: its answer is a text of
    any form, or calls.

    Raises:
        UsageError: the question is empty, or a value is invalid.
    """
    if isinstance(choices, str) or not all(isinstance(c, str) for c in choices):
        raise UsageError(f"choices must be a list of texts, not {choices!r}.")
    if not all(c.strip() for c in choices):
        raise UsageError(f"{', '.join(choices)!r} has an empty choice: give each a text.")
    if choices and len({*choices}) < 2:
        raise UsageError(
            f"{', '.join(choices)!r} leaves nothing to choose: give two labels or more."
        )
    if isinstance(question, Problem):
        return question
    turns = [Message("user", question)] if isinstance(question, str) else question
    if not isinstance(turns, Sequence) or not all(isinstance(m, Message) for m in turns):
        raise UsageError(
            f"the question must be a text, ponder.Messages or a ponder.Problem, not {question!r}."
        )
    asked = tuple(turns)
    if not asked or not (asked[-1].content.strip() or asked[-1].images or asked[-1].call):
        raise UsageError("the question is empty: give it as an argument, with --file, or on stdin.")
    last = asked[-1]
    calling = offered(asked) is not None
    if answer_type == "auto" and calling and not (schema or choices):
        kind: AnswerType = "text"
    elif answer_type == "auto":
        kind = infer(last.content, choices, schema)
    elif answer_type in ANSWER_TYPES:
        kind = next(t for t in ANSWER_TYPES if t == answer_type)
    else:
        raise UnknownName("answer type", answer_type, (*ANSWER_TYPES, "auto"))
    made = Problem(asked, kind, tuple(choices), schema)
    if r"\boxed" not in last.content and not (calling and kind == "text"):
        made = replace(made, instruction=instruction(made))
    head = (Message("system", system),) if system else ()
    return replace(made, messages=(*head, *asked))


def labels(text: str) -> tuple[str, ...]:
    """Read the labels of a question with choices, ``A, B, C``."""
    return tuple(label.strip() for label in text.split(",") if label.strip())
