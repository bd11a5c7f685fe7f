"""An effort's thinking: granted to a model that thinks by itself, and without effect elsewhere."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from ponder.core.budget import Budget
from ponder.core.errors import UsageError
from ponder.core.problem import Message
from ponder.core.thinking import Thinking
from ponder.core.worth import Worth
from ponder.models.base import Capability, ModelInfo
from ponder.models.thinking import TOKENS
from ponder.planning.presets import LADDER, PRESETS, THINKING
from ponder.planning.spec import Spec
from ponder.planning.thinkers import shipped
from ponder.planning.wishes import spec

ABLE: frozenset[Capability] = frozenset({"native_thinking"})
THINKER, PLAIN = ModelInfo("thinker", ABLE), ModelInfo("plain", frozenset())


def asked(**how: Any) -> Spec:
    return spec("What is 6 x 7?", model="m", **how)


@pytest.mark.parametrize("effort", PRESETS)
def test_a_model_that_thinks_gets_the_efforts_thinking_and_the_room_for_it(effort: str) -> None:
    before = asked(effort=effort)
    spec = before.settled(THINKER)
    level, vote = THINKING[effort], shipped().votes.get(effort)
    if effort == "auto":
        assert (spec.strategy, spec.knobs["levels"]) == ("auto", LADDER)
        assert spec.sampling.thinking is None  # each rung has its own
    else:
        assert spec.sampling.thinking == Thinking(level)
        assert spec.strategy == ("self_consistency" if vote else "direct")
        assert (vote or {}).items() <= spec.knobs.items()
    assert spec.sampling.length == before.sampling.length + TOKENS[level]
    assert before.budget.tokens is not None
    grown = before.budget.tokens * spec.sampling.length // before.sampling.length
    assert spec.budget == dataclasses.replace(before.budget, tokens=grown)


@pytest.mark.parametrize("effort", PRESETS)
def test_any_other_model_is_asked_as_before(effort: str) -> None:
    before = asked(effort=effort)
    assert before.settled(PLAIN) == before
    assert before.sampling.thinking is None


def test_the_efforts_think_more_and_more() -> None:
    tokens = [TOKENS[THINKING[effort]] for effort in PRESETS if effort != "auto"]
    assert tokens == sorted(set(tokens))
    assert THINKING.keys() == PRESETS.keys()


def test_a_strategy_or_a_number_of_samples_by_hand_is_kept() -> None:
    for how in ({"strategy": "best_of_n"}, {"knobs": {"n": 3}}):
        before = asked(effort="high", **how)
        settled = before.settled(THINKER)
        assert (settled.strategy, settled.knobs) == (before.strategy, before.knobs)
        assert settled.sampling.thinking == Thinking("high")


def test_thinking_by_hand_is_taken_as_it_is() -> None:
    before = asked(knobs={"thinking": "800"})
    assert before.settled(THINKER) == before
    assert before.sampling.thinking == Thinking(tokens=800)


def test_a_length_or_a_budget_by_hand_is_kept() -> None:
    by_length = asked(knobs={"length": 500}).settled(THINKER)
    assert (by_length.sampling.length, by_length.budget.tokens) == (500, None)
    by_budget = asked(budget=Budget(tokens=5_000)).settled(THINKER)
    assert by_budget.budget.tokens == 5_000


def test_what_is_settled_is_journaled_and_read_again() -> None:
    settled = asked(effort="high").settled(THINKER)
    assert Spec.from_json(settled.to_json()) == settled
    assert "wish" not in asked().to_json()


def test_a_worth_makes_a_vote_stop_by_its_value() -> None:
    found = asked(worth="0.05")
    assert (found.worth, found.knobs["stop"]) == (Worth(0.05), "value")
    assert Spec.from_json(found.to_json()) == found
    assert asked(effort="auto", worth=100).worth == Worth(100)


@pytest.mark.parametrize(
    "how", [{"strategy": "best_of_n"}, {"effort": "minimal"}, {"knobs": {"stop": "exact"}}]
)
def test_a_worth_that_nothing_weighs_is_refused(how: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="does not ask what a right answer is worth"):
        asked(worth=0.05, **how)


def test_records_of_turns_are_journaled_and_read_again() -> None:
    turns = (Message("user", "?"), Message("assistant", "42", "[1]"), Message("user", "Sure?"))
    before = spec(turns, model="m")
    told = json.loads(json.dumps(before.to_json()))
    assert told["problem"]["messages"] == [
        {"role": "user", "content": "?"},
        {"role": "assistant", "content": "42", "blocks": "[1]"},
        {"role": "user", "content": "Sure?"},
    ]
    assert Spec.from_json(told) == before


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({}, True),
        ({"answer_type": "math"}, True),
        ({"answer_type": "text"}, False),
        ({"model": "another"}, False),
        ({"effort": "high"}, False),
        ({"strategy": "auto"}, False),
        ({"knobs": {"ways": "direct"}}, False),
        ({"knobs": {"escalate": "large"}}, False),
        ({"knobs": {"n": 4}}, True),
    ],
)
def test_auto_may_compute_what_is_a_number_with_a_model_that_was_measured(
    how: dict[str, Any], expected: bool
) -> None:
    usual = {"model": "qwen2.5-coder-0.5b", "effort": "auto", "answer_type": "number"}
    found = spec("What is 6 x 7?", **(usual | how))
    assert found.may_compute is expected
    assert not found.settled(THINKER).may_compute
    assert found.computing().knobs["ways"] == "direct, program"
    assert "may_compute" not in found.to_json()
