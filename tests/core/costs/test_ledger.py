"""What is booked: processor sharing, sums, FLOPs."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.costs.cost import Cost
from ponder.core.costs.ledger import Item, Ledger, Receipt
from ponder.models.base import Shape


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_each_instant_is_shared_equally_among_the_calls_in_flight() -> None:
    """a: 0-6, b: 2-6 (c joins 3-5), nobody: 6-8, d: 8-9.

    0-2 a alone; 2-3 a b; 3-5 a b c; 5-6 a b. a = 2 + 1/2 + 2/3 + 1/2.
    """
    clock = Clock()
    ledger = Ledger(clock)
    shares = {}

    def at(second: float) -> None:
        clock.now = 100.0 + second

    a = ledger.depart()
    at(2)
    b = ledger.depart()
    at(3)
    c = ledger.depart()
    at(5)
    shares["c"] = ledger.arrive(c)
    at(6)
    shares["a"] = ledger.arrive(a)
    shares["b"] = ledger.arrive(b)
    at(8)
    d = ledger.depart()
    at(9)
    shares["d"] = ledger.arrive(d)
    assert shares == pytest.approx(
        {"a": 2 + 1 / 2 + 2 / 3 + 1 / 2, "b": 1 / 2 + 2 / 3 + 1 / 2, "c": 2 / 3, "d": 1}
    )
    assert sum(shares.values()) == pytest.approx(7)  # of 9, since nobody flew for 2


spans = st.lists(
    st.tuples(st.integers(0, 64), st.integers(0, 64)).map(lambda p: (min(p), max(p))),
    min_size=1,
    max_size=6,
)


@given(spans)
def test_shares_are_those_of_a_timeline_cut_into_ticks(flights: list[tuple[int, int]]) -> None:
    clock = Clock()
    ledger = Ledger(clock)
    events: list[tuple[int, int, int]] = sorted(
        [(start, 0, i) for i, (start, _) in enumerate(flights)]
        + [(end, 1, i) for i, (_, end) in enumerate(flights)]
    )
    marks: dict[int, float] = {}
    shares: dict[int, float] = {}
    for tick, ends, i in events:
        clock.now = 100 + tick / 8
        if ends:
            shares[i] = ledger.arrive(marks[i])
        else:
            marks[i] = ledger.depart()
    exact = dict.fromkeys(range(len(flights)), Fraction(0))
    for tick in range(64):
        flying = [i for i, (start, end) in enumerate(flights) if start <= tick < end]
        for i in flying:
            exact[i] += Fraction(1, 8 * len(flying))
    assert shares == pytest.approx({i: float(share) for i, share in exact.items()}, abs=1e-12)
    assert sum(shares.values()) <= max(end for _, end in flights) / 8 + 1e-9


figures = st.builds(
    Item,
    st.sampled_from(["generate", "judge"]),
    st.sampled_from(["small", "large"]),
    *[st.integers(0, 10**15)] * 8,
    seconds=st.integers(0, 10**6).map(lambda n: n / 64),
)
FIGURES = [
    "calls",
    "failed",
    "prompt_tokens",
    "cached_tokens",
    "completion_tokens",
    "wasted_tokens",
    "picousd",
    "flops",
    "seconds",
]


@given(st.lists(figures, max_size=8))
def test_items_add_up_to_the_total_figure_by_figure(booked: list[Item]) -> None:
    ledger = Ledger(lambda: 0.0)
    for item in booked:
        ledger.book(item)
    receipt = ledger.receipt(("note",))
    assert receipt.notes == ("note",)
    assert len({(i.role, i.model) for i in receipt.items}) == len(receipt.items)
    for name in FIGURES:
        expected = sum(getattr(item, name) for item in booked)
        assert sum(getattr(item, name) for item in receipt.items) == expected
        assert getattr(receipt.total, name) == expected
        assert getattr(ledger.total, name) == expected
    for item in receipt.items:
        mine = [b for b in booked if (b.role, b.model) == (item.role, item.model)]
        assert all(getattr(item, n) == sum(getattr(b, n) for b in mine) for n in FIGURES)
    assert ledger.spent == sum((i.cost for i in booked), Cost())


def test_prompt_completion_and_wasted_tokens_count_and_cached_ones_only_once() -> None:
    item = Item("generate", "m", 1, 0, 100, 90, 20, 3, 7, 11)
    assert item.cost == Cost(tokens=123, picousd=7, flops=11)


def test_a_receipt_prints_dollars_and_every_figure() -> None:
    item = Item("generate", "m", 2, 1, 100, 90, 20, 3, 1_500_000, 11, 0.12345678)
    figures = {
        "calls": 2,
        "failed": 1,
        "prompt_tokens": 100,
        "cached_tokens": 90,
        "completion_tokens": 20,
        "wasted_tokens": 3,
        "usd": 1.5e-06,
        "flops": 11,
        "seconds": 0.123457,
    }
    assert Receipt((item,)).to_json() == {
        "items": [{"role": "generate", "model": "m", **figures}],
        "total": figures,
    }
    assert list(Receipt((item,)).to_json()["items"][0]) == ["role", "model", *figures]


def brute_force(shape: Shape, cached: int, end: int) -> int:
    """Each evaluated token at position p passes all weights once and looks at the p before it."""
    return sum(
        2 * shape.parameters + 4 * shape.attention * position for position in range(cached, end)
    )


def test_flops_are_the_sum_over_token_positions() -> None:
    shape = Shape(7, 5)
    for prompt, completion in itertools.product(range(9), range(7)):
        for cached in range(prompt + 1):
            expected = brute_force(shape, cached, prompt + completion)
            assert shape.flops(prompt, cached, completion) == expected
    assert Shape().flops(100, 0, 100) == 0


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
def test_the_worst_case_of_flops_is_no_cache_and_all_tokens(
    prompt: int, slack: int, completion: int, cached: int
) -> None:
    shape = Shape(3, 2)
    spent = shape.flops(prompt, min(cached, prompt), completion)
    assert spent <= shape.flops(prompt + slack, 0, completion)
    assert spent <= shape.flops(prompt, 0, completion + slack)


def test_a_ledger_reads_its_clock_and_no_other() -> None:
    ticks = itertools.count()
    clock: Callable[[], float] = lambda: float(next(ticks))  # noqa: E731
    ledger = Ledger(clock)
    mark = ledger.depart()
    assert ledger.arrive(mark) == 1.0
