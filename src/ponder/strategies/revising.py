"""A question asked again, with earlier attempts and what was said of them in the conversation."""

from __future__ import annotations

from collections.abc import Sequence

from ponder.core.problem import Message, Problem


def again(problem: Problem, attempts: Sequence[tuple[str, str]]) -> tuple[Message, ...]:
    """The messages of the problem after turns of (attempt, what the user says to it)."""
    turns = [
        turn
        for text, said in attempts
        for turn in (Message("assistant", text.strip() or "(nothing)"), Message("user", said))
    ]
    return (*problem.shown, *turns)
