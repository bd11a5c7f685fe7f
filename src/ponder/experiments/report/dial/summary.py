"""From votes to the dial's part of a report: a row for each plan, its regret, and calibration.

A plan is one sample, a vote of all of n, a vote that ends by a rule, or an evaluated configuration.
Its regret is that of the most accurate plan of the same model at no more cost, which is known in
hindsight, over itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np

from ponder.experiments.report.dial.votes import Stated
from ponder.experiments.report.table import DECIMALS, ONE_SAMPLE, Table
from ponder.experiments.stats import intervals
from ponder.experiments.stats.estimators import Floats, Ints
from ponder.experiments.stats.paired import Difference
from ponder.experiments.stats.series import Series

Kind = Literal["fixed", "rule", "configuration"]
VOTE = "majority"
AGGREGATORS = ("majority", "weighted", "best", "coverage", "random")
SAME = 1e-9
"""Relative difference below which costs are one budget."""
ALLOWED = 0.003
"""Accuracy that a rule may lose against the full vote, and still be said to match it."""
EDGES = (0.0, 0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 1.0)
"""Edges of the bins of stated probabilities; the last bin includes its upper end."""
MORE = 8
"""Problems below which statements of a bin have no interval."""


@dataclass(frozen=True, slots=True)
class Row:
    """One plan, on the problems that all plans of the suite have."""

    model: str
    method: str
    """``random``, ``majority``, a rule, or the name of a configuration."""
    kind: Kind
    n: int
    """Most samples."""
    accuracy: float
    low: float
    """Lower end of the accuracy's 95 % interval."""
    high: float
    """Upper end of the accuracy's 95 % interval."""
    error: float
    """Monte Carlo standard error of the accuracy; 0 if exact."""
    cost: Mapping[str, float]
    """Mean cost per problem, by unit."""
    regret: Difference
    """The best plan of this model at no more cost, minus this one."""
    best: str
    """Name of that plan; empty if it is this one."""
    on_frontier: bool
    """True if no plan of any model is as accurate at no more cost."""
    leads: bool
    """True if no plan of the same model is."""

    @property
    def name(self) -> str:
        """Its description, without the model."""
        return named(self.method, self.kind, self.n)


@dataclass(frozen=True, slots=True)
class Bin:
    """Statements of similar probability."""

    low: float
    high: float
    stated: float
    """Mean stated probability."""
    right: float
    """Share of right answers."""
    around: tuple[float, float] | None
    """95 % interval of that share; None for few problems."""
    count: int
    problems: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """Calibration of the statements of one method and model."""

    model: str
    method: str
    fitted: bool
    """As in ``Stated``."""
    count: int
    problems: int
    brier: float
    low: float
    """Lower end of the Brier score's 95 % interval."""
    high: float
    """Upper end of the Brier score's 95 % interval."""
    rate: float
    """Share of right answers."""
    bins: tuple[Bin, ...]

    @property
    def reference(self) -> float:
        """Brier score of stating the base rate every time."""
        return self.rate * (1 - self.rate)


@dataclass(frozen=True, slots=True)
class Saving:
    """A rule that matches the full vote of a model."""

    model: str
    rule: str
    n: int
    share: float
    """Its cost, as a part of the full vote's."""
    gap: Difference
    """Its accuracy minus the full vote's."""


@dataclass(frozen=True, slots=True)
class Dial:
    """Stopping rules and plans of one suite."""

    unit: str
    problems: int
    """Number of problems that all plans have."""
    rows: tuple[Row, ...]
    """By model, then by cost."""
    savings: tuple[Saving, ...]
    """The cheapest rule of each model that matches its largest vote."""
    calibrations: tuple[Calibration, ...]

    @property
    def configurations(self) -> tuple[str, ...]:
        """Names of the evaluated configurations; charts and tables number them in this order."""
        return tuple(dict.fromkeys(r.method for r in self.rows if r.kind == "configuration"))


def named(method: str, kind: Kind, n: int) -> str:
    """Return a plan's description."""
    if kind == "rule":
        return f"{method}, up to {n}"
    if method == ONE_SAMPLE:
        return "one sample"
    return f"vote of {n}" if kind == "fixed" else method


def dial(
    series: Sequence[Series], rules: Sequence[Series], stated: Sequence[Stated], unit: str
) -> Dial | None:
    """Return the dial of one suite; None if there is nothing to choose between or to state.

    ``series`` are the suite's, of which votes and configurations are plans.
    """
    plans: list[tuple[Series, Kind]] = []
    for one in series:
        if one.method in (ONE_SAMPLE, VOTE):
            plans.append((_from_three(one) if one.method == VOTE else one, "fixed"))
        elif one.method.partition(":")[0] not in AGGREGATORS:
            plans.append((one, "configuration"))
    plans += [(one, "rule") for one in rules]
    plans = [(one, kind) for one, kind in plans if one.points and unit in one.points[0].cost]
    rows: tuple[Row, ...] = ()
    savings: tuple[Saving, ...] = ()
    problems = 0
    if sum(len(one.points) for one, _ in plans) > 1:
        table = Table([one for one, _ in plans], [""] * len(plans))
        problems = len(table.shared)
        if problems:
            rows = tuple(_rows(table, [kind for _, kind in plans], unit))
            savings = tuple(_savings(table, [kind for _, kind in plans], unit))
    calibrations = tuple(calibration(one) for one in stated)
    if not rows and not calibrations:
        return None
    return Dial(unit, problems, rows, savings, calibrations)


def _from_three(votes: Series) -> Series:
    """Return a vote without those of one and of two, which are as right as one sample."""
    return replace(votes, points=tuple(point for point in votes.points if point.n > 2))


# Plans --------------------------------------------------------------------------------------------


def _rows(table: Table, kinds: Sequence[Kind], unit: str) -> Iterator[Row]:
    values, means = table.values[table.shared], table.means(table.shared)
    accuracy, costs = np.round(values.mean(axis=0), DECIMALS), table.cost(unit)
    every = range(len(table.configs))
    overall = set(frontier(costs, accuracy, every))
    errors = [point.error for one in table.series for point in one.points]
    for model in dict.fromkeys(config.model for config in table.configs):
        own = [i for i in every if table.configs[i].model == model]
        leading = set(frontier(costs, accuracy, own))
        for i in sorted(own, key=lambda i: (costs[i], -accuracy[i])):
            config = table.configs[i]
            best = _best(costs, accuracy, own, i)
            other = table.configs[best]
            low, high, _ = intervals.interval(values[:, i], means[:, i])
            yield Row(
                model,
                config.method,
                kinds[config.series],
                config.n,
                float(accuracy[i]),
                low,
                high,
                errors[i],
                config.cost,
                table.difference(best, i, table.shared),
                "" if best == i else named(other.method, kinds[other.series], other.n),
                i in overall,
                i in leading,
            )


def frontier(costs: Floats, accuracy: Floats, among: Sequence[int]) -> list[int]:
    """Return the plans that nothing as cheap matches, by cost. Of equal ones the first stays."""
    kept: list[int] = []
    for i in sorted(among, key=lambda i: (costs[i], -accuracy[i])):
        if not kept or accuracy[i] > accuracy[kept[-1]]:
            if kept and costs[i] <= costs[kept[-1]] * (1 + SAME):
                kept.pop()
            kept.append(i)
    return kept


def _best(costs: Floats, accuracy: Floats, among: Sequence[int], plan: int) -> int:
    """Return the most accurate plan at no more cost: the plan itself if none is better, else the
    cheapest of equals.
    """
    affordable = [i for i in among if costs[i] <= costs[plan] * (1 + SAME)]
    return max(affordable, key=lambda i: (accuracy[i], i == plan, -costs[i]))


def _savings(table: Table, kinds: Sequence[Kind], unit: str) -> Iterator[Saving]:
    """Yield, for each model, the cheapest rule that loses next to nothing against its full vote."""
    costs = table.cost(unit)
    for model in dict.fromkeys(config.model for config in table.configs):
        own = [i for i, config in enumerate(table.configs) if config.model == model]
        ruled = [i for i in own if kinds[table.configs[i].series] == "rule"]
        n = max((table.configs[i].n for i in ruled), default=0)
        full = [i for i in own if (table.configs[i].method, table.configs[i].n) == (VOTE, n)]
        if not full:
            continue
        gaps = {i: table.difference(i, full[0], table.shared) for i in ruled
                if table.configs[i].n == n}  # fmt: skip
        fine = [i for i, gap in gaps.items() if gap.difference >= -ALLOWED]
        if fine:
            best = min(fine, key=lambda i: costs[i])
            share = float(costs[best] / costs[full[0]])
            yield Saving(model, table.configs[best].method, n, share, gaps[best])


# Calibration --------------------------------------------------------------------------------------


def calibration(one: Stated) -> Calibration:
    """Return how true statements are; intervals are over problems."""
    _, problem = np.unique(one.problem, return_inverse=True)
    errors = (one.likely - one.right) ** 2
    low, high = _around(errors, problem)
    return Calibration(
        one.model,
        one.method,
        one.fitted,
        len(errors),
        int(problem.max()) + 1,
        float(errors.mean()),
        low,
        high,
        float(one.right.mean()),
        tuple(_bins(one)),
    )


def _bins(one: Stated) -> Iterator[Bin]:
    for low, high in pairwise(EDGES):
        inside = (one.likely >= low) & ((one.likely < high) | (high == EDGES[-1]))
        if not inside.any():
            continue
        _, problem = np.unique(one.problem[inside], return_inverse=True)
        right, problems = one.right[inside].astype(np.float64), int(problem.max()) + 1
        around = None
        if problems >= MORE and len(right) == problems:
            around = intervals.wilson(float(right.sum()), problems)
        elif problems >= MORE:
            around = _around(right, problem)
        yield Bin(low, high, float(one.likely[inside].mean()), float(right.mean()), around,
                  len(right), problems)  # fmt: skip


def _around(values: Floats, problem: Ints) -> tuple[float, float]:
    """Return the 95 % interval of a mean over statements, when problems are drawn anew."""
    counts = np.bincount(problem)
    if len(counts) == 1:
        return 0.0, 1.0
    sums = np.column_stack([np.bincount(problem, weights=values), counts]).astype(np.float64)
    means = intervals.resampled_means(sums, seed=0)
    low, high = intervals.percentile(means[:, 0] / means[:, 1])
    return (low, high) if math.isfinite(low + high) else (0.0, 1.0)
