"""Many problems, one budget: where the samples go, what is kept, and how it ends."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ponder.core.budget import Budget
from ponder.core.errors import ModelTimeout, RequestRefused
from ponder.core.problem import Message, Problem
from ponder.core.record.effects import Sampling
from ponder.models.base import Model, Request
from ponder.models.fakes.scripted import Scripted
from ponder.planning.difficulty import shipped
from ponder.runtime.batch import Batch, Outcome, Progress
from ponder.runtime.journal import Journal
from ponder.runtime.stack import World
from tests.support.jobs import Reply, Timed, read_boxed
from tests.support.virtual import run

WORDS = 5  # of a question


def problems(count: int) -> list[Problem]:
    return [Problem((Message("user", f"How many is question {i} ?"),), "number")
            for i in range(count)]  # fmt: skip


def of(request: Request) -> int:
    return int(request.messages[0].content.split()[4])


def answered(request: Request) -> str:
    """Problem 0 is easy, of the others one answer in three is the same."""
    return "7" if of(request) == 0 or request.seed % 3 == 0 else str(request.seed % 50)


def spoken(request: Request) -> str:
    return f"so it is \\boxed{{{answered(request)}}}"


def batch(model: Model, count: int = 3, **changes: Any) -> Batch:
    fields: dict[str, Any] = {
        "n": 16,
        "at_once": 4, "sampling": Sampling(10), "budget": Budget(), "unit": "tokens",
    }  # fmt: skip
    outlooks = [shipped().outlook("number")] * count
    return Batch(World(model, read_boxed), problems(count), outlooks, **(fields | changes))


def go(model: Model, count: int = 3, **changes: Any) -> Outcome:
    return asyncio.run(batch(model, count, **changes).go())


def samples(outcome: Outcome) -> list[int]:
    return [len(share.traces) for share in outcome.shares]


def answers(outcome: Outcome) -> list[list[str]]:
    return [[t.answer.text if t.answer else "" for t in s.traces] for s in outcome.shares]


def test_the_easy_problem_gets_few_samples_and_the_others_more() -> None:
    model = Scripted(spoken)
    outcome = go(model, budget=Budget(tokens=200))
    easy, *hard = samples(outcome)
    assert easy < min(hard)
    assert sum(samples(outcome)) == len(model.requests)
    assert len({(of(r), r.seed) for r in model.requests}) == len(model.requests)
    assert outcome.stopped_by == "tokens"
    assert outcome.receipt.total.cost.tokens == sum(s.spent.cost.tokens for s in outcome.shares)


def test_everybody_is_asked_once_before_anybody_twice() -> None:
    model = Scripted(spoken)
    go(model, 9, budget=Budget(tokens=300), at_once=2)
    assert sorted(of(request) for request in model.requests[:9]) == list(range(9))


def test_it_ends_by_itself_once_nothing_gains() -> None:
    outcome = go(Scripted(lambda r: r"\boxed{7}"), n=32)
    assert outcome.stopped_by == "settled"
    assert {share.stopped_by for share in outcome.shares} == {"settled"}
    assert max(samples(outcome)) < 32
    most = go(Scripted(lambda r: f"\\boxed{{{r.seed}}}"), n=3)
    assert samples(most) == [3, 3, 3]
    assert {share.stopped_by for share in most.shares} == {"n"}


@settings(max_examples=40)
@given(
    tokens=st.integers(1, 400), at_once=st.integers(1, 9), count=st.integers(1, 6),
    lengths=st.lists(st.integers(1, 10), min_size=7, max_size=7),
)  # fmt: skip
def test_no_budget_is_ever_exceeded(
    tokens: int, at_once: int, count: int, lengths: list[int]
) -> None:
    model = Timed(lambda r: Reply(answered(r), r.seed % 5 / 4, lengths[r.seed % 7]))

    def check() -> None:
        assert model.tokens <= tokens

    model.watch = check
    outcome = run(batch(model, count, budget=Budget(tokens=tokens), at_once=at_once).go())
    assert model.tokens == outcome.receipt.total.cost.tokens <= tokens
    assert len(model.asked) == sum(samples(outcome))
    room = tokens - model.tokens
    if outcome.stopped_by == "tokens":
        assert room < (WORDS + 1 + 10)  # not even one more sample was sure to fit


def test_no_more_than_at_once_are_in_flight() -> None:
    model = Timed(lambda r: Reply(answered(r), 1.0))
    most = 0

    def watch() -> None:
        nonlocal most
        most = max(most, model.running)

    model.watch = watch
    run(batch(model, 9, at_once=3).go())
    assert most == 3


def test_the_outcome_does_not_depend_on_what_arrives_first() -> None:
    def timed(seconds: Callable[[int], float]) -> Outcome:
        model = Timed(lambda r: Reply(answered(r), seconds(r.seed)))
        return run(batch(model, 4, budget=Budget(tokens=300)).go())

    first, second = timed(lambda seed: seed % 7), timed(lambda seed: seed % 11 / 3)
    assert answers(first) == answers(second)
    other = run(batch(Timed(lambda r: Reply(answered(r))), 4, seed=1).go())
    assert answers(other) != answers(first)


def test_a_time_limit_ends_it() -> None:
    model = Timed(lambda r: Reply(answered(r), 1.0))
    outcome = run(batch(model, 3, budget=Budget(seconds=2.5), unit="seconds").go())
    assert outcome.stopped_by == "seconds"
    assert sum(samples(outcome)) == 7  # three, four, and four more that came too late
    assert model.running == 0
    assert "seconds" in {share.stopped_by for share in outcome.shares}


def test_a_budget_for_nothing() -> None:
    outcome = go(Scripted(spoken), budget=Budget(tokens=9))
    assert (samples(outcome), outcome.stopped_by) == ([0, 0, 0], "tokens")
    assert {share.stopped_by for share in outcome.shares} == {"tokens"}


def test_lost_samples_are_data_and_a_dead_model_ends_it() -> None:
    def reply(request: Request) -> Any:
        return RequestRefused("too long") if of(request) == 1 else spoken(request)

    model = Scripted(reply)
    outcome = go(model)
    assert Counter(map(of, model.requests))[1] == 1  # a refusal is final
    assert [share.stopped_by for share in outcome.shares][1] == "lost"
    assert samples(outcome)[1] == 0
    assert outcome.lost == "too long"
    dead = Scripted(lambda r: ModelTimeout("no answer"))
    outcome = go(dead)
    assert (len(dead.requests), outcome.stopped_by) == (3, "lost")


def test_an_interruption_keeps_what_has_come() -> None:
    model = Timed(lambda r: Reply(answered(r), 1.0 if of(r) < 2 else 99.0))
    far: list[Progress] = []

    async def interrupted() -> Outcome:
        def tell(progress: Progress) -> None:
            far.append(progress)
            if progress.samples == 2:
                one.interrupt()
                one.interrupt()  # again changes nothing

        one = batch(model, 3, tell=tell)
        return await one.go()

    outcome = run(interrupted())
    assert samples(outcome) == [1, 1, 0]
    assert outcome.stopped_by == "interrupt"
    assert (model.running, model.stopped) == (0, 1)
    assert (far[-1].problems, far[-1].sampled) == (3, 2)
    assert sum(share.spent.cost.tokens for share in outcome.shares) == model.tokens


def test_cancelled_from_outside_it_raises_and_leaves_nothing_in_flight() -> None:
    model = Timed(lambda r: Reply(answered(r), 9.0))

    async def cancelled() -> None:
        task = asyncio.ensure_future(batch(model).go())
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(cancelled())
    assert (model.running, model.stopped) == (0, 3)


LIMITS: dict[str, Any] = {"count": 4, "budget": Budget(tokens=250)}


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "runs.sqlite")
    yield journal
    journal.close()


@pytest.mark.parametrize("kept", range(0, 25, 3))
def test_what_was_recorded_is_not_drawn_again(kept: int, book: Journal, tmp_path: Path) -> None:
    """A process that was killed after so many records goes on to the same end."""
    name = book.create({"kind": "batch"})
    whole = Scripted(spoken)
    unbroken = go(whole, journal=book, run=name, **LIMITS)
    assert len(whole.requests) == 24
    with closing(sqlite3.connect(tmp_path / "runs.sqlite")) as file, file:
        file.execute("delete from calls where seq >= ?", (kept,))
    second = Scripted(spoken)
    resumed = go(second, journal=book, run=name, **LIMITS)
    assert len(second.requests) == 24 - kept
    assert answers(resumed) == answers(unbroken)
    spent = [share.spent.cost for share in resumed.shares]
    assert spent == [share.spent.cost for share in unbroken.shares]


def test_a_larger_budget_goes_on(book: Journal) -> None:
    name = book.create({"kind": "batch"})
    first = go(Scripted(spoken), journal=book, run=name, **LIMITS)
    nothing = Scripted([])
    again = go(nothing, journal=book, run=name, **LIMITS)
    assert (nothing.requests, answers(again)) == ([], answers(first))
    more = Scripted(spoken)
    larger = go(more, journal=book, run=name, count=4, budget=Budget(tokens=400))
    assert more.requests
    assert sum(samples(larger)) == sum(samples(first)) + len(more.requests)
    assert larger.receipt.total.cost.tokens <= 400


def test_what_a_cancelled_attempt_has_cost_counts(book: Journal) -> None:
    name = book.create({"kind": "batch"})
    first, second = (Timed(lambda r: Reply(answered(r), r.seed % 7)) for _ in range(2))

    async def cut() -> None:
        one = batch(first, journal=book, run=name, **LIMITS)
        task = asyncio.ensure_future(one.go())
        await asyncio.sleep(9.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(cut())
    kept = {row.effect["seed"] for row in book.calls(name) if row.lost is None}
    assert first.stopped
    outcome = run(batch(second, journal=book, run=name, **LIMITS).go())
    assert kept
    assert kept.isdisjoint(request.seed for _, request in second.asked)
    total = outcome.receipt.total
    assert total.cost.tokens == first.tokens + second.tokens <= 250
    assert total.wasted_tokens > 0
