"""Scores each step of a trace, and combines the scores into one.

``process(MODEL, agg=min)`` asks a process reward model (PRM: Lightman et al. 2023, arXiv
2305.20050): an endpoint of ``ponder.toml`` with ``reward = FORMAT``, or one in this process,
``transformers(FORMAT, PATH)``. Like any model it is asked through the session, so its tokens are in
the run's budget, receipt and journal, under the role ``verify``.

``process(k=4, ...)``, without a model, needs no PRM: see ``process.rollouts``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ponder.core.errors import MalformedReply, UsageError
from ponder.core.problem import Message, Problem
from ponder.core.sessions.session import Session
from ponder.core.steps import BETWEEN
from ponder.core.text.refs import Ref, parse
from ponder.core.trace import Score, Trace
from ponder.verifiers.base import Facts, Verifier
from ponder.verifiers.judge.asking import judged
from ponder.verifiers.naming import Arguments
from ponder.verifiers.process.rollouts import Rollouts
from ponder.verifiers.process.steps import AGGREGATES, steps

ROLE = "verify"


@dataclass(frozen=True, slots=True)
class Process(Facts):
    """Scores the steps of a trace by a PRM."""

    name: str
    model: str
    agg: str = "min"
    """A key of ``AGGREGATES``."""

    @property
    def models(self) -> tuple[str, ...]:
        """The PRM."""
        return (self.model,)

    async def score(
        self, problem: Problem, traces: Sequence[Trace], session: Session
    ) -> list[Score]:
        """Return the combined score of each trace's steps, from 0 to 1.

        ``detail`` lists them all.
        """

        async def one(child: Session, trace: Trace) -> Score:
            parts = steps(trace.text)
            if not parts:
                return Score(None, self.name, "there are no steps to score")
            turn = Message("assistant", BETWEEN.join(parts))
            asked = Problem((*problem.asked, turn))
            said = await child.grow(
                Trace.empty(asked),
                role=ROLE,
                model=self.model,
                length=1,
                temperature=0.0,
                logprobs=False,
                top_logprobs=0,
            )
            values = read_scores(said.text, len(parts))
            return Score(AGGREGATES[self.agg](values), self.name, told(values, self.agg))

        return await judged(session, traces, self.name, one)


def read_scores(text: str, expected: int) -> list[float]:
    """Return the scores in a PRM's completion.

    Raises:
        MalformedReply: it is not a list of that many numbers from 0 to 1 (a chat model's reply).
    """
    try:
        values = json.loads(text)
    except ValueError:
        values = None
    if not isinstance(values, list) or len(values) != expected:
        raise MalformedReply("the model is not a process reward model: it gave no score per step")
    if not all(isinstance(v, int | float) and 0 <= v <= 1 for v in values):
        raise MalformedReply("a step's score is not a number from 0 to 1")
    return [float(value) for value in values]


def told(values: Sequence[float], agg: str) -> str:
    """Return the steps' scores, for a person."""
    return f"{agg} of {', '.join(f'{value:.2f}' for value in values)}"


def process(find: Callable[[Ref], Verifier]) -> Callable[[Arguments], Verifier]:
    """Return a factory of the verifier; ``find`` looks up the one that judges rollouts.

    Raises (when called):
        UsageError: an argument is invalid, or does not fit.
    """

    def make(given: Arguments) -> Verifier:
        agg = given.one_of("agg", tuple(AGGREGATES))
        if not given.model:
            return _rollouts(given, agg, find)
        for key in given.ref.options:
            if key != "agg":
                raise UsageError(
                    f"verifier 'process': {key} is for rollouts, and {given.model} is a reward "
                    f"model: leave one of the two out."
                )
        return Process(given.name, given.model, agg)

    return make


def _rollouts(given: Arguments, agg: str, find: Callable[[Ref], Verifier]) -> Rollouts:
    by = given.at("by")
    judge = find(by) if by else None
    if judge is not None and judge.listwise:
        raise UsageError(
            f"verifier 'process': {by} compares traces with those beside them, and a rollout has "
            "none: name another one as by."
        )
    if judge is not None:
        given = given.replaced("by", parse(judge.name))
    return Rollouts(
        given.name,
        given.whole("k", 4),
        given.whole("length", 512, 16, 32_768),
        agg,
        given.one_of("search", ("all", "bisect")),
        judge,
    )
