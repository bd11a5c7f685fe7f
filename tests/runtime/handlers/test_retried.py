"""Once more for what was lost after it was paid for; never for what was free, nor a third time."""

from __future__ import annotations

import pytest

from ponder.core.costs.ledger import Item
from ponder.core.errors import (
    LimitReached,
    MalformedReply,
    ModelError,
    ModelTimeout,
    ModelUnreachable,
    PonderError,
    RequestRefused,
)
from ponder.core.record.effects import Call, Generate, Result, Sampling
from ponder.core.trace import Trace
from ponder.runtime.handlers.retried import retried
from tests.support.jobs import PROBLEM

EFFECT = Generate(Trace.empty(PROBLEM), Sampling(8), seed=3)
DONE = Trace(PROBLEM, "42", 2, "stop", id="0")


class Inner:
    """Ends one attempt after the other as it is told, and books each as so many wasted tokens."""

    def __init__(self, *ends: PonderError | Trace) -> None:
        self.ends = list(ends)
        self.effects: list[object] = []

    async def __call__(self, call: Call) -> Result:
        self.effects.append(call.effect)
        assert (call.prompt_tokens, call.completion_tokens, call.spent) == (0, 0, None)
        end = self.ends.pop(0)
        call.effect = Generate(EFFECT.start, Sampling(1), seed=9)  # as a budget shortens it
        call.prompt_tokens, call.completion_tokens = 6, 2
        call.spent = Item("generate", "m", 1, int(isinstance(end, Exception)), 6)
        if isinstance(end, Exception):
            raise end
        return end


def lost(kind: type[ModelError]) -> ModelError:
    return kind("lost", prompt_tokens=6, completion_tokens=2)


@pytest.mark.parametrize("kind", [ModelUnreachable, MalformedReply])
async def test_what_was_lost_after_it_was_paid_for_is_asked_once_more(
    kind: type[ModelError],
) -> None:
    inner, call = Inner(lost(kind), DONE), Call("0", EFFECT)
    assert await retried(inner)(call) is DONE
    assert inner.effects == [EFFECT, EFFECT]  # as it was asked, not as it was shortened
    assert call.spent == Item("generate", "m", 2, 1, 12)


async def test_there_is_no_third_attempt_and_both_are_booked() -> None:
    inner, call = Inner(lost(ModelUnreachable), lost(MalformedReply)), Call("0", EFFECT)
    with pytest.raises(MalformedReply):
        await retried(inner)(call)
    assert len(inner.effects) == 2
    assert call.spent == Item("generate", "m", 2, 2, 12)


@pytest.mark.parametrize(
    "end",
    [
        ModelUnreachable("refused: nothing was paid"),
        lost(ModelTimeout),
        lost(RequestRefused),
        LimitReached("tokens"),
    ],
    ids=str,
)
async def test_anything_else_ends_the_call(end: PonderError) -> None:
    inner, call = Inner(end), Call("0", EFFECT)
    with pytest.raises(type(end)) as raised:
        await retried(inner)(call)
    assert raised.value is end
    assert len(inner.effects) == 1


async def test_a_second_attempt_that_the_budget_refuses_leaves_the_first_booked() -> None:
    call = Call("0", EFFECT)
    attempts = 0

    async def inner(call: Call) -> Result:
        nonlocal attempts
        attempts += 1
        if attempts == 2:
            raise LimitReached("tokens")  # before anything was sent, so nothing is booked
        call.spent = Item("generate", "m", 1, 1, 6)
        raise lost(ModelUnreachable)

    with pytest.raises(LimitReached):
        await retried(inner)(call)
    assert call.spent == Item("generate", "m", 1, 1, 6)
