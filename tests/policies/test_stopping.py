"""Stopping rules against brute force, closed forms and examples worked by hand."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ponder.core.errors import UnknownName, UsageError
from ponder.core.outlook import Seen
from ponder.policies.stopping import (
    FEATURES,
    RULES,
    BayesFactor,
    Beta,
    Dirichlet,
    Entropy,
    Lead,
    Learned,
    Rule,
    Value,
    Window,
    decided,
    entropy,
    features,
    leads,
    majority_probability,
    mode_probability,
    rule,
)
from ponder.policies.value import PRIOR, Mixture, Urn


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


@given(st.integers(0, 60), st.integers(0, 60))
def test_of_two_answers_the_mode_is_the_majority(a: int, b: int) -> None:
    assert mode_probability((a, b)) == pytest.approx(majority_probability(a, b), abs=1e-6)


@pytest.mark.parametrize("k", [2, 3, 5, 12])
@pytest.mark.parametrize("votes", [0, 1, 7])
def test_each_of_k_equal_answers_is_the_mode_with_one_in_k(k: int, votes: int) -> None:
    assert mode_probability((votes,) * k) == pytest.approx(1 / k, abs=1e-6)


def test_the_mode_of_two_votes_against_two_single_ones_by_hand() -> None:
    """Gamma(2) against two exponentials: the integral of x e^-x (1 - e^-x)^2 is 1 - 2/4 + 1/9."""
    assert leads((2.0, 1.0, 1.0)) == pytest.approx(1 - 2 / 4 + 1 / 9, abs=1e-6)
    assert mode_probability((1, 0, 0)) == pytest.approx(11 / 18, abs=1e-6)


@pytest.mark.parametrize("alpha", [0.1, 0.5, 1.0, 3.0])
def test_one_vote_against_a_share_of_alpha_by_hand(alpha: float) -> None:
    """P(E > G) for an exponential E and a Gamma(alpha) G is E[e^-G] = 2^-alpha."""
    assert leads((1.0, alpha)) == pytest.approx(2**-alpha, abs=1e-5)


def stops(rule: Rule, *counts: int, silent: int = 0, left: int = 100, run: int = 0) -> bool:
    return rule.stops(Seen(counts, silent), left, run)


@pytest.mark.parametrize(
    ("rule", "goes_on", "ends"),
    [
        # 1 - 2^-(v+1) >= 0.95 needs v = 4; with one dissent 6 to 1 (1 - 9/256)
        (Beta(0.95), (3,), (4,)),
        (Beta(0.95), (5, 1), (6, 1)),
        # one answer alone has a rival without votes: the same as Beta; two single rivals are more
        (Dirichlet(0.95), (3,), (4,)),
        (Dirichlet(0.95), (6, 1, 1), (7, 1, 1)),
        (Lead(3), (5, 3), (5, 2)),
        (Lead(1), (2, 2), (3, 2)),
        # bits: 3 to 1 has 0.811, 4 to 1 has 0.722
        (Entropy(0.8, 4), (3, 1), (4, 1)),
        (Entropy(0.8, 4), (3,), (4,)),
        # Gamma(n) beats an exponential with 1 - 2^-n: odds 2^n - 1, of one among two
        (BayesFactor(100, 1), (6,), (7,)),
    ],
)
def test_rules_stop_where_their_papers_say(
    rule: Rule, goes_on: tuple[int, ...], ends: tuple[int, ...]
) -> None:
    assert not stops(rule, *goes_on)
    assert stops(rule, *ends)


def test_a_window_ends_a_vote_only_when_it_is_full_and_agrees() -> None:
    window = Window(4)
    assert stops(window, 4, run=4)
    assert not stops(window, 3, run=3)
    assert not stops(window, 4, 1, run=4)  # one sample into the next window
    assert not stops(window, 7, 1, run=3)
    assert stops(window, 7, 1, run=4)
    assert not stops(window, silent=4)


def test_the_entropy_of_equal_shares_is_a_whole_number_of_bits() -> None:
    assert [entropy((2,) * k) for k in (1, 2, 4, 8)] == [0, 1, 2, 3]


def test_the_learned_rule_is_a_logistic_function_of_the_features() -> None:
    assert features(Seen((3, 1), 1)) == pytest.approx(
        (1, math.log(5), 3 / 5, math.log(3), 1 / 5, math.log(2), 1 / 5)
    )
    weights = [0.0] * len(FEATURES)
    weights[2] = math.log(3) / 0.75  # of four samples, three votes give odds of three
    learned = Learned(0.75, tuple(weights))
    assert stops(learned, 3, 1)
    assert not stops(learned, 3, 1, 1)


def test_value_compares_the_gain_of_a_wave_with_its_price_by_hand() -> None:
    """A tie of two, which the next sample decides."""
    tie = Seen((1, 1))
    gain = PRIOR.after(tie, 1) - PRIOR.right(tie)
    assert not Value(gain - 1e-9).stops(tie, 10, 0)
    assert Value(gain + 1e-9).stops(tie, 10, 0)


def test_value_looks_beyond_the_samples_that_cannot_change_the_leader() -> None:
    lead = Seen((3, 1))
    assert PRIOR.after(lead, 1) == pytest.approx(PRIOR.right(lead))
    assert Value(0.0).gain(lead, 100) > 0.001
    assert Value(0.001).stops(lead, 2, 0)  # two samples cannot change it either


def test_value_gives_up_where_answers_scatter() -> None:
    """Easy problems and ones without a right answer: what scatters is of the second kind."""
    kinds = Mixture((Urn(10, 0.5, 0.1, 0.7), Urn(0.02, 20, 0.1, 0.3)))
    ours = Value(0.002, kinds)
    assert not ours.stops(Seen((1, 1)), 30, 0)
    assert ours.stops(Seen((1,) * 5), 30, 0)
    assert not Lead(2).stops(Seen((1,) * 5), 30, 0)


def test_rules_are_named_with_their_options() -> None:
    assert rule("lead") == Lead(4)
    assert rule("lead(k=7)") == Lead(7)
    assert rule("bayes", threshold=0.8) == Beta(0.8)
    assert rule("bayes(threshold=0.9)", threshold=0.8) == Beta(0.9)
    assert rule("factor(least=10, alpha=0.5)") == BayesFactor(10, 0.5)
    kinds = Mixture((Urn(2, 1, 1),))
    assert rule("value(price=0.01)", kinds) == Value(0.01, kinds)
    assert {type(rule(name)) for name in RULES} == set(RULES.values())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("lead(3)", "NAME(OPTION=VALUE), such as lead(k=...)"),
        ("exact(1)", "such as exact."),
        ("lead(k=2.5)", "must be a whole number from 1 to 4096, not '2.5'"),
        ("lead(k=0)", "must be a whole number from 1 to 4096"),
        ("bayes(threshold=nan)", "must be a number from 0.5 to 1"),
        ("lead(k=2)@big", "must be NAME or"),
        ("lead(", "cannot be read"),
    ],
)
def test_a_wrong_rule_is_refused_in_a_sentence(text: str, why: str) -> None:
    with pytest.raises(UsageError) as error:
        rule(text)
    assert why in str(error.value)


@pytest.mark.parametrize("text", ["leed", "lead(n=3)", "exact(k=3)"])
def test_an_unknown_rule_or_option_is_named(text: str) -> None:
    with pytest.raises(UnknownName):
        rule(text)
