"""Metrics of probabilities: do they separate right from wrong, and are they calibrated?

Intervals are 95 %, by bootstrap over problems (``intervals``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ponder.core.errors import UsageError
from ponder.experiments.stats import intervals
from ponder.experiments.stats.estimators import Bools, Floats, Ints

BINS = 10
_CELLS = 1 << 21  # numbers in one array


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure and its 95 % interval over problems."""

    value: float
    low: float
    high: float

    def to_json(self) -> dict[str, Any]:
        """Return its JSON in ``ponder verifier eval --json``."""
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True, slots=True)
class Bin:
    """Samples of similar probability."""

    predicted: float
    """Mean predicted probability."""
    observed: float
    """Share of right samples."""
    count: int
    """Number of samples."""

    def to_json(self) -> dict[str, Any]:
        """Return its JSON in ``ponder verifier eval --json``."""
        return {"predicted": self.predicted, "observed": self.observed, "count": self.count}


@dataclass(frozen=True, slots=True)
class Metrics:
    """Discrimination and calibration of probabilities."""

    samples: int
    base_rate: float
    auroc: Figure
    """AUROC over all pairs of a right and a wrong sample."""
    within: Figure | None
    """AUROC over pairs of the same problem, as in choosing among samples; None without pairs."""
    brier: Figure
    reference: float
    """Brier score of predicting the base rate for every sample."""
    ece: float
    """Expected calibration error."""
    reliability: tuple[Bin, ...]

    def to_json(self) -> dict[str, Any]:
        """Return its JSON in ``ponder verifier eval --json``."""
        return {
            "samples": self.samples,
            "base_rate": self.base_rate,
            "auroc": self.auroc.to_json(),
            "auroc_within_problems": self.within.to_json() if self.within else None,
            "brier": {**self.brier.to_json(), "reference": self.reference},
            "ece": self.ece,
            "reliability": [part.to_json() for part in self.reliability],
        }


def measure(likely: Floats, correct: Bools, problem: Ints, seed: int = 0) -> Metrics:
    """Return the metrics of samples, given as arrays of one length.

    ``likely`` is each sample's probability, ``correct`` its label, ``problem`` the number of its
    problem (0, 1, ...).

    Raises:
        UsageError: all samples are right, or all are wrong.
    """
    if correct.all() or not correct.any():
        word = "right" if correct.any() else "wrong"
        raise UsageError(f"all answered samples are {word}: there is nothing to tell apart.")
    rate, bins = float(correct.mean()), reliability(likely, correct)
    return Metrics(
        len(likely),
        rate,
        _auroc(likely, correct, problem, seed),
        _within(likely, correct, problem, seed),
        _brier(likely, correct, problem, seed),
        rate * (1 - rate),
        expected_calibration_error(bins),
        tuple(bins),
    )


# Telling right from wrong -------------------------------------------------------------------------


def auroc(likely: Floats, correct: Bools, weights: Floats | None = None) -> Floats:
    """Return the probability that a right sample outranks a wrong one; ties count one half.

    This is the area under the curve (Hanley and McNeil 1982). ``weights`` are (resamples,
    samples), the multiplicity of each sample; the result has one figure for each row, NaN where
    there is no pair.
    """
    weights = np.ones((1, len(likely))) if weights is None else weights
    order = np.argsort(likely, kind="stable")
    ranked = likely[order]
    start = np.searchsorted(ranked, ranked, side="left")
    end = np.searchsorted(ranked, ranked, side="right")
    right = np.where(correct, weights, 0.0)[:, order]
    wrong = np.where(correct, 0.0, weights)[:, order]
    below = np.pad(np.cumsum(wrong, axis=1), ((0, 0), (1, 0)))
    won = (right * (below[:, start] + below[:, end]) / 2).sum(axis=1)
    pairs = right.sum(axis=1) * wrong.sum(axis=1)
    return np.asarray(np.divide(won, pairs, out=np.full(len(won), np.nan), where=pairs > 0))


def _auroc(likely: Floats, correct: Bools, problem: Ints, seed: int) -> Figure:
    draws = [
        auroc(likely, correct, counts[:, problem])
        for counts in _counts(int(problem.max()) + 1, len(likely), seed)
    ]
    found = np.concatenate(draws)
    low, high = intervals.percentile(found[~np.isnan(found)])
    return Figure(float(auroc(likely, correct)[0]), low, high)


def _counts(problems: int, samples: int, seed: int) -> Iterator[Floats]:
    """Yield the multiplicity of each problem in resamples: some rows of all at a time."""
    rng = np.random.default_rng(seed)
    step = max(1, _CELLS // max(samples, problems))
    for begin in range(0, intervals.RESAMPLES, step):
        size = min(step, intervals.RESAMPLES - begin)
        yield rng.multinomial(problems, np.full(problems, 1 / problems), size).astype(np.float64)


def _within(likely: Floats, correct: Bools, problem: Ints, seed: int) -> Figure | None:
    """As ``auroc``, over the pairs of one problem alone."""
    pairs = np.zeros((int(problem.max()) + 1, 2))  # pairs won, and all pairs
    order = np.argsort(problem, kind="stable")
    ends = np.cumsum(np.bincount(problem))
    for i, here in enumerate(np.split(order, ends[:-1])):
        right, wrong = likely[here][correct[here]][:, None], likely[here][~correct[here]]
        pairs[i] = (right > wrong).sum() + (right == wrong).sum() / 2, right.size * wrong.size
    return _ratio(pairs, seed) if pairs[:, 1].any() else None


def _ratio(sums: Floats, seed: int) -> Figure:
    """Return the ratio of two sums over problems: ``sums`` is (problems, 2)."""
    means = intervals.resampled_means(sums, seed)
    means = means[means[:, 1] > 0]
    low, high = intervals.percentile(means[:, 0] / means[:, 1])
    total = sums.sum(axis=0)
    return Figure(float(total[0] / total[1]), low, high)


# Meaning what they say ----------------------------------------------------------------------------


def _brier(likely: Floats, correct: Bools, problem: Ints, seed: int) -> Figure:
    """Return the mean squared difference between probability and outcome (Brier 1950)."""
    errors = np.bincount(problem, weights=(likely - correct) ** 2)
    return _ratio(np.column_stack([errors, np.bincount(problem)]).astype(np.float64), seed)


def reliability(likely: Floats, correct: Bools) -> list[Bin]:
    """Return BINS bins of as many samples each (fewer bins if there are fewer samples)."""
    order = np.argsort(likely, kind="stable")
    return [
        Bin(float(likely[part].mean()), float(correct[part].mean()), len(part))
        for part in np.array_split(order, min(BINS, len(order)))
    ]


def expected_calibration_error(bins: list[Bin]) -> float:
    """Return the mean distance of predicted and observed over bins, weighted by their samples.

    Naeini 2015, there with bins of equal width.
    """
    samples = sum(part.count for part in bins)
    return sum(abs(part.predicted - part.observed) * part.count for part in bins) / samples
