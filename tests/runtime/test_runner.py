"""One run from beginning to end: events, interruption, cancellation, what it says of itself."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ponder
from ponder.core.answer import Answer
from ponder.core.budget import Budget
from ponder.core.costs.ledger import Item
from ponder.core.errors import (
    BudgetTooSmall,
    LimitReached,
    ModelError,
    ModelTimeout,
    PonderError,
    RunFailed,
)
from ponder.core.problem import Message, Problem
from ponder.core.record.effects import Sampling
from ponder.core.record.events import (
    Ended,
    Event,
    Grew,
    Proposed,
    RunStarted,
    SampleFinished,
    SampleLost,
    SampleStarted,
    Scored,
    Spent,
    VoteChanged,
)
from ponder.core.sessions.run import boxed
from ponder.core.sessions.session import Session
from ponder.core.trace import Finish, Score, Trace
from ponder.models.base import Completion, ModelInfo, Shape
from ponder.models.fakes.scripted import EVERYTHING, Scripted
from ponder.runtime.journal import Journal
from ponder.runtime.runner import Runner
from tests.support.jobs import (
    PLAIN,
    PROBLEM,
    PROMPT_TOKENS,
    ByText,
    Reply,
    Timed,
    by_order,
    go,
    job,
)
from tests.support.virtual import run

START = Trace.empty(PROBLEM)
LOCAL = ModelInfo("scripted", EVERYTHING, Shape(3, 2), local=True)


def grown(path: str, answer: str, tokens: int = 2) -> Trace:
    text = f"so \\boxed{{{answer}}}"
    return Trace(PROBLEM, text, tokens, "stop", Answer(answer, answer), None, path, "")


def test_the_events_of_a_tiny_run() -> None:
    """Two chains at once; the script gives a and b; the verifier likes b."""
    events: list[Event] = []
    model = Scripted(["so \\boxed{a}", "so \\boxed{b}"], info=LOCAL)
    run(
        go(
            model,
            "best_of_n",
            knobs={"n": 2},
            verifiers={"by_text": ByText({"a": 0.25, "b": 0.5})},
            verifier="by_text",
            budget=Budget(tokens=700),
            seed=7,
            publish=events.append,
        )
    )
    a, b = grown("0.0.0", "a"), grown("0.1.0", "b")
    flops = sum(2 * 3 + 4 * 2 * earlier for earlier in range(8))
    one = Item("generate", "scripted", 1, 0, 6, 0, 2, 0, 0, flops, 0.0)
    two = Item("total", "", 2, 0, 12, 0, 4, 0, 0, 2 * flops, 0.0)
    assert events == [
        RunStarted(
            "", "best_of_n", {"n": 2, "pick": "best"}, "scripted", Budget(tokens=700), 7, PROBLEM
        ),
        SampleStarted("0.0.0", "generate"),
        Grew("0.0.0", "", "", 0),
        SampleStarted("0.1.0", "generate"),
        Grew("0.1.0", "", "", 0),
        Grew("0.0.0", "so \\boxed{a}", "", 2),
        Spent(one, Item("total", "").plus(one)),
        SampleFinished("0.0.0", a, False),
        Proposed(a, None),
        Scored("0.0.1", (a,), (Score(0.25, "by_text"),)),
        Grew("0.1.0", "so \\boxed{b}", "", 2),
        Spent(one, two),
        SampleFinished("0.1.0", b, False),
        Scored("0.1.1", (b,), (Score(0.5, "by_text"),)),
        Proposed(a, 0.25),
        Proposed(b, 0.5),
        Ended("done", "0.1.0"),
    ]


def test_the_events_of_losses_and_of_a_vote() -> None:
    events: list[Event] = []
    replies = [Reply("a", 1.0), Reply(seconds=2.0, fails=True), Reply("b", 9.0, 16)]
    run(
        go(
            Timed(by_order(replies)),
            "self_consistency",
            knobs={"n": 3, "stop": "never"},
            budget=Budget(seconds=5),
            publish=events.append,
        )
    )
    assert [e for e in events if not isinstance(e, SampleStarted | Grew | Spent)] == [
        RunStarted(
            "",
            "self_consistency",
            {"n": 3, "weight": "votes", "stop": "never", "threshold": 0.95, "batch": 1},
            "timed",
            Budget(seconds=5),
            0,
            PROBLEM,
        ),
        SampleFinished("0.0.0", grown("0.0.0", "a", 4), False),
        Proposed(grown("0.0.0", "a", 4), None),
        Proposed(grown("0.0.0", "a", 4), 1.0),
        VoteChanged((("a", 1.0),), 2),
        SampleLost("0.1.0", "no answer", "generate", True),
        SampleLost("0.2.0", "the budget's limit on seconds was reached", "generate"),
        Ended("seconds", "0.0.0"),
    ]
    grew = [e for e in events if isinstance(e, Grew) and e.path == "0.2.0"]
    assert grew == [Grew("0.2.0", "", "", n) for n in (0, 4, 8)]


def test_a_result_says_what_the_command_line_prints() -> None:
    model = Scripted(["so \\boxed{a}", "so \\boxed{a}", "who knows"], info=LOCAL)
    result = run(
        go(
            model,
            "self_consistency",
            knobs={"n": 3, "stop": "never"},
            seed=3,
            pricing=lambda prompt, cached, made, *stored: 1_000_000 * (prompt + 2 * made),
        )
    )
    flops = 3 * sum(2 * 3 + 4 * 2 * earlier for earlier in range(8))
    figures = {
        "calls": 3,
        "failed": 0,
        "prompt_tokens": 18,
        "cached_tokens": 0,
        "completion_tokens": 6,
        "wasted_tokens": 0,
        "usd": 3e-05,
        "flops": flops,
        "seconds": 0.0,
    }
    printed = json.loads(json.dumps(result.to_json()))
    knobs = printed.pop("knobs")
    assert knobs == {
        "n": 3,
        "weight": "votes",
        "stop": "never",
        "threshold": 0.95,
        "batch": 1,
        "length": 100,
        "temperature": 0.8,
        "top_p": 1.0,
    }
    assert printed == {
        "answer": "a",
        "confidence": 1.0,
        "strategy": "self_consistency",
        "model": "scripted",
        "run": None,
        "seed": 3,
        "stopped_by": "done",
        "receipt": {
            "items": [{"role": "generate", "model": "scripted", **figures}],
            "total": figures,
        },
        "candidates": [
            {"answer": "a", "votes": 2, "score": None, "tokens": 4, "text": "so \\boxed{a}"},
            {"answer": None, "votes": 0, "score": None, "tokens": 2, "text": "who knows"},
        ],
        "silent": 1,
        "chosen": "0.0.0",
    }


def test_what_came_at_the_second_attempt_is_not_missing() -> None:
    replies = by_order([Reply("a", breaks=True), Reply("a"), Reply("b", fails=True)])
    knobs = {"n": 2, "stop": "never"}
    result = run(go(Timed(replies), "self_consistency", knobs=knobs))
    assert [item.calls for item in result.receipt.items] == [3]
    assert (result.answer, result.silent) == ("a", 1)


def test_an_error_that_ends_a_run_brings_its_cost_and_its_id() -> None:
    async def one(s: Session, problem: Problem) -> Trace:
        await s.grow(START)
        raise PonderError("the worker did not start")

    async def main() -> None:
        journal = Journal(":memory:")
        name = journal.create({})
        with pytest.raises(PonderError, match="the worker did not start") as failed:
            await Runner(job(Timed(lambda _: Reply("a")), one), journal=journal, run=name).go()
        assert failed.value.receipt is not None
        assert (failed.value.run, failed.value.receipt.total.calls) == (name, 1)
        assert journal.run(name).state == "failed"
        journal.close()

    run(main())


class TestInterruption:
    def test_before_the_start_nothing_is_asked(self) -> None:
        async def main() -> None:
            journal = Journal(":memory:")
            model = Timed(lambda _: Reply("42"))
            runner = Runner(job(model), journal=journal, run=journal.create({}))
            runner.interrupt()
            result = await runner.go()
            assert (result.answer, result.trace, result.stopped_by) == (None, None, "interrupt")
            assert model.asked == []
            assert [r.state for r in journal.runs()] == ["interrupted"]
            journal.close()

        run(main())

    def test_midway_the_best_so_far_comes_back_and_what_is_in_flight_is_booked(self) -> None:
        async def main() -> None:
            journal = Journal(":memory:")
            replies = [Reply("a", 1.0), Reply("b", 8.0, 8), Reply("b", 8.0, 8, lag=3)]
            model = Timed(by_order(replies))
            knobs = {"n": 3, "stop": "never"}
            name = journal.create({})
            runner = Runner(job(model, "self_consistency", knobs=knobs), journal=journal, run=name)
            asyncio.get_running_loop().call_at(5.0, runner.interrupt)
            asyncio.get_running_loop().call_at(5.0, runner.interrupt)
            result = await runner.go()
            assert asyncio.get_running_loop().time() == 5.0
            assert (result.answer, result.stopped_by) == ("a", "interrupt")
            total = result.receipt.total
            assert (total.calls, total.completion_tokens, total.wasted_tokens) == (3, 4, 4 + 4)
            assert model.running == 0
            assert journal.run(name).state == "interrupted"
            assert journal.run(name).result == result.to_json()
            resumed = await go(
                Timed(lambda _: Reply("b")),
                "self_consistency",
                knobs=knobs,
                journal=journal,
                run=name,
            )
            assert (resumed.answer, resumed.stopped_by) == ("b", "done")
            assert resumed.receipt.total.calls == 5
            assert journal.run(name).state == "done"
            journal.close()

        run(main())

    @pytest.mark.parametrize(("at", "sure"), [(2.0, (0.9, "a pool")), (4.0, (2 / 3, ""))])
    def test_what_the_strategy_believed_holds_until_another_sample_comes(
        self, at: float, sure: tuple[float, str]
    ) -> None:
        async def main() -> None:
            async def two_then_two(s: Session, problem: Problem) -> Trace:
                grow = partial(Session.grow, start=START)
                first, _ = await s.gather([grow] * 2)
                s.propose(first, None)
                s.believe(0.9, "a pool", 2)
                await s.gather([grow] * 2)
                return first

            replies = [Reply("a", 1.0), Reply("a", 1.0), Reply("b", 2.0), Reply("b", 9.0)]
            asked = replace(job(Timed(by_order(replies)), two_then_two), calibrated=True)
            runner = Runner(asked)
            asyncio.get_running_loop().call_at(at, runner.interrupt)
            found = await runner.go()
            assert found.answer == "a"
            assert (found.confidence, found.calibrated) == sure

        run(main())

    def test_twice_it_does_not_disturb_a_model_that_is_stopping(self) -> None:
        async def main() -> None:
            async def one(s: Session, problem: Problem) -> Trace:
                return await s.grow(START)

            model = Timed(lambda _: Reply("42", 9.0, lag=4))
            runner = Runner(job(model, one))
            task = asyncio.ensure_future(runner.go())
            await asyncio.sleep(1)
            runner.interrupt()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert (model.running, model.stopped) == (1, 0)
            runner.interrupt()
            assert (await task).stopped_by == "interrupt"
            assert (model.running, model.stopped) == (0, 1)

        run(main())

    def test_after_the_end_it_changes_nothing(self) -> None:
        async def main() -> None:
            runner = Runner(job(Timed(lambda _: Reply("42"))))
            result = await runner.go()
            runner.interrupt()
            assert (result.answer, result.stopped_by) == ("42", "done")

        run(main())

    def test_a_cancellation_from_outside_wins_over_an_interruption(self) -> None:
        async def main() -> None:
            model = Timed(lambda _: Reply("42", 9.0, lag=2))
            runner = Runner(job(model))
            task = asyncio.ensure_future(runner.go())
            await asyncio.sleep(1)
            runner.interrupt()
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
            assert model.running == 0

        run(main())


@pytest.mark.parametrize("seconds", [0.0, 0.25, 1.0, 2.5])
def test_a_run_that_is_cancelled_from_outside_leaves_its_state_and_nothing_in_flight(
    seconds: float,
) -> None:
    async def main() -> None:
        journal = Journal(":memory:")
        name = journal.create({})
        model = Timed(lambda _: Reply("42", 2.0, lag=4))
        task = asyncio.ensure_future(
            go(model, "best_of_n", knobs={"n": 4}, journal=journal, run=name)
        )
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_later(seconds, task.cancel)
        await asyncio.wait([task])
        journal.flush()
        assert model.running == 0
        assert task.cancelled() == (seconds < 2)
        assert journal.run(name).state == ("running" if seconds < 2 else "done")
        journal.close()

    run(main())


async def mistaken(s: Session, problem: Problem) -> Trace:
    async with s.sampling(problem, 3) as arriving:
        async for trace in arriving:
            return trace.nonsense  # type: ignore[attr-defined,no-any-return]
    raise AssertionError


def test_a_mistake_in_a_strategy_is_not_dressed_up_and_leaves_nothing_running() -> None:
    async def main() -> None:
        journal = Journal(":memory:")
        name = journal.create({})
        model = Timed(by_order([Reply("a", 1.0), Reply("b", 9.0), Reply("c", 9.0)]))
        with pytest.raises(AttributeError, match="nonsense"):
            await go(model, mistaken, journal=journal, run=name)
        assert model.running == 0
        assert journal.run(name).state == "running"  # it can be resumed once it is mended
        journal.close()

    run(main())


def test_a_subscriber_that_raises_ends_the_run_and_leaves_nothing_running() -> None:
    async def main() -> None:
        model = Timed(by_order([Reply("a", 1.0), Reply("b", 9.0), Reply("c", 9.0)]))

        def publish(event: Event) -> None:
            if isinstance(event, SampleFinished):
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await go(model, "self_consistency", knobs={"n": 3}, publish=publish)

    run(main())


def test_a_reader_that_raises_ends_the_run_and_the_tokens_are_booked() -> None:
    spent: list[Item] = []

    async def misreads(text: str, problem: Problem, truncated: bool) -> Answer | None:
        raise ZeroDivisionError

    def publish(event: Event) -> None:
        if isinstance(event, Spent):
            spent.append(event.item)

    with pytest.raises(ZeroDivisionError):
        run(go(Timed(lambda _: Reply("42", wasted=3)), read=misreads, publish=publish))
    [item] = spent
    assert (item.prompt_tokens, item.completion_tokens, item.wasted_tokens) == (6, 0, 4 + 3)


def test_a_failed_run_is_recorded_as_failed_and_says_what_was_spent() -> None:
    async def main() -> None:
        journal = Journal(":memory:")
        name = journal.create({})
        lost = ModelError("gone", prompt_tokens=6, completion_tokens=2)
        with pytest.raises(RunFailed, match="no sample came back: gone") as failed:
            await go(Scripted([lost]), journal=journal, run=name, notes=("a note",))
        assert failed.value.receipt is not None
        assert failed.value.receipt.total.wasted_tokens == 2
        assert failed.value.receipt.notes == ("a note",)
        assert (journal.run(name).state, journal.run(name).result) == ("failed", None)
        journal.close()

    run(main())


class TestStoppedBy:
    def test_a_sample_cut_off_by_the_budget_names_the_limit_and_one_by_its_length_does_not(
        self,
    ) -> None:
        long = Timed(lambda _: Reply("42", tokens=101), info=PLAIN)
        assert run(go(long)).stopped_by == "done"
        assert run(go(long, budget=Budget(tokens=106))).stopped_by == "done"
        assert run(go(long, budget=Budget(tokens=105))).stopped_by == "tokens"
        short = Timed(lambda _: Reply("42", tokens=50), info=PLAIN)
        assert run(go(short, budget=Budget(tokens=105))).stopped_by == "done"

    @pytest.mark.parametrize(
        ("budget", "limit"),
        [
            (Budget(tokens=60, usd=1, flops=1e9, seconds=99), "tokens"),
            (Budget(tokens=600, usd=60e-12, flops=1e9, seconds=99), "usd"),
            (Budget(tokens=600, usd=1, flops=12_000, seconds=99), "flops"),
            (Budget(tokens=600, usd=1, flops=1e9, seconds=2), "seconds"),
        ],
    )
    def test_the_limit_that_ends_a_run_is_named_and_the_best_so_far_is_the_answer(
        self, budget: Budget, limit: str
    ) -> None:
        async def endless(s: Session, problem: Problem) -> Trace:
            while True:
                await s.grow(START)

        model = Timed(lambda _: Reply("42", 1.5, 30))
        result = run(go(model, endless, budget=budget, pricing=lambda p, _, c, *stored: p + c))
        assert (result.answer, result.stopped_by) == ("42", limit)

    def test_a_verifier_that_is_too_slow_is_stopped_by_the_clock(self) -> None:
        class Slow(ByText):
            async def score(self, problem: Any, traces: Any, session: Any) -> list[Score]:
                await asyncio.sleep(9)
                raise AssertionError

        async def main() -> None:
            result = await go(
                Timed(lambda _: Reply("42", 1.0)),
                "best_of_n",
                knobs={"n": 2},
                verifiers={"slow": Slow({})},
                verifier="slow",
                budget=Budget(seconds=3),
            )
            assert asyncio.get_running_loop().time() == 3.0
            assert (result.answer, result.stopped_by) == ("42", "seconds")

        run(main())

    def test_who_waited_for_the_purse_until_the_deadline_is_not_begun(self) -> None:
        """Only one fits beside what is kept for an answer; the first runs into the deadline."""

        async def main() -> None:
            model = Timed(lambda _: Reply("42", 9.0))
            result = await go(
                model, "best_of_n", knobs={"n": 3}, budget=Budget(tokens=300, seconds=4)
            )
            assert [at for at, _ in model.asked] == [0.0]
            assert (result.answer, result.stopped_by) == (None, "seconds")

        run(main())

    def test_a_time_out_that_is_not_the_budgets_is_a_mistake_of_its_own(self) -> None:
        class Impatient(ByText):
            async def score(self, problem: Any, traces: Any, session: Any) -> list[Score]:
                raise TimeoutError("of its own")

        for budget in (Budget(), Budget(seconds=9)):
            with pytest.raises(TimeoutError, match="of its own"):
                run(
                    go(
                        Timed(lambda _: Reply("42")),
                        "best_of_n",
                        knobs={"n": 1},
                        verifiers={"v": Impatient({})},
                        verifier="v",
                        budget=budget,
                    )
                )

    def test_a_resumed_run_has_the_time_that_it_had_left(self) -> None:
        async def main() -> None:
            journal = Journal(":memory:")
            name = journal.create({})
            loop = asyncio.get_running_loop()
            options: dict[str, Any] = {"journal": journal, "run": name, "budget": Budget(seconds=5)}
            model = Timed(by_order([Reply("a", 2.0), Reply("b", 9.0)]))
            runner = Runner(
                job(model, two_in_a_row, budget=Budget(seconds=5)), journal=journal, run=name
            )
            loop.call_at(3.0, runner.interrupt)
            assert (await runner.go()).receipt.total.seconds == 3.0
            result = await go(Timed(lambda _: Reply("c", 9.0)), two_in_a_row, **options)
            assert loop.time() == 3.0 + 2.0
            assert (result.answer, result.stopped_by) == ("a", "seconds")
            assert result.receipt.total.seconds == 5.0
            again = await go(Timed(lambda _: Reply("c", 9.0)), two_in_a_row, **options)
            assert loop.time() == 5.0
            assert (again.answer, again.stopped_by) == ("a", "seconds")
            journal.close()

        run(main())


async def two_in_a_row(s: Session, problem: Problem) -> Trace:
    first = await s.grow(START)
    s.propose(first)
    second = await s.grow(START)
    return max(first, second, key=lambda t: t.order)


def test_the_context_shortens_a_request_without_being_a_limit_of_the_budget() -> None:
    info = ModelInfo("small", EVERYTHING, Shape(1), context=30, local=True)
    model = Timed(lambda _: Reply("42", tokens=99), info=info)
    result = run(go(model, budget=Budget(tokens=500)))
    assert [r.max_tokens for _, r in model.asked] == [24, 17]  # the second forces an answer
    assert result.stopped_by == "done"


def test_a_prompt_of_unknown_size_is_shortened_by_what_it_has_at_the_least() -> None:
    info = ModelInfo("small", EVERYTHING, Shape(1), context=30, local=True)
    model = Timed(lambda _: Reply("42", tokens=9), slack=40, info=info)
    result = run(go(model, budget=Budget(tokens=500)))
    assert [r.max_tokens for _, r in model.asked] == [30]
    assert (result.answer, result.receipt.total.cost.tokens) == ("42", PROMPT_TOKENS + 9)


class TestCheck:
    """Before anything is spent."""

    def model(self, context: int = 0) -> Timed:
        return Timed(
            lambda _: Reply("42"), info=ModelInfo("m", EVERYTHING, Shape(12_345, 1), context)
        )

    @pytest.mark.parametrize(
        ("budget", "sentence"),
        [
            (Budget(tokens=21), "a budget of 21 tokens is too small: .* at least 22 tokens"),
            (Budget(usd=1e-12), "a budget of 1e-12 usd is too small: .* at least 2.3e-11 usd"),
            (Budget(flops=9), "a budget of 9 flops is too small: .* at least 5.5e.05 flops"),
        ],
    )
    def test_a_budget_too_small_for_one_sample_says_how_much_one_needs(
        self, budget: Budget, sentence: str
    ) -> None:
        small = job(self.model(), budget=budget, pricing=lambda p, _, c, *stored: p + c + 1)
        with pytest.raises(BudgetTooSmall, match=sentence) as error:
            small.check()
        assert str(error.value).endswith("(up to 6 prompt tokens and 16 more).")

    @given(
        st.sampled_from(["tokens", "usd", "flops"]),
        st.integers(1, 10**9),
        st.integers(1, 10**10),
        st.integers(1, 100),
    )
    def test_who_gives_as_much_as_one_needs_is_not_refused_again(
        self, limit: str, price: int, parameters: int, length: int
    ) -> None:
        model = Timed(lambda _: Reply(), info=ModelInfo("m", EVERYTHING, Shape(parameters)))
        asked: dict[str, Any] = {
            "pricing": lambda p, _, c, *stored: price * (p + c),
            "sampling": Sampling(length),
        }
        smallest: Any = 1e-12 if limit == "usd" else 1
        with pytest.raises(BudgetTooSmall) as error:
            job(model, budget=Budget(**{limit: smallest}), **asked).check()
        needs = float(str(error.value).split("at least ")[1].split()[0].replace(",", ""))
        enough: Any = int(needs) if limit == "tokens" else needs
        job(model, budget=Budget(**{limit: enough}), **asked).check()

    def test_a_short_sample_needs_no_more_than_its_own_length(self) -> None:
        job(self.model(), sampling=Sampling(3), budget=Budget(tokens=9)).check()
        with pytest.raises(BudgetTooSmall, match="at least 9 tokens"):
            job(self.model(), sampling=Sampling(3), budget=Budget(tokens=8)).check()

    def test_steps_need_no_more_than_an_answer_without_any(self) -> None:
        """'Therefore, the final answer is \\boxed{' are six words more."""
        job(self.model(), budget=Budget(tokens=28), steps=True).check()
        with pytest.raises(BudgetTooSmall, match=r"at least 28 tokens \(up to 12 prompt tokens"):
            job(self.model(), budget=Budget(tokens=27), steps=True).check()

    def test_a_question_longer_than_the_context_is_refused(self) -> None:
        job(self.model(context=22)).check()
        with pytest.raises(BudgetTooSmall, match=r"takes 6 tokens or more, .* m has 21, 16 of"):
            job(self.model(context=21)).check()

    def test_what_fits_is_run_and_is_not_refused(self) -> None:
        exact = job(self.model(), budget=Budget(tokens=22))
        exact.check()
        result = run(Runner(exact).go())
        assert (result.answer, result.stopped_by) == ("42", "done")

    def test_a_long_question_is_counted_in(self) -> None:
        long = Problem((Message("user", "word " * 1000),))
        with pytest.raises(BudgetTooSmall, match="at least 1,016 tokens"):
            job(self.model(), problem=long, budget=Budget(tokens=1000)).check()


def test_limit_reached_by_the_strategy_itself_is_a_result_not_a_failure() -> None:
    async def gives_up(s: Session, problem: Problem) -> Trace:
        raise LimitReached("usd")

    result = run(go(Scripted(["42}"]), gives_up))
    assert (result.answer, result.stopped_by) == ("42", "usd")  # made to answer all the same
    none = run(go(Scripted([ModelTimeout("lost")]), gives_up))
    assert (none.answer, none.trace, none.stopped_by) == (None, None, "usd")


def test_the_last_word_follows_the_question_alone_if_no_chain_can_be_afforded() -> None:
    async def gives_up(s: Session, problem: Problem) -> Trace:
        await s.grow(Trace.empty(problem), length=60)
        raise LimitReached("tokens")

    free = replace(PROBLEM, answer_type="text")  # for whose answer a chain keeps nothing
    model = Scripted(["so " * 59 + "on", "42}"])
    cue = len(boxed(PROBLEM).text.split())
    budget = Budget(tokens=PROMPT_TOKENS + 60 + PROMPT_TOKENS + cue + 16)
    result = run(go(model, gives_up, budget=budget, problem=free))
    assert (result.answer, result.stopped_by) == ("42", "tokens")
    assert [len(request.prefix.split()) for request in model.requests] == [0, cue]


@pytest.mark.parametrize("finish", ["length", "error"])
@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Six sevens: the answer is 4", None),
        ("The answer is 42. Six sevens are 4", "42"),
        ("The answer is 42, since", "42"),
        ("The answer is 3.1", None),
        ("It is \\boxed{42}, and 7 x 6 = 4", "42"),
    ],
)
def test_a_number_at_the_end_of_a_truncated_text_may_be_half_a_number(
    text: str, answer: str | None, finish: Finish
) -> None:
    result = ponder.solve(
        "How many is six times seven?",
        model=Scripted([Completion(text, finish, 10, 9)]),
        strategy="direct",
        journal=False,
    )
    assert result.answer == answer
    whole = Completion(text, "stop", 10, 9)
    assert ponder.solve(
        "How many?", model=Scripted([whole]), strategy="direct", journal=False
    ).answer


def test_any_other_error_on_purpose_is_raised_and_recorded_as_failed() -> None:
    async def fails(s: Session, problem: Problem) -> Trace:
        raise PonderError("on purpose")

    async def main() -> None:
        journal = Journal(":memory:")
        name = journal.create({})
        with pytest.raises(PonderError, match="on purpose"):
            await go(Timed(lambda _: Reply()), fails, journal=journal, run=name)
        assert journal.run(name).state == "failed"
        journal.close()

    run(main())
