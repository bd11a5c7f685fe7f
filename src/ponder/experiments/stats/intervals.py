"""95 % intervals over problems: the problems are sampled, not the samples of one problem.

Percentile bootstrap (Efron and Tibshirani 1993, chapter 13) with a fixed seed. One set of
resamples serves all rows, so differences between rows are paired. Where every problem is simply
right or wrong, the mean is a proportion, and Wilson's interval (Wilson 1927; Brown, Cai and
DasGupta 2001) takes its place: it does not collapse when all problems are right.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from ponder.experiments.stats.estimators import Floats

RESAMPLES = 2_000
LEVEL = 0.95
_Z = 1.959963984540054  # the normal distribution's quantile at (1 + LEVEL) / 2
_CELLS = 1 << 21

Kind = Literal["bootstrap", "wilson"]


def resampled_means(values: Floats, seed: int, resamples: int = RESAMPLES) -> Floats:
    """Return means of (problems, rows) over problems drawn with replacement: (resamples, rows)."""
    problems = len(values)
    rng = np.random.default_rng(seed)
    means = np.empty((resamples, values.shape[1]))
    step = max(1, _CELLS // problems)
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        drawn = rng.integers(0, problems, (size, problems))
        drawn += np.arange(size)[:, None] * problems
        counts = np.bincount(drawn.ravel(), minlength=size * problems).reshape(size, problems)
        means[start : start + size] = counts @ values / problems
    return means


def percentile(means: Floats) -> tuple[float, float]:
    """Return the interval that holds the middle 95 % of resampled means."""
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def wilson(successes: float, trials: int) -> tuple[float, float]:
    """Return Wilson's score interval for a proportion."""
    share, z2 = successes / trials, _Z * _Z
    middle = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    spread = share * (1 - share) / trials + z2 / (4 * trials * trials)
    half = _Z / (1 + z2 / trials) * math.sqrt(spread)
    # At the ends the formula gives 0 and 1 exactly, but for rounding.
    low = 0.0 if successes == 0 else middle - half
    high = 1.0 if successes == trials else middle + half
    return low, high


def interval(values: Floats, means: Floats) -> tuple[float, float, Kind]:
    """Return the interval of one row's mean: Wilson's for a proportion, else the bootstrap's.

    A single problem that is neither right nor wrong says nothing about others: 0 to 1.
    """
    if np.isin(values, (0.0, 1.0)).all():
        return *wilson(float(values.sum()), len(values)), "wilson"
    if len(values) == 1:
        return 0.0, 1.0, "bootstrap"
    return *percentile(means), "bootstrap"
