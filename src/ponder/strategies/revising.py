"""Follow-up prompts: the question again, after earlier attempts and feedback."""

from __future__ import annotations

from collections.abc import Sequence

from ponder.core.problem import Message, Problem
from ponder.core.trace import Trace


def again(problem: Problem, attempts: Sequence[tuple[Trace, str]]) -> tuple[Message, ...]:
    """Return the problem's messages, followed by turns of (attempt, the user's reply)."""
    turns = [turn for trace, said in attempts for turn in (trace.message, Message("user", said))]
    return (*problem.shown, *turns)
