"""Admission: first come, first served; shortened to what is left; nothing leaks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ponder.core.budget import Budget
from ponder.core.costs.cost import Cost
from ponder.core.costs.ledger import Item, Ledger
from ponder.core.errors import LimitReached
from ponder.runtime.handlers.admission import Admission, Grant
from tests.support.virtual import Deadlock, run

LEAST = 4


def words(length: int) -> Cost:
    """A prompt of 2 tokens, and ``length`` more."""
    return Cost(tokens=2 + length)


@dataclass
class Till:
    """A admission with its ledger, and calls that take a while."""

    budget: Budget

    def __post_init__(self) -> None:
        self.ledger = Ledger(lambda: 0.0)
        self.admission = Admission(self.budget, self.ledger)
        self.grants: list[Grant | str] = []

    def pay(self, cost: Cost, grant: Grant) -> None:
        tokens = Item("", "", 1, 0, cost.tokens, picousd=cost.picousd, flops=cost.flops)
        self.ledger.book(tokens)
        self.admission.settle(grant)

    async def call(
        self,
        length: int,
        used: int,
        seconds: float = 0.0,
        worst: Callable[[int], Cost] = words,
    ) -> Grant | str:
        """Wants ``length``, then uses up to ``used`` of it."""
        try:
            grant = await self.admission.reserve(length, min(LEAST, length), worst)
        except LimitReached as refused:
            return refused.limit
        used_up = Cost()
        try:
            await asyncio.sleep(seconds)
            used_up = worst(min(used, grant.length))
        finally:
            self.pay(used_up, grant)
        return grant


calls = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 30)), min_size=1, max_size=8)


def expected(budget: int, wanted: list[tuple[int, int]]) -> list[int | str]:
    """What each call must get: everything if it fits once all before it have been settled, else
    what is left then, down to LEAST, else nothing.
    """
    got: list[int | str] = []
    for length, used in wanted:
        fits = min(length, budget - 2)
        if fits < min(LEAST, length):
            got.append("tokens")
        else:
            got.append(fits)
            budget -= 2 + min(used, fits)
    return got


@settings(deadline=None, max_examples=150)
@given(st.integers(1, 120), calls, st.data())
def test_grants_follow_from_the_order_of_asking_whatever_finishes_first(
    budget: int, wanted: list[tuple[int, int]], data: st.DataObject
) -> None:
    seconds = data.draw(st.permutations(range(len(wanted))))

    async def main() -> list[int | str]:
        till = Till(Budget(tokens=budget))
        tasks = [
            till.call(length, used, seconds=wait)
            for (length, used), wait in zip(wanted, seconds, strict=True)
        ]
        got = await asyncio.gather(*tasks)
        assert till.admission.reserved == Cost()
        assert till.ledger.spent.tokens <= budget
        return [grant if isinstance(grant, str) else grant.length for grant in got]

    assert run(main()) == expected(budget, wanted)


def test_a_call_waits_while_something_in_flight_may_give_back() -> None:
    async def main() -> None:
        till = Till(Budget(tokens=30))
        loop = asyncio.get_running_loop()
        first = asyncio.ensure_future(till.call(20, used=1, seconds=5))
        await asyncio.sleep(1)
        second = await till.admission.reserve(20, LEAST, words)
        assert loop.time() == 5
        assert second == Grant(20, Cost(22), None)
        assert till.ledger.spent == Cost(3)
        till.admission.settle(second)
        await first

    run(main())


def test_nobody_overtakes_who_waits_even_if_it_would_fit() -> None:
    async def main() -> None:
        till = Till(Budget(tokens=30))
        order: list[str] = []

        async def call(name: str, length: int, seconds: float) -> None:
            await till.call(length, used=0, seconds=seconds)
            order.append(name)

        async with asyncio.TaskGroup() as group:
            group.create_task(call("first", 20, 5))
            group.create_task(call("large", 20, 0))
            group.create_task(call("small", 4, 0))
            await asyncio.sleep(4)
            assert order == []
        assert order[0] == "first"

    run(main())


@pytest.mark.parametrize(
    ("budget", "length", "limit"),
    [
        (Budget(tokens=22), 20, None),
        (Budget(tokens=21), 19, "tokens"),
        (Budget(tokens=6), 4, "tokens"),
        (Budget(usd=20e-12), 20, None),
        (Budget(usd=19e-12), 19, "usd"),
        (Budget(flops=400), 20, None),
        (Budget(flops=399), 19, "flops"),
        (Budget(tokens=21, flops=100), 10, "flops"),
        (Budget(tokens=21, usd=7e-12, flops=100), 7, "usd"),
        (Budget(tokens=12, usd=11e-12, flops=101), 10, "tokens"),
    ],
)
def test_a_call_is_shortened_to_exactly_what_is_left_by_the_limit_that_leaves_least(
    budget: Budget, length: int, limit: str | None
) -> None:
    def worst(n: int) -> Cost:
        return Cost(2 + n, n, n * n)

    async def main() -> None:
        till = Till(budget)
        grant = await till.admission.reserve(20, LEAST, worst)
        assert grant == Grant(length, worst(length), limit)  # type: ignore[arg-type]
        assert till.admission.fired is None  # not before the shorter length has cut something off
        assert till.admission.reserved == worst(length)
        till.admission.settle(grant)
        assert till.admission.reserved == Cost()

    run(main())


@pytest.mark.parametrize(
    ("budget", "limit"),
    [
        (Budget(tokens=5), "tokens"),
        (Budget(usd=3e-12), "usd"),
        (Budget(flops=15), "flops"),
        (Budget(tokens=21, flops=15), "flops"),
        (Budget(tokens=5, usd=1), "tokens"),
    ],
)
def test_a_call_of_which_not_even_the_least_fits_is_refused_by_name(
    budget: Budget, limit: str
) -> None:
    async def main() -> None:
        till = Till(budget)
        with pytest.raises(LimitReached, match=f"limit on {limit} was reached") as refused:
            await till.admission.reserve(20, LEAST, lambda n: Cost(2 + n, n, n * n))
        assert refused.value.limit == limit == till.admission.fired
        assert till.admission.reserved == Cost()

    run(main())


def test_one_is_refused_and_a_smaller_one_behind_it_is_not() -> None:
    async def main() -> None:
        till = Till(Budget(tokens=9))
        got = await asyncio.gather(
            till.call(3, used=3), till.call(20, used=20), till.call(2, used=2)
        )
        assert [g if isinstance(g, str) else g.length for g in got] == [3, "tokens", 2]

    run(main())


def test_dollars_are_counted_as_written_not_as_rounded_down_by_floats() -> None:
    """3e-8 * 10**12 is 29999.999999999996 as a float."""
    admission = Admission(Budget(usd=3e-8), Ledger(lambda: 0.0))
    assert admission.exceeded(Cost(picousd=30_000)) is None
    assert admission.exceeded(Cost(picousd=30_001)) == "usd"


def test_a_waiter_that_is_cancelled_together_with_what_it_waits_for_leaks_nothing() -> None:
    """The one in flight settles before the cancelled waiter is awake to leave the queue."""

    async def main() -> None:
        till = Till(Budget(tokens=30))
        flying = asyncio.ensure_future(till.call(20, used=1, seconds=9))
        waiting = asyncio.ensure_future(till.call(20, used=1, seconds=9))
        await asyncio.sleep(1)
        flying.cancel()
        waiting.cancel()
        await asyncio.wait([flying, waiting])
        assert flying.cancelled()
        assert waiting.cancelled()
        assert till.admission.reserved == Cost()
        assert isinstance(await till.call(20, used=1), Grant)

    run(main())


def test_a_waiter_that_is_cancelled_after_it_was_granted_gives_its_grant_on() -> None:
    async def main() -> None:
        till = Till(Budget(tokens=30))
        first = await till.admission.reserve(20, LEAST, words)
        waiting = asyncio.ensure_future(till.admission.reserve(20, LEAST, words))
        behind = asyncio.ensure_future(till.call(20, used=0))
        await asyncio.sleep(1)
        till.admission.settle(first)  # grants the waiter, who is not awake yet
        waiting.cancel()
        granted = await behind
        assert isinstance(granted, Grant)
        assert granted.length == 20
        assert waiting.cancelled()
        assert till.admission.reserved == Cost()

    run(main())


def test_who_waits_behind_a_cancelled_waiter_moves_up() -> None:
    async def main() -> None:
        till = Till(Budget(tokens=30))
        flying = asyncio.ensure_future(till.call(10, used=10, seconds=9))
        large = asyncio.ensure_future(till.call(28, used=0))
        small = asyncio.ensure_future(till.call(10, used=0))
        await asyncio.sleep(1)
        large.cancel()
        granted = await small
        assert isinstance(granted, Grant)
        assert asyncio.get_running_loop().time() == 1
        await flying

    run(main())


def test_a_refused_waiter_that_is_cancelled_at_that_moment_leaves_no_complaint() -> None:
    async def main() -> None:
        till = Till(Budget(tokens=10))
        first = await till.admission.reserve(8, LEAST, words)
        waiting = asyncio.ensure_future(till.admission.reserve(8, LEAST, words))
        await asyncio.sleep(1)
        till.ledger.book(Item("", "", prompt_tokens=10))
        till.admission.settle(first)  # refuses the waiter, who is not awake yet
        waiting.cancel()
        await asyncio.wait([waiting])
        assert waiting.cancelled()

    run(main())


@settings(deadline=None, max_examples=120)
@given(
    st.integers(10, 80),
    st.lists(
        st.tuples(st.integers(1, 30), st.integers(0, 30), st.integers(0, 5), st.integers(0, 6)),
        min_size=2,
        max_size=8,
    ),
)
def test_cancelled_calls_leak_nothing_wherever_they_are(
    budget: int, wanted: list[tuple[int, int, int, int]]
) -> None:
    async def main() -> None:
        till = Till(Budget(tokens=budget))
        loop = asyncio.get_running_loop()
        tasks = []
        for length, used, seconds, cancelled_at in wanted:
            task = asyncio.ensure_future(till.call(length, used, seconds))
            loop.call_at(cancelled_at, task.cancel)
            tasks.append(task)
        await asyncio.wait(tasks)
        assert till.admission.reserved == Cost()
        assert till.ledger.spent.tokens <= budget
        left = budget - till.ledger.spent.tokens
        if left > 2:
            grant = await till.admission.reserve(left - 2, left - 2, words)
            assert grant.length == left - 2

    run(main())


def test_the_virtual_loop_tells_of_a_deadlock_instead_of_hanging() -> None:
    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(Deadlock):
        run(main())
