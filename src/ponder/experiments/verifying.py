"""Scoring the samples of a pool with a verifier: afterwards ``best:NAME`` can be re-scored from it.

One journalled run, as a recording: problem i is verified at the path ``i``, all of its samples
together, so that verifiers that compare samples can. What a verifier asked of models is shared
equally among the samples of the problem; it is kept beside the score, and counted by
``pool score`` on top of what the samples cost.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ponder.core.answer import Answer
from ponder.core.budget import PICO, Budget
from ponder.core.effects import Sampling
from ponder.core.ledger import Item as Spent
from ponder.core.ledger import Receipt
from ponder.core.problem import Problem
from ponder.core.session import Run, Session
from ponder.core.trace import Score, Trace
from ponder.experiments.pools import Entry, Sample
from ponder.runtime.journal import Journal
from ponder.runtime.stack import World, stack
from ponder.verifiers.equivalence import quick_key

AT_ONCE = 8
"""Problems verified at once. Each asks about all of its samples at once."""
VERIFIED = "verified"
"""The field of a sample that keeps what each of its scores cost."""


@dataclass(frozen=True, slots=True)
class Verifying:
    """What is asked for. ``problems`` are by problem id, and hold no gold."""

    entries: Sequence[Entry]
    problems: Mapping[str, Problem]
    verifier: str
    seed: int = 0
    budget: Budget = Budget()


async def verified(
    asked: Verifying,
    world: World,
    journal: Journal,
    run: str,
    tell: Callable[[int, Receipt], None] = lambda done, receipt: None,
) -> tuple[list[Entry], Receipt]:
    """The entries with one more score per sample; abstentions leave none.

    What the journal holds of ``run`` is not asked again.

    Raises:
        LimitReached: the budget ended it. What was scored is in the journal.
        UsageError: the verifier needs a model, and the world has none.
    """
    built = stack(world, asked.budget, journal=journal, run=run, ordered=False, whole=True)
    verifier = world.verifiers[asked.verifier]
    state = Run(built.perform, asked.seed, Sampling(), asked.verifier, joint=verifier.joint)
    slots, done = asyncio.Semaphore(AT_ONCE), 0

    async def one(i: int, entry: Entry) -> list[Score]:
        nonlocal done
        traces = _traces(entry, asked.problems[entry.problem_id])
        async with slots:
            scores = await Session(state, str(i)).score(traces)
        done += 1
        tell(done, built.ledger.receipt())
        return scores

    tasks = [asyncio.ensure_future(one(i, entry)) for i, entry in enumerate(asked.entries)]
    try:
        found = await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    journal.flush()
    costs = _costs(journal, run)
    entries = [
        _with_scores(entry, asked.verifier, scores, costs.get(i))
        for i, (entry, scores) in enumerate(zip(asked.entries, found, strict=True))
    ]
    return entries, built.ledger.receipt()


def _traces(entry: Entry, problem: Problem) -> list[Trace]:
    return [_trace(sample, problem, k) for k, sample in enumerate(entry.samples)]


def _trace(sample: Sample, problem: Problem, k: int) -> Trace:
    answer = None
    if sample.answer is not None:
        key = sample.key or quick_key(sample.answer, problem.answer_type) or f"s:{sample.answer}"
        answer = Answer(sample.answer, key)
    finish: Any = "length" if sample.cut else "stop"
    return Trace(
        problem, sample.text or sample.answer or "", int(sample.tokens or 0), finish, answer,
        id=str(k),
    )  # fmt: skip


def _costs(journal: Journal, run: str) -> dict[int, Spent]:
    """What was spent on each problem."""
    found: dict[int, Spent] = defaultdict(lambda: Spent("verify", ""))
    for row in journal.calls(run):
        if row.spent is not None:
            i = int(row.path.partition(".")[0])
            found[i] = found[i].plus(row.spent)
    return dict(found)


def _with_scores(entry: Entry, name: str, scores: Sequence[Score], spent: Spent | None) -> Entry:
    share: dict[str, float] = {}
    if spent is not None:
        figures = {
            "tokens": spent.cost.tokens,
            "flops": spent.flops,
            "seconds": spent.seconds,
            "usd": spent.picousd / PICO,
        }
        share = {unit: value / len(scores) for unit, value in figures.items() if value}
    samples = []
    for sample, score in zip(entry.samples, scores, strict=True):
        known = {k: v for k, v in sample.scores.items() if k != name}
        if score.value is not None:
            known[name] = round(score.value, 6)
        costs = {**sample.extra.get(VERIFIED, {}), name: share}
        samples.append(replace(sample, scores=known, extra={**sample.extra, VERIFIED: costs}))
    return replace(entry, samples=tuple(samples))
