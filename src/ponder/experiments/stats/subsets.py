"""Votes over explicit k-subsets of the samples, where no closed form exists.

All subsets if there are few; else a fixed number of random ones (Monte Carlo), the same for every
problem, so that the standard error of the mean accuracy can be computed from the subsets
themselves.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from ponder.experiments.stats.estimators import Bools, Floats, Ints

EXACT_WORK = 1e8
"""Most (subset, problem, answer) triples for which all subsets are enumerated."""
MOST_SUBSETS = 200_000
_DRAWS = (1_000, 20_000)  # fewest and most random subsets
_MONTE_CARLO_WORK = 5e7
_CELLS = 1 << 16  # numbers in one array: what stays in a core's cache
_TINY = np.finfo(np.float64).tiny
_ROUNDING = 1e-12  # sums this close, relative to all weights, are a tie: 0.1 + 0.2 is 0.3


@dataclass(frozen=True, slots=True)
class Subsets:
    """Subsets of the samples."""

    drawn: Bools
    """(subsets, n): True for the samples that each holds."""
    exact: bool
    """True if these are all subsets."""


def choose(n: int, k: int, answers: int, seed: int) -> Subsets:
    """Return the k-subsets of n samples to use; ``answers`` is their number in all problems."""
    answers = max(1, answers)
    count = math.comb(n, k)
    if count <= MOST_SUBSETS and count * answers <= EXACT_WORK:
        taken = np.array(list(itertools.combinations(range(n), k)), dtype=np.int64)
        exact = True
    else:
        fewest, most = _DRAWS
        draws = min(most, max(fewest, int(_MONTE_CARLO_WORK / answers)))
        rng = np.random.default_rng([seed, n, k])
        taken = np.argsort(rng.random((draws, n)), axis=1)[:, :k]
        exact = False
    drawn = np.zeros((len(taken), n), dtype=np.bool_)
    np.put_along_axis(drawn, taken, True, axis=1)
    return Subsets(drawn, exact)


def vote(
    classes: Ints, right: Floats, weights: Floats, subsets: Subsets, *, first: bool = False
) -> tuple[Floats, float]:
    """Elect the answer with the largest sum of weights in each subset (Li 2023, DiVeRSe).

    ``classes`` (problems, n) numbers each sample's answer within its problem, -1 for none, which
    has no vote; ``right`` (problems, classes) is the correctness of each answer; ``weights`` are
    (problems, n), of any sign. Ties are split by expectation, or with ``first`` go to the answer
    whose sample was recorded first among those drawn.

    Returns the accuracy per problem, and the Monte Carlo standard error of their mean (0: exact).
    """
    accuracy = np.zeros(len(classes))
    per_subset = np.zeros(len(subsets.drawn))
    weights = weights / np.maximum(np.abs(weights).max(axis=1, keepdims=True), _TINY)
    widths = classes.max(axis=1, initial=-1) + 1
    order = np.argsort(widths, kind="stable")
    order = order[widths[order] > 0]
    start = 0
    while start < len(order):
        # Problems with about the same number of answers share an array; it stays in the cache.
        part = order[start : start + _fitting(subsets, widths[order[start]])]
        part = part[: _fitting(subsets, widths[part[-1]])]
        width = int(widths[part[-1]])
        wins = _elect(classes[part], right[part, :width], weights[part], subsets.drawn, first)
        accuracy[part] = wins.mean(axis=0)
        per_subset += wins.sum(axis=1)
        start += len(part)
    if subsets.exact:
        return accuracy, 0.0
    return accuracy, float((per_subset / len(classes)).std(ddof=1) / math.sqrt(len(per_subset)))


def _fitting(subsets: Subsets, width: int) -> int:
    return max(1, _CELLS // (len(subsets.drawn) * int(width)))


def _elect(classes: Ints, right: Floats, weights: Floats, drawn: Bools, first: bool) -> Floats:
    """Return the correctness of the elected answer: (subsets, problems)."""
    sums = np.full((right.shape[1], len(drawn), len(classes)), -np.inf)
    chosen, heads = drawn.astype(np.float64), drawn.astype(np.float32)
    for answer, total in enumerate(sums):
        ballots = (classes == answer).T
        voted = heads @ ballots.astype(np.float32) > 0.5
        np.copyto(total, chosen @ np.where(ballots, weights.T, 0.0), where=voted)
    top = sums.max(axis=0)
    top[np.isneginf(top)] = np.inf  # no votes: no leader
    leaders = np.greater_equal(sums, top - _ROUNDING * np.abs(weights).sum(axis=1))
    if first:
        leaders = _earliest(leaders, classes, drawn)
    share, count = np.zeros_like(top), np.zeros_like(top)
    for leads, rightness in zip(leaders, right.T, strict=True):
        share += leads * rightness
        count += leads
    return np.asarray(share / np.maximum(count, 1))


def _earliest(leaders: Bools, classes: Ints, drawn: Bools) -> Bools:
    """Return, of several leaders, only the one with the earliest drawn sample."""
    found = np.zeros_like(leaders)
    tied = np.logical_or.reduce(leaders, axis=0)
    problems = np.arange(len(classes))
    for sample in range(classes.shape[1]):
        answer = np.maximum(classes[:, sample], 0)
        present = drawn[:, sample][:, None] & (classes[:, sample] >= 0)
        hit = tied & present & leaders[answer, :, problems].T
        subset, problem = np.nonzero(hit)
        found[answer[problem], subset, problem] = True
        tied &= ~hit
    return found
