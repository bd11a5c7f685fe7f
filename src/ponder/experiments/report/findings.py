"""From series to findings: accuracy against compute, and the conclusions from it.

The arithmetic is in ``fits``, ``economics``, ``matched`` and ``difficulty``, over one ``table``;
this module decides which series are compared.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from ponder.core.errors import UsageError
from ponder.experiments.report import difficulty, economics, matched
from ponder.experiments.report.dial.summary import dial
from ponder.experiments.report.dial.votes import Stated
from ponder.experiments.report.difficulty import Bins, Ceiling, Gain
from ponder.experiments.report.learning import Learned, by_unit, check
from ponder.experiments.report.matched import Match
from ponder.experiments.report.narrative import headlines, saved
from ponder.experiments.report.table import CEILING, ONE_SAMPLE, Table
from ponder.experiments.report.values import (
    BinSet,
    Curve,
    CurvePoint,
    Findings,
    Fit,
    Panel,
    Suite,
)
from ponder.experiments.report.wording import label, listed
from ponder.experiments.stats import fits, intervals
from ponder.experiments.stats.series import Point, Series

RATIOS = (0.16, 0.79, 22.0)
"""Inference tokens per pretraining token: far below one, about one, far above: the three regimes of
Snell 2024 (arXiv 2408.03314, section 7)."""
COUNTED = "samples"
"""The unit of last resort, where no cost was recorded."""
_PREFERRED = ("flops", "tokens", "seconds", "usd", COUNTED)
_HOUR = 3600.0


def findings(
    series: Sequence[Series],
    *,
    ratios: Sequence[float] = RATIOS,
    usd_per_hour: float | None = None,
    command: str = "",
    rules: Sequence[Series] = (),
    stated: Sequence[Stated] = (),
    learned: Sequence[Learned] = (),
) -> Findings:
    """Return everything that a report says about ``series``.

    Args:
        ratios: R of the comparison at matched total FLOPs, each above zero.
        usd_per_hour: prices seconds where no dollars are known.
        command: the command that makes this report.
        rules: votes of the same pools that end by a stopping rule.
        stated: stated probabilities.
        learned: learned models, and what their learning cost.

    Raises:
        UsageError: there is nothing to report, a series is given twice or broken, or a ratio or
            price is not above zero.
    """
    for ratio in ratios:
        if not (math.isfinite(ratio) and ratio > 0):
            raise UsageError(f"a ratio of inference to pretraining tokens is above 0, not {ratio}.")
    if usd_per_hour is not None and not (math.isfinite(usd_per_hour) and usd_per_hour > 0):
        raise UsageError(f"the price of an hour is above 0 dollars, not {usd_per_hour}.")
    if not series:
        raise UsageError("there is nothing to report: give at least one pool or results store.")
    for one in series:
        _check(one)
    check(learned, series)
    ratios = tuple(sorted(set(ratios)))
    suites = tuple(
        _dialled(
            _suite(name, [s for s in series if s.suite == name], ratios, usd_per_hour, learned),
            [s for s in series if s.suite == name],
            [s for s in rules if s.suite == name],
            [s for s in stated if s.suite == name],
            usd_per_hour,
        )
        for name in dict.fromkeys(s.suite for s in series)
    )
    return Findings(command, ratios, usd_per_hour, suites)


def _check(series: Series) -> None:
    name = f"{series.method} of {series.model} on {series.suite} ({series.source})"
    if not series.points or not series.problem_ids:
        raise UsageError(f"{name} has no points: record or grade some problems first.")
    count = len(series.problem_ids)
    if len(set(series.problem_ids)) != count or len(series.levels) != count:
        raise UsageError(f"{name}: expected each problem once, with its level or none.")
    if any(len(p.values) != count or not np.isfinite(p.values).all() for p in series.points):
        raise UsageError(f"{name}: expected a value for each of its {count} problems at every N.")


def _suite(
    name: str,
    given: Sequence[Series],
    ratios: Sequence[float],
    usd_per_hour: float | None,
    learned: Sequence[Learned],
) -> Suite:
    series, notes = _tidied(given, usd_per_hour)
    table = Table(series, [label(s.method, s.model) for s in series])
    units = tuple(u for u in _PREFERRED if any(u in s.points[0].cost for s in series))
    unit = max(units, key=lambda u: _known(series, u))
    singles = _singles(series)
    if not len(table.shared):
        notes.append("The series share no problem, so the frontier compares nothing.")
    levels = difficulty.from_levels(series)
    bins = _bins(series, levels)
    matches, matched_bins = _matches(table, singles, levels, ratios)
    equal = {u: economics.equal_accuracy(table, u) for u in units if len(table.shared)}
    suite = Suite(
        name=name,
        unit=unit,
        units=units,
        problems=len(table.problem_ids),
        shared=len(table.shared),
        curves=_curves(table, range(len(series)), fitted=True),
        bins=tuple(_binset(table, model, b) for model, b in bins),
        frontier={u: economics.frontier(table, u) for u in units if len(table.shared)},
        equal=equal,
        learned=tuple(one for one in learned if {one.name, one.model} <= {s.model for s in given}),
        paybacks=by_unit(equal, learned),
        matches=matches,
        matched_bins=matched_bins,
        ceilings=_ceilings(table, singles, bins),
        gains=_gains(table, singles, bins),
        notes=tuple(notes),
    )
    return replace(suite, headlines=headlines(suite))


def _dialled(
    suite: Suite,
    given: Sequence[Series],
    rules: Sequence[Series],
    stated: Sequence[Stated],
    usd_per_hour: float | None,
) -> Suite:
    """Return the suite with its dial, and the sentences on it."""
    series, _ = _tidied(given, usd_per_hour)
    names = {(a.model, a.source): b.model for a, b in zip(given, series, strict=True)}
    found = dial(
        series,
        [
            replace(s, model=names[s.model, s.source], points=_points(s, usd_per_hour))
            for s in rules
        ],
        [replace(s, model=names[s.model, s.source]) for s in stated],
        suite.unit,
    )
    more = tuple(map(saved, found.savings)) if found else ()
    return replace(suite, dial=found, headlines=suite.headlines + more)


def _known(series: Sequence[Series], unit: str) -> tuple[int, int]:
    """Return the numbers of runnable series, and of all series, with known costs in ``unit``."""
    known = [s for s in series if unit in s.points[0].cost]
    return sum(s.method != CEILING for s in known), len(known)


def _singles(series: Sequence[Series]) -> dict[str, int]:
    """Return each model's baseline: a single sample of a pool, else its cheapest single call."""
    once = [
        i
        for i, s in enumerate(series)
        if s.method != CEILING and s.points[0].n == 1
        if s.method == ONE_SAMPLE or len(s.points) == 1
    ]
    cheapest: dict[str, int] = {}
    for i in sorted(once, key=lambda i: _dearness(series[i])):
        cheapest.setdefault(series[i].model, i)
    return cheapest


def _dearness(series: Series) -> tuple[bool, float]:
    cost = series.points[0].cost
    return series.method != ONE_SAMPLE, next((cost[u] for u in _PREFERRED if u in cost), math.inf)


# Making series comparable -------------------------------------------------------------------------


def _tidied(given: Sequence[Series], usd_per_hour: float | None) -> tuple[list[Series], list[str]]:
    """Return series with distinct names, costs known at all points, and no repeated samples."""
    notes = []
    keys = [(s.model, s.method) for s in given]
    ambiguous = {model for model, method in keys if keys.count((model, method)) > 1}
    series = []
    for s in given:
        if s.model in ambiguous:
            s = replace(s, model=f"{s.model} [{s.source}]")
        series.append(replace(s, points=_points(s, usd_per_hour)))
    for s in series:
        if sum((o.model, o.method) == (s.model, s.method) for o in series) > 1:
            raise UsageError(
                f"{s.method} of {s.model} on {s.suite} is given twice: leave one out, or rename "
                "its file."
            )
    if ambiguous:
        notes.append("Series of one model and method are told apart by their files' names.")
    if not any(s.points[0].cost for s in series):
        notes.append("No cost is recorded: what is counted is samples, which are not compute.")
        series = [
            replace(s, points=tuple(replace(p, cost={COUNTED: float(p.n)}) for p in s.points))
            for s in series
        ]
    free = [label(s.method, s.model) for s in series if not s.points[0].cost]
    if free:
        notes.append(f"Without a known cost, and so in no comparison of costs: {listed(free)}.")
    if usd_per_hour is not None:
        notes.append(f"Where no price is known, an hour of computing costs ${usd_per_hour:g}.")
    counts = {frozenset(s.problem_ids) for s in series}
    if len(counts) > 1:
        notes.append(
            "Not all series have the same problems: curves are each on their own, comparisons on "
            "those in common."
        )
    return series, notes


def _points(series: Series, usd_per_hour: float | None) -> tuple[Point, ...]:
    """Return the points with costs above zero that all of them know.

    Several samples of which one is kept at random are as accurate as one, and dearer: the first
    point of ``random`` is enough.
    """
    points = series.points[:1] if series.method == ONE_SAMPLE else series.points
    costs = [_costs(p.cost, usd_per_hour) for p in points]
    known = [u for u in _PREFERRED if all(u in cost for cost in costs)]
    return tuple(
        replace(p, cost={u: cost[u] for u in known}) for p, cost in zip(points, costs, strict=True)
    )


def _costs(cost: Mapping[str, float], usd_per_hour: float | None) -> dict[str, float]:
    known = {u: float(c) for u, c in cost.items() if math.isfinite(c) and c > 0}
    if usd_per_hour is not None and "usd" not in known and "seconds" in known:
        known["usd"] = known["seconds"] / _HOUR * usd_per_hour
    return known


# Curves -------------------------------------------------------------------------------------------


def _curve(
    table: Table, place: int, among: Collection[str] | None = None, *, fitted: bool = False
) -> Curve | None:
    series, columns = table.series[place], table.columns(place)
    rows = table.rows(columns, among)
    if not len(rows):
        return None
    values, means = table.values[rows][:, columns], table.means(rows)[:, columns]
    points = []
    for i, p in enumerate(series.points):
        low, high, kind = intervals.interval(values[:, i], means[:, i])
        accuracy = float(values[:, i].mean())
        prices = {
            unit: economics.per_right_answer(cost, accuracy, low, high)
            for unit, cost in p.cost.items()
        }
        points.append(CurvePoint(p.n, accuracy, low, high, kind, p.error, p.cost, prices))
    found: dict[str, Fit] = {}
    law = None
    if fitted and len(points) > 1:
        for unit in series.points[0].cost:
            cost = np.array([p.cost[unit] for p in series.points])
            found[unit] = Fit(
                fits.log_linear(cost, values, means), fits.plateau(cost, values, means)
            )
    if fitted and series.method == CEILING:
        law = fits.power_law(np.array([float(p.n) for p in series.points]), values, means)
    return Curve(
        label=table.labels[place],
        model=series.model,
        method=series.method,
        parameters=series.parameters,
        source=series.source,
        problems=len(values),
        points=tuple(points),
        fits=found,
        law=law,
    )


def _curves(
    table: Table,
    series: Sequence[int],
    among: Collection[str] | None = None,
    *,
    fitted: bool = False,
) -> tuple[Curve, ...]:
    """Return the curve of each series that has some of these problems."""
    curves = (_curve(table, i, among, fitted=fitted) for i in series)
    return tuple(curve for curve in curves if curve is not None)


# Difficulty ---------------------------------------------------------------------------------------


def _bins(series: Sequence[Series], levels: Bins | None) -> list[tuple[str, Bins]]:
    """Return (model, its bins): one for all models ('') where there are levels."""
    if levels is not None:
        return [("", levels)]
    models = dict.fromkeys(s.model for s in series)
    found = [(model, difficulty.from_another(series, {model})) for model in models]
    return [(model, bins) for model, bins in found if bins is not None]


def _binset(table: Table, model: str, bins: Bins) -> BinSet:
    of = [i for i, s in enumerate(table.series) if model in ("", s.model)]
    panels = []
    for place, name in enumerate(bins.names):
        if curves := _curves(table, of, bins.problems(place)):
            panels.append(Panel(name, curves))
    outside = {p for i in of for p in table.series[i].problem_ids if p not in bins.of}
    return BinSet(model, bins.origin, len(outside), tuple(panels))


def _places(
    model: str, bins: Sequence[tuple[str, Bins]]
) -> Iterator[tuple[str, tuple[str, ...] | None]]:
    """Yield (bin, its problems) for one model; first all problems, which have no name."""
    yield "", None
    for owner, found in bins:
        if owner in ("", model):
            for place, name in enumerate(found.names):
                yield name, found.problems(place)


def _ceilings(
    table: Table, singles: Mapping[str, int], bins: Sequence[tuple[str, Bins]]
) -> tuple[Ceiling, ...]:
    ceilings = (
        difficulty.ceiling(table, i, singles.get(s.model), among, name)
        for i, s in enumerate(table.series)
        if s.method == CEILING
        for name, among in _places(s.model, bins)
    )
    return tuple(c for c in ceilings if c is not None)


def _gains(
    table: Table, singles: Mapping[str, int], bins: Sequence[tuple[str, Bins]]
) -> tuple[Gain, ...]:
    gains = (
        difficulty.gain(table, i, singles[s.model], among, name)
        for i, s in enumerate(table.series)
        if s.method not in (CEILING, ONE_SAMPLE) and s.model in singles
        for name, among in _places(s.model, bins)
    )
    return tuple(g for g in gains if g is not None)


# Small against large ------------------------------------------------------------------------------


def _matches(
    table: Table, singles: Mapping[str, int], levels: Bins | None, ratios: Sequence[float]
) -> tuple[tuple[Match, ...], str]:
    """Return all pairs, at matched inference FLOPs first, and the source of their bins.

    Bins come from neither of the two models, for the same reason as everywhere.
    """
    found, origins = [], []
    for i, small in enumerate(table.series):
        if small.method in (CEILING, ONE_SAMPLE):
            continue
        for model, single in singles.items():
            bins = levels or difficulty.from_another(table.series, {small.model, model})
            for name, among in _places("", [] if bins is None else [("", bins)]):
                for ratio in (math.inf, *reversed(ratios)):
                    m = matched.match(table, i, single, ratio, among=among, bin=name)
                    if m is not None:
                        found.append(m)
                        origins += [bins.origin] if bins is not None else []
    return tuple(found), "; ".join(dict.fromkeys(origins))
