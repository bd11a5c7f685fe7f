"""Follow-up prompts: the question again, after earlier attempts and feedback."""

from __future__ import annotations

from collections.abc import Sequence

from ponder.core.problem import Message, Problem


def again(problem: Problem, attempts: Sequence[tuple[str, str]]) -> tuple[Message, ...]:
    """Return the problem's messages, followed by turns of (attempt, the user's reply)."""
    turns = [
        turn
        for text, said in attempts
        for turn in (Message("assistant", text.strip() or "(nothing)"), Message("user", said))
    ]
    return (*problem.shown, *turns)
