"""Follow-up prompts: the question again, after earlier attempts and feedback."""

from __future__ import annotations

from collections.abc import Sequence

from ponder.core.problem import Message, Problem
from ponder.core.trace import Trace

DEBATE = (
    "These are the solutions of others:\n\n{others}\n\nUse them as advice, with care: they may be "
    "wrong. Then solve the question again."
)
SHOWN = 1500
"""Number of characters shown of another's solution: its end, where the answer is."""


def again(problem: Problem, attempts: Sequence[tuple[Trace, str]]) -> tuple[Message, ...]:
    """Return the problem's messages, followed by turns of (attempt, the user's reply)."""
    turns = [turn for trace, said in attempts for turn in (trace.message, Message("user", said))]
    return (*problem.shown, *turns)


def debate(problem: Problem, own: Trace, others: Sequence[Trace]) -> tuple[Message, ...]:
    """Return the problem's messages, an own attempt, and the solutions of others."""
    said = "\n\n---\n\n".join(other.text.strip()[-SHOWN:] for other in others)
    return again(problem, [(own, DEBATE.format(others=said))])
