"""Every estimator against all subsets, gone through one by one in exact arithmetic."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ponder.experiments.stats import columns, estimators, scoring, subsets
from ponder.experiments.stats.columns import Group
from ponder.experiments.stats.estimators import Floats
from tests.support.pools import entry, sample

Recorded = list[tuple[str | None, bool, int]]
"""One problem: (answer, correct, score) of each sample."""
Decide = Callable[[Recorded], Fraction]

recorded = st.tuples(st.sampled_from(["a", "b", "c", "d", None]), st.booleans(), st.integers(-2, 3))
problems = st.integers(1, 7).flatmap(
    lambda n: st.lists(st.lists(recorded, min_size=n, max_size=n), min_size=1, max_size=4)
)


def table(pool: Sequence[Recorded]) -> Group:
    entries = [
        entry(str(i), *(sample(a, c, scores={"s": s / 10}) for a, c, s in problem))
        for i, problem in enumerate(pool)
    ]
    [group] = columns.read(entries).groups
    return group


def brute(problem: Recorded, k: int, decide: Decide) -> float:
    found = [decide(list(drawn)) for drawn in itertools.combinations(problem, k)]
    return float(sum(found, Fraction(0)) / len(found))


def mean(flags: Sequence[bool | Fraction]) -> Fraction:
    return sum(map(Fraction, flags), Fraction(0)) / len(flags)


def any_right(drawn: Recorded) -> Fraction:
    return Fraction(any(correct for _, correct, _ in drawn))


def best(problem: Recorded, *, first: bool = False) -> Decide:
    del problem

    def decide(drawn: Recorded) -> Fraction:
        ranked = [((a is not None), s if a is not None else 0) for a, _, s in drawn]
        tied = [c for (_, c, _), rank in zip(drawn, ranked, strict=True) if rank == max(ranked)]
        return Fraction(tied[0]) if first else mean(tied)

    return decide


def vote(problem: Recorded, *, weighted: bool = False, first: bool = False) -> Decide:
    flags: dict[str, list[bool]] = {}
    for answer, correct, _ in problem:
        if answer is not None:
            flags.setdefault(answer, []).append(correct)

    def decide(drawn: Recorded) -> Fraction:
        weights: dict[str, int] = {}
        for answer, _, score in drawn:
            if answer is not None:
                weights[answer] = weights.get(answer, 0) + (score if weighted else 1)
        tied = [mean(flags[a]) for a, w in weights.items() if w == max(weights.values())]
        return (tied[0] if first else mean(tied)) if tied else Fraction(0)

    return decide


def check(pool: Sequence[Recorded], k: int, found: Floats, of: Callable[..., Decide]) -> None:
    for problem, value in zip(pool, found, strict=True):
        assert value == pytest.approx(brute(problem, k, of(problem)), abs=1e-12)


def every_k(pool: Sequence[Recorded]) -> range:
    return range(1, len(pool[0]) + 1)


@settings(deadline=None, max_examples=50)
@given(problems)
def test_closed_forms_are_the_mean_over_all_subsets(pool: list[Recorded]) -> None:
    group = table(pool)
    score = np.where(group.answered, group.scores["s"], -np.inf)
    for k in every_k(pool):
        check(pool, k, estimators.random_choice(group.correct), lambda p: any_right_alone)
        check(pool, k, estimators.coverage(group.correct, k), lambda p: any_right)
        check(pool, k, estimators.best_of(group.correct, score, k), best)
        found = estimators.best_of(group.correct, score, k, first=True)
        check(pool, k, found, lambda p: best(p, first=True))
        check(pool, k, estimators.majority(group.sizes, group.right, group.n, k), vote)


def any_right_alone(drawn: Recorded) -> Fraction:
    return mean([correct for _, correct, _ in drawn])


@settings(deadline=None, max_examples=50)
@given(problems)
def test_votes_over_all_subsets_are_exact(pool: list[Recorded]) -> None:
    group = table(pool)
    ones = np.ones_like(group.correct)
    for k in every_k(pool):
        drawn = subsets.choose(group.n, k, group.sizes.size, seed=0)
        assert drawn.exact

        def voted(weights: Floats, first: bool, drawn: subsets.Subsets = drawn) -> Floats:
            found, error = subsets.vote(group.classes, group.right, weights, drawn, first=first)
            assert error == 0
            return found

        check(pool, k, voted(ones, False), vote)
        check(pool, k, voted(ones, True), lambda p: vote(p, first=True))
        check(pool, k, voted(group.scores["s"], False), lambda p: vote(p, weighted=True))
        found = voted(group.scores["s"], True)
        check(pool, k, found, lambda p: vote(p, weighted=True, first=True))


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 60), st.data())
def test_the_closed_form_of_chen(n: int, data: st.DataObject) -> None:
    k, c = data.draw(st.integers(1, n)), data.draw(st.integers(0, n))
    expected = 1 - Fraction(math.comb(n - c, k), math.comb(n, k))
    correct = np.array([[1.0] * c + [0.0] * (n - c)])
    [found] = estimators.coverage(correct, k)
    assert found == pytest.approx(float(expected), rel=1e-12)


def test_large_pools_neither_overflow_nor_cancel() -> None:
    n, k = 1_000, 500
    correct = np.array([[1.0] + [0.0] * (n - 1)])
    assert estimators.coverage(correct, k) == pytest.approx([0.5], rel=1e-12)
    n, k = 1_000, 40  # and a vote between two answers, which is hypergeometric
    sizes, right = np.array([[510, 490]]), np.array([[1.0, 0.0]])
    ways = [math.comb(510, v) * math.comb(490, k - v) for v in range(k + 1)]
    wins = sum(w for v, w in enumerate(ways) if 2 * v > k) + Fraction(ways[k // 2], 2)
    [found] = estimators.majority(sizes, right, n, k)
    assert found == pytest.approx(float(wins / math.comb(n, k)), rel=1e-11)


@settings(deadline=None, max_examples=50)
@given(problems)
def test_a_vote_with_equal_weights_is_the_majority(pool: list[Recorded]) -> None:
    group = table(pool)
    for k in every_k(pool):
        drawn = subsets.choose(group.n, k, group.sizes.size, seed=0)
        weights = np.full_like(group.correct, 0.1)  # which has no exact sums in binary
        found, _ = subsets.vote(group.classes, group.right, weights, drawn)
        exact = estimators.majority(group.sizes, group.right, group.n, k)
        assert found == pytest.approx(exact, abs=1e-12)


def test_sums_that_differ_by_rounding_are_a_tie() -> None:
    classes, right = np.array([[0, 0, 0, 1, 1, 1]]), np.array([[1.0, 0.0]])
    weights = np.array([[0.1, 0.2, 0.3, 0.3, 0.2, 0.1]])
    found, _ = subsets.vote(classes, right, weights, subsets.choose(6, 6, 2, seed=0))
    assert found.tolist() == [0.5]


def crowd(problems: int = 30, n: int = 12) -> Group:
    """Problems of all difficulties with up to six answers each, fixed."""
    rng = np.random.default_rng(7)
    pool: list[Recorded] = []
    for ease in rng.random(problems):
        answers = np.where(rng.random(n) < ease, 0, rng.integers(0, 6, n))
        scores = rng.integers(-2, 4, n)
        pool.append(
            [(None if a == 5 else "abcde"[a], bool(a == 0), int(s))
             for a, s in zip(answers, scores, strict=True)]
        )  # fmt: skip
    return table(pool)


def test_monte_carlo_is_as_far_off_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    group, k = crowd(), 5
    exact = estimators.majority(group.sizes, group.right, group.n, k).mean()
    ones = np.ones_like(group.correct)
    monkeypatch.setattr(subsets, "EXACT_WORK", 0)
    monkeypatch.setattr(subsets, "_DRAWS", (200, 200))
    off = []
    for seed in range(100):
        drawn = subsets.choose(group.n, k, group.sizes.size, seed)
        assert not drawn.exact
        found, error = subsets.vote(group.classes, group.right, ones, drawn)
        off.append((found.mean() - exact) / error)
    # Standard normal: over 100 fixed seeds, the mean within 0.3 of 0 and the spread within 0.25.
    assert abs(np.mean(off)) < 0.3
    assert abs(np.std(off) - 1) < 0.25


def test_the_size_of_the_arrays_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    group = crowd()
    drawn = subsets.choose(group.n, 6, group.sizes.size, seed=0)
    whole, _ = subsets.vote(group.classes, group.right, group.scores["s"], drawn)
    exact = estimators.majority(group.sizes, group.right, group.n, 6)
    monkeypatch.setattr(subsets, "_CELLS", 5_000)
    monkeypatch.setattr(estimators, "_CELLS", 50)
    parts, _ = subsets.vote(group.classes, group.right, group.scores["s"], drawn)
    assert parts == pytest.approx(whole, abs=1e-12)
    assert estimators.majority(group.sizes, group.right, group.n, 6) == pytest.approx(exact)


def test_subsets_depend_on_the_seed_alone_and_each_holds_k() -> None:
    a, b = (subsets.choose(40, 20, 1, seed=3) for _ in range(2))
    assert not a.exact
    assert (a.drawn == b.drawn).all()
    assert (a.drawn.sum(axis=1) == 20).all()
    assert (a.drawn != subsets.choose(40, 20, 1, seed=4).drawn).any()


def test_the_cost_of_the_majority_decides_who_counts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = [[("a", True, 0)] * 3 + [("b", False, 0)] * 5]
    read = columns.read(
        [entry("p", *(sample(a, c) for a, c, _ in pool[0]))],
    )
    exact = scoring.score(read, n=[5])
    monkeypatch.setattr(scoring, "_MAJORITY_WORK", 0)
    listed = scoring.score(read, n=[5])
    assert [r.accuracy for r in exact.rows] == pytest.approx([r.accuracy for r in listed.rows])
    monkeypatch.setattr(subsets, "EXACT_WORK", 0)
    drawn = scoring.score(read, n=[5])
    [majority] = [row for row in drawn.rows if row.by == "majority"]
    assert 0 < majority.error < 0.01
    assert majority.to_json()["error"] == majority.error
