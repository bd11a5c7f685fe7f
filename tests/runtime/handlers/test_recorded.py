"""Resume and replay: after any prefix of the rows, in the recorded order, and never in silence
where the run asks for something else.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ponder.core.budget import Budget
from ponder.core.costs.ledger import Item
from ponder.core.errors import ModelError, PonderError, ReplayMismatch, RunFailed
from ponder.core.problem import Problem
from ponder.core.record.effects import Sampling
from ponder.core.record.events import Event, SampleFinished
from ponder.core.sessions.session import Session
from ponder.core.trace import Trace
from ponder.models.base import Request
from ponder.runtime.handlers.recorded import PATIENCE
from ponder.runtime.journal import Journal
from ponder.runtime.result import Result
from tests.support.jobs import PROBLEM, Reply, Timed, go
from tests.support.virtual import run

START = Trace.empty(PROBLEM)
Behave = Callable[[Request], Reply]


def copy(journal: Journal, name: str, k: int) -> str:
    """Another run with the first ``k`` rows of this one."""
    other = journal.create({})
    journal._db.execute(
        "insert into calls select ?, seq, record from calls where run = ? order by seq limit ?",
        (other, name, k),
    )
    return other


def figures(result: Result) -> list[Item]:
    """The receipt but for the seconds: those depend on what else was in flight."""
    return [replace(item, seconds=0.0) for item in result.receipt.items]


def by_seed(latencies: list[int]) -> Behave:
    """Seconds, answers and lengths that follow from the request's seed, as a real model's do."""

    def behave(request: Request) -> Reply:
        i = request.seed % 97
        return Reply(str(i % 3), latencies[i % len(latencies)] / 4, 1 + i % 7, cached=i % 5)

    return behave


async def tree(s: Session, problem: Problem, *, shape: tuple[int, ...], found: list[str]) -> Trace:
    """Branches that grow, sample, score and branch again; notes the order in which it hears."""
    traces: list[Trace] = []

    async def branch(child: Session, depth: int) -> None:
        trace = await child.grow(START)
        found.append(trace.id)
        traces.append(trace)
        for sampled in await child.sample(problem, 1 + depth % 2):
            found.append(sampled.id)
            traces.append(sampled)
        await child.score([trace])
        if depth + 1 < len(shape):
            await child.gather([lambda inner: branch(inner, depth + 1)] * shape[depth + 1])

    await s.gather([lambda inner: branch(inner, 0)] * shape[0])
    return s.first(traces)


shapes = st.sampled_from([(1,), (3,), (2, 2), (3, 1), (1, 2, 2)])
latencies = st.lists(st.integers(0, 9), min_size=1, max_size=5)


@settings(deadline=None, max_examples=25)
@given(shapes, latencies, st.integers(0, 5))
def test_a_run_resumed_after_any_prefix_ends_as_if_it_had_not_been_cut_off(
    shape: tuple[int, ...], seconds: list[int], seed: int
) -> None:
    journal = Journal(":memory:")

    async def attempt(name: str) -> tuple[Result, Timed]:
        model = Timed(by_seed(seconds))
        knobs = {"shape": shape, "found": []}
        sampling = Sampling(50, logprobs=True)
        return (
            await go(
                model, tree, journal=journal, run=name, knobs=knobs, seed=seed, sampling=sampling
            ),
            model,
        )

    name = journal.create({})
    whole, model = run(attempt(name))
    rows = journal.calls(name)
    samples = [row for row in rows if row.effect["effect"] == "generate"]
    assert len(samples) == len(model.asked) == whole.receipt.total.calls
    for k in range(len(rows) + 1):
        again = copy(journal, name, k)
        result, model = run(attempt(again))
        kept = sum(row.effect["effect"] == "generate" for row in rows[:k])
        assert len(model.asked) == len(samples) - kept
        missing = {row.effect["seed"] for row in rows[k:] if row in samples}
        assert {request.seed for _, request in model.asked} == missing
        assert result.answer == whole.answer
        assert result.trace == whole.trace
        assert result.candidates == whole.candidates
        assert figures(result) == figures(whole)
        assert sorted(r.path for r in journal.calls(again)) == sorted(r.path for r in rows)
        assert [r.seq for r in journal.calls(again)] == list(range(len(rows)))
    journal.close()


async def flat(s: Session, problem: Problem, *, n: int, found: list[str]) -> Trace:
    traces = []
    async with s.sampling(problem, n) as arriving:
        async for trace in arriving:
            found.append(trace.id)
            traces.append(trace)
    return traces[0]


@settings(deadline=None, max_examples=100)
@given(shapes, latencies, st.integers(0, 5), st.integers(1, 8))
def test_a_replay_delivers_in_the_recorded_order_though_all_is_there_at_once(
    shape: tuple[int, ...], seconds: list[int], seed: int, n: int
) -> None:
    journal = Journal(":memory:")

    async def attempt(name: str, strategy: Any, **knobs: Any) -> tuple[list[str], Result, Timed]:
        model = Timed(by_seed(seconds))
        finished: list[str] = []

        def publish(event: Event) -> None:
            if isinstance(event, SampleFinished):
                finished.append(event.trace.id)

        result = await go(
            model, strategy, journal=journal, run=name, knobs=knobs, seed=seed, publish=publish
        )
        return finished, result, model

    name = journal.create({})
    finished, whole, _ = run(attempt(name, tree, shape=shape, found=[]))
    again, result, model = run(attempt(name, tree, shape=shape, found=[]))
    assert model.asked == []
    assert again == finished
    assert (result.answer, result.candidates) == (whole.answer, whole.candidates)
    heard: list[str] = []
    heard_again: list[str] = []
    name = journal.create({})
    _, whole, _ = run(attempt(name, flat, n=n, found=heard))
    _, result, model = run(attempt(name, flat, n=n, found=heard_again))
    assert model.asked == []
    assert heard_again == heard
    assert (result.answer, result.candidates) == (whole.answer, whole.candidates)
    journal.close()


async def four(s: Session, problem: Problem) -> Trace:
    return s.first(await s.sample(problem, 4))


async def two(s: Session, problem: Problem) -> Trace:
    return s.first(await s.sample(problem, 2))


def backwards(request_seconds: list[float]) -> Behave:
    seconds = iter(request_seconds)
    return lambda request: Reply("42", next(seconds))


@pytest.mark.parametrize(
    ("change", "recorded", "asked"),
    [
        ({"seed": 1}, '"seed": 169425555,', '"seed": 355895739,'),
        ({"sampling": Sampling(99)}, '"length": 100', '"length": 99'),
        ({"sampling": Sampling(100, 0.5)}, '"temperature": 0.8', '"temperature": 0.5'),
    ],
)
def test_another_seed_or_knob_is_an_error_that_names_both_effects(
    change: dict[str, Any], recorded: str, asked: str
) -> None:
    async def main() -> None:
        journal = Journal(":memory:")
        name = journal.create({})
        await go(Timed(lambda _: Reply()), "direct", journal=journal, run=name)
        with pytest.raises(ReplayMismatch) as error:
            await go(Timed(lambda _: Reply()), "direct", journal=journal, run=name, **change)
        one, other = str(error.value).split("asked for")
        assert f"the journal of run {name} holds another effect at 0.0.0: recorded {{" in one
        assert recorded in one
        assert asked in other
        assert asked not in one
        assert recorded not in other
        journal.close()

    run(main())


def test_a_strategy_that_no_longer_asks_for_what_came_first_does_not_hang() -> None:
    async def main() -> None:
        journal = Journal(":memory:")
        name = journal.create({})
        model = Timed(backwards([4.0, 3.0, 2.0, 1.0]))
        await go(model, four, journal=journal, run=name)
        began = asyncio.get_running_loop().time()
        with pytest.raises(ReplayMismatch, match=r"has 0\.3\.0 before 0\.\d\.0, and nobody asked"):
            await go(model, two, journal=journal, run=name)
        assert asyncio.get_running_loop().time() == began + PATIENCE
        journal.close()

    run(main())


async def stubborn(s: Session, problem: Problem) -> Trace:
    """One branch goes on where its first chain was lost, the other takes its time."""

    async def tries(child: Session) -> Trace:
        try:
            return await child.grow(START)
        except ModelError:
            return await child.grow(START, length=50)

    async def plain(child: Session) -> Trace:
        await child.grow(START)
        return await child.grow(START)

    return s.first(await s.gather([tries, plain]))


def by_length(first: Reply) -> Behave:
    """The first request gets ``first``; the second chance is quick, the other branch slow."""
    replies = iter([first])
    return lambda r: Reply("fallback", 1.0) if r.max_tokens == 50 else next(replies, Reply("b", 3))


async def first_attempt(journal: Journal) -> tuple[str, Result]:
    name = journal.create({})
    lost = Reply(seconds=1.0, tokens=5, fails=True)
    result = await go(Timed(by_length(lost)), stubborn, journal=journal, run=name)
    assert [(row.path, row.lost) for row in journal.calls(name)] == [
        ("0.0.0", "no answer"),
        ("0.0.1", None),
        ("0.1.0", None),
        ("0.1.1", None),
    ]
    return name, result


def test_a_lost_call_is_tried_again_and_what_it_cost_stays() -> None:
    async def main() -> None:
        journal = Journal(":memory:")
        name, before = await first_attempt(journal)
        lost_again = Reply(seconds=100.0, tokens=7, fails=True)
        model = Timed(by_length(lost_again))
        result = await go(model, stubborn, journal=journal, run=name)
        assert len(model.asked) == 1
        assert result.answer == before.answer == "fallback"
        [item], [earlier] = result.receipt.items, before.receipt.items
        assert (item.calls, item.failed) == (5, 2)
        assert item.prompt_tokens == earlier.prompt_tokens + 6
        assert item.wasted_tokens == earlier.wasted_tokens + 7 == 12
        assert item.completion_tokens == earlier.completion_tokens
        journal.close()

    run(main())


@pytest.mark.parametrize("seconds", [0.0, 100.0])
def test_a_retry_that_succeeds_frees_the_run_from_the_recorded_order(seconds: float) -> None:
    """The fallback, recorded before the other branch's chains, is asked for no more."""

    async def main() -> None:
        journal = Journal(":memory:")
        name, _ = await first_attempt(journal)
        model = Timed(by_length(Reply("better", seconds)))
        result = await go(model, stubborn, journal=journal, run=name)
        assert result.answer == "better"
        assert len(model.asked) == 1
        assert asyncio.get_running_loop().time() == 6.0 + seconds
        model = Timed(lambda _: Reply())
        again = await go(model, stubborn, journal=journal, run=name)
        assert again.answer == "better"
        assert model.asked == []
        journal.close()

    run(main())


async def judged(s: Session, problem: Problem) -> Trace:
    traces = await s.sample(problem, 3)
    return s.best(zip(traces, await s.score(traces), strict=True))[0]


def test_a_verdict_on_fewer_traces_is_asked_for_again_once_the_lost_one_is_there() -> None:
    async def main() -> None:
        journal = Journal(":memory:")
        name = journal.create({})
        sampling = Sampling(100, logprobs=True)
        replies = iter([Reply("a", logprob=-0.5), Reply(fails=True), Reply("c", logprob=-0.4)])
        first = await go(
            Timed(lambda _: next(replies)), judged, journal=journal, run=name, sampling=sampling
        )
        assert first.answer == "c"
        model = Timed(lambda _: Reply("b", logprob=-0.1))
        result = await go(model, judged, journal=journal, run=name, sampling=sampling)
        assert result.answer == "b"
        assert len(model.asked) == 1
        model = Timed(lambda _: Reply())
        again = await go(model, judged, journal=journal, run=name, sampling=sampling)
        assert (again.answer, model.asked) == ("b", [])
        journal.close()

    run(main())


def test_a_run_of_which_all_was_lost_can_be_tried_again() -> None:
    async def main() -> None:
        journal = Journal(":memory:")
        name = journal.create({})
        with pytest.raises(RunFailed) as failed:
            await go(Timed(lambda _: Reply(tokens=3, fails=True)), four, journal=journal, run=name)
        assert failed.value.receipt is not None
        assert journal.run(name).state == "failed"
        result = await go(Timed(lambda _: Reply("42")), four, journal=journal, run=name)
        assert result.answer == "42"
        [item] = result.receipt.items
        assert (item.calls, item.failed, item.wasted_tokens) == (8, 4, 12)
        assert journal.run(name).state == "done"
        journal.close()

    run(main())


async def quickest(s: Session, problem: Problem) -> Trace:
    async with s.sampling(problem, 3) as arriving:
        async for trace in arriving:
            return trace
    raise AssertionError


def test_what_is_cancelled_in_flight_is_recorded_with_its_cost() -> None:
    async def main() -> None:
        journal = Journal(":memory:")
        name = journal.create({})
        replies = iter([Reply("a", 8.0, 8), Reply("b", 2.0, 4), Reply("c", 4.0, 8)])
        result = await go(Timed(lambda _: next(replies)), quickest, journal=journal, run=name)
        rows = {row.path: row for row in journal.calls(name)}
        assert result.answer == "b"
        # at second 2 a quarter of the first and half of the third were generated
        expected = {"0.0.0": (0, 2), "0.1.0": (4, 0), "0.2.0": (0, 4)}
        for path, (completion, wasted) in expected.items():
            spent = rows[path].spent
            assert spent is not None
            assert (spent.prompt_tokens, spent.completion_tokens) == (6, completion)
            assert spent.wasted_tokens == wasted
            assert spent.seconds == pytest.approx(2 / 3)
            assert rows[path].lost == (None if completion else "cancelled")
        total = result.receipt.total
        assert (total.calls, total.completion_tokens, total.wasted_tokens) == (3, 4, 6)
        again = await go(Timed(lambda _: Reply("z", 9.0)), quickest, journal=journal, run=name)
        assert again.answer == "b"
        assert again.receipt.total.completion_tokens == 4
        journal.close()

    run(main())


def test_what_the_budget_refused_is_not_recorded_for_it_was_never_begun() -> None:
    async def main() -> None:
        journal = Journal(":memory:")
        name = journal.create({})
        model = Timed(lambda _: Reply("42", tokens=20))
        result = await go(
            model, four, journal=journal, run=name, budget=Budget(tokens=60), verifier=""
        )
        assert result.stopped_by == "tokens"
        assert [row.path for row in journal.calls(name)] == ["0.0.0", "0.1.0"]
        again = await go(model, four, journal=journal, run=name, budget=Budget(tokens=60))
        assert figures(again) == figures(result)
        assert len(model.asked) == 2
        journal.close()

    run(main())


def test_a_shortened_sample_is_recorded_as_it_was_asked_for() -> None:
    """Else its replay would ask for a longer one than is recorded."""

    async def main() -> None:
        journal = Journal(":memory:")
        name = journal.create({})
        model = Timed(lambda _: Reply("42", tokens=90))
        result = await go(model, four, journal=journal, run=name, budget=Budget(tokens=40))
        assert [r.max_tokens for _, r in model.asked] == [34]
        [row] = journal.calls(name)
        assert row.effect["length"] == 100
        again = await go(model, four, journal=journal, run=name, budget=Budget(tokens=40))
        assert again.candidates == result.candidates
        journal.close()

    run(main())


def test_a_journal_that_takes_no_more_ends_the_run_and_leaves_nothing_running() -> None:
    async def main() -> None:
        journal = Journal(":memory:")
        name = journal.create({})
        journal._db.execute("pragma query_only=1")
        model = Timed(lambda _: Reply("42", 1.0))
        with pytest.raises(PonderError, match="the journal cannot be") as error:
            await go(model, four, journal=journal, run=name)
        assert not isinstance(error.value, sqlite3.Error)
        journal.close()

    run(main())
