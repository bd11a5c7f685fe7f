"""A ladder of rungs: beliefs against sums by hand, gains against the value of one rung."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.policies.ladder import EMPTY, Ballots, Ladder, Option, choose
from ponder.policies.value import Mixture, Urn

EASY, HARD = Urn(8, 0.5, 0.1, 0.6), Urn(0.5, 3, 0.5, 0.4)
BOTH = Mixture((EASY, HARD))


def independent(rungs: list[Mixture], shared: float = 0.3) -> Ladder:
    """A ladder whose rungs tell nothing of each other's kinds."""
    shares = tuple(urn.share for urn in rungs[-1].urns)
    steps = tuple(tuple(shares for _ in lower.urns) for lower in rungs[:-1])
    return Ladder(tuple(rungs), steps, shared)


ONE = Mixture((Urn(2, 1, 0.5),))
VOTES = st.dictionaries(st.sampled_from("abc"), st.integers(1, 4), max_size=3)
TALLIES = st.builds(Ballots, VOTES, st.integers(0, 2))


@given(TALLIES)
def test_one_rung_believes_what_its_mixture_says(tally: Ballots) -> None:
    beliefs = independent([BOTH]).posterior([tally]).beliefs
    assert max(beliefs.values(), default=0.0) == pytest.approx(BOTH.right(tally.seen))
    assert sum(beliefs.values()) <= 1 + 1e-9
    assert beliefs.keys() == tally.votes.keys()


def test_two_rungs_multiply_their_odds() -> None:
    # On each rung a right answer weighs 2, a wrong one 1; a mistake is shared in half of the cases.
    ladder = independent([ONE, ONE], shared=0.5)
    agree = ladder.posterior([Ballots({"a": 1}), Ballots({"a": 1})]).beliefs
    right, wrong = 2 * 2, 1 * 1 * 0.5 + 0  # 'a' right; 'a' wrong on both, the right one unseen
    assert agree["a"] == pytest.approx(right / (right + wrong))
    differ = ladder.posterior([Ballots({"a": 1}), Ballots({"b": 1})]).beliefs
    # 'a' right: b is a mistake, and none was made before. 'b' right. Neither: b is another mistake.
    a, b, neither = 2 * 1, 1 * 2, 1 * 1 * 0.5
    assert differ == pytest.approx({"a": a / (a + b + neither), "b": b / (a + b + neither)})


def test_a_kind_on_one_rung_tells_the_kind_on_the_next() -> None:
    same = Ladder((BOTH, BOTH), (((1.0, 0.0), (0.0, 1.0)),), shared=0.0)
    apart = independent([BOTH, BOTH], shared=0.0)
    split = [Ballots({"a": 1, "b": 1, "c": 1}), EMPTY]  # a hard problem
    assert same.posterior(split).gain(1, 1) < apart.posterior(split).gain(1, 1)


@given(TALLIES, st.integers(1, 2))
def test_the_gain_on_one_rung_is_that_of_its_mixture(tally: Ballots, more: int) -> None:
    if len(tally.votes) == 1:  # more of them, and the mixture takes them one by one
        gain = independent([ONE]).posterior([tally]).gain(0, more)
        expected = ONE.after(tally.seen, more) - ONE.right(tally.seen)
        assert gain == pytest.approx(expected, abs=1e-9)


@given(st.tuples(TALLIES, TALLIES), st.integers(0, 1), st.integers(1, 16))
def test_a_gain_is_the_part_of_a_probability(
    tallies: tuple[Ballots, Ballots], rung: int, samples: int
) -> None:
    ladder = Ladder((BOTH, BOTH), (((0.9, 0.1), (0.3, 0.7)),))
    now = max(ladder.posterior(tallies).beliefs.values(), default=0.0)
    assert 0 <= ladder.posterior(tallies).gain(rung, samples) <= 1 - now + 1e-9


def test_no_gain_is_in_a_sample_that_could_not_change_the_answer() -> None:
    ladder = independent([BOTH])
    assert ladder.posterior([Ballots({"a": 3, "b": 1})]).gain(0, 1) == pytest.approx(0, abs=1e-12)
    assert ladder.posterior([Ballots({"a": 2, "b": 1})]).gain(0, 2) > 0


def test_thousands_of_votes_are_weighed_too() -> None:
    beliefs = independent([BOTH]).posterior([Ballots({"a": 3000, "b": 1000}, 96)]).beliefs
    assert math.isfinite(beliefs["a"])
    assert beliefs["a"] > 0.9


def rising(start: float, steps: int) -> float:
    return math.prod(start + k for k in range(steps))


def weight(ladder: Ladder, tallies: Sequence[Ballots], right: str | None) -> float:
    """The joint weight of the samples and of a right answer, summed over all chains of kinds."""
    whole = 0.0
    for chain in product(*(range(len(mixture.urns)) for mixture in ladder.rungs)):
        through = ladder.rungs[0].urns[chain[0]].share
        for rung, tally in enumerate(tallies):
            urn = ladder.rungs[rung].urns[chain[rung]]
            through *= ladder.steps[rung - 1][chain[rung - 1]][chain[rung]] if rung else 1.0
            one = rising(urn.silent, tally.silent) / rising(urn.total, tally.samples)
            before = {name for below in tallies[:rung] for name in below.votes} - {right}
            for name, votes in tally.votes.items():
                if name == right:
                    one *= rising(urn.right, votes)
                    continue
                one *= urn.wrong * math.factorial(votes - 1)
                if before:
                    one *= ladder.shared / len(before) if name in before else 1 - ladder.shared
            mute = 0.0 if tally.votes else ladder.mute / (1 - ladder.mute)
            through *= one + mute
        whole += through
    return whole


def best(ladder: Ladder, tallies: Sequence[Ballots]) -> tuple[float, float]:
    """The weight of the likeliest answer, and that of all."""
    names = {name for tally in tallies for name in tally.votes}
    found = [weight(ladder, tallies, name) for name in sorted(names)]
    return max(found, default=0.0), sum(found) + weight(ladder, tallies, None)


@given(st.tuples(TALLIES, TALLIES), st.integers(1, 2), st.sampled_from([0.0, 0.2]))
def test_beliefs_and_gains_are_sums_over_all_chains_and_all_draws(
    tallies: tuple[Ballots, Ballots], samples: int, mute: float
) -> None:
    ladder = Ladder((BOTH, BOTH), (((0.9, 0.1), (0.3, 0.7)),), shared=0.25, mute=mute)
    now, whole = best(ladder, tallies)
    beliefs = ladder.posterior(tallies).beliefs
    expected = {name: weight(ladder, tallies, name) / whole for name in beliefs}
    assert beliefs == pytest.approx(expected)
    outcomes = [*beliefs, None, "new"] if samples == 1 else [*beliefs, None, "new", "newer"]
    later = total = 0.0
    for drawn in product(outcomes, repeat=samples):
        if drawn and ("newer" in drawn and drawn != ("new", "newer")):
            continue  # the one that comes first is the new one
        likeliest, every = best(ladder, [tallies[0], tallies[1].plus(drawn)])
        later, total = later + likeliest, total + every
    gain = ladder.posterior(tallies).gain(1, samples)
    assert gain == pytest.approx(max(0.0, later / total - now / whole), abs=1e-9)


def test_silence_of_a_rung_that_may_be_mute_is_its_own_and_not_the_problems() -> None:
    # A sample is silent with probability 1/8. Mute or not was even: after one silence it is 8 to 1.
    urns = Mixture((Urn(4, 3, 1),))
    ladder = Ladder((urns, urns), (((1.0,),),), shared=0.0, mute=0.5)
    able = Ladder((urns, urns), (((1.0,),),), shared=0.0)
    silent = [EMPTY, EMPTY.plus([None])]
    gain = able.posterior(silent).gain(1, 1)
    assert gain == pytest.approx(7 / 9 * 4 / 7)  # an answer, and it is the right one
    assert ladder.posterior(silent).gain(1, 1) == pytest.approx(gain / 9)
    answered = [EMPTY, Ballots({"a": 1}, 1)]
    assert ladder.posterior(answered).gain(1, 1) == able.posterior(answered).gain(1, 1)
    # What is silent on the rung above takes nothing from the leader.
    sure = [Ballots({"a": 3}), EMPTY]
    told = {m: Ladder((BOTH, BOTH), (((0.9, 0.1), (0.3, 0.7)),), mute=m) for m in (0.0, 0.03)}
    fall = {
        m: one.posterior(sure).beliefs["a"] - one.posterior([sure[0], Ballots({}, 4)]).beliefs["a"]
        for m, one in told.items()
    }
    assert 0 <= fall[0.03] < fall[0.0] / 2


def test_of_the_options_worth_their_price_the_one_of_most_gain_per_price_is_taken() -> None:
    dear, cheap, free = Option(1, 1, 0.2, 10), Option(0, 2, 0.05, 2), Option(0, 1, 0.0, 1)
    assert choose([free, cheap, dear], 100) is cheap
    assert choose([free, dear], 51) is dear
    assert choose([free, dear], 50) is None
    assert choose([], 100) is None


def test_options_are_those_that_have_a_price() -> None:
    ladder = independent([ONE, BOTH])
    tallies = [Ballots({"a": 1}), EMPTY]
    options = ladder.posterior(tallies).options({(0, 1): 1.0, (1, 2): 3.0})
    assert [(one.rung, one.samples, one.price) for one in options] == [(0, 1, 1.0), (1, 2, 3.0)]
    assert options[1].gain == ladder.posterior(tallies).gain(1, 2)
