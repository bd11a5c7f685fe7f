"""A verifier that asks a model, and models for both sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from ponder.core.problem import Message, Problem
from ponder.core.sessions.session import Session
from ponder.core.trace import Score, Trace
from ponder.models.base import Request
from ponder.verifiers.base import Facts


@dataclass
class Judge(Facts):
    """Asks a model for a number about each trace."""

    model: str = ""
    name: str = "judge"
    listwise: bool = False

    @property
    def models(self) -> tuple[str, ...]:
        return (self.model,) if self.model else ()

    async def score(
        self, problem: Problem, traces: Sequence[Trace], session: Session
    ) -> list[Score]:
        async def ask(child: Session, trace: Trace) -> Score:
            asked = Problem((Message("user", f"How good is {trace.text} ?"),))
            said = await child.grow(
                Trace.empty(asked), role="judge", model=self.model, temperature=0.0
            )
            return Score(float(said.text), self.name)

        return await session.gather([partial(ask, trace=trace) for trace in traces])


def solver(request: Request) -> str:
    return f"\\boxed{{{request.seed % 3}}}"


def judge(request: Request) -> str:
    return f"0.{9 - int(request.messages[0].content.split('{')[1][0])}"


def both(request: Request) -> str:
    return judge(request) if "How good" in request.messages[0].content else solver(request)
