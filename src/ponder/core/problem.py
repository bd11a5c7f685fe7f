"""What is asked. A problem never holds the gold answer: that lives in ``experiments`` alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from ponder.core.errors import UnknownName, UsageError

AnswerType = Literal["number", "math", "choice", "code", "text", "json"]
ANSWER_TYPES: tuple[AnswerType, ...] = get_args(AnswerType)
Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Chat messages and how the answer is to be read.

    ``choices`` are the options' labels, for ``choice`` (empty: any single letter).
    ``schema`` is a JSON Schema as JSON text, for ``json`` (empty: any JSON).
    ``tests`` are public tests that come with the question, never the hidden ones.
    """

    messages: tuple[Message, ...]
    answer_type: AnswerType = "text"
    choices: tuple[str, ...] = ()
    schema: str = ""
    tests: str = ""

    def __post_init__(self) -> None:
        if self.answer_type not in ANSWER_TYPES:
            raise UnknownName("answer type", self.answer_type, ANSWER_TYPES)
        if not any(m.role == "user" and m.content.strip() for m in self.messages):
            raise UsageError("the question is empty: give at least one user message with text.")
