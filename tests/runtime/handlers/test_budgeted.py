"""Reserved before, booked after: the handler alone, around an inner one that does as it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from ponder.core.answer import Answer
from ponder.core.budget import Budget
from ponder.core.costs.ledger import Item, Ledger
from ponder.core.errors import LimitReached, ModelTimeout
from ponder.core.record.effects import (
    Call,
    Effect,
    Generate,
    Handler,
    Result,
    Sampling,
    Steer,
    Verify,
)
from ponder.core.trace import Delta, Score, Trace
from ponder.models.fakes.scripted import Scripted
from ponder.runtime.handlers.admission import Admission
from ponder.runtime.handlers.budgeted import LEAST, budgeted
from ponder.runtime.handlers.meter import Meter
from tests.support.jobs import PROBLEM, PROMPT_TOKENS
from tests.support.virtual import run

EMPTY = Trace.empty(PROBLEM)
LENGTH = 40


def sample(length: int = LENGTH, start: Trace = EMPTY) -> Generate:
    return Generate(start, Sampling(length), seed=0)


def ended(tokens: int, finish: Any = "stop") -> Trace:
    return Trace(PROBLEM, "x", tokens, finish, Answer("42", "42") if finish == "stop" else None)


class World:
    """A budget, what was booked, and an ``inner`` handler that has been asked for ``effects``."""

    def __init__(
        self,
        inner: Callable[[Call], Awaitable[Result]],
        *,
        seconds: float | None = None,
        tokens: int | None = None,
        **how: bool,
    ) -> None:
        self.effects: list[Effect] = []
        self.ledger = Ledger(asyncio.get_running_loop().time)
        self.admission = Admission(Budget(tokens=tokens), self.ledger)
        deadline = None if seconds is None else asyncio.get_running_loop().time() + seconds

        async def noted(call: Call) -> Result:
            self.effects.append(call.effect)
            return await inner(call)

        meters = {"": Meter(Scripted(lambda request: ""))}
        self.handle: Handler = budgeted(noted, self.admission, self.ledger, meters, deadline, **how)


async def generous(call: Call) -> Result:
    """As many tokens as it may have."""
    assert isinstance(call.effect, Generate)
    length = call.effect.sampling.length
    call.progress(Delta("", "", length, PROMPT_TOKENS))
    return ended(call.effect.start.tokens + length, "length")


def test_a_sample_is_booked_as_what_it_was() -> None:
    async def inner(call: Call) -> Result:
        call.progress(Delta("", "", 5, PROMPT_TOKENS))
        call.cached_tokens, call.wasted_tokens = 4, 3
        return ended(5)

    async def go() -> None:
        world, call = World(inner), Call("0", sample())
        assert await world.handle(call) == ended(5)
        assert call.spent is not None
        assert call.spent == Item(
            "generate",
            "scripted",
            1,
            0,
            PROMPT_TOKENS,
            4,
            5,
            3,
            0,
            call.spent.flops,
            0.0,
        )
        assert world.ledger.spent.tokens == PROMPT_TOKENS + 5 + 3

    run(go())


def test_tokens_that_a_chain_had_before_are_not_booked_again() -> None:
    async def go() -> None:
        world, call = World(generous), Call("0", sample(8, ended(20)))
        await world.handle(call)
        assert call.spent is not None
        assert call.spent.completion_tokens == 8

    run(go())


def test_a_sample_that_does_not_fit_is_shortened_and_the_next_is_refused() -> None:
    async def go() -> None:
        world = World(generous, tokens=PROMPT_TOKENS + LEAST + 4)
        await world.handle(Call("0", sample()))
        assert world.effects == [sample(LEAST + 4)]
        assert world.admission.fired == "tokens"
        with pytest.raises(LimitReached):
            await world.handle(Call("1", sample()))
        assert len(world.effects) == 1
        assert world.ledger.spent.tokens == PROMPT_TOKENS + LEAST + 4

    run(go())


@pytest.mark.parametrize(("tokens", "whole"), [(PROMPT_TOKENS + LEAST - 1, False), (45, True)])
def test_a_sample_too_short_to_say_anything_or_not_whole_is_never_sent(
    tokens: int, whole: bool
) -> None:
    async def go() -> None:
        world = World(generous, tokens=tokens, exact_length=whole)
        with pytest.raises(LimitReached):
            await world.handle(Call("0", sample()))
        assert world.effects == []
        assert world.ledger.spent.tokens == 0

    run(go())


def test_what_a_failed_sample_cost_is_wasted() -> None:
    async def inner(call: Call) -> Result:
        raise ModelTimeout("too slow", prompt_tokens=PROMPT_TOKENS, completion_tokens=7)

    async def go() -> None:
        world, call = World(inner, tokens=100), Call("0", sample())
        with pytest.raises(ModelTimeout):
            await world.handle(call)
        assert call.spent is not None
        assert (call.spent.calls, call.spent.failed) == (1, 1)
        assert (call.spent.completion_tokens, call.spent.wasted_tokens) == (0, 7)
        assert world.ledger.spent.tokens == PROMPT_TOKENS + 7

    run(go())


def test_a_cancelled_sample_is_booked_as_far_as_it_came() -> None:
    async def inner(call: Call) -> Result:
        call.progress(Delta("", "", 3, PROMPT_TOKENS))
        await asyncio.sleep(10)
        raise AssertionError("it was cancelled")

    async def go() -> None:
        world, call = World(inner), Call("0", sample())
        task = asyncio.ensure_future(world.handle(call))
        await asyncio.sleep(4)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert call.spent is not None
        assert (call.spent.prompt_tokens, call.spent.wasted_tokens) == (PROMPT_TOKENS, 3)
        assert call.spent.seconds == 4.0

    run(go())


@pytest.mark.parametrize("effect", [sample(), Verify((ended(5),), "v")], ids=["sample", "verify"])
def test_the_deadline_ends_what_is_under_way_and_lets_nothing_begin(effect: Effect) -> None:
    async def inner(call: Call) -> Result:
        await asyncio.sleep(10)
        raise AssertionError("it was too late")

    async def go() -> None:
        world = World(inner, seconds=3)
        for _ in range(2):
            with pytest.raises(LimitReached) as reached:
                await world.handle(Call("0", effect))
            assert reached.value.limit == "seconds"
            assert asyncio.get_running_loop().time() == 3.0
        assert len(world.effects) == 1
        assert world.admission.fired == "seconds"

    run(go())


def test_a_timeout_that_is_not_the_deadline_s_is_passed_on() -> None:
    async def inner(call: Call) -> Result:
        raise TimeoutError("of a verifier's own")

    async def go() -> None:
        world = World(inner, seconds=3)
        with pytest.raises(TimeoutError, match="of a verifier's own"):
            await world.handle(Call("0", Verify((ended(5),), "v")))
        assert world.admission.fired is None

    run(go())


def test_steering_and_scores_cost_nothing_and_steering_has_no_deadline() -> None:
    scores = (Score(0.5, "v"),)

    async def inner(call: Call) -> Result:
        return () if isinstance(call.effect, Steer) else scores

    async def go() -> None:
        world = World(inner, tokens=1, seconds=3)
        assert await world.handle(Call("0", Verify((ended(5),), "v"))) == scores
        await asyncio.sleep(5)
        assert await world.handle(Call("1", Steer((ended(5),)))) == ()
        assert world.ledger.spent.tokens == 0

    run(go())
