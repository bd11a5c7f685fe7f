"""Verifiers on their own: ``score`` scores texts from any source."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from ponder.api import Question, opened_all, wait
from ponder.core.budget import Budget
from ponder.core.costs.ledger import Receipt
from ponder.core.errors import UsageError
from ponder.core.problem import Problem, read_tests
from ponder.core.record.effects import Sampling
from ponder.core.sessions.run import Run
from ponder.core.sessions.session import Session
from ponder.core.trace import Score, Trace
from ponder.models.base import Model
from ponder.models.fakes.absent import Absent
from ponder.models.opening import Opened
from ponder.planning.capabilities import payable
from ponder.planning.problems import problem
from ponder.planning.spec import SEEDS
from ponder.runtime.engine import Engine, engine_of
from ponder.runtime.stack import World, stack
from ponder.verifiers.registry import known


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores of texts, and their cost."""

    scores: tuple[Score, ...]
    """One score per text, in the texts' order."""
    receipt: Receipt
    """The cost. If an endpoint charged more than a request allowed, the receipt states that, and
    the remaining texts were not scored.
    """

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``ponder score --json`` prints."""
        scores = [{"score": s.value, "verdict": s.verdict, "detail": s.detail} for s in self.scores]
        return {"scores": scores, "receipt": self.receipt.to_json()}


def problem_from(data: Mapping[str, Any]) -> Problem:
    """Return a problem from a user's data: ``question``, and optionally ``answer_type``,
    ``choices``, ``schema`` (a JSON Schema) and ``tests``.

    Raises:
        UsageError: a value is invalid.
    """
    for name, kind in (("question", str), ("answer_type", str), ("choices", list)):
        if name in data and not isinstance(data[name], kind):
            raise UsageError(f"{name!r} must be a {kind.__name__}, not {data[name]!r}.")
    made = problem(
        data["question"],
        data.get("answer_type", "auto"),
        choices=data.get("choices", ()),
        schema=json.dumps(data["schema"]) if data.get("schema") else "",
    )
    return replace(made, tests=read_tests(data.get("tests")))


@asynccontextmanager
async def world(
    verifier: str,
    engine: Engine,
    *,
    model: str | Model | Opened = "",
    budget: Budget | None = None,
) -> AsyncIterator[World]:
    """Yield the resources of a verifier: its own models, and ``model`` as the run's.

    Raises:
        UsageError: there is no such verifier or model, or the budget cannot be enforced.
    """
    verifiers = known(verifier, tools=engine.tools)
    own = [model] if isinstance(model, str) and model else []
    judges = [name for judge in verifiers.values() for name in judge.models]
    async with opened_all([*own, *judges], budget or Budget(), engine) as others:
        if isinstance(model, str):
            used = others[model] if model else Opened(Absent())
        else:
            used = model if isinstance(model, Opened) else Opened(model)
            payable(budget or Budget(), used.model.info, priced=used.pricing is not None)
        yield World(used.model, engine.tools.reader.read, verifiers, used.pricing, others)


async def ascore(
    question: Question,
    texts: Sequence[str],
    *,
    verifier: str,
    model: str | Model | Opened = "",
    answer_type: str = "auto",
    budget: Budget | None = None,
    seed: int = 0,
    engine: Engine | None = None,
) -> Scored:
    """Score each text as a reply to the question.

    Args:
        question: a text, chat messages, or a ``Problem`` (used as it is), which may hold tests.
        texts: whole replies; answers are read out of them as in ``solve``.
        verifier: its name; see ``docs/verifiers.md``.
        model: for verifiers that use the run's own model.
        answer_type: the type of the answer; ``auto`` guesses by the question's form.
        budget: limits of the whole call.
        seed: same seed, same samples of the verifier's models.
        engine: as in ``ponder.asolve``.

    Raises:
        UsageError: there is no such verifier, or it needs a model and none is named.
        LimitReached: the budget does not suffice to score all of them, or an endpoint charged more
            than a request allowed (``Overcharged``).
    """
    if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
        raise UsageError(f"texts must be a list of texts, not {texts!r}.")
    if seed not in SEEDS:
        raise UsageError(f"the seed must be a whole number from 0 to {SEEDS[-1]}, not {seed!r}.")
    asked = problem(question, answer_type)
    async with engine_of(engine) as using, AsyncExitStack() as opened:
        await using.tools.reader.check(asked)
        ready = world(verifier, using, model=model, budget=budget)
        there = await opened.enter_async_context(ready)
        built = stack(there, budget or Budget(), exact_length=True)
        judged = there.verifiers[verifier]
        state = Run(built.perform, seed, Sampling(), verifier, listwise=judged.listwise)
        answers = await asyncio.gather(*(there.read(text, asked, False) for text in texts))
        traces = [
            Trace(asked, text, finish="stop", answer=answer, id=str(i))
            for i, (text, answer) in enumerate(zip(texts, answers, strict=True))
        ]
        scores = await Session(state).score(traces)
        return Scored(tuple(scores), built.ledger.receipt())


def score(question: Question, texts: Sequence[str], **options: Any) -> Scored:
    """Score texts: ``ascore`` for synchronous callers, with the same arguments."""
    return wait(lambda: ascore(question, texts, **options), options.get("engine"))
