"""From series to findings: accuracy against compute, and what follows from it.

The arithmetic is in ``fits``, ``economics``, ``report_matched`` and ``report_reach``; this says
what is compared with what.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ponder.core.errors import UsageError
from ponder.experiments.report import difficulty as report_reach
from ponder.experiments.report import economics
from ponder.experiments.report import matched as report_matched
from ponder.experiments.report.difficulty import Bins
from ponder.experiments.report.economics import CEILING, ONE_SAMPLE
from ponder.experiments.report.narrative import headlines, label, listed
from ponder.experiments.report.values import (
    BinSet,
    Curve,
    CurvePoint,
    Findings,
    Fit,
    Panel,
    Suite,
)
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
) -> Findings:
    """Everything a report says about ``series``.

    Args:
        ratios: R of the comparison at matched total FLOPs, each above zero.
        usd_per_hour: prices seconds where no dollars are known.
        command: what made this, as a person would type it.

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
    ratios = tuple(sorted(set(ratios)))
    suites = tuple(
        _suite(name, [s for s in series if s.suite == name], ratios, usd_per_hour)
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
    name: str, given: Sequence[Series], ratios: Sequence[float], usd_per_hour: float | None
) -> Suite:
    series, notes = _tidied(given, usd_per_hour)
    labels = [label(s.method, s.model) for s in series]
    units = tuple(u for u in _PREFERRED if any(u in s.points[0].cost for s in series))
    unit = max(units, key=lambda u: _known(series, u))
    curves = tuple(_curve(s, text, fitted=True) for s, text in zip(series, labels, strict=True))
    singles = _singles(series)
    field = economics.compete(series, labels)
    if field is None:
        notes.append("The series share no problem, so the frontier compares nothing.")
    levels = report_reach.from_levels(series)
    bins = _bins(series, levels)
    matches, matched_bins = _matches(series, singles, levels, ratios)
    suite = Suite(
        name=name,
        unit=unit,
        units=units,
        problems=len({p for s in series for p in s.problem_ids}),
        shared=0 if field is None else len(field.problem_ids),
        curves=curves,
        bins=tuple(_binset(series, labels, model, b) for model, b in bins),
        frontier={u: economics.frontier(field, u) for u in units} if field else {},
        equal={u: economics.equal_accuracy(field, u) for u in units} if field else {},
        matches=matches,
        matched_bins=matched_bins,
        ceilings=_ceilings(series, singles, bins),
        gains=_gains(series, labels, singles, bins),
        notes=tuple(notes),
    )
    return replace(suite, headlines=headlines(suite))


def _known(series: Sequence[Series], unit: str) -> tuple[int, int]:
    """For how many series that can be run, and for how many at all, costs in ``unit`` are known."""
    known = [s for s in series if unit in s.points[0].cost]
    return sum(s.method != CEILING for s in known), len(known)


def _singles(series: Sequence[Series]) -> dict[str, Series]:
    """What each model does without thinking: a sample of a pool, else its cheapest single call."""
    found: dict[str, Series] = {}
    once = [s for s in series if s.method != CEILING and s.points[0].n == 1]
    once = [s for s in once if s.method == ONE_SAMPLE or len(s.points) == 1]
    for s in sorted(once, key=_dearness):
        found.setdefault(s.model, s)
    return found


def _dearness(series: Series) -> tuple[bool, float]:
    cost = series.points[0].cost
    return series.method != ONE_SAMPLE, next((cost[u] for u in _PREFERRED if u in cost), math.inf)


# Making series comparable -------------------------------------------------------------------------


def _tidied(given: Sequence[Series], usd_per_hour: float | None) -> tuple[list[Series], list[str]]:
    """With names that differ, costs that hold for all points, and single samples taken once."""
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
    """Its points with costs above zero that all of them know.

    More single samples of which one is kept at random are as right as one, and dearer: of
    ``random`` the first point is enough.
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


def _only(series: Series, problem_ids: Sequence[str]) -> Series | None:
    wanted = set(problem_ids)
    rows = [i for i, p in enumerate(series.problem_ids) if p in wanted]
    if not rows:
        return None
    return replace(
        series,
        problem_ids=tuple(series.problem_ids[i] for i in rows),
        levels=tuple(series.levels[i] for i in rows),
        points=tuple(replace(p, values=p.values[rows]) for p in series.points),
    )


# Curves -------------------------------------------------------------------------------------------


def _curve(series: Series, text: str, *, fitted: bool = False) -> Curve:
    values = np.stack([p.values for p in series.points], axis=1)
    means = intervals.resampled_means(values, seed=0)
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
        label=text,
        model=series.model,
        method=series.method,
        parameters=series.parameters,
        source=series.source,
        problems=len(values),
        points=tuple(points),
        fits=found,
        law=law,
    )


# Difficulty ---------------------------------------------------------------------------------------


def _bins(series: Sequence[Series], levels: Bins | None) -> list[tuple[str, Bins]]:
    """(model, its bins): one for all models ('') where there are levels."""
    if levels is not None:
        return [("", levels)]
    models = dict.fromkeys(s.model for s in series)
    found = [(model, report_reach.from_another(series, {model})) for model in models]
    return [(model, bins) for model, bins in found if bins is not None]


def _binset(series: Sequence[Series], labels: Sequence[str], model: str, bins: Bins) -> BinSet:
    of = [(s, t) for s, t in zip(series, labels, strict=True) if model in ("", s.model)]
    panels = []
    for place, name in enumerate(bins.names):
        inside = [(_only(s, bins.problems(place)), text) for s, text in of]
        curves = tuple(_curve(s, text) for s, text in inside if s is not None)
        if curves:
            panels.append(Panel(name, curves))
    outside = {p for s, _ in of for p in s.problem_ids if p not in bins.of}
    return BinSet(model, bins.origin, len(outside), tuple(panels))


def _places(model: str, bins: Sequence[tuple[str, Bins]]) -> list[tuple[str, tuple[str, ...]]]:
    """(bin, its problems) for one model."""
    return [
        (name, found.problems(place))
        for owner, found in bins
        if owner in ("", model)
        for place, name in enumerate(found.names)
    ]


def _ceilings(
    series: Sequence[Series], singles: Mapping[str, Series], bins: Sequence[tuple[str, Bins]]
) -> tuple[report_reach.Ceiling, ...]:
    found = []
    for s in series:
        if s.method == CEILING:
            for name, ids in [("", s.problem_ids), *_places(s.model, bins)]:
                found.append(report_reach.ceiling(s, singles.get(s.model), ids, name))
    return tuple(c for c in found if c is not None)


def _gains(
    series: Sequence[Series],
    labels: Sequence[str],
    singles: Mapping[str, Series],
    bins: Sequence[tuple[str, Bins]],
) -> tuple[report_reach.Gain, ...]:
    found = []
    for s, text in zip(series, labels, strict=True):
        if s.method not in (CEILING, ONE_SAMPLE) and s.model in singles:
            for name, ids in [("", s.problem_ids), *_places(s.model, bins)]:
                found.append(report_reach.gain(s, singles[s.model], text, ids, name))
    return tuple(g for g in found if g is not None)


# Small against large ------------------------------------------------------------------------------


def _matches(
    series: Sequence[Series],
    singles: Mapping[str, Series],
    levels: Bins | None,
    ratios: Sequence[float],
) -> tuple[tuple[report_matched.Match, ...], str]:
    """All pairs, at matched inference FLOPs first; and what their bins are made from.

    Bins come from neither of the two models, for the same reason as everywhere.
    """
    found, origins = [], []
    for small in series:
        if small.method in (CEILING, ONE_SAMPLE):
            continue
        for single in singles.values():
            bins = levels or report_reach.from_another(series, {small.model, single.model})
            places = [] if bins is None else _places("", [("", bins)])
            for name, ids in [("", small.problem_ids), *places]:
                for ratio in (math.inf, *reversed(ratios)):
                    m = report_matched.match(small, single, ratio, problem_ids=ids, bin=name)
                    if m is not None:
                        found.append(m)
                        origins += [bins.origin] if bins is not None else []
    return tuple(found), "; ".join(dict.fromkeys(origins))
