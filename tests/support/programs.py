"""Programs as replies, and a session in which no model is asked."""

from __future__ import annotations

from typing import Any

from ponder.answers.equivalence import code_key
from ponder.core.answer import Answer
from ponder.core.problem import (
    Problem,
)
from ponder.core.record.effects import Sampling
from ponder.core.sessions.run import Run
from ponder.core.sessions.session import Session
from ponder.core.trace import Trace


def replied(problem: Problem, *programs: str | None, finish: Any = "stop") -> list[Trace]:
    return [
        Trace(problem, text or "no", 1, finish, Answer(text, code_key(text)) if text else None)
        for text in programs
    ]


async def nobody(call: Any) -> Any:
    raise AssertionError("no model is asked")


SESSION = Session(Run(nobody, 0, Sampling()))
