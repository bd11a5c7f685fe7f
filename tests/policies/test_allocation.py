"""Allocation of samples to problems: closed forms, and brute force on tiny batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.outlook import Seen
from ponder.planning.difficulty import shipped
from ponder.policies.allocation import SIZES, Allocation, hull
from ponder.policies.value import PRIOR


@dataclass(eq=False)
class Curve:
    """An outlook whose value depends on the number of samples alone."""

    values: Sequence[float]
    basis: str = ""
    asked: list[tuple[Seen, int]] = field(default_factory=list)

    def right(self, seen: Seen) -> float:
        return self.values[min(seen.samples, len(self.values) - 1)]

    def after(self, seen: Seen, more: int) -> float:
        self.asked.append((seen, more))
        return self.values[min(seen.samples + more, len(self.values) - 1)]


def started(curves: Sequence[Curve], prices: Sequence[float], n: int = 100) -> Allocation:
    """All problems have their first sample."""
    allocation = Allocation(curves, [1.0] * len(curves), n)
    assert sorted(allocation.wave(1)) == [(i, 1) for i in range(len(curves))]
    for i, price in enumerate(prices):
        allocation.learn(i, Seen((1,)), price)
    return allocation


def test_the_hull_of_a_curve() -> None:
    assert hull([(1, 0.5), (2, 0.75), (3, 0.875)]) == ((1, 0.5), (1, 0.25), (1, 0.125))
    assert hull([(1, 0.0), (2, 0.1), (3, 0.3)]) == ((3, 0.3),)
    assert hull([(1, 0.1), (3, 0.1), (5, 0.2)]) == ((1, 0.1), (4, 0.1))
    assert hull([(1, 0.0), (2, 0.0)]) == ()
    assert hull([]) == ()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_steps_are_ever_less_steep_and_lie_above_the_curve(gains: list[float]) -> None:
    points = list(zip((*SIZES, 13), gains, strict=False))
    steps = hull(points)
    slopes = [gain / samples for samples, gain in steps]
    assert all(a >= b - 1e-12 for a, b in pairwise(slopes))
    for x, y in points:
        inside, reached = 0.0, 0.0
        for samples, gain in steps:
            taken = max(0.0, min(1.0, (x - reached) / samples))
            inside, reached = inside + taken * gain, reached + samples
        assert inside >= y - 1e-9


def test_everybody_gets_a_first_sample_before_anybody_gets_a_second() -> None:
    steep, flat = Curve([0, 0.1, 0.9, 1.0]), Curve([0, 0.2, 0.2])
    allocation = Allocation([steep, flat, steep], [1, 1, 1], 8)
    assert allocation.wave(1) == [(1, 1), (0, 1), (2, 1)]  # the more certain gain first, then ties
    assert allocation.wave(8) == []  # nothing was learned yet
    for i in range(3):
        allocation.learn(i, Seen((1,)), 1.0)
    assert allocation.wave(1) == [(0, 1)]  # of equals the first


def test_the_cheapest_gets_its_first_sample_first() -> None:
    curve = Curve([0, 0.5])
    assert Allocation([curve] * 3, [2.0, 1.0, 4.0], 8).wave(1) == [(1, 1), (0, 1), (2, 1)]


def test_three_samples_are_seen_to_gain_where_one_gains_nothing() -> None:
    tied, slow = Curve([0, 0.5, 0.5, 0.5, 0.8]), Curve([0, 0.5, 0.55, 0.6, 0.65])
    allocation = started([tied, slow], [1.0, 1.0])
    assert allocation.wave(1) == [(0, 3)]  # 0.1 a sample against 0.05
    assert allocation.asked(0) == 4
    assert allocation.wave(2) == [(1, 3)]  # a step is never divided
    twice_the_price = started([tied, slow], [2.1, 1.0])
    assert twice_the_price.wave(1)[0][0] == 1


def test_leaders_of_one_and_two_by_the_shipped_fit() -> None:
    outlook = shipped().outlook("number")
    allocation = Allocation([outlook, outlook], [1.0, 1.0], 16)
    allocation.wave(1)
    allocation.learn(0, Seen((9,)), 1.0)
    allocation.learn(1, Seen((1, 1)), 1.0)
    assert not allocation.open(0)  # settled
    [(problem, _)] = allocation.wave(4)
    assert problem == 1


def test_most_samples_least_gain_and_closing() -> None:
    curve = Curve([0, 0.1, 0.2, 0.3, 0.4, 0.5])
    allocation = started([curve, curve], [1.0, 1.0], n=3)
    assert allocation.wave(50) == [(0, 2), (1, 2)]
    allocation.learn(0, Seen((3,)), 1.0)
    assert not allocation.open(0)
    assert started([Curve([0, 0.5, 0.5001])], [1.0]).wave(8) == []
    closed = started([curve, curve], [1.0, 1.0])
    closed.close(0)
    assert {problem for problem, _ in closed.wave(8)} == {1}
    assert Allocation([curve], [1.0], 0).wave(8) == []


def test_only_what_changed_is_valued_again() -> None:
    curves = [Curve([0, 0.5, 0.6, 0.65]) for _ in range(3)]
    allocation = started(curves, [1.0, 1.0, 1.0])
    before = [len(curve.asked) for curve in curves]
    allocation.wave(1)
    allocation.learn(0, Seen((2,)), 1.0)
    assert [len(curve.asked) - was for curve, was in zip(curves, before, strict=True)] == [
        len(SIZES), 0, 0,
    ]  # fmt: skip
    one = Curve([0, 0.5, 0.6])
    same = started([one] * 50, [1.0] * 50)  # and a state that many problems share, once
    assert len(one.asked) == 1 + len(SIZES)
    assert same.asked(49) == 1


FALLING = st.lists(st.floats(0.001, 0.2), min_size=3, max_size=3).map(
    lambda gains: sorted(gains, reverse=True)
)


@given(FALLING, FALLING, st.integers(1, 6))
def test_no_other_split_of_as_many_samples_gains_more(
    one: list[float], other: list[float], room: int
) -> None:
    """Brute force: two problems with concave curves, up to three more samples of each."""
    curves = [Curve([0, 0.1, *(0.1 + sum(gains[: k + 1]) for k in range(3))])
              for gains in (one, other)]  # fmt: skip
    allocation = started(curves, [1.0, 1.0], n=4)
    got = dict(allocation.wave(room))
    used = sum(got.values())
    assert used >= room

    def value(split: Sequence[int]) -> float:
        return sum(curve.values[1 + more] for curve, more in zip(curves, split, strict=True))

    best = max(value(s) for s in product(range(4), repeat=2) if sum(s) == used)
    assert value([got.get(0, 0), got.get(1, 0)]) == pytest.approx(best)


@given(FALLING, FALLING, st.floats(0.2, 5), st.integers(1, 6))
def test_no_other_split_of_the_same_price_gains_more(
    one: list[float], other: list[float], price: float, room: int
) -> None:
    curves = [Curve([0, 0.1, *(0.1 + sum(gains[: k + 1]) for k in range(3))])
              for gains in (one, other)]  # fmt: skip
    got = dict(started(curves, [1.0, price], n=4).wave(room))
    a, b = got.get(0, 0), got.get(1, 0)
    mine = curves[0].values[1 + a] + curves[1].values[1 + b]
    for x, y in product(range(4), repeat=2):
        if x + y * price <= (a + b * price) * (1 + 1e-12):
            assert curves[0].values[1 + x] + curves[1].values[1 + y] <= mine + 1e-9


def test_without_a_fit_a_lone_vote_gains_from_more() -> None:
    allocation = Allocation([PRIOR], [1.0], 8)
    assert allocation.wave(1) == [(0, 1)]
    allocation.learn(0, Seen((1,)), 1.0)
    assert allocation.wave(1)[0][1] > 1
