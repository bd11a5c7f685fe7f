"""The accuracy of k samples, estimated from n recorded ones. Closed forms, exact.

Every estimate is the expectation over a k-subset of the n recorded samples, drawn uniformly: the
unbiased estimate of the accuracy with k fresh samples (a U-statistic; Hoeffding 1948). Per
problem: arrays have a row for each problem. Ties are split by expectation: each tied sample is
equally likely.

Shapes: ``correct`` and ``score`` are (problems, n), results (problems,).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

LARGEST = 1_000
"""Most samples per problem: beyond it C(n, k) may not fit into a float."""
_CELLS = 1 << 21  # numbers in one array of the dynamic programme: 16 MiB


def missed(n: int, k: int) -> Floats:
    """Return the probability that k of n samples contain none of c given ones.

    Without replacement: the n + 1 values C(n - c, k) / C(n, k) for c = 0..n, as a product of
    ratios, so that nothing overflows and nothing cancels.
    """
    left = np.arange(n, 0, -1, dtype=np.float64)  # n - c, for c = 0..n-1
    return np.concatenate(([1.0], np.cumprod(np.maximum(left - k, 0.0) / left)))


def random_choice(correct: Floats) -> Floats:
    """Return the accuracy of one sample at random: the mean."""
    return np.asarray(correct.mean(axis=1))


def coverage(correct: Floats, k: int) -> Floats:
    """Return pass@k: the probability that any of k samples is right.

    1 - C(n - c, k) / C(n, k) (Chen 2021, section 2.1, equation 1).
    """
    n = correct.shape[1]
    right = np.rint(correct.sum(axis=1)).astype(np.int64)
    return np.asarray(1.0 - missed(n, k)[right])


def best_of(correct: Floats, score: Floats, k: int, *, first: bool = False) -> Floats:
    """Return best@k: the accuracy of the sample with the highest of k scores.

    Cobbe 2021, section 4.2. By order statistics: with a samples above it and t of the same score,
    a tied group provides the winner with probability [C(n - a, k) - C(n - a - t, k)] / C(n, k),
    each of its members alike. ``first`` gives ties to the sample recorded first instead.
    """
    n = correct.shape[1]
    order = np.argsort(-score, axis=1, kind="stable")
    ranked = np.take_along_axis(score, order, axis=1)
    start = np.broadcast_to(np.arange(n), ranked.shape)
    end = start + 1
    if not first:
        fresh = ranked[:, 1:] != ranked[:, :-1]
        start = np.maximum.accumulate(np.pad(np.where(fresh, start[:, 1:], 0), ((0, 0), (1, 0))), 1)
        ends = np.pad(np.where(fresh, end[:, :-1], n), ((0, 0), (0, 1)), constant_values=n)
        end = np.minimum.accumulate(ends[:, ::-1], axis=1)[:, ::-1]
    none_above = missed(n, k)
    chosen = (none_above[start] - none_above[end]) / (end - start)
    return np.asarray((chosen * np.take_along_axis(correct, order, axis=1)).sum(axis=1))


# Majority -----------------------------------------------------------------------------------------


def majority_cost(sizes: Ints, k: int) -> float:
    """Return about how many multiplications ``majority`` takes."""
    cost = 0.0
    for votes in range(1, min(k, int(sizes.max(initial=0))) + 1):
        able = int((sizes >= votes).sum())
        cost += 2.0 * able * (votes + 1) * (k + 1) * (k // votes)
    return cost


def majority(sizes: Ints, right: Floats, n: int, k: int) -> Floats:
    """Return majority@k (Wang 2023, self-consistency): the accuracy of the most frequent answer.

    Exact, by dynamic programming over the answers. ``sizes`` (problems, classes) is the number of
    the n samples that gave each answer (zeros pad), ``right`` the correctness of that answer; the
    remaining samples gave none, and never win.

    For each number of votes v the winner may have: every answer with m samples contributes the
    polynomial sum over s <= v of C(m, s) x^s, where x counts samples drawn, and the term s = v is
    marked by y, which counts the answers that share the lead. The coefficient of x^k, summed over
    winners and divided by the number of leaders, counts k-subsets, of which there are C(n, k). All
    terms are positive: no cancellation.
    """
    choose = _binomials(n, k)
    order = np.argsort(-sizes, axis=1, kind="stable")
    sizes = np.take_along_axis(sizes, order, axis=1)
    right = np.take_along_axis(right, order, axis=1)
    total = np.zeros(len(sizes))
    for votes in range(1, min(k, int(sizes.max(initial=0))) + 1):
        able = (sizes >= votes).sum(axis=1)
        [rows] = np.nonzero(able)
        step = max(1, _CELLS // ((k + 1) * (k // votes)))
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            total[part] += _won_with(votes, sizes[part], right[part], able[part], choose, n, k)
    return np.asarray(total / choose[n, k])


def _won_with(
    votes: int, sizes: Ints, right: Floats, able: Ints, choose: Floats, n: int, k: int
) -> Floats:
    """Return C(n, k) times the probability that the winner has so many votes and is right."""
    most = k // votes  # answers that can have so many votes, together
    # lead[p, x, y]: ways to draw x samples such that y answers have exactly ``votes``, none more.
    # won[p, x, y]: the same with y rivals, summed over who wins, weighted by how right that is.
    lead = np.zeros((len(sizes), k + 1, most))
    won = np.zeros_like(lead)
    below = n - np.where(sizes >= votes, sizes, 0).sum(axis=1)  # of answers too rare to lead
    lead[:, :, 0] = choose[below]
    for answer in range(int(able.max())):
        [rows] = np.nonzero(able > answer)
        ways = choose[sizes[rows, answer]][:, : votes + 1, None, None]  # (rows, s, 1, 1)
        old_lead, old_won = lead[rows], won[rows]
        new_lead, new_won = np.zeros_like(old_lead), np.zeros_like(old_won)
        for s in range(votes):
            stay = k + 1 - s
            new_lead[:, s:] += ways[:, s] * old_lead[:, :stay]
            new_won[:, s:] += ways[:, s] * old_won[:, :stay]
        stay, exactly = k + 1 - votes, ways[:, votes]
        new_lead[:, votes:, 1:] += exactly * old_lead[:, :stay, :-1]
        new_won[:, votes:, 1:] += exactly * old_won[:, :stay, :-1]
        rightness = right[rows, answer][:, None, None]
        new_won[:, votes:] += exactly * rightness * old_lead[:, :stay]
        lead[rows], won[rows] = new_lead, new_won
    return np.asarray((won[:, k] / np.arange(1, most + 1)).sum(axis=1))


def _binomials(n: int, k: int) -> Floats:
    """Return C(m, s) for m <= n and s <= k.

    By Pascal's triangle: sums of positives lose at most m ulp.
    """
    triangle = np.zeros((n + 1, k + 1))
    triangle[:, 0] = 1.0
    for m in range(1, n + 1):
        triangle[m, 1:] = triangle[m - 1, 1:] + triangle[m - 1, :-1]
    return triangle
