"""Thinking within a run: an answer follows whatever the thinking takes, and no limit is passed."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ponder
from ponder.core.budget import Budget
from ponder.core.errors import BudgetTooSmall
from ponder.core.problem import Message
from ponder.core.sessions.run import ASK
from ponder.models.base import Capability, Completion, ModelInfo, Request, Shape
from ponder.models.fakes.scripted import EVERYTHING, Scripted
from ponder.models.fakes.simulated import Simulated
from ponder.runtime.journal import Journal
from ponder.runtime.runner import UNCOUNTED
from tests.support.jobs import go
from tests.support.virtual import run

NO_PREFILL: frozenset[Capability] = EVERYTHING - {"prefill"}
QUESTION = "How many is six times seven?"


def thinker(request: Request) -> str | Completion:
    """Think for the whole length, unless made to answer."""
    asked = request.messages[-1].content == ASK
    if asked or request.prefix:
        return "\\boxed{42}" if asked else "42}"
    return Completion(
        "", "length", 10, request.max_tokens, reasoning="six sevens", reasoning_tokens=50
    )


def solve(model: Any, **how: Any) -> ponder.Result:
    how = {"strategy": "direct", "knobs": {"length": 50}, **how}
    return asyncio.run(ponder.asolve(QUESTION, model=model, journal=False, **how))


def test_thinking_that_took_the_length_is_closed_and_the_answer_asked_for() -> None:
    model = Scripted(thinker)
    result = solve(model)
    assert result.answer == "42"
    _, second = model.requests
    assert second.prefix.startswith("<think>\nsix sevens\n</think>\n\n")
    assert second.prefix.endswith("\\boxed{")
    assert second.temperature == 0


def test_a_model_that_cannot_continue_is_asked_in_another_turn() -> None:
    model = Scripted(thinker, info=ModelInfo("hosted", NO_PREFILL, Shape(1), local=True))
    result = solve(model, knobs={"length": 50, "thinking": "low"})
    assert result.answer == "42"
    second = model.requests[1]
    assert second.prefix == ""
    assert [message.role for message in second.messages] == ["user", "assistant", "user"]
    assert second.messages[1].content == "six sevens"
    assert str(second.thinking) == "off"


@pytest.mark.parametrize("strategy", ["refine", "sequential_parallel", "ab_mcts", "mixture"])
def test_a_conversation_hands_each_attempts_record_on(strategy: str) -> None:
    said: dict[str, str] = {}

    def speak(request: Request) -> Completion:
        text = f"attempt {len(said)}: \\boxed{{{len(said) % 2}}}"
        said[text] = f"[{len(said)}]"
        return Completion(text, "stop", 1, 1, blocks=said[text])

    model = Scripted(speak)
    more = {"mixture": {"n": 2, "rounds": 2}, "refine": {"rounds": 3}}.get(strategy, {"n": 4})
    judge = {"verifier": "self_verify"} if strategy in ("refine", "ab_mcts") else {}
    solve(model, strategy=strategy, knobs={**more, "length": 50}, **judge)
    turns = [m for request in model.requests for m in request.messages if m.role == "assistant"]
    assert turns
    assert all(turn.blocks == said[turn.content] for turn in turns)


def test_the_turn_that_asks_for_the_answer_comes_after_the_record_of_the_thinking() -> None:
    def think(request: Request) -> str | Completion:
        done = thinker(request)
        return replace(done, blocks="[1]") if isinstance(done, Completion) else done

    model = Scripted(think, info=ModelInfo("hosted", NO_PREFILL, Shape(1), local=True))
    solve(model)
    assert model.requests[1].messages[1] == Message("assistant", "six sevens", "[1]")


@pytest.mark.parametrize(("waits", "record"), [(0, "[1]"), (1, "")])
def test_a_chain_that_was_continued_has_no_record_of_its_end_alone(waits: int, record: str) -> None:
    model = Scripted(lambda request: Completion("\\boxed{42}", "stop", 1, 1, blocks="[1]"))
    result = solve(model, strategy="budget_forcing", knobs={"waits": waits, "length": 50})
    assert result.trace
    assert result.trace.blocks == record


def test_every_chain_of_a_vote_has_its_say() -> None:
    model = Scripted(thinker)
    result = solve(
        model, strategy="self_consistency", knobs={"n": 3, "length": 50, "stop": "never"}
    )
    assert result.candidates[0].votes == 3
    assert result.receipt.total.reasoning_tokens == 150


def test_thinking_that_is_marked_in_the_text_is_no_text() -> None:
    model = Scripted(["<think>\nMaybe \\boxed{41}? No.\n</think>\n\nIt is \\boxed{42}."])
    result = solve(model)
    assert result.answer == "42"
    assert result.candidates[0].reasoning == "Maybe \\boxed{41}? No.\n"
    assert result.candidates[0].text == "It is \\boxed{42}."


@pytest.mark.parametrize("strategy", ["direct", "self_consistency", "best_of_n", "beam_search"])
@given(data=st.data())
def test_no_limit_is_passed_and_there_is_an_answer_whenever_the_budget_allows_one(
    strategy: str, data: st.DataObject
) -> None:
    draw = data.draw
    beside = draw(st.sampled_from([0, 0, 50, 300]))
    model = Simulated(
        thinking=draw(st.integers(1, 300)), beside=beside, length=draw(st.integers(1, 100))
    )
    tokens = draw(st.integers(20, 3_000))
    knobs: dict[str, Any] = {"length": draw(st.integers(1, 400))}
    knobs["thinking"] = draw(st.sampled_from(["low", "off", "auto", 40, 200]))
    budget, seed = Budget(tokens=tokens), draw(st.integers(0, 10_000))
    try:
        result = solve(model, strategy=strategy, knobs=knobs, budget=budget, seed=seed)
    except BudgetTooSmall:
        return
    assert result.receipt.total.cost.tokens <= tokens
    assert result.stopped_by != "overcharged"
    if knobs["thinking"] != "off" and tokens >= 4 * (100 + knobs["length"] + beside) + 400:
        assert result.answer is not None


def test_what_is_kept_for_an_answer_has_room_for_thinking_beside_it() -> None:
    result = solve(
        Simulated(thinking=210, beside=300, length=78),
        strategy="beam_search",
        knobs={"length": 9, "thinking": "auto"},
        budget=Budget(tokens=2845),
        seed=1476495465,
    )
    assert result.answer is not None
    assert result.receipt.total.cost.tokens <= 2845


def test_a_budget_without_room_for_thinking_buys_an_answer_without() -> None:
    able: frozenset[Capability] = NO_PREFILL | {"native_thinking"}
    model = Scripted(["42"], info=ModelInfo("hosted", able, Shape(1), local=True))
    knobs = {"length": 200, "thinking": "low"}
    result = solve(model, knobs=knobs, budget=Budget(tokens=400))
    assert (result.answer, result.stopped_by) == ("42", "tokens")
    [request] = model.requests
    assert (request.prefix, str(request.thinking)) == ("", "off")
    assert [message.role for message in request.messages] == ["user"]


@pytest.mark.parametrize(
    ("reported", "thinking", "estimated"), [(7, 7, 0), (0, 5, 5)], ids=["reported", "unreported"]
)
def test_a_receipt_says_what_is_estimated_and_a_resumed_run_the_same(
    tmp_path: Path, reported: int, thinking: int, estimated: int
) -> None:
    # 10 of 20 characters, 9 tokens: 4.5, rounded up
    reply = Completion(
        "\\boxed{42}", "stop", 10, 9, reasoning="six sevens", reasoning_tokens=reported
    )
    journal = Journal(tmp_path / "runs.sqlite")
    name = journal.create({})
    first = run(go(Scripted([reply]), journal=journal, run=name))
    again = run(go(Scripted([]), journal=journal, run=name))
    journal.close()
    total = first.receipt.total
    assert (total.reasoning_tokens, total.estimated_tokens) == (thinking, estimated)
    assert total.cost.tokens == 10 + 9
    assert again.receipt == first.receipt


@pytest.mark.parametrize(("tokens", "said"), [(74, 0), (75, 1)])
def test_thinking_that_is_neither_shown_nor_counted_is_said(tokens: int, said: int) -> None:
    reply = Completion("\\boxed{42}", "stop", 10, tokens)  # ten bytes, and what marks may take
    result = solve(Scripted(lambda request: reply), knobs={"length": 100})
    assert result.receipt.notes.count(UNCOUNTED) == said
    assert result.receipt.total.reasoning_tokens == 0
