"""Evaluates a learned verifier on problems that it was not trained on.

A score that uses the agreement of N samples must not have seen more than N. So the samples of a
problem are dealt at random into groups of N, scored within their group, and chosen from within it.
This is repeated several times, and the mean per problem estimates N fresh samples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ponder.core.errors import UsageError
from ponder.experiments.pools.samples import Entry, Sample
from ponder.experiments.stats import columns, intervals, paired, scoring
from ponder.experiments.stats.estimators import Floats, Ints
from ponder.experiments.stats.paired import Differences
from ponder.experiments.stats.scoring import COVERAGE, RANDOM, Aggregator, Row
from ponder.experiments.training.data import NAME, Examples
from ponder.experiments.training.metrics import Metrics, measure
from ponder.models.base import Shape
from ponder.verifiers.learned.scorer import Scorer

MAJORITY = Aggregator("majority")
BEST, WEIGHTED = Aggregator("best", NAME), Aggregator("weighted", NAME)
WAYS = (RANDOM, MAJORITY, BEST, WEIGHTED, COVERAGE)
COMPARED = ((BEST, MAJORITY), (WEIGHTED, MAJORITY), (BEST, RANDOM))
DEALS = 16
MOST = 200_000
"""Most samples in all that are dealt DEALS times; beyond it there are fewer deals, since so many
problems need no second one.
"""

Scorers = Mapping[str, Scorer]
"""For each problem, by its id, a scorer that was not trained on it."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The evaluation of a learned verifier."""

    problems: int
    n: int
    """Samples per group."""
    left_out: int
    """Number of problems left out, since it was trained on them."""
    metrics: Metrics
    rows: tuple[Row, ...]
    differences: Differences

    def to_json(self) -> dict[str, Any]:
        """Return its JSON in ``ponder verifier eval --json``."""
        return {
            "problems": self.problems,
            "n": self.n,
            "left_out": self.left_out,
            **self.metrics.to_json(),
            "rows": [row.to_json() for row in self.rows],
            "differences": paired.to_json(self.differences),
        }


@dataclass(frozen=True, slots=True)
class Deal:
    """Groups of N samples."""

    rows: list[int]
    """Position of each group's problem."""
    entries: list[Entry]
    examples: list[Examples]
    first: int = 0
    """Number of groups at the start that hold no sample twice."""


def untrained(
    entries: Sequence[Entry], data: Sequence[Examples], scorer: Scorer
) -> tuple[list[Entry], list[Examples]]:
    """Return the problems that the scorer was not trained on.

    Raises:
        UsageError: there is none.
    """
    kept = [i for i, entry in enumerate(entries) if not scorer.knows(entry.problem_id)]
    if not kept:
        raise UsageError(
            f"all {len(entries)} problems of the pool were trained on: take another pool, or say "
            "--cross-validate."
        )
    return [entries[i] for i in kept], [data[i] for i in kept]


def check_scores(data: Sequence[Examples], scorer: Scorer) -> None:
    """Check that the pool has the scores that the scorer uses.

    Raises:
        UsageError: no sample has one of its scores.
    """
    have = {name for problem in data for sample in problem.seen for name in sample.scores}
    for name in scorer.scores:
        if name not in have:
            raise UsageError(
                f"no sample of the pool has the score {name!r}, which the learned verifier looks "
                f"at: {_how(name)}, or train without."
            )


def _how(name: str) -> str:
    if name in ("mean_logprob", "lowest_group"):
        return "record the pool with --confidence"
    return f"buy it first with 'ponder pool verify --verifier {name}'"


def evaluate(
    entries: Sequence[Entry],
    data: Sequence[Examples],
    scorers: Scorers,
    *,
    n: int,
    left_out: int = 0,
    shape: Shape | None = None,
    seed: int = 0,
) -> Evaluation:
    """Evaluate with groups of ``n`` samples. The same seed gives the same figures.

    Raises:
        UsageError: a problem has fewer samples, or all samples are right, or all wrong.
    """
    whole = columns.read(entries, shape=shape)
    scoring.check(whole, [(RANDOM, n)])
    deal = dealt(data, entries, n, seed)
    scored = [scorers[e.problem_id].probabilities(e.seen) for e in deal.examples]
    metrics = _metrics(deal, scored, seed)
    read = columns.read(
        replace(entry, problem_id=str(i), samples=_with(entry.samples, scores, {}))
        for i, (entry, scores) in enumerate(zip(deal.entries, scored, strict=True))
    )
    points = [(how, n) for how in WAYS]
    found, _ = scoring.evaluate(read, points, seed=seed)
    values = _means(found, np.array(deal.rows), len(entries))
    means = intervals.resampled_means(values, seed)
    bought = _bought(whole, scorers[entries[0].problem_id], n)
    cost = whole.cost(n)
    rows = tuple(
        Row(
            str(how),
            n,
            float(values[:, i].mean()),
            *intervals.interval(values[:, i], means[:, i])[:2],
            {u: c + (bought.get(u, 0.0) if how.score else 0.0) for u, c in cost.items()},
            intervals.interval(values[:, i], means[:, i])[2],
        )
        for i, how in enumerate(WAYS)
    )
    differences = {
        (scoring.named((a, n)), scoring.named((b, n))): paired.difference(
            values, means, WAYS.index(a), WAYS.index(b)
        )
        for a, b in COMPARED
    }
    return Evaluation(len(entries), n, left_out, metrics, rows, differences)


def dealt(data: Sequence[Examples], entries: Sequence[Entry], n: int, seed: int) -> Deal:
    """Deal the samples of each problem into groups of n, DEALS times; the remainder sits out.

    A problem with n samples is one group, once.
    """
    deal = Deal([], [], [])
    rngs = [np.random.default_rng([seed, i]) for i in range(len(entries))]
    samples = sum(len(entry.samples) for entry in entries)
    for turn in range(max(1, min(DEALS, MOST // samples))):
        for i, (entry, problem) in enumerate(zip(entries, data, strict=True)):
            size = len(entry.samples)
            if turn and size == n:
                continue
            order = rngs[i].permutation(size)
            for start in range(0, size - n + 1, n):
                group = sorted(order[start : start + n].tolist())
                deal.rows.append(i)
                deal.entries.append(replace(entry, samples=tuple(entry.samples[k] for k in group)))
                deal.examples.append(
                    Examples(
                        problem.problem_id,
                        tuple(problem.seen[k] for k in group),
                        tuple(problem.correct[k] for k in group),
                    )
                )
        if not turn:
            deal = replace(deal, first=len(deal.rows))
    return deal


def _metrics(deal: Deal, scored: Sequence[Sequence[float]], seed: int) -> Metrics:
    """Return metrics of the first deal, where each sample occurs once; answered samples only."""
    likely: list[float] = []
    correct: list[bool] = []
    problem: list[int] = []
    numbers: dict[int, int] = {}
    groups = list(zip(deal.rows, deal.examples, scored, strict=True))[: deal.first]
    for row, group, scores in groups:
        for i in group.answered:
            likely.append(scores[i])
            correct.append(group.correct[i])
            problem.append(numbers.setdefault(row, len(numbers)))
    return measure(np.array(likely), np.array(correct, dtype=np.bool_), np.array(problem), seed)


def _means(found: Floats, rows: Ints, problems: int) -> Floats:
    """Return the mean over the groups of each problem: (problems, points)."""
    sums = np.zeros((problems, found.shape[1]))
    np.add.at(sums, rows, found)
    return np.asarray(sums / np.bincount(rows, minlength=problems)[:, None])


def _bought(read: columns.Columns, scorer: Scorer, n: int) -> dict[str, float]:
    """Return the cost, by unit, of the scores that the scorer uses, for n samples."""
    total: dict[str, float] = {}
    for name in scorer.scores:
        total = _plus(total, {u: n * c for u, c in read.verified.get(name, {}).items()})
    return total


def _plus(a: Mapping[str, float], b: Mapping[str, float]) -> dict[str, float]:
    return {unit: a.get(unit, 0.0) + b.get(unit, 0.0) for unit in {**a, **b}}


# Writing ------------------------------------------------------------------------------------------


def scored(
    entries: Sequence[Entry], data: Sequence[Examples], scorers: Scorers
) -> Mapping[str, list[Sample]]:
    """Return the samples of each problem with the learned score and its cost, by problem id.

    Each is scored beside *all* samples of its problem, so choosing among fewer of them would use
    an agreement that so few could not show.
    """
    found = {}
    for entry, problem in zip(entries, data, strict=True):
        scorer = scorers[entry.problem_id]
        scores = scorer.probabilities(problem.seen)
        costs = [_cost(sample, scorer.scores) for sample in entry.samples]
        found[entry.problem_id] = [
            _with((sample,), (score,), cost)[0]
            for sample, score, cost in zip(entry.samples, scores, costs, strict=True)
        ]
    return found


def _cost(sample: Sample, names: Sequence[str]) -> dict[str, float]:
    total: dict[str, float] = {}
    for name in names:
        total = _plus(total, sample.verified.get(name, {}))
    return total


def _with(
    samples: Sequence[Sample], scores: Sequence[float], cost: Mapping[str, float]
) -> tuple[Sample, ...]:
    return tuple(
        replace(
            sample,
            scores={**sample.scores, NAME: round(score, 6)},
            verified={**sample.verified, NAME: dict(cost)},
        )
        for sample, score in zip(samples, scores, strict=True)
    )
