"""The budget is a hard promise: whatever the strategy, the model and the luck."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ponder.core.budget import Budget
from ponder.core.costs.cost import PICO, Cost
from ponder.core.costs.ledger import Item
from ponder.core.errors import ModelError, PonderError, RunFailed
from ponder.core.problem import Problem
from ponder.core.record.events import Event, Spent
from ponder.core.sessions.session import Session
from ponder.core.trace import Trace
from ponder.runtime.result import Result
from ponder.runtime.runner import Runner
from tests.support.jobs import PLAIN, ByText, Reply, Timed, job
from tests.support.virtual import run

TICKS = 256
"""In a second. Binary fractions, so that the sums of virtual times are exact."""


@dataclass(frozen=True)
class Node:
    """A random strategy: a verb, how many, after how many results it leaves, what is inside."""

    verb: str
    n: int = 1
    leave: int = 99
    inside: tuple[Node, ...] = ()


def nodes(depth: int) -> st.SearchStrategy[Node]:
    n = st.integers(1, 5)
    leave = st.sampled_from([0, 1, 2, 99])
    leaves = st.one_of(
        st.builds(Node, st.just("sample"), n),
        st.builds(Node, st.just("sampling"), n, leave),
        st.builds(Node, st.sampled_from(["grow", "longer", "score", "short"])),
    )
    if depth == 0:
        return leaves
    inside = st.lists(nodes(depth - 1), min_size=1, max_size=3).map(tuple)
    verbs = st.sampled_from(["gather", "race", "both"])
    return st.one_of(leaves, st.builds(Node, verbs, n, leave, inside))


async def play(s: Session, problem: Problem, node: Node, found: list[Trace]) -> None:
    """Does what ``node`` says; whatever comes back is put into ``found``."""

    def branch(inner: Node) -> Callable[[Session], Any]:
        return lambda child: play(child, problem, inner, found)

    match node.verb:
        case "sample":
            found += await s.sample(problem, node.n)
        case "sampling":
            async with s.sampling(problem, node.n) as arriving:
                left = node.leave
                async for trace in arriving:
                    found.append(trace)
                    s.propose(trace)
                    left -= 1
                    if left <= 0:
                        break
        case "grow":
            found.append(await s.grow(Trace.empty(problem)))
        case "short":
            found.append(await s.grow(Trace.empty(problem), length=5))
        case "longer":
            found.append(await s.grow(found[0] if found else Trace.empty(problem), length=30))
        case "score":
            await s.score(found)
        case "gather":
            await s.gather([branch(inner) for inner in node.inside] * node.n)
        case "race":
            async with s.as_completed([branch(inner) for inner in node.inside]) as racing:
                left = node.leave
                async for _ in racing:
                    left -= 1
                    if left <= 0:
                        break
        case "both":
            for inner in node.inside:
                await play(s, problem, inner, found)


@dataclass
class World:
    """One random case, run to its end under observation."""

    budget: Budget
    program: tuple[Node, ...]
    replies: list[Reply]
    slack: int
    prices: tuple[int, int, int]
    interrupted_at: float | None = None
    booked: list[Item] = field(default_factory=list)

    def price(self, prompt: int, cached: int, completion: int, *stored: int) -> int:
        fresh, again, out = self.prices
        return fresh * (prompt - cached) + again * cached + out * completion

    def allows(self, total: Cost) -> bool:
        limits = self.budget
        return (
            (limits.tokens is None or total.tokens <= limits.tokens)
            and (limits.usd is None or total.picousd <= Decimal(repr(limits.usd)) * PICO)
            and (limits.flops is None or total.flops <= limits.flops)
        )

    async def go(self) -> Result | None:
        numbers = iter(range(10**6))
        loop = asyncio.get_running_loop()
        model = Timed(lambda _: self.replies[next(numbers) % len(self.replies)], self.slack)

        def watch() -> None:
            tokens = self.budget.tokens
            assert tokens is None or model.tokens <= tokens
            assert self.budget.seconds is None or loop.time() <= self.budget.seconds

        def publish(event: Event) -> None:
            if isinstance(event, Spent):
                self.booked.append(event.item)
                assert self.allows(event.total.cost)
                assert self.allows(event.total.cost + runner._admission.reserved)
            watch()

        model.watch = watch
        found: list[Trace] = []

        async def strategy(s: Session, problem: Problem) -> Trace:
            for node in self.program:
                await play(s, problem, node, found)
            return s.first(found)

        runner = Runner(
            job(
                model,
                strategy,
                budget=self.budget,
                pricing=self.price,
                verifiers={"by_text": ByText({"42": 0.5})},
                verifier="by_text",
            ),
            publish=publish,
        )
        if self.interrupted_at is not None:
            loop.call_at(self.interrupted_at, runner.interrupt)
        result = receipt = None
        try:
            result = await runner.go()
            receipt = result.receipt
        except PonderError as error:
            if not isinstance(error, RunFailed | ModelError):
                raise
            receipt = error.receipt if isinstance(error, RunFailed) else None
        watch()
        assert model.running == 0
        assert runner._admission.reserved == Cost()
        assert not runner._admission._queue
        assert runner._admission._flying == 0
        limit = self.budget.seconds
        assert limit is None or all(at < limit for at, _ in model.asked)
        assert sum(item.calls for item in self.booked) == len(model.asked)
        assert sum(item.cost.tokens for item in self.booked) == model.tokens
        for item in self.booked:
            generated = item.completion_tokens + item.wasted_tokens
            assert item.picousd == self.price(item.prompt_tokens, item.cached_tokens, generated)
        if receipt is not None:
            total = receipt.total
            assert self.allows(total.cost)
            assert total.calls == len(model.asked)
            assert total.cost.tokens == model.tokens
            assert total.seconds <= loop.time() * (1 + 1e-9)
            if self.budget.seconds is not None:
                assert total.seconds <= self.budget.seconds * (1 + 1e-9)
        if result is not None:
            if result.stopped_by in ("tokens", "usd", "flops", "seconds"):
                assert getattr(self.budget, result.stopped_by) is not None
            assert result.stopped_by != "seconds" or loop.time() == self.budget.seconds
            assert result.stopped_by != "interrupt" or self.interrupted_at is not None
            if result.trace is None:
                assert result.stopped_by != "done"
        return result


def replies(again: bool) -> st.SearchStrategy[list[Reply]]:
    one = st.builds(
        Reply,
        answer=st.sampled_from(["42", "43", None]),
        seconds=st.integers(0, 1024).map(lambda ticks: ticks / TICKS),
        tokens=st.integers(0, 60),
        cached=st.integers(0, 10),
        wasted=st.sampled_from([0, 0, 0, 7]),
        again=st.booleans() if again else st.just(False),
        fails=st.sampled_from([False, False, False, True]),
        breaks=st.sampled_from([False, False, False, True]),
        lag=st.integers(0, 4),
    )
    return st.lists(one, min_size=1, max_size=8)


TOKENS = st.integers(1, 600)
USD = st.integers(1, 10**7).map(lambda pico: pico / PICO)
FLOPS = st.integers(1, 200_000)
SECONDS = st.integers(1, 2048).map(lambda ticks: ticks / TICKS)
PRICES = st.tuples(st.integers(1, 900), st.integers(0, 1), st.integers(900, 40_000))


def worlds(*limits: str, again: bool = False) -> st.SearchStrategy[World]:
    every = {"tokens": TOKENS, "usd": USD, "flops": FLOPS, "seconds": SECONDS}
    return st.builds(
        World,
        budget=st.builds(Budget, **{name: every[name] for name in limits}),
        program=st.lists(nodes(2), min_size=1, max_size=3).map(tuple),
        replies=replies(again),
        slack=st.integers(0, 12),
        prices=PRICES,
        interrupted_at=st.one_of(st.none(), st.integers(0, 1280).map(lambda ticks: ticks / TICKS)),
    )


FAST = settings(max_examples=120, deadline=None, print_blob=True)


@FAST
@given(worlds("tokens", again=True))
def test_no_run_ever_spends_more_tokens_than_its_budget(world: World) -> None:
    run(world.go())


@FAST
@given(worlds("usd"))
def test_no_run_ever_spends_more_dollars_than_its_budget(world: World) -> None:
    run(world.go())


@FAST
@given(worlds("flops", again=True))
def test_no_run_ever_spends_more_flops_than_its_budget(world: World) -> None:
    run(world.go())


@FAST
@given(worlds("seconds", again=True))
def test_no_run_ever_takes_longer_than_its_budget(world: World) -> None:
    run(world.go())


@FAST
@given(worlds("tokens", "usd", "flops", "seconds"))
def test_every_limit_holds_when_all_are_set(world: World) -> None:
    run(world.go())


@FAST
@given(worlds(again=True))
def test_a_run_without_limits_ends_and_books_every_token(world: World) -> None:
    result = run(world.go())
    assert result is None or result.stopped_by in ("done", "interrupt", "lost")


@settings(max_examples=100, deadline=None)
@given(
    limit=st.sampled_from(["tokens", "usd", "flops"]),
    room=st.integers(-1, 120),
    n=st.integers(1, 4),
    prices=PRICES,
)
def test_one_limit_buys_exactly_what_the_closed_form_says(
    limit: str, room: int, n: int, prices: tuple[int, int, int]
) -> None:
    """Samples one after the other that all run to their full length of 40: the k-th fits, is
    shortened to what is left, or is refused below 16 tokens.
    """
    world = World(Budget(), (), [Reply(None, tokens=99)], 0, prices)

    def cost(length: int) -> int:
        return {
            "tokens": 6 + length,
            "usd": world.price(6, 0, length),
            "flops": sum(2 * 3 + 4 * 2 * earlier for earlier in range(6 + length)),
        }[limit]

    ceiling = n * cost(40) + cost(max(room, 0)) - (1 if room < 0 else 0)
    budget = {limit: ceiling / PICO if limit == "usd" else ceiling}
    expected, left = [], ceiling
    while fitting := [length for length in range(16, 41) if cost(length) <= left]:
        expected.append(fitting[-1])
        left -= cost(fitting[-1])

    async def one_by_one(s: Session, problem: Problem) -> Trace:
        while True:
            await s.grow(Trace.empty(problem), length=40)

    async def main() -> None:
        model = Timed(lambda _: Reply(None, tokens=99), info=PLAIN)
        runner = Runner(
            job(model, one_by_one, budget=Budget(**budget), pricing=world.price)  # type: ignore[arg-type]
        )
        result = await runner.go()
        assert [request.max_tokens for _, request in model.asked] == expected
        assert result.stopped_by == limit

    run(main())
