"""Stopping rules against brute force over every outcome of the votes still to come."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ponder.policies.stopping import Rule, decided, majority_probability, may_stop, wave

RULES: list[Rule] = ["exact", "bayes", "never"]


def outcomes(counts: list[int], remaining: int) -> Iterator[list[int]]:
    """Every way in which the remaining votes can fall: on known answers, new ones, or nowhere."""
    answers = [*range(len(counts) + remaining), None]
    for votes in itertools.combinations_with_replacement(answers, remaining):
        new = Counter(votes)
        yield [c + new[i] for i, c in enumerate([*counts, *[0] * remaining])]


def leads_alone(counts: list[int], winner: int) -> bool:
    return all(c < counts[winner] for i, c in enumerate(counts) if i != winner)


@pytest.mark.parametrize("remaining", range(5))
@pytest.mark.parametrize(("first", "second"), [(a, b) for a in range(6) for b in range(a + 1)])
def test_a_vote_is_decided_exactly_when_no_outcome_unseats_or_ties_the_leader(
    first: int, second: int, remaining: int
) -> None:
    certain = all(leads_alone(o, 0) for o in outcomes([first, second], remaining))
    assert decided(first, second, remaining) == certain


@pytest.mark.parametrize(
    ("first", "second", "remaining"),
    [(a, b, r) for a in range(5) for b in range(min(a, 2) + 1) for r in range(1, 6) if a <= b + r],
)
def test_a_wave_is_the_least_number_of_votes_that_can_decide(
    first: int, second: int, remaining: int
) -> None:
    def can_end_after(k: int) -> bool:
        """Some fall of the next k votes leaves a leader whom the rest cannot reach."""
        if k == remaining:
            return True
        return any(
            all(leads_alone(end, top.index(max(top))) for end in outcomes(top, remaining - k))
            for top in outcomes([first, second], k)
        )

    expected = next(k for k in range(1, remaining + 1) if can_end_after(k))
    assert wave("exact", first, second, remaining) == expected


weights = st.integers(0, 64).map(lambda n: n / 16)


@given(weights, weights, st.integers(0, 40), st.sampled_from(RULES), st.floats(0.5, 1))
def test_once_enough_votes_for_the_leader_allow_to_stop_more_of_them_do_too(
    a: float, b: float, remaining: int, rule: Rule, threshold: float
) -> None:
    """What makes bisection right: the rule says no, ..., no, yes, ..., yes."""
    first, second = max(a, b), min(a, b)
    said = [
        may_stop(rule, first + k, second, remaining - k, threshold) for k in range(1, remaining + 1)
    ]
    assert said == sorted(said)
    least = 1 + said.index(True) if said else 0
    assert wave(rule, first, second, remaining, threshold) == least


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 30), st.floats(0.5, 1))
def test_bayes_stops_whenever_exact_does_and_never_only_at_the_end(
    a: int, b: int, remaining: int, threshold: float
) -> None:
    first, second = max(a, b), min(a, b)
    assert may_stop("bayes", first, second, remaining, threshold) == (
        first > 0
        and (first > second + remaining or majority_probability(first, second) >= threshold)
    )
    assert not may_stop("never", first, second, remaining, threshold)
    assert all(may_stop(rule, first, second, 0, threshold) for rule in RULES)


@pytest.mark.parametrize("rule", RULES)
def test_nobody_stops_before_there_is_a_leader(rule: Rule) -> None:
    assert not may_stop(rule, 0, 0, 3, 0.5)
    assert wave("never", 0, 0, 3) == 3
    assert wave(rule, 0, 0, 0) == 0


def posterior(first: int, second: int) -> Fraction:
    """P(p > 1/2) for p ~ Beta(first + 1, second + 1): the density is a polynomial, so it is
    integrated term by term in exact fractions.
    """

    def integral(low: Fraction, high: Fraction) -> Fraction:
        return sum(
            (
                Fraction((-1) ** j * math.comb(second, j), first + j + 1)
                * (high ** (first + j + 1) - low ** (first + j + 1))
                for j in range(second + 1)
            ),
            Fraction(0),
        )

    half, one = Fraction(1, 2), Fraction(1)
    return integral(half, one) / integral(Fraction(0), one)


@settings(deadline=None)
@given(st.integers(0, 40), st.integers(0, 40))
def test_the_majority_probability_is_the_beta_integral(first: int, second: int) -> None:
    assert majority_probability(first, second) == float(posterior(first, second))


@given(st.integers(0, 200), st.integers(0, 200))
def test_the_majority_probability_is_symmetric_and_grows_with_the_leader(a: int, b: int) -> None:
    assert majority_probability(a, b) + majority_probability(b, a) == pytest.approx(1, abs=1e-15)
    assert majority_probability(a + 1, b) >= majority_probability(a, b)
    assert majority_probability(a, a) == 0.5


def test_adaptive_consistency_stops_after_four_votes_of_one_answer() -> None:
    """1 - 2^-(v+1) >= 0.95 needs v = 4; with one dissent 6 to 1 (1 - 9/256)."""
    assert [majority_probability(v, 0) for v in range(5)] == [1 - 0.5 ** (v + 1) for v in range(5)]
    assert wave("bayes", 0, 0, 40) == 4
    assert wave("bayes", 0, 1, 40) == 6
    assert wave("bayes", 3, 1, 40) == 3
