"""Which plan a request gets."""

from __future__ import annotations

from typing import Any

import pytest

from ponder.core.budget import Budget
from ponder.core.errors import CapabilityError
from ponder.core.problem import Message, offered
from ponder.core.thinking import Thinking
from ponder.core.tools import Tool, Toolset
from ponder.models.base import ModelInfo
from ponder.models.fakes.scripted import EVERYTHING
from ponder.models.thinking import TOKENS
from ponder.planning.presets import THINKING
from ponder.server.asking.asked import LENGTH, Asked, Planned, lowered, plan, shared
from ponder.server.errors import ApiError
from ponder.server.settings import Settings

THINKS = ModelInfo("m", EVERYTHING)
PLAIN = ModelInfo("m", EVERYTHING - {"native_thinking"})
HELLO, NUMBER = "hello", "How many is six times seven?"


def planned(
    text: str, info: ModelInfo = PLAIN, settings: Settings | None = None, **more: Any
) -> Planned:
    asked = Asked((Message("user", text),), "m", **more)
    return plan(asked, info, settings or Settings(), ("m",))


@pytest.mark.parametrize(
    ("text", "more", "strategy", "plain"),
    [
        (HELLO, {}, "direct", True),
        (HELLO, {"effort": "none"}, "direct", True),
        (HELLO, {"effort": "low"}, "self_consistency", False),
        (HELLO, {"effort": "auto"}, "auto", False),
        (HELLO, {"answer_type": "text"}, "self_consistency", False),
        (HELLO, {"strategy": "best_of_n"}, "best_of_n", False),
        (HELLO, {"schema": '{"type": "object"}'}, "self_consistency", False),
        (HELLO, {"effort": "none", "answer_type": "json"}, "direct", False),
        (NUMBER, {}, "self_consistency", False),
        (NUMBER, {"effort": "minimal"}, "direct", True),
        ("Which one?\nA) this\nB) that", {}, "self_consistency", False),
        ("Write a function that adds.", {}, "self_consistency", False),
        ("In 1987, there were 4 <b>winners</b> of $5.", {}, "direct", True),
    ],
)
def test_the_strategy(text: str, more: dict[str, Any], strategy: str, plain: bool) -> None:
    found = planned(text, **more)
    assert (found.spec.strategy, found.plain) == (strategy, plain)
    assert bool(found.spec.problem.instruction) is not plain
    assert found.spec.settled(PLAIN).strategy == strategy


def test_a_chat_leaves_thinking_to_the_model_unless_an_effort_is_named() -> None:
    chat = planned(HELLO, THINKS).spec.settled(THINKS)
    assert (chat.strategy, chat.sampling.thinking) == ("direct", None)
    assert chat.sampling.length == LENGTH + TOKENS["medium"]
    hard = planned(HELLO, THINKS, effort="high")
    settled = hard.spec.settled(THINKS)
    assert (hard.plain, settled.strategy) == (True, "direct")
    assert settled.sampling.thinking == Thinking("high")
    assert settled.sampling.length == LENGTH + TOKENS["high"]


TOOLS = Toolset((Tool("get_weather"),))


@pytest.mark.parametrize(
    ("text", "more", "strategy", "plain"),
    [
        (HELLO, {}, "direct", True),
        (NUMBER, {}, "direct", True),
        (NUMBER, {"effort": "minimal"}, "direct", True),
        (HELLO, {"effort": "low"}, "self_consistency", False),
        (NUMBER, {"strategy": "best_of_n"}, "best_of_n", False),
        (HELLO, {"answer_type": "json"}, "direct", True),
    ],
)
def test_a_step_with_tools_is_searched_if_that_is_asked_for(
    text: str, more: dict[str, Any], strategy: str, plain: bool
) -> None:
    found = planned(text, tools=TOOLS, **more)
    assert (found.spec.strategy, found.plain) == (strategy, plain)
    assert bool(found.spec.problem.instruction) is (more.get("answer_type") == "json")
    assert offered(found.spec.problem.shown) == TOOLS
    assert (found.spec.sampling.length, found.spec.budget.tokens) == (LENGTH, None)


def test_a_step_of_a_model_that_thinks_has_room_for_its_thinking() -> None:
    for effort in ("high", "max"):
        settled = planned(NUMBER, THINKS, tools=TOOLS, effort=effort).spec.settled(THINKS)
        assert settled.sampling.length == LENGTH + TOKENS[THINKING[effort]]
        assert settled.budget.tokens is None


@pytest.mark.parametrize("info", [PLAIN, THINKS])
def test_no_limit_is_raised(info: ModelInfo) -> None:
    settings = Settings(ceiling=Budget(tokens=1000, usd=2.0))
    more = {"effort": "high", "budget": Budget(tokens=10**6, usd=1.0, seconds=9.0)}
    found = planned(NUMBER, info, settings, **more).spec.settled(info)
    assert found.budget == Budget(tokens=1000, usd=1.0, seconds=9.0)


def test_the_lowest_limit_of_each_unit_and_the_part_of_each_run() -> None:
    assert lowered(Budget(tokens=5), Budget(usd=1.0), Budget(tokens=3)) == Budget(tokens=3, usd=1.0)
    assert shared(Budget(tokens=10, usd=1.0, seconds=4.0), 4) == Budget(2, 0.25, None, 4.0)


def test_stop_needs_a_model_and_a_strategy_that_take_it() -> None:
    with pytest.raises(CapabilityError, match="takes none"):
        planned(HELLO, ModelInfo("m", frozenset()), stop=("x",))
    with pytest.raises(ApiError, match="exclude each other"):
        planned(NUMBER, stop=("x",), strategy="beam_search")


def test_a_script_that_the_server_trusts_may_be_named() -> None:
    name = "script(/srv/check.py, score)"
    with pytest.raises(ApiError, match="does not offer"):
        planned(NUMBER, strategy="best_of_n", verifier=name)
