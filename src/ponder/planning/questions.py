"""Questions from rows of data: what inference may see of a row, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from ponder.core.errors import UsageError
from ponder.core.problem import Message, Problem, Role

SEEN = ("question", "messages", "choices", "answer_type")
"""Fields of a row that inference sees. A gold answer has another name, and never reaches it."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question, and what its row says about the form of its answer."""

    asked: str | Sequence[Message] | Problem
    answer_type: str = ""
    """The type of its answer; '' if the row does not say."""
    choices: tuple[str, ...] = ()


def question(row: Mapping[str, Any], place: str) -> Question:
    """Return the question of a row; ``place`` is where the row stands, for errors.

    Raises:
        UsageError: it has none, or a field has another form.
    """
    if ("question" in row) == ("messages" in row):
        raise UsageError(
            f"{place}: expected a field 'question' with a text or 'messages' with a chat, one of "
            f"them, among its fields {', '.join(map(str, row)) or '(none)'}."
        )
    kind, choices = row.get("answer_type") or "", row.get("choices") or ()
    if not isinstance(kind, str):
        raise UsageError(f"{place}: 'answer_type' must be a text, not {kind!r}.")
    if isinstance(choices, str) or not _texts(choices):
        raise UsageError(f"{place}: 'choices' must be a list of texts, not {choices!r}.")
    return Question(_asked(row, place), kind, tuple(choices))


def _asked(row: Mapping[str, Any], place: str) -> str | tuple[Message, ...]:
    if "question" in row:
        text = row["question"]
        if not isinstance(text, str) or not text.strip():
            raise UsageError(f"{place}: 'question' must be a text that is not empty, not {text!r}.")
        return text
    turns = row["messages"]
    if not isinstance(turns, list | tuple) or not turns or not all(map(_turn, turns)):
        raise UsageError(
            f"{place}: 'messages' must be a list of objects such as "
            '{"role": "user", "content": "..."}.'
        )
    return tuple(Message(turn["role"], turn["content"]) for turn in turns)


def _turn(value: object) -> bool:
    if not isinstance(value, Mapping):
        return False
    roles = [role for role in get_args(Role) if role != "tool"]  # rows have no calls
    return value.get("role") in roles and isinstance(value.get("content"), str)


def _texts(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)
