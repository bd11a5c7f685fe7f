"""Short ways to a job: a problem, a reader of \\boxed{} answers, and a run in virtual time."""

from __future__ import annotations

import re
from typing import Any

from ponder.core.answer import Answer
from ponder.core.budget import Budget
from ponder.core.effects import Sampling
from ponder.core.problem import Message, Problem
from ponder.models.base import Model
from ponder.runtime.runner import Job
from ponder.strategies import registry
from ponder.strategies.knobs import read
from ponder.verifiers.registry import VERIFIERS

PROBLEM = Problem((Message("user", "What is six times seven ?"),), "number")
PROMPT_TOKENS = 6


async def read_boxed(text: str, problem: Problem, truncated: bool) -> Answer | None:
    found = re.findall(r"\\boxed\{(.*?)\}", text)
    return Answer(found[-1], found[-1]) if found else None


def job(model: Model, strategy: Any = "direct", **changes: Any) -> Job:
    knobs = changes.pop("knobs", {})
    if isinstance(strategy, str):
        known = registry.find(strategy)
        function, name, knobs = known.function, strategy, read(known.knobs, knobs)
    else:
        function, name = strategy, strategy.__name__
    fields: dict[str, Any] = {
        "problem": PROBLEM,
        "strategy": function,
        "name": name,
        "knobs": knobs,
        "sampling": Sampling(100),
        "budget": Budget(),
        "seed": 0,
        "model": model,
        "read": read_boxed,
        "verifiers": VERIFIERS,
        "verifier": "mean_logprob",
    }
    return Job(**(fields | changes))
