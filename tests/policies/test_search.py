"""The mathematics of search against closed forms, tables by hand, and enumeration."""

from __future__ import annotations

import math
import random
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.policies.bandit import Beta, allowed, puct, uct
from ponder.policies.confidence import last_mean, lowest_mean, threshold
from ponder.policies.halving import pulls, rounds, survivors
from ponder.policies.resample import effective, multinomial, normalised, systematic
from ponder.policies.select import top_k

shares = st.lists(st.integers(0, 50), min_size=1, max_size=8).filter(any)


# Bandits ------------------------------------------------------------------------------------------


def test_uct_by_hand() -> None:
    assert uct(0.5, 4, 16, c=1.0) == pytest.approx(0.5 + math.sqrt(math.log(16) / 4))
    assert uct(0.5, 1, 1, c=9.0) == 0.5  # ln 1 = 0
    assert uct(0.0, 0, 5) == math.inf


def test_puct_by_hand() -> None:
    assert puct(0.5, 3, 16, prior=0.25, c=2.0) == 0.5 + 2 * 0.25 * 4 / 4
    assert puct(0.0, 0, 9, prior=0.5, c=1.0) == 1.5
    assert puct(0.7, 2, 9, prior=0.0) == 0.7


@pytest.mark.parametrize("rule", [lambda: uct(0, 3, 2), lambda: puct(0, 3, 2, 1)])
def test_a_parent_has_at_least_the_visits_of_its_child(rule: object) -> None:
    with pytest.raises(ValueError, match="3 visits has a parent with 2"):
        rule()  # type: ignore[operator]


def test_uct_visits_arms_as_a_table_by_hand_says() -> None:
    """Two arms that always pay 1 and 0; c = 1. Worked out on paper, visit by visit: each arm once,
    then arm 1 again while ln N / n1 < (1 + sqrt(ln N / n0))^2.
    """
    paid, visits, order = (1.0, 0.0), [0, 0], []
    for step in range(8):
        bids = [uct(paid[arm], visits[arm], step, 1.0) for arm in (0, 1)]
        arm = bids.index(max(bids))
        visits[arm] += 1
        order.append(arm)
    # N=2: 1 + .833 against .833; N=3: 1 + .741 against 1.048; N=4: 1 + .680 against 1.177;
    # N=5: 1 + .634 against 1.269; N=6: 1 + .599 against 1.339; N=7: 1 + .569 against 1.395
    assert order == [0, 1, 0, 0, 0, 0, 0, 0]


def test_progressive_widening_by_hand() -> None:
    assert [allowed(n) for n in (0, 1, 2, 4, 5, 9, 16, 17)] == [1, 1, 2, 2, 3, 3, 4, 5]
    assert [allowed(n, c=2, alpha=0.25) for n in (1, 16, 81)] == [2, 4, 6]


def test_a_beta_is_updated_by_hand() -> None:
    belief = Beta().seen([1.0, 0.0, 0.25])
    assert (belief.a, belief.b) == (1.75, 2.25)
    assert belief.mean == 1.75 / 4
    with pytest.raises(ValueError, match=r"in \[0, 1\]"):
        Beta().seen([1.5])


def test_thompson_draws_have_the_moments_of_a_beta() -> None:
    rng, belief = random.Random(0), Beta(3, 5)
    drawn = [belief.draw(rng) for _ in range(20_000)]
    mean = sum(drawn) / len(drawn)
    variance = sum((x - mean) ** 2 for x in drawn) / len(drawn)
    assert mean == pytest.approx(3 / 8, abs=0.004)  # three standard errors are 0.0034
    assert variance == pytest.approx(15 / (64 * 9), abs=0.001)


# Resampling ---------------------------------------------------------------------------------------


@given(st.lists(st.floats(-700, 700), min_size=1, max_size=8), st.floats(-500, 500))
def test_normalised_weights_sum_to_one_and_do_not_depend_on_scale(
    logs: list[float], shift: float
) -> None:
    weights = normalised(logs)
    assert math.fsum(weights) == pytest.approx(1)
    assert normalised([w + shift for w in logs]) == pytest.approx(weights, abs=1e-9)


def test_weights_by_hand() -> None:
    assert normalised([math.log(3), 0.0]) == pytest.approx([0.75, 0.25])
    assert normalised([-math.inf, 5.0]) == [0.0, 1.0]
    assert normalised([-math.inf, -math.inf]) == [0.5, 0.5]
    for bad in ([], [math.nan], [math.inf]):
        with pytest.raises(ValueError, match="weights"):
            normalised(bad)


def test_effective_sample_size_by_hand() -> None:
    assert effective([0.25] * 4) == pytest.approx(4)
    assert effective([1.0, 0.0, 0.0]) == 1
    assert effective([0.5, 0.25, 0.25]) == pytest.approx(8 / 3)


@given(shares, st.integers(1, 30), st.floats(0, 1, exclude_max=True))
def test_systematic_resampling_is_floor_or_ceil(parts: list[int], count: int, u: float) -> None:
    whole = sum(parts)
    weights = [part / whole for part in parts]
    chosen = Counter(systematic(weights, count, u))
    assert sum(chosen.values()) == count
    for i, part in enumerate(parts):
        expected = Fraction(count * part, whole)
        assert abs(chosen[i] - expected) <= 1  # 1 itself only by rounding at a boundary
        if part == 0:
            assert chosen[i] == 0 or i == len(parts) - 1


def test_systematic_resampling_by_hand() -> None:
    assert systematic([0.5, 0.25, 0.25], 4, 0.0) == [0, 0, 1, 2]
    assert systematic([0.5, 0.25, 0.25], 4, 0.9) == [0, 0, 1, 2]
    assert systematic([0.1, 0.9], 2, 0.0) == [0, 1]
    assert systematic([0.1, 0.9], 2, 0.5) == [1, 1]
    with pytest.raises(ValueError, match="u must lie"):
        systematic([1.0], 1, 1.0)


def test_systematic_resampling_is_unbiased() -> None:
    """Averaged over u on a fine grid, index i comes count x w_i times: exactly, by integration."""
    weights, count, grid = [0.1, 0.2, 0.3, 0.4], 3, 1000
    total = Counter[int]()
    for k in range(grid):
        total.update(systematic(weights, count, (k + 0.5) / grid))
    for i, weight in enumerate(weights):
        assert total[i] / grid == pytest.approx(count * weight, abs=0.002)


def test_multinomial_by_hand() -> None:
    assert multinomial([0.5, 0.25, 0.25], [0.0, 0.49, 0.5, 0.74, 0.75, 0.999]) == [0, 0, 1, 1, 2, 2]
    assert multinomial([0.0, 1.0], [0.0]) == [1]


# Halving and selection ----------------------------------------------------------------------------


def test_sequential_halving_by_hand() -> None:
    assert [rounds(n) for n in (1, 2, 3, 4, 5, 8, 9)] == [0, 1, 2, 2, 3, 3, 4]
    assert [pulls(48, 8, left) for left in (8, 4, 2)] == [2, 4, 8]
    assert pulls(3, 8, 8) == 1
    assert survivors([0.1, 0.9, 0.5, 0.9]) == [1, 3]
    assert survivors([0.5, 0.5, 0.5]) == [0, 1]


@given(st.integers(2, 64), st.integers(1, 2000))
def test_sequential_halving_keeps_its_budget(arms: int, budget: int) -> None:
    left = arms
    for _ in range(rounds(arms)):
        assert left * pulls(budget, arms, left) <= max(budget / rounds(arms), left)
        left = len(survivors([0.0] * left))
    assert left == 1


def test_top_k_prefers_the_best_then_the_first() -> None:
    assert top_k("abcd", [0.5, None, 0.9, 0.5], 3) == ["c", "a", "d"]
    assert top_k("ab", [None, None], 5) == ["a", "b"]
    assert top_k("ab", [1.0, 2.0], 0) == []


# Confidence ---------------------------------------------------------------------------------------


def test_confidence_by_hand() -> None:
    logprobs = [-1.0, -2.0, -6.0, -1.0]
    assert last_mean(logprobs, 2) == -3.5
    assert lowest_mean(logprobs, 2) == -4.0
    assert lowest_mean(logprobs, 4) == lowest_mean(logprobs, 9) == -2.5
    assert lowest_mean([], 3) == last_mean([], 3) == 0.0


@given(st.lists(st.floats(-9, 0), min_size=1, max_size=20), st.integers(1, 8))
def test_the_lowest_passage_is_found(logprobs: list[float], window: int) -> None:
    passages = [logprobs[i : i + window] for i in range(max(1, len(logprobs) - window + 1))]
    assert lowest_mean(logprobs, window) == pytest.approx(min(sum(p) / len(p) for p in passages))


def test_a_threshold_keeps_the_surest() -> None:
    lows = [-0.1, -0.4, -0.2, -0.3]
    assert [threshold(lows, keep) for keep in (0.01, 0.25, 0.5, 0.9, 1.0)] == [
        -0.1,
        -0.1,
        -0.2,
        -0.4,
        -0.4,
    ]
    with pytest.raises(ValueError, match="needs at least one value"):
        threshold([], 0.5)
