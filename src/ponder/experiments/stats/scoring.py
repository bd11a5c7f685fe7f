"""Every number of samples and every aggregator, re-scored from one pool without new compute."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from ponder.core.errors import UnknownName, UsageError
from ponder.core.text.refs import Ref, spelled
from ponder.experiments.stats import estimators, intervals, paired, subsets
from ponder.experiments.stats.columns import ABSTAINED, Columns, Group
from ponder.experiments.stats.estimators import Floats
from ponder.experiments.stats.paired import Differences

AGGREGATORS = ("random", "majority", "best", "weighted", "coverage")
SCORED = ("best", "weighted")
Ties = Literal["split", "first"]
_MAJORITY_WORK = 2e9  # multiplications beyond which Monte Carlo is faster


@dataclass(frozen=True, slots=True)
class Aggregator:
    """A way to make one answer of several samples: ``name`` or ``name:score``."""

    name: str
    score: str = ""

    def __str__(self) -> str:
        return f"{self.name}:{self.score}" if self.score else self.name

    @property
    def votes(self) -> bool:
        """True if it depends on which answers are equal."""
        return self.name in ("majority", "weighted")


RANDOM, COVERAGE = Aggregator("random"), Aggregator("coverage")
Point = tuple[Aggregator, int]
"""An aggregator at a number of samples."""


@dataclass(frozen=True, slots=True)
class Row:
    """Accuracy of one aggregator with ``n`` samples, and its 95 % interval over problems."""

    by: str
    n: int
    accuracy: float
    low: float
    high: float
    cost: Mapping[str, float]
    """Mean cost per problem by unit (``costs``), for units that are known."""
    interval: intervals.Kind
    error: float = 0.0
    """Monte Carlo standard error of ``accuracy`` (0: exact), not included in the interval."""

    def to_json(self) -> dict[str, Any]:
        """Return its JSON in ``ponder pool score --json``; ``error`` only where it is not zero."""
        known = {
            "by": self.by,
            "n": self.n,
            "accuracy": self.accuracy,
            "low": self.low,
            "high": self.high,
            "tokens": self.cost.get("tokens"),
            **{unit: self.cost[unit] for unit in ("flops", "usd", "seconds") if unit in self.cost},
            "interval": self.interval,
        }
        return {**known, "error": self.error} if self.error else known


@dataclass(frozen=True, slots=True)
class Report:
    """The scores of a pool."""

    problems: int
    samples_per_problem: int
    """Number of samples that every problem has."""
    rows: tuple[Row, ...]
    differences: Differences = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return its JSON in ``ponder pool score --json``."""
        shown: dict[str, Any] = {
            "problems": self.problems,
            "samples_per_problem": self.samples_per_problem,
            "rows": [row.to_json() for row in self.rows],
        }
        if self.differences:
            shown["differences"] = paired.to_json(self.differences)
        return shown


# What is asked for --------------------------------------------------------------------------------


def aggregator(text: str) -> Aggregator:
    """Read ``majority``, ``best:SCORE`` or ``best(SCORE)``.

    Raises:
        UsageError: the aggregator does not exist, or its score is missing or superfluous.
    """
    ref = spelled(text)
    if ref.name not in AGGREGATORS:
        raise UnknownName("aggregator", ref.name, AGGREGATORS)
    if ref.options or ref.model or len(ref.args) > 1:
        raise UsageError(f"{text!r}: an aggregator takes one score and nothing else.")
    score = ref.args[0].text if ref.args else ""
    if ref.name in SCORED and not score:
        raise UsageError(f"{ref.name!r} needs the name of a score: {ref.name}:SCORE.")
    if ref.name not in SCORED and score:
        raise UsageError(f"{ref.name!r} uses no score: leave {score!r} out.")
    return Aggregator(ref.name, score)


def point(ref: Ref) -> Point:
    """Read ``majority@8``.

    Raises:
        UsageError: the reference has another form.
    """
    n = ref.model
    if not (n.isascii() and n.isdigit() and int(n)):
        raise UsageError(f"expected AGGREGATOR@N, such as majority@8, not {ref.text!r}.")
    return aggregator(replace(ref, model="").text), int(n)


def named(point: Point) -> str:
    """Return a point's label, ``majority@8``."""
    how, n = point
    return f"{how}@{n}"


def doubling(fewest: int) -> list[int]:
    """Return 1, 2, 4, ... and the largest number that every problem has."""
    return sorted({1 << i for i in range(fewest.bit_length())} | {fewest})


# Scoring ------------------------------------------------------------------------------------------


def score(
    columns: Columns,
    *,
    by: Iterable[Aggregator] = (Aggregator("majority"),),
    n: Iterable[int] = (),
    compare: Sequence[tuple[Point, Point]] = (),
    ties: Ties = "split",
    seed: int = 0,
) -> Report:
    """Score a pool for each ``n`` (none: powers of two) and aggregator, and compare points.

    Random and coverage are always among the rows, as the floor and the ceiling of any selector.
    The same seed gives the same report.

    Raises:
        UsageError: the pool has too few samples, or lacks a required score or answers.
    """
    selectors = [a for a in dict.fromkeys(by) if a not in (RANDOM, COVERAGE)]
    sizes = sorted(set(n)) or doubling(columns.fewest)
    points = [(a, k) for k in sizes for a in (RANDOM, *selectors, COVERAGE)]
    points += [p for pair in compare for p in pair]
    points = list(dict.fromkeys(points))
    check(columns, points)
    values, errors = evaluate(columns, points, ties=ties, seed=seed)
    means = intervals.resampled_means(values, seed)
    rows = tuple(
        _row(columns, point, values[:, i], means[:, i], errors[i]) for i, point in enumerate(points)
    )
    differences = {
        (named(a), named(b)): paired.difference(values, means, points.index(a), points.index(b))
        for a, b in compare
    }
    return Report(columns.problems, columns.fewest, rows, differences)


def evaluate(
    columns: Columns, points: Sequence[Point], *, ties: Ties = "split", seed: int = 0
) -> tuple[Floats, list[float]]:
    """Return the expected accuracy of every problem at every point, (problems, points).

    Also returns, for each point, the Monte Carlo standard error of the mean. The pool must have
    what the points need.
    """
    values, errors = np.empty((columns.problems, len(points))), []
    for i, (how, k) in enumerate(points):
        values[:, i], error = _estimate(columns, how, k, ties == "first", seed)
        errors.append(error)
    # Sums of floats: values within rounding of 1 become 1, so that proportions are recognised.
    return np.where(np.abs(values - np.rint(values)) < 1e-12, np.rint(values), values), errors


def check(columns: Columns, points: Sequence[Point]) -> None:
    """Reject points that the pool cannot give.

    Raises:
        UsageError: it has too few samples, or lacks a score or answers.
    """
    most = max(k for _, k in points)
    if min(k for _, k in points) < 1:
        raise UsageError("the number of samples must be at least 1.")
    if most > columns.fewest:
        poorest = min(columns.groups, key=lambda group: group.n)
        raise UsageError(
            f"n = {most} is more than the pool holds: problem "
            f"{columns.problem_ids[int(poorest.rows[0])]!r} has {columns.fewest} "
            f"sample{'s' * (columns.fewest > 1)}; ask for at most {columns.fewest}."
        )
    for how in dict.fromkeys(how for how, _ in points):
        if how.score:
            columns.check_score(how.score)
        if how.votes and not columns.any_answer and columns.any_right:
            raise UsageError(
                "the pool has grades but no answers, so there is nothing to vote on: say --by "
                "random, or best:SCORE."
            )


def _estimate(
    columns: Columns, how: Aggregator, k: int, first: bool, seed: int
) -> tuple[Floats, float]:
    """Return (accuracy of each problem, Monte Carlo standard error of their mean)."""
    values, variance = np.empty(columns.problems), 0.0
    for group in columns.groups:
        found, error = _estimate_group(group, how, k, first, seed, columns.any_answer)
        values[group.rows] = found
        variance += (error * len(group.rows) / columns.problems) ** 2
    return values, math.sqrt(variance)


def _estimate_group(
    group: Group, how: Aggregator, k: int, first: bool, seed: int, answers: bool
) -> tuple[Floats, float]:
    match how.name:
        case "random":
            return estimators.random_choice(group.correct), 0.0
        case "coverage":
            return estimators.coverage(group.correct, k), 0.0
        case "best":
            scores = group.scores[how.score]
            if answers:  # else the pool holds grades alone
                scores = np.where(group.answered, scores, -np.inf)
            return estimators.best_of(group.correct, scores, k, first=first), 0.0
        case "majority":
            weights = np.ones_like(group.correct)
            countable = not first and k < group.n <= estimators.LARGEST  # all n are one subset
            if countable and estimators.majority_cost(group.sizes, k) <= _MAJORITY_WORK:
                return estimators.majority(group.sizes, group.right, group.n, k), 0.0
        case _:
            scores = group.scores[how.score]
            weights = np.where(group.answered & (scores > ABSTAINED), scores, 0.0)
    answers_in_all = int((group.sizes > 0).sum())
    drawn = subsets.choose(group.n, k, answers_in_all, seed)
    return subsets.vote(group.classes, group.right, weights, drawn, first=first)


def _row(columns: Columns, at: Point, values: Floats, means: Floats, error: float) -> Row:
    how, k = at
    low, high, kind = intervals.interval(values, means)
    mean, cost = float(values.mean()), columns.cost(k, how.score)
    return Row(str(how), k, mean, low, high, cost, kind, error)
