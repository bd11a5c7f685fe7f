"""Verifiers that ask models, asked themselves: a run's handlers without a strategy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ponder.core.budget import Budget
from ponder.core.costs.ledger import Receipt
from ponder.core.record.effects import Sampling
from ponder.core.sessions.run import Run
from ponder.core.sessions.session import Session
from ponder.core.trace import Score, Trace
from ponder.models.base import Completion, Model, ModelInfo, Priced, Shape
from ponder.models.fakes.scripted import EVERYTHING
from ponder.runtime.journal import Journal
from ponder.runtime.stack import World, stack
from ponder.verifiers.base import Verifier
from tests.support.jobs import read_boxed

_ALTERNATIVES = {"top_logprobs", "first_logprobs"}
PLAIN = ModelInfo("plain", EVERYTHING - _ALTERNATIVES - {"logprobs"}, Shape(1), local=True)
SAMPLED = ModelInfo("sampled", EVERYTHING - _ALTERNATIVES, Shape(1), local=True)


@dataclass(frozen=True)
class Asked:
    """What a verifier said, and what it cost."""

    scores: list[Score]
    receipt: Receipt

    @property
    def values(self) -> list[float | None]:
        return [score.value for score in self.scores]


async def ask(
    verifier: Verifier,
    traces: Sequence[Trace],
    model: Model,
    *,
    others: Mapping[str, Model] | None = None,
    budget: Budget | None = None,
    journal: Journal | None = None,
    run: str = "",
) -> Asked:
    """The verifier's scores; ``model`` is the run's own."""
    named = {name: Priced(other) for name, other in (others or {}).items()}
    world = World(model, read_boxed, {verifier.name: verifier}, None, named)
    built = stack(world, budget or Budget(), journal=journal, run=run)
    state = Run(built.perform, 0, Sampling(100), verifier.name, listwise=verifier.listwise)
    scores = await Session(state).score(traces)
    assert built.admission.reserved.tokens == 0
    return Asked(scores, built.ledger.receipt())


def token(text: str, **probabilities: float) -> Completion:
    """A reply of one token, with its log-probability and those of the alternatives. An underscore
    before a name stands for a blank.
    """
    top = {name.replace("_", " "): math.log(p) for name, p in probabilities.items()}
    first = next(iter(top.values()), -0.5)
    return Completion(text, "length", 10, 1, logprobs=(first,), top=(top,) if top else None)


def likely(text: str, p: float) -> Completion:
    """A reply of one token of which only the sampled one's probability is known."""
    return Completion(text, "length", 10, 1, logprobs=(math.log(p),))
