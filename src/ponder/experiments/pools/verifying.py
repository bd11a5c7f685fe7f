"""Scores the samples of a pool with a verifier, so that ``best:NAME`` can be re-scored from it.

One journalled run, like a recording: problem i is verified at the path ``i``, all of its samples
together, so that listwise verifiers can compare them. The cost of the verifier's models is shared
equally among the samples of the problem. It is kept beside the score, and ``pool score`` adds it
to the cost of the samples.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ponder.answers.equivalence import recorded_key
from ponder.core.answer import Answer
from ponder.core.budget import Budget
from ponder.core.costs.cost import PICO
from ponder.core.costs.ledger import Item as Spent
from ponder.core.costs.ledger import Receipt
from ponder.core.problem import Problem
from ponder.core.record.effects import Sampling
from ponder.core.sessions.run import Run
from ponder.core.sessions.session import Session
from ponder.core.trace import Score, Trace
from ponder.experiments.pools.recording import claimed, journal_of
from ponder.experiments.pools.samples import Entry, Sample
from ponder.runtime.engine import Engine, engine_of
from ponder.runtime.journal import Journal
from ponder.runtime.stack import World, stack
from ponder.util.bounded import bounded
from ponder.verification import world

AT_ONCE = 8
"""Number of problems verified at once. Each scores all of its samples at once."""


@dataclass(frozen=True, slots=True)
class Verifying:
    """A request to score the samples of a pool."""

    entries: Sequence[Entry]
    problems: Mapping[str, Problem]
    """Problems by id, without gold."""
    verifier: str
    name: str
    """Name of the score in the pool."""
    model: str = ""
    """The run's own model, for verifiers that ask it; '' for none."""
    seed: int = 0
    budget: Budget = Budget()

    def identity(self, pool: str) -> dict[str, Any]:
        """Return the properties that identify the run."""
        return {
            "kind": "verify",
            "suite": pool,
            "verifier": self.verifier,
            "model": self.model,
            "seed": self.seed,
        }


async def verify(
    asked: Verifying,
    source: Path,
    output: Path,
    *,
    tell: Callable[[int, Receipt], None] = lambda done, receipt: None,
    engine: Engine | None = None,
) -> tuple[list[Entry], Receipt]:
    """Return the entries with one more score per sample; abstentions leave none.

    Journalled scores are not computed again. ``tell`` gets the number of problems done.

    Raises:
        UsageError: the verifier needs a model and none is named, or the journal is another's.
        LimitReached: the budget ended it. Finished scores are in the journal.
    """
    async with (
        engine_of(engine) as using,
        world(asked.verifier, using, model=asked.model, budget=asked.budget) as there,
    ):
        journal = Journal(journal_of(output))
        try:
            run = claimed(journal, asked.identity(source.name), output)
            try:
                return await _verified(asked, there, journal, run, tell)
            finally:
                journal.finish(run, "interrupted", None)
        finally:
            journal.close()


async def _verified(
    asked: Verifying,
    there: World,
    journal: Journal,
    run: str,
    tell: Callable[[int, Receipt], None],
) -> tuple[list[Entry], Receipt]:
    built = stack(there, asked.budget, journal=journal, run=run, ordered=False, exact_length=True)
    verifier = there.verifiers[asked.verifier]
    state = Run(built.perform, asked.seed, Sampling(), asked.verifier, listwise=verifier.listwise)
    done = 0

    async def one(numbered: tuple[int, Entry]) -> list[Score]:
        nonlocal done
        i, entry = numbered
        traces = _traces(entry, asked.problems[entry.problem_id])
        scores = await Session(state, str(i)).score(traces)
        done += 1
        tell(done, built.ledger.receipt())
        return scores

    found = await bounded(one, enumerate(asked.entries), AT_ONCE)
    costs = _costs(journal, run)
    entries = [
        _with_scores(entry, asked.name, scores, costs.get(i))
        for i, (entry, scores) in enumerate(zip(asked.entries, found, strict=True))
    ]
    return entries, built.ledger.receipt()


def _traces(entry: Entry, problem: Problem) -> list[Trace]:
    return [_trace(sample, problem, k) for k, sample in enumerate(entry.samples)]


def _trace(sample: Sample, problem: Problem, k: int) -> Trace:
    answer = None
    if sample.answer is not None:
        key = recorded_key(sample.answer, sample.key, problem.answer_type)
        answer = Answer(sample.answer, key)
    finish: Any = "length" if sample.cut else "stop"
    return Trace(
        problem, sample.text or sample.answer or "", int(sample.tokens or 0), finish, answer,
        id=str(k), reasoning=sample.reasoning,
    )  # fmt: skip


def _costs(journal: Journal, run: str) -> dict[int, Spent]:
    """Return the cost of each problem."""
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
        costs = {**sample.verified, name: share}
        samples.append(replace(sample, scores=known, verified=costs))
    return replace(entry, samples=tuple(samples))
