"""The benefit of compute: best configurations by budget, equal accuracy, costs per right answer.

Configurations are compared in pairs, on the problems that all of them have. ``coverage`` knows the
gold: it is a ceiling, and left out here.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from ponder.experiments.report.table import CEILING, DECIMALS, ONE_SAMPLE, Config, Table
from ponder.experiments.stats import intervals
from ponder.experiments.stats.estimators import Bools, Floats
from ponder.experiments.stats.paired import Difference

_SAME = 1e-9  # relative difference below which costs are one budget


# The best at each budget --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Best:
    """The best configuration from a budget of ``cost`` up to ``until``."""

    config: Config
    cost: float
    until: float | None
    """None: as far as measured."""
    accuracy: float
    low: float
    high: float
    rival: Config | None
    """The next best that such a budget affords; None if there is no other."""
    ahead: Difference | None
    """Paired difference to the rival."""
    chance: float
    """Share of resamples in which this configuration is the best affordable one."""


def frontier(table: Table, unit: str) -> tuple[Best, ...]:
    """Return the configurations that nothing cheaper matches, by cost in ``unit`` per problem.

    Configurations with an unknown cost in this unit are left out. Of equal ones the first stays.
    """
    values, means, accuracy = _shared(table)
    if not len(values):
        return ()
    costs = table.cost(unit)
    order = [int(i) for i in np.argsort(costs, kind="stable") if costs[i] > 0]
    order = [i for i in order if table.configs[i].method != CEILING]
    kept: list[int] = []
    for i in order:
        if not kept or accuracy[i] > accuracy[kept[-1]]:
            if kept and costs[i] <= costs[kept[-1]] * (1 + _SAME):
                kept.pop()
            kept.append(i)
    best = []
    for i, following in zip_longest(kept, kept[1:]):
        affordable = [j for j in order if costs[j] <= costs[i] * (1 + _SAME)]
        # The first of equal means wins, and the cheapest come first.
        winner = np.argmax(means[:, affordable], axis=1)
        same = {j for j in affordable if _same(table, values, i, j)}
        rival = max((j for j in affordable if j not in same), key=lambda j: accuracy[j],
                    default=None)  # fmt: skip
        low, high, _ = intervals.interval(values[:, i], means[:, i])
        best.append(
            Best(
                config=table.configs[i],
                cost=float(costs[i]),
                until=None if following is None else float(costs[following]),
                accuracy=float(accuracy[i]),
                low=low,
                high=high,
                rival=None if rival is None else table.configs[rival],
                ahead=None if rival is None else table.difference(i, rival, table.shared),
                chance=float(np.mean([affordable[w] in same for w in winner])),
            )
        )
    return tuple(best)


def _shared(table: Table) -> tuple[Floats, Floats, Floats]:
    """Return values, resampled means and accuracies on the shared problems, with exact ties."""
    values = table.values[table.shared]
    if not len(values):
        return values, values, values
    means = np.round(table.means(table.shared), DECIMALS)
    return values, means, np.round(values.mean(axis=0), DECIMALS)


def _same(table: Table, values: Floats, i: int, j: int) -> bool:
    """Return True if two names mean one thing, as a majority of one is a single sample."""
    a, b = table.configs[i], table.configs[j]
    if i == j:
        return True
    return (a.model, a.n) == (b.model, b.n) and np.allclose(values[:, i], values[:, j], atol=1e-12)


# Equal accuracy -----------------------------------------------------------------------------------


def cost_at(cost: Floats, means: Floats, target: Floats) -> tuple[Floats, Bools]:
    """Return the least cost that reaches ``target`` (rows,), and True where it is a bound.

    ``cost`` (points,) rises; ``means`` is (rows, points). Linear in log cost between two points,
    and never extrapolated: infinite where no point reaches the target; where the first one already
    does, the cost of that point, which is then an upper bound.
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

    The accuracy is the best of the weaker series, measured at ``weaker``; the other's cost there
    is interpolated.
    """

    dear: str
    cheap: str
    unit: str
    accuracy: float
    weaker: Config
    ratio: float
    low: float
    """Lower end of the ratio's 95 % interval."""
    high: float
    """Upper end; infinite where resamples do not reach the accuracy."""
    at_least: bool
    """True if cheap exceeds the accuracy from its first point on: the ratio is a lower bound."""
    problems: int
    dear_model: str
    cheap_model: str
    saved: float
    """The cost of dear minus that of cheap, per problem; with ``at_least`` a lower bound."""
    saved_low: float
    saved_high: float

    @property
    def decided(self) -> bool:
        """True if the interval excludes equal costs."""
        return self.low > 1 + _SAME


def equal_accuracy(table: Table, unit: str) -> tuple[Equal, ...]:
    """Compare each pair of series at the weaker one's best accuracy, the largest ratios first.

    A model's single sample is not compared with that model's own selectors, which start from it.
    Left out are pairs where the stronger exceeds that accuracy from its first point on, and that
    point is dearer (nothing was measured at equal accuracy) or a single sample (which is a series
    too).
    """
    _, means, accuracy = _shared(table)
    if not len(table.shared):
        return ()
    groups: dict[int, list[int]] = {}
    for i, config in enumerate(table.configs):
        if config.method != CEILING and config.cost.get(unit, 0.0) > 0:
            groups.setdefault(config.series, []).append(i)
    pairs = []
    for one, other in itertools.combinations(groups.values(), 2):
        a, b = table.configs[one[0]], table.configs[other[0]]
        if a.model == b.model and ONE_SAMPLE in (a.method, b.method):
            continue
        weak, strong = sorted((one, other), key=lambda g: accuracy[g].max())
        pairs.append(_equal(table, unit, means, accuracy, weak, strong))
    return tuple(sorted((e for e in pairs if e is not None), key=lambda e: -e.ratio))


def _equal(
    table: Table, unit: str, drawn: Floats, accuracy: Floats, weak: list[int], strong: list[int]
) -> Equal | None:
    best = weak[int(np.argmax(accuracy[weak]))]
    costs = table.cost(unit)

    def sides(means: Floats) -> tuple[Floats, Floats, Bools]:
        target = means[:, best]
        found = []
        for group in (weak, strong):
            ordered = np.array(group)[np.argsort(costs[group], kind="stable")]
            found.append(cost_at(costs[ordered], means[:, ordered], target))
        return found[0][0], found[1][0], found[1][1]

    [one], [other], [at_least] = sides(accuracy[None])
    ratio, saved = one / other, one - other
    if at_least and (ratio < 1 or _begins_with_one_sample(table, strong[0])):
        return None
    weak_costs, strong_costs, _ = sides(drawn)
    low, high = _spread(weak_costs / strong_costs)
    saved_low, saved_high = _spread(weak_costs - strong_costs)
    if at_least:
        high, saved_high = math.inf, _spread(weak_costs)[1]
    if len(table.shared) == 1:
        low, high, saved_low, saved_high = 0.0, math.inf, -math.inf, math.inf
    dear, cheap = table.configs[weak[0]], table.configs[strong[0]]
    if ratio < 1:
        dear, cheap, ratio, saved = cheap, dear, 1 / ratio, -saved
        low, high = 1 / high if high else math.inf, 1 / low if low else math.inf
        saved_low, saved_high = -saved_high, -saved_low
    return Equal(
        dear=dear.label,
        cheap=cheap.label,
        unit=unit,
        accuracy=float(accuracy[best]),
        weaker=table.configs[best],
        ratio=float(ratio),
        low=low,
        high=high,
        at_least=bool(at_least),
        problems=len(table.shared),
        dear_model=dear.model,
        cheap_model=cheap.model,
        saved=float(saved),
        saved_low=saved_low,
        saved_high=saved_high,
    )


def _spread(drawn: Floats) -> tuple[float, float]:
    """Return the 95 % interval of resampled values, some of which may be infinite."""
    # 'lower' and 'higher' keep the quantiles from mixing infinities in.
    low = float(np.quantile(drawn, (1 - intervals.LEVEL) / 2, method="lower"))
    return low, float(np.quantile(drawn, (1 + intervals.LEVEL) / 2, method="higher"))


def _begins_with_one_sample(table: Table, first: int) -> bool:
    begins = table.configs[first]
    return begins.method != ONE_SAMPLE and any(
        c.method == ONE_SAMPLE and (c.model, c.n) == (begins.model, begins.n) for c in table.configs
    )


# What a right answer costs ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Price:
    """Cost per right answer."""

    value: float | None
    low: float
    high: float | None
    """None where the accuracy may be zero."""


def per_right_answer(cost: float, accuracy: float, low: float, high: float) -> Price:
    """Return mean cost per problem over accuracy; the interval is that of the accuracy alone."""
    return Price(
        cost / accuracy if accuracy > 0 else None,
        cost / high if high > 0 else math.inf,
        cost / low if low > 0 else None,
    )
