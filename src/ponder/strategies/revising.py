"""A question asked again, with earlier attempts and what was said of them in the conversation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ponder.core.problem import Message, Problem
from ponder.core.session import Session
from ponder.core.trace import Trace


def again(problem: Problem, attempts: Sequence[tuple[str, str]]) -> Problem:
    """The problem after turns of (attempt, what the user says to it): answered in the same way."""
    turns = [
        turn
        for text, said in attempts
        for turn in (Message("assistant", text.strip() or "(nothing)"), Message("user", said))
    ]
    return replace(problem, messages=(*problem.messages, *turns)) if turns else problem


async def answered(s: Session, problem: Problem, asked: Problem, **how: Any) -> Trace:
    """A chain drawn from what is ``asked``, as an answer to ``problem``: that is what verifiers are
    to judge, not the conversation. ``how`` as in ``Session.grow``.
    """
    return replace(await s.grow(Trace.empty(asked), **how), problem=problem)
