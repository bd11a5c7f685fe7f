"""Follow-up prompts: the question again, after earlier attempts and feedback; and attempts that a
person has steered.
"""

from __future__ import annotations

from collections.abc import Sequence

from ponder.core.problem import Message, Problem
from ponder.core.sessions.session import Session
from ponder.core.trace import Score, Trace

DEBATE = (
    "These are the solutions of others:\n\n{others}\n\nUse them as advice, with care: they may be "
    "wrong. Then solve the question again."
)
SHOWN = 1500
"""Number of characters shown of another's solution: its end, where the answer is."""


async def steered(
    s: Session, judged: Sequence[tuple[Trace, Score]], *, scores: bool = True
) -> list[tuple[int, tuple[Trace, Score]]]:
    """Let an observer intervene, and return the traces that stay, each with its place so far.

    One that was continued from an edited text takes the place of the one that was edited; it is
    scored if there are ``scores``.
    """
    kept: list[tuple[int, tuple[Trace, Score]]] = []
    for at, trace in await s.steered([trace for trace, _ in judged]):
        known, score = judged[at]
        if trace is not known:
            [score] = await s.score([trace]) if scores else [Score(None, "")]
        kept.append((at, (trace, score)))
    return kept


def again(problem: Problem, attempts: Sequence[tuple[Trace, str]]) -> tuple[Message, ...]:
    """Return the problem's messages, followed by turns of (attempt, the user's reply)."""
    turns = [turn for trace, said in attempts for turn in (trace.message, Message("user", said))]
    return (*problem.shown, *turns)


def debate(problem: Problem, own: Trace, others: Sequence[Trace]) -> tuple[Message, ...]:
    """Return the problem's messages, an own attempt, and the solutions of others."""
    said = "\n\n---\n\n".join(other.text.strip()[-SHOWN:] for other in others)
    return again(problem, [(own, DEBATE.format(others=said))])
