"""Curves through accuracy against compute, and what they leave open.

- The straight line, accuracy = intercept + slope * log2(compute): how much each doubling buys.
- The plateau, accuracy = top - drop * (compute / least compute)^-rate: a power law towards an
  asymptote, the form of Hestness 2017 (arXiv 1712.00409) turned upside down.
- Brown's law for coverage, c = exp(a * k^b) (Brown 2024, 'Large Language Monkeys', arXiv
  2407.21787, section 3), a straight line of log(-log c) over log k.

What is sampled are problems, and all points of a series share them. So every interval resamples
problems, for all points at once; residuals of points that share problems are not independent, and
no interval is made of them. Nothing here extrapolates.

``cost`` is (points,), above zero; ``values`` (problems, points), each problem's accuracy; ``drawn``
(resamples, points) their resampled means, made here unless they are at hand.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy

from ponder.experiments.stats import intervals
from ponder.experiments.stats.estimators import Floats

LINE_POINTS = 3
"""Fewest points of a line: any two points lie on one."""
CURVE_POINTS = 5
"""Fewest points of a curve with three parameters: it fits three exactly and four nearly."""
_RATES = 96  # points of the grid that starts the search for the plateau's rate
_SLOWEST, _FASTEST = 0.1, 30.0  # rate times the span of log2(compute): nearly straight, a jump
_ROUNDING = 1e-20  # a mean squared residual below this is zero but for rounding
_ZERO = 1e-12  # sums of floats: smaller slopes are zero but for rounding
_DEGENERATE = 0.05  # share of Brown's law's resamples that may lack a logarithm

Bend = Literal["flattens", "steepens", "undecided"]


@dataclass(frozen=True, slots=True)
class TooFew:
    """No fit: too few usable points."""

    points: int
    needed: int
    """Number of points that a fit takes."""

    def __str__(self) -> str:
        return f"too few points ({self.points}, needs {self.needed})"


@dataclass(frozen=True, slots=True)
class Line:
    """accuracy = intercept + slope * log2(compute)."""

    slope: float
    """Accuracy per doubling of compute."""
    low: float
    """Lower end of the slope's 95 % interval."""
    high: float
    """Upper end of the slope's 95 % interval."""
    intercept: float
    """The line at log2(compute) = 0."""
    r2: float | None
    """Coefficient of determination over the points' means; None where they are all equal."""
    aicc: float | None
    """See ``plateau``."""
    points: int

    @property
    def decided(self) -> bool:
        """True if the interval of the slope excludes zero."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True)
class Plateau:
    """accuracy = top - drop * (compute / ``least``)^-rate, compared with the line."""

    top: float
    low: float
    """Lower end of the 95 % interval of ``top``, within 0 and 1."""
    high: float
    """Upper end of the 95 % interval of ``top``, within 0 and 1."""
    drop: float
    rate: float
    least: float
    r2: float | None
    aicc: float | None
    """None below six points, where its correction is not defined."""
    bend: Bend
    """Sign of the curvature relative to the slope; undecided where its interval includes zero."""
    curvature: float
    """Coefficient of log2(compute)^2, with its 95 % interval in the next two fields."""
    curvature_low: float
    curvature_high: float
    points: int


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """coverage = exp(a * k^b)."""

    a: float
    b: float
    low: float | None
    """Lower end of the 95 % interval of b.

    The interval is None where too many resamples have a coverage of 0 or 1: log(-log) is not
    defined there.
    """
    high: float | None
    r2: float | None
    points: int
    left_out: int
    """Number of points in the data with such a coverage."""


def log_linear(cost: Floats, values: Floats, drawn: Floats | None = None) -> Line | TooFew:
    """Fit the least-squares line of mean accuracy on log2(cost).

    Plain, not weighted: the points share their problems, so they are about equally uncertain. The
    slope is a weighted sum of accuracies with weights that depend on the costs alone, so the same
    sum of resampled means is the resampled slope.
    """
    x = np.log2(cost)
    if len(np.unique(x)) < LINE_POINTS:
        return TooFew(len(np.unique(x)), LINE_POINTS)
    middle = x - x.mean()
    weights = middle / (middle @ middle)
    means = values.mean(axis=0)
    slope = float(means @ weights)
    intercept = float(means.mean() - slope * x.mean())
    low, high = _interval(values, drawn, weights)
    wrong = means - (intercept + slope * x)
    return Line(
        slope, low, high, intercept, _r2(wrong, means), _aicc(wrong, parameters=2), len(cost)
    )


def plateau(cost: Floats, values: Floats, drawn: Floats | None = None) -> Plateau | TooFew:
    """Fit the least-squares plateau, and decide if the points bend at all.

    For each rate on a grid, top and drop are a linear problem (variable projection, Golub and
    Pereyra 1973); a bounded search refines the best. Deterministic.

    The points' curvature decides whether the plateau fits better than the line: the quadratic
    coefficient, whose interval comes from problems as the slope's does. AICc (Hurvich and Tsai
    1989; Burnham and Anderson 2002, section 2.4; the variance counts as a parameter) is given
    beside it and decides nothing: it assumes independent residuals.
    """
    x = np.log2(cost)
    if len(np.unique(x)) < CURVE_POINTS:
        return TooFew(len(np.unique(x)), CURVE_POINTS)
    least = float(x.min())
    x = x - least
    means = values.mean(axis=0)
    grid = np.geomspace(_SLOWEST, _FASTEST, _RATES) / float(x.max())
    rate = _refined(x, means, grid)
    top, drop, _ = _projected(x, means[None], rate)
    wrong = means - (top[0] - drop[0] * 2.0 ** (-rate * x))
    drawn = _drawn(values) if drawn is None else drawn
    low, high = _tops(x, drawn, grid) if len(values) > 1 else (0.0, 1.0)
    bend, curvature, around = _bend(x, values, drawn)
    return Plateau(
        top=float(top[0]),
        low=low,
        high=high,
        drop=float(drop[0]),
        rate=rate,
        least=2.0**least,
        r2=_r2(wrong, means),
        aicc=_aicc(wrong, parameters=3),
        bend=bend,
        curvature=curvature,
        curvature_low=around[0],
        curvature_high=around[1],
        points=len(cost),
    )


def power_law(k: Floats, values: Floats, drawn: Floats | None = None) -> PowerLaw | TooFew:
    """Fit Brown's law by least squares on log(-log coverage) = log(-a) + b * log k.

    ``k`` (points,) numbers of samples. Points whose mean coverage is 0 or 1 are left out.
    """
    means = values.mean(axis=0)
    usable = (means > 0) & (means < 1)
    left_out = int((~usable).sum())
    drawn = (_drawn(values) if drawn is None else drawn)[:, usable]
    k, means = k[usable], means[usable]
    if len(np.unique(k)) < LINE_POINTS:
        return TooFew(len(np.unique(k)), LINE_POINTS)
    x = np.log(k)
    middle = x - x.mean()
    weights = middle / (middle @ middle)
    y = np.log(-np.log(means))
    b = float(y @ weights)
    start = float(y.mean() - b * x.mean())
    fine = ((drawn > 0) & (drawn < 1)).all(axis=1)
    low = high = None
    if len(values) > 1 and fine.mean() >= 1 - _DEGENERATE:
        low, high = intervals.percentile(np.log(-np.log(drawn[fine])) @ weights)
    r2 = _r2(y - (start + b * x), y)
    return PowerLaw(-math.exp(start), b, low, high, r2, len(k), left_out)


# Parts --------------------------------------------------------------------------------------------


def _drawn(values: Floats) -> Floats:
    return intervals.resampled_means(values, seed=0)


def _interval(values: Floats, drawn: Floats | None, weights: Floats) -> tuple[float, float]:
    """Return the interval of a weighted sum of means; one problem says nothing about others."""
    if len(values) == 1:
        return -math.inf, math.inf
    sums = (_drawn(values) if drawn is None else drawn) @ weights
    low, high = intervals.percentile(sums)
    return (low if abs(low) > _ZERO else 0.0), (high if abs(high) > _ZERO else 0.0)


def _r2(wrong: Floats, y: Floats) -> float | None:
    spread = float(((y - y.mean()) ** 2).mean())
    return None if spread < _ROUNDING else 1.0 - float((wrong**2).mean()) / spread


def _aicc(wrong: Floats, *, parameters: int) -> float | None:
    n, k = len(wrong), parameters + 1
    if n - k - 1 <= 0:
        return None
    deviance = n * math.log(max(float((wrong**2).mean()), _ROUNDING))
    return deviance + 2 * k + 2 * k * (k + 1) / (n - k - 1)


def _projected(x: Floats, y: Floats, rate: float) -> tuple[Floats, Floats, Floats]:
    """Return (top, drop, squared error), each (rows,), of the best plateaus with this rate.

    ``y`` is (rows, points).
    """
    decay = 2.0 ** (-rate * x)
    middle = decay - decay.mean()
    level = y.mean(axis=1)
    drop = -(y @ middle) / (middle @ middle)
    top = level + drop * decay.mean()
    wrong = y - (top[:, None] - drop[:, None] * decay)
    return top, drop, np.asarray((wrong**2).sum(axis=1))


def _refined(x: Floats, means: Floats, grid: Floats) -> float:
    """Return the best rate: of the grid, then between its neighbours."""

    def error(log_rate: float) -> float:
        return float(_projected(x, means[None], math.exp(log_rate))[2][0])

    errors = [error(math.log(rate)) for rate in grid]
    best = int(np.argmin(errors))
    around = np.log(grid[[max(best - 1, 0), min(best + 1, len(grid) - 1)]])
    found = scipy.optimize.minimize_scalar(
        error, bounds=around, method="bounded", options={"xatol": 1e-9}
    )
    return math.exp(found.x)


def _tops(x: Floats, drawn: Floats, grid: Floats) -> tuple[float, float]:
    """Return the interval of the plateau's top, on the grid alone, within 0 and 1."""
    tops, least = np.zeros(len(drawn)), np.full(len(drawn), np.inf)
    for rate in grid:
        top, _, error = _projected(x, drawn, float(rate))
        tops, least = np.where(error < least, top, tops), np.minimum(error, least)
    return intervals.percentile(np.clip(tops, 0.0, 1.0))


def _bend(x: Floats, values: Floats, drawn: Floats) -> tuple[Bend, float, tuple[float, float]]:
    middle = x - x.mean()
    basis = np.stack([np.ones_like(x), middle, middle**2], axis=1)
    weights = np.linalg.pinv(basis)  # (3, points): a coefficient is a weighted sum of accuracies
    low, high = _interval(values, drawn, weights[2])
    _, slope, curvature = (float(c) for c in weights @ values.mean(axis=0))
    if low <= 0 <= high:
        return "undecided", curvature, (low, high)
    return ("flattens" if curvature * slope < 0 else "steepens"), curvature, (low, high)
