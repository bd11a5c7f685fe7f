"""Ensembles: a vote across models, each with a weight (Komiyama 2025, 'Best-of-Infinity').

With ever more samples, the vote of an ensemble elects the answer with the largest weighted mean of
the models' shares. So the weights that are right most often in the limit are found exactly, by a
mixed-integer programme over the shares that pools have recorded (``fit_limit``). Among weights that
settle the same problems, those are taken that win the closest of them by most.

``fit`` takes the weights that are right most often with n samples, by a search along pairs of
models. It counts a problem that is won narrowly as half won, so it depends less on single problems.
Either says nothing of the problems that it was fitted on: judge it on others.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.special import ndtr

from ponder.core.errors import UsageError
from ponder.experiments.pools.samples import Entry
from ponder.experiments.stats import columns
from ponder.experiments.stats.estimators import Floats, Ints

LEAD = 1e-3
"""Share by which an answer must lead to be elected in the limit, when weights are fitted."""
STEPS = (0.2, 0.1, 0.05, 0.025)
"""Weight that a search moves from one model to another."""
LEAST = 1e-6
"""Least gain for which it moves any."""
TINY = 1e-6
DRAWS = 1_000
"""Votes that are drawn of each problem."""
SECONDS = 120.0
"""Longest time for a fit; the best weights found by then are taken."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """Samples of several models on the same problems."""

    models: tuple[str, ...]
    problem_ids: tuple[str, ...]
    counts: tuple[Ints, ...]
    """Of each problem: (models, answers + 1) samples with each answer; the last have none."""
    right: tuple[Floats, ...]
    """Of each problem: (answers,) share of right samples among those with the answer."""
    tokens: Floats
    """(problems, models): mean tokens of a sample; NaN where a pool does not tell."""

    def part(self, rows: Sequence[int]) -> Crowd:
        """Return some of the problems."""
        return replace(
            self,
            problem_ids=tuple(self.problem_ids[row] for row in rows),
            counts=tuple(self.counts[row] for row in rows),
            right=tuple(self.right[row] for row in rows),
            tokens=self.tokens[list(rows)],
        )

    def shares(self, row: int) -> Floats:
        """Return (models, answers): the share of each model's samples with each answer."""
        counts = self.counts[row]
        return np.asarray(counts[:, :-1] / counts.sum(axis=1, keepdims=True))


@dataclass(frozen=True, slots=True)
class Fitted:
    """Weights of models, fitted to some problems."""

    weights: tuple[float, ...]
    """One for each model; their sum is 1."""
    accuracy: float
    """Of the vote on these problems: too high, since they were fitted to it."""


def join(pools: Mapping[str, Sequence[Entry]]) -> Crowd:
    """Join graded pools, by the name of their model, on the problems that all of them have.

    Raises:
        UsageError: there are fewer than two, they have no problem in common, or samples are not
            graded.
    """
    if len(pools) < 2:
        raise UsageError("an ensemble needs pools of two models or more.")
    by_id = [{entry.problem_id: entry for entry in entries} for entries in pools.values()]
    common = [name for name in by_id[0] if all(name in known for known in by_id)]
    if not common:
        raise UsageError(
            f"the pools of {', '.join(pools)} have no problem in common: record the models on the "
            "same suite."
        )
    entries = [[known[name] for known in by_id] for name in common]
    merged = [
        replace(same[0], samples=tuple(sample for entry in same for sample in entry.samples))
        for same in entries
    ]
    held = columns.read(merged)
    counts: dict[int, Ints] = {}
    right: dict[int, Floats] = {}
    for group in held.groups:
        for at, row in enumerate(group.rows):
            ends = np.cumsum([len(entry.samples) for entry in entries[row]])[:-1]
            parts = np.split(group.classes[at], ends)
            width = group.sizes.shape[1] + 1
            counts[row] = np.stack([np.bincount(part % width, minlength=width) for part in parts])
            right[row] = group.right[at]
    rows = range(len(common))
    tokens = np.array([[_tokens(entry) for entry in same] for same in entries])
    by_row = tuple(counts[row] for row in rows), tuple(right[row] for row in rows)
    return Crowd(tuple(pools), tuple(common), *by_row, tokens)


def _tokens(entry: Entry) -> float:
    known = [sample.tokens for sample in entry.samples if sample.tokens is not None]
    return float(np.mean(known)) if len(known) == len(entry.samples) else float("nan")


def fit(crowd: Crowd, n: int) -> Fitted:
    """Return the weights with which a vote of n samples is right most often, as ``expected`` says.

    The search starts at each model alone and at equal weights, and moves weight from one model to
    another, in ever smaller steps, for as long as that gains anything.
    """
    models = len(crowd.models)
    best = Fitted((), -1.0)
    for start in (*np.eye(models), np.full(models, 1 / models)):
        weights, value = start, expected(crowd, start, n)
        for step in STEPS:
            moved = True
            while moved:
                moved = False
                for giver, taker in itertools.permutations(range(models), 2):
                    other = weights.copy()
                    part = min(step, other[giver])
                    other[giver] -= part
                    other[taker] += part
                    found = expected(crowd, other, n)
                    if found > value + LEAST:
                        weights, value, moved = other, found, True
        if value > best.accuracy + LEAST:
            best = Fitted(_clean(weights), value)
    return best


def expected(crowd: Crowd, weights: Floats, n: int) -> float:
    """Return the accuracy of a vote of n samples that are shared by the weights.

    Of each problem that is the chance that the right answer leads the likeliest wrong one, by the
    normal distribution: the lead of one sample has the mean p - q and the variance p + q - (p -
    q)^2 for their shares p and q.
    """
    leads = np.zeros((2, len(crowd.counts)))
    for row, right in enumerate(crowd.right):
        mixed = weights @ crowd.shares(row)
        leads[:, row] = mixed[right > 0.5].max(initial=0), mixed[right <= 0.5].max(initial=0)
    p, q = leads
    variance = np.maximum(p + q - (p - q) ** 2, TINY)
    return float(np.where(p > 0, ndtr((p - q) * np.sqrt(n / variance)), 0.0).mean())


def fit_limit(crowd: Crowd) -> Fitted:
    """Return the weights with which the vote is right most often in the limit.

    Raises:
        UsageError: no model ever gives a right answer to any of the problems.
    """
    leads = [lead for row in range(len(crowd.counts)) if len(lead := _leads(crowd, row))]
    if not leads:
        raise UsageError("no model is ever right on these problems: no weights can be fitted.")
    models, problems = len(crowd.models), len(leads)
    rows = np.concatenate(leads)
    of = np.repeat(np.arange(problems), [len(lead) for lead in leads])
    # Variables: the weights, and for each problem 1 if it is settled. An unsettled one may be lost
    # by any share.
    switches = np.zeros((len(rows), problems))
    switches[np.arange(len(rows)), of] = -(1 + LEAD)
    ahead = LinearConstraint(np.hstack([rows, switches]), -1.0, np.inf)
    total = LinearConstraint(np.concatenate([np.ones(models), np.zeros(problems)]), 1, 1)
    found = milp(
        np.concatenate([np.zeros(models), -np.ones(problems)]),
        integrality=np.concatenate([np.zeros(models), np.ones(problems)]),
        bounds=Bounds(0, 1),
        constraints=[ahead, total],
        options={"time_limit": SECONDS},
    )
    settled = np.round(found.x[models:]) > 0
    # The same problems settled, by the largest lead in the closest: one more variable.
    wins = rows[settled[of]]
    most = milp(
        np.append(np.zeros(models), -1.0),
        bounds=Bounds(0, 1),
        constraints=[
            LinearConstraint(np.hstack([wins, -np.ones((len(wins), 1))]), 0, np.inf),
            LinearConstraint(np.append(np.ones(models), 0.0), 1, 1),
        ],
    )
    return Fitted(_clean(most.x[:models]), int(settled.sum()) / len(crowd.counts))


def _clean(weights: Floats) -> tuple[float, ...]:
    """Return weights without the traces of rounding."""
    kept = np.where(weights < 1e-9, 0.0, weights)
    return tuple(float(weight) for weight in kept / kept.sum())


def _leads(crowd: Crowd, row: int) -> Floats:
    """Return (wrong answers, models): each model's share of the right answer less that of a wrong
    one; no rows if nobody is right. Where nobody is wrong, the right answer leads by its share.
    """
    shares, right = crowd.shares(row), crowd.right[row] > 0.5
    if not shares[:, right].any():
        return np.empty((0, len(crowd.models)))
    best = np.nonzero(right)[0][np.argmax(shares[:, right].sum(axis=0))]
    wrong = shares[:, ~right & (shares.sum(axis=0) > 0)]
    if not wrong.shape[1]:
        return shares[:, best][None, :]
    return np.asarray(shares[:, [best]].T - wrong.T)


def limit(crowd: Crowd, weights: Sequence[float]) -> Floats:
    """Return the accuracy of each problem in the limit of many samples; ties are split."""
    found = []
    for row, right in enumerate(crowd.right):
        votes = np.asarray(weights) @ crowd.shares(row)
        found.append(_elected(votes[None, :], right)[0])
    return np.array(found)


def vote(
    crowd: Crowd, weights: Sequence[float], n: Sequence[int], *, draws: int = DRAWS, seed: int = 0
) -> Floats:
    """Return the accuracy of each problem with ``n`` samples of each model: a mean over votes that
    are drawn from the recorded samples, without replacement within a vote; ties are split.

    Raises:
        UsageError: a pool has fewer samples of a problem.
    """
    rng = np.random.default_rng(seed)
    found = []
    for name, counts, right in zip(crowd.problem_ids, crowd.counts, crowd.right, strict=True):
        votes = np.zeros((draws, len(right)))
        for model, (weight, size) in enumerate(zip(weights, n, strict=True)):
            there = int(counts[model].sum())
            if size > there:
                raise UsageError(
                    f"the pool of {crowd.models[model]} has {there} samples of problem {name!r}, "
                    f"fewer than {size}."
                )
            drawn = rng.multivariate_hypergeometric(counts[model], size, size=draws)
            votes += weight * drawn[:, :-1]
        found.append(_elected(votes, right).mean())
    return np.array(found)


def _elected(votes: Floats, right: Floats) -> Floats:
    """Return the accuracy of the leader of each row of votes; 0 where nobody has a vote."""
    top = votes.max(axis=1, keepdims=True, initial=0.0)
    leads = (votes >= top - 1e-9) & (top > 0)
    return np.asarray((leads * right).sum(axis=1) / np.maximum(leads.sum(axis=1), 1))
