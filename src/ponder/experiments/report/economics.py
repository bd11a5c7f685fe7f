"""What compute buys: the best configuration at each budget, the price of equal accuracy, and what
a right answer costs.

Everything is paired: configurations are compared on the problems that all of them have, and one set
of resamples of those problems serves them all (``experiments.stats.intervals``). ``coverage`` knows
the gold: it is a ceiling, and none of this.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ponder.experiments.stats import intervals
from ponder.experiments.stats.estimators import Bools, Floats
from ponder.experiments.stats.series import Series

ONE_SAMPLE, CEILING = "random", "coverage"
_SAME = 1e-9  # costs that differ by less, relatively, are one budget
_ROUND = 12  # decimals beyond which equal means may differ by the order of summation


@dataclass(frozen=True, slots=True)
class Gap:
    """A paired difference of accuracies over ``problems``, with its 95 % interval."""

    difference: float
    low: float
    high: float
    problems: int

    @property
    def decided(self) -> bool:
        """Whether the interval excludes zero."""
        return self.low > 0 or self.high < 0


def gap(a: Floats, b: Floats, seed: int = 0) -> Gap:
    """Mean of ``a`` minus mean of ``b``, both (problems,) in the same order."""
    wide = (a - b)[:, None]
    difference = round(float(wide.mean()), _ROUND)
    if len(wide) == 1:  # one problem says nothing about others
        return Gap(difference, -1.0, 1.0, 1)
    low, high = intervals.percentile(intervals.resampled_means(wide, seed)[:, 0])
    return Gap(difference, round(low, _ROUND), round(high, _ROUND), len(wide))


# Configurations side by side ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Config:
    """One point of one series: something that could be run."""

    series: int
    label: str
    model: str
    method: str
    n: int
    cost: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Field:
    """Configurations on the same problems. ``values`` is (problems, configurations), ``means``
    (resamples, configurations).
    """

    configs: tuple[Config, ...]
    problem_ids: tuple[str, ...]
    values: Floats = field(repr=False)
    means: Floats = field(repr=False)


def common(series: Sequence[Series], among: Collection[str] | None = None) -> tuple[str, ...]:
    """The problems that all of them have (and ``among`` too), in the order of the first."""
    if not series:
        return ()
    shared = set(series[0].problem_ids).intersection(*(s.problem_ids for s in series[1:]))
    if among is not None:
        shared &= {*among}
    return tuple(p for p in series[0].problem_ids if p in shared)


def on(series: Series, problem_ids: Sequence[str]) -> Floats:
    """Its values on these problems: (problems, points)."""
    at = {name: i for i, name in enumerate(series.problem_ids)}
    rows = [at[name] for name in problem_ids]
    return np.stack([point.values[rows] for point in series.points], axis=1)


def compete(series: Sequence[Series], labels: Sequence[str], seed: int = 0) -> Field | None:
    """All points of ``series``, coverage excepted, on the problems that they share.

    None if there is nothing to run, or no problem that all of them have.
    """
    runnable = [i for i, s in enumerate(series) if s.method != CEILING]
    ids = common([series[i] for i in runnable])
    if not ids:
        return None
    values = np.concatenate([on(series[i], ids) for i in runnable], axis=1)
    configs = tuple(
        Config(i, labels[i], series[i].model, series[i].method, point.n, point.cost)
        for i in runnable
        for point in series[i].points
    )
    means = np.round(intervals.resampled_means(values, seed), _ROUND)
    return Field(configs, ids, values, means)


@dataclass(frozen=True, slots=True)
class Best:
    """The best configuration from a budget of ``cost`` up to ``until`` (None: as far as measured).

    ``rival`` is the next best that such a budget affords, ``ahead`` the paired difference to it
    (both None where it affords nothing else). ``chance`` is the share of resamples of the problems
    in which this configuration is the best that it affords.
    """

    config: Config
    cost: float
    until: float | None
    accuracy: float
    low: float
    high: float
    rival: Config | None
    ahead: Gap | None
    chance: float


def frontier(there: Field, unit: str, seed: int = 0) -> tuple[Best, ...]:
    """The configurations that nothing cheaper matches, by cost in ``unit`` per problem.

    Configurations whose cost in this unit is unknown are left out. Of equal ones the first stays.
    """
    costs = np.array([config.cost.get(unit, math.nan) for config in there.configs])
    order = [int(i) for i in np.argsort(costs, kind="stable") if costs[i] > 0]
    accuracy = np.round(there.values.mean(axis=0), _ROUND)
    kept: list[int] = []
    for i in order:
        if not kept or accuracy[i] > accuracy[kept[-1]]:
            if kept and costs[i] <= costs[kept[-1]] * (1 + _SAME):
                kept.pop()
            kept.append(i)
    found = []
    for place, i in enumerate(kept):
        affordable = [j for j in order if costs[j] <= costs[i] * (1 + _SAME)]
        # The first of equal means wins, and the cheapest stand first.
        winner = np.argmax(there.means[:, affordable], axis=1)
        rivals = [j for j in affordable if j != i and not _same(there, i, j)]
        rival = max(rivals, key=lambda j: accuracy[j], default=None)
        low, high, _ = intervals.interval(there.values[:, i], there.means[:, i])
        found.append(
            Best(
                config=there.configs[i],
                cost=float(costs[i]),
                until=float(costs[kept[place + 1]]) if place + 1 < len(kept) else None,
                accuracy=float(accuracy[i]),
                low=low,
                high=high,
                rival=None if rival is None else there.configs[rival],
                ahead=(
                    None if rival is None else gap(there.values[:, i], there.values[:, rival], seed)
                ),
                chance=float(np.mean([_same(there, affordable[w], i) for w in winner])),
            )
        )
    return tuple(found)


def _same(there: Field, i: int, j: int) -> bool:
    """Whether they are one thing under two names, as a majority of one is a single sample."""
    a, b = there.configs[i], there.configs[j]
    if i == j:
        return True
    return (a.model, a.n) == (b.model, b.n) and bool(
        np.allclose(there.values[:, i], there.values[:, j], atol=1e-12)
    )


# Equal accuracy -----------------------------------------------------------------------------------


def cost_at(cost: Floats, means: Floats, target: Floats) -> tuple[Floats, Bools]:
    """The least cost that reaches ``target`` (rows,), and whether that is only an upper bound.

    ``cost`` (points,) rises; ``means`` is (rows, points). Between two points, linear in log cost.
    Never extrapolated: infinite where no point reaches it; where the first one already does, the
    cost of that point, which is then an upper bound.
    """
    reached = means >= target[:, None] - 1e-12
    rows = np.arange(len(means))
    first = np.argmax(reached, axis=1)
    before = np.maximum(first - 1, 0)
    below, above = means[rows, before], means[rows, first]
    share = (target - below) / np.where(above > below, above - below, 1.0)
    log = np.log(cost)
    between = np.exp(log[before] + np.clip(share, 0.0, 1.0) * (log[first] - log[before]))
    least = np.where(first == 0, cost[0], between)
    return np.where(reached.any(axis=1), least, np.inf), reached[:, 0]


@dataclass(frozen=True, slots=True)
class Equal:
    """``dear`` and ``cheap`` at the same accuracy: dear needs ``ratio`` times the ``unit``.

    The accuracy is the best of the weaker series, measured at ``weaker``; the other's cost there is
    interpolated. ``low`` to ``high`` is the 95 % interval of the ratio (infinite where resamples
    do not reach the accuracy). ``at_least``: the cheap one is above it from its first point on, so
    the dear one needs this much or more, and nothing bounds the ratio from above.
    """

    dear: str
    cheap: str
    unit: str
    accuracy: float
    weaker: Config
    ratio: float
    low: float
    high: float
    at_least: bool
    problems: int

    @property
    def decided(self) -> bool:
        """Whether the interval excludes equal costs."""
        return self.low > 1 + _SAME


def equal_accuracy(there: Field, unit: str) -> tuple[Equal, ...]:
    """Each pair of series at the accuracy of the weaker one's best point, the largest ratios first.

    A model's single sample is not compared with that model's own selectors: those begin with it.
    Left out are pairs where the stronger is above that accuracy from its first point on, and that
    is dearer (nothing was measured at equal accuracy) or a single sample (which is a series too).
    """
    groups: dict[int, list[int]] = {}
    for i, config in enumerate(there.configs):
        if config.cost.get(unit, 0.0) > 0:
            groups.setdefault(config.series, []).append(i)
    accuracy = np.round(there.values.mean(axis=0), _ROUND)
    found = []
    series = list(groups)
    for place, one in enumerate(series):
        for other in series[place + 1 :]:
            a, b = there.configs[groups[one][0]], there.configs[groups[other][0]]
            if a.model == b.model and ONE_SAMPLE in (a.method, b.method):
                continue
            weak, strong = sorted((groups[one], groups[other]), key=lambda g: accuracy[g].max())
            found.append(_equal(there, unit, accuracy, weak, strong))
    return tuple(sorted((e for e in found if e is not None), key=lambda e: -e.ratio))


def _equal(
    there: Field, unit: str, accuracy: Floats, weak: list[int], strong: list[int]
) -> Equal | None:
    best = weak[int(np.argmax(accuracy[weak]))]

    def ratios(means: Floats) -> tuple[Floats, Bools]:
        target = means[:, best]
        sides = []
        for group in (weak, strong):
            cost = np.array([there.configs[i].cost[unit] for i in group])
            order = np.argsort(cost, kind="stable")
            sides.append(cost_at(cost[order], means[:, np.array(group)[order]], target))
        return sides[0][0] / sides[1][0], sides[1][1]

    [ratio], [at_least] = ratios(accuracy[None])
    if at_least and (ratio < 1 or _begins_with_one_sample(there, strong[0])):
        return None
    drawn, _ = ratios(there.means)
    # Infinite costs make ratios of 0; 'higher' and 'lower' keep quantiles from mixing those in.
    low = float(np.quantile(drawn, (1 - intervals.LEVEL) / 2, method="lower"))
    high = float(np.quantile(drawn, (1 + intervals.LEVEL) / 2, method="higher"))
    if at_least:
        high = math.inf
    if len(there.values) == 1:
        low, high = 0.0, math.inf
    names = there.configs[weak[0]].label, there.configs[strong[0]].label
    if ratio < 1:
        names, ratio = (names[1], names[0]), 1 / ratio
        low, high = 1 / high if high else math.inf, 1 / low if low else math.inf
    return Equal(
        dear=names[0],
        cheap=names[1],
        unit=unit,
        accuracy=float(accuracy[best]),
        weaker=there.configs[best],
        ratio=float(ratio),
        low=low,
        high=high,
        at_least=bool(at_least),
        problems=len(there.problem_ids),
    )


def _begins_with_one_sample(there: Field, first: int) -> bool:
    begins = there.configs[first]
    return begins.method != ONE_SAMPLE and any(
        c.method == ONE_SAMPLE and (c.model, c.n) == (begins.model, begins.n) for c in there.configs
    )


# What a right answer costs ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Price:
    """Cost per right answer; ``high`` is None where the accuracy may be zero."""

    value: float | None
    low: float
    high: float | None


def per_right_answer(cost: float, accuracy: float, low: float, high: float) -> Price:
    """Mean cost per problem over accuracy; the interval is that of the accuracy alone."""
    return Price(
        cost / accuracy if accuracy > 0 else None,
        cost / high if high > 0 else math.inf,
        cost / low if low > 0 else None,
    )
