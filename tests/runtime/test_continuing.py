"""A chat that ends with a reply which has begun."""

from __future__ import annotations

import pytest

from ponder.api import asolve
from ponder.core.errors import CapabilityError
from ponder.core.problem import Message, Problem
from ponder.models.base import Completion, ModelInfo
from ponder.models.fakes.scripted import EVERYTHING, Scripted
from ponder.runtime.continuing import Continuing

BEGUN = (Message("user", "Count to four."), Message("assistant", "one two"))


async def test_the_model_goes_on_with_the_reply_and_is_not_shown_it_as_a_turn() -> None:
    model = Scripted([Completion(" three four", "stop", 5, 2, blocks="{}")])
    result = await asolve(Problem(BEGUN), model=model, strategy="direct", journal=False)
    [asked] = model.requests
    assert (asked.messages, asked.prefix) == (BEGUN[:1], "one two")
    assert result.trace is not None
    assert (result.trace.text, result.trace.blocks) == (" three four", "")


async def test_its_bounds_are_those_of_the_prompt_that_is_sent() -> None:
    model = Continuing(Scripted([]))
    for bound in (model.prompt_bound, model.prompt_least):
        assert bound(BEGUN, " three") == 3 + 3
        assert bound(BEGUN[:1], "") == 3
    assert await model.count("a") is None


async def test_a_model_that_cannot_go_on_is_not_asked() -> None:
    model = Scripted([], info=ModelInfo("m", EVERYTHING - {"prefill"}))
    with pytest.raises(CapabilityError, match="cannot go on with a reply"):
        await asolve(Problem(BEGUN), model=model, strategy="direct", journal=False)
    assert not model.requests
