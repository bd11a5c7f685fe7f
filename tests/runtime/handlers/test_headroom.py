"""An answer within every budget: what is kept for it, and chains that are made to answer."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ponder
from ponder.core.budget import Budget
from ponder.core.errors import BudgetTooSmall, RequestRefused
from ponder.core.problem import Message, Problem
from ponder.core.record.effects import Sampling
from ponder.core.thinking import Thinking
from ponder.models.base import Completion, ModelInfo, Priced, Request, Shape
from ponder.models.fakes.scripted import EVERYTHING, Scripted
from ponder.models.fakes.simulated import Simulated
from ponder.runtime.journal import Journal
from ponder.runtime.result import Result
from ponder.strategies.registry import STRATEGIES
from tests.support.jobs import PLAIN, PROMPT_TOKENS, Timed, go
from tests.support.jobs import Reply as Slow
from tests.support.virtual import run

QUESTION = "How many is six times seven?"
PROMPT = 17
"""Tokens of the question with its instruction, for the simulated model."""
CUE = len("\n\nTherefore, the final answer is \\boxed{")
FORCED = CUE + 48
"""Most tokens of forcing an answer, beside the prompt and the chain."""
TALKER = ModelInfo("talker", EVERYTHING - {"native_thinking"}, Shape(1), local=True)


def endless(request: Request) -> str:
    """Talk without end, unless made to answer: then by the number of words before."""
    if request.prefix.endswith("boxed{"):
        return f"{request.prefix.count('word')}}}"
    return "word " * 1000


def solve(model: Any, strategy: str = "direct", **how: Any) -> Result:
    return run(go(model, strategy, **how))


@pytest.mark.parametrize("strategy", [name for name in STRATEGIES if name != "program"])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_no_limit_is_passed_and_a_budget_of_prompt_and_forced_answer_buys_an_answer(
    strategy: str, data: st.DataObject
) -> None:
    tokens = data.draw(st.integers(20, 1500))
    model = Simulated(length=data.draw(st.integers(1, 200)))
    asked: dict[str, Any] = {"length": data.draw(st.integers(1, 400))}
    seed, budget = data.draw(st.integers(0, 10_000)), Budget(tokens=tokens)
    try:
        result = asyncio.run(
            ponder.asolve(QUESTION, model=model, strategy=strategy, knobs=asked, seed=seed,
                          budget=budget, journal=False)
        )  # fmt: skip
    except BudgetTooSmall:
        assert tokens < PROMPT + FORCED
        return
    assert result.receipt.total.cost.tokens <= tokens
    assert result.answer is not None or tokens < PROMPT + FORCED


def test_eight_chains_within_a_small_budget_end_with_an_answer() -> None:
    """Of 150 tokens one chain gets what leaves room for its own answer; there is no second one."""
    model = Scripted(endless, info=TALKER)
    result = solve(model, "self_consistency", knobs={"n": 8}, budget=Budget(tokens=150))
    length = (150 - 2 * PROMPT_TOKENS - FORCED) // 2
    assert [r.max_tokens for r in model.requests] == [length, 48]
    assert (result.answer, result.stopped_by) == (f"{length}", "tokens")


def test_a_chain_that_was_truncated_is_made_to_answer_before_another_is_begun() -> None:
    """Two fit with their answers. A third gets half of what they leave, and its answer the rest."""
    model = Scripted(endless, info=TALKER)
    one = PROMPT_TOKENS + 100
    tokens = 2 * (2 * one + FORCED) + 20
    left = tokens - 2 * (2 * one + 6 + 1)  # the cue has six words, the answer one
    third = (left - 2 * PROMPT_TOKENS - FORCED) // 2
    knobs = {"n": 4, "stop": "never"}
    result = solve(model, "self_consistency", knobs=knobs, budget=Budget(tokens=tokens))
    assert [r.max_tokens for r in model.requests] == [100, 100, 48, 48, third, 48]
    assert [(c.answer, c.votes) for c in result.candidates] == [("100", 2), (f"{third}", 1)]


def test_every_truncated_chain_of_a_vote_has_its_say() -> None:
    model = Scripted(endless, info=TALKER)
    knobs = {"n": 3, "stop": "never"}
    result = solve(model, "self_consistency", knobs=knobs, sampling=Sampling(10))
    assert [(c.answer, c.votes) for c in result.candidates] == [("10", 3)]
    assert [r.temperature for r in model.requests] == [0.8, 0.8, 0.8, 0.0, 0.0, 0.0]


def test_a_chain_and_its_forced_answer_are_one_row_and_both_are_booked() -> None:
    async def main() -> None:
        journal = Journal(":memory:")
        name = journal.create({})
        model = Scripted(endless, info=TALKER)
        result = await go(model, sampling=Sampling(10), journal=journal, run=name)
        [row] = journal.calls(name)
        assert row.spent is not None
        assert result.trace is not None
        assert (row.path, result.trace.id, result.trace.parent) == ("0.0.0", "0.0.0", "")
        cue = len(["Therefore,", "the", "final", "answer", "is", "\\boxed{"])
        assert row.spent.calls == 2
        assert row.spent.prompt_tokens == PROMPT_TOKENS + (PROMPT_TOKENS + 10 + cue)
        assert row.spent.completion_tokens == result.trace.tokens == 10 + 1
        assert result.receipt.total == replace(row.spent, role="total", model="")
        again = await go(Scripted([]), sampling=Sampling(10), journal=journal, run=name)
        assert (again.answer, again.stopped_by) == ("10", "done")
        journal.close()

    run(main())


def test_a_free_reply_that_is_truncated_stays_as_it_is() -> None:
    model = Scripted(endless, info=TALKER)
    free = Problem((Message("user", "Tell me a story."),), "text")
    result = solve(model, problem=free, sampling=Sampling(10))
    assert len(model.requests) == 1
    assert result.trace is not None
    assert result.trace.text == " ".join(["word"] * 10)


def test_where_the_seconds_end_while_an_answer_is_forced_the_chain_is_kept() -> None:
    def reply(request: Request) -> Slow:
        return Slow(None, seconds=9.0 if request.prefix else 1.0, tokens=11)

    model = Timed(reply, info=TALKER)
    result = solve(model, sampling=Sampling(10), budget=Budget(seconds=4))
    assert [at for at, _ in model.asked] == [0.0, 1.0]
    assert (result.answer, result.stopped_by) == (None, "seconds")
    assert result.trace is not None
    assert result.trace.tokens == 10
    assert result.receipt.total.calls == 2


def test_it_has_its_weight_of_confidence_too() -> None:
    result = solve(
        Scripted(endless, info=TALKER),
        "self_consistency",
        knobs={"n": 3, "stop": "never", "weight": "confidence"},
        sampling=Sampling(10, logprobs=True),
    )
    assert result.trace is not None
    assert result.trace.logprobs is not None
    assert len(result.trace.logprobs) == 11


@pytest.mark.parametrize("strategy", ["direct", "best_of_n", "sequential_parallel", "mixture"])
def test_a_model_that_cannot_continue_is_asked_for_nothing(strategy: str) -> None:
    model = Scripted(endless, info=PLAIN)
    result = solve(
        model, strategy, sampling=Sampling(10), knobs={} if strategy == "direct" else {"n": 2}
    )
    assert result.answer is None
    assert not any(r.prefix for r in model.requests)


def test_a_model_answers_for_its_own_chains() -> None:
    """In a mixture each model is made to answer where it can be."""
    own, other = Scripted(endless, info=TALKER), Scripted(endless, info=PLAIN)
    knobs = {"n": 1, "models": "other"}
    result = solve(
        own, "mixture", knobs=knobs, others={"other": Priced(other)}, sampling=Sampling(10)
    )
    assert result.answer == "10"
    assert [len(own.requests), len(other.requests)] == [2, 1]


def test_a_forced_answer_that_is_refused_is_no_lost_sample() -> None:
    """The context is full: the chain stays as it is, and there is nothing to ask for again."""

    def full(request: Request) -> Any:
        return RequestRefused("the context is full") if request.prefix else "word " * 1000

    result = solve(Scripted(full), "self_consistency", knobs={"n": 2}, sampling=Sampling(10))
    assert (result.answer, result.lost, result.silent) == (None, "", 2)


def test_where_none_could_ever_be_forced_nothing_is_kept() -> None:
    model = Scripted(lambda r: "so \\boxed{42}")
    result = solve(model, budget=Budget(tokens=PROMPT_TOKENS + FORCED - 1))
    assert (result.answer, result.stopped_by) == ("42", "done")
    assert model.requests[0].max_tokens == FORCED - 1


def test_what_a_chain_needs_for_no_answer_is_given_back() -> None:
    first = iter(["so \\boxed{42}"])
    model = Scripted(lambda r: next(first, "word " * 1000) if not r.prefix else "7}", info=TALKER)
    unit = 2 * (PROMPT_TOKENS + 100) + FORCED
    budget = Budget(tokens=unit + PROMPT_TOKENS + 2)
    solve(model, "self_consistency", knobs={"n": 2, "stop": "never"}, budget=budget)
    assert [r.max_tokens for r in model.requests] == [100, 100, 48]


def test_dollars_are_kept_too() -> None:
    """A picodollar for each token; so the same lengths as for tokens."""
    model = Scripted(endless, info=TALKER)

    def price(prompt: int, cached: int, completion: int, stored: int, hour: int) -> int:
        return prompt + completion

    result = solve(
        model, "self_consistency", knobs={"n": 8}, budget=Budget(usd=150e-12), pricing=price
    )
    assert model.requests[0].max_tokens == (150 - 2 * PROMPT_TOKENS - FORCED) // 2
    assert (result.answer is not None, result.stopped_by) == (True, "usd")


@pytest.mark.parametrize("tokens", range(140, 700, 40))
def test_a_vote_of_truncated_chains_is_resumed_to_the_same_end(tokens: int) -> None:
    """Whatever was recorded before it was killed: a chain that was refused is refused again."""

    async def main() -> None:
        journal = Journal(":memory:")
        how: dict[str, Any] = {
            "knobs": {"n": 6, "stop": "never"},
            "budget": Budget(tokens=tokens),
            "sampling": Sampling(60),
        }
        name = journal.create({})
        whole = await go(
            Scripted(endless, info=TALKER), "self_consistency", journal=journal, run=name, **how
        )
        rows = len(journal.calls(name))
        for kept in reversed(range(rows + 1)):
            journal._execute("delete from calls where seq >= ?", (kept,))
            again = await go(
                Scripted(endless, info=TALKER), "self_consistency", journal=journal, run=name, **how
            )
            assert again.answer == whole.answer
            assert again.candidates == whole.candidates, kept
        journal.close()

    run(main())


def test_a_thinking_model_that_cannot_continue_is_asked_in_another_turn() -> None:
    info = ModelInfo("thinker", EVERYTHING - {"prefill"}, Shape(1), local=True)
    model = Scripted(endless, info=info)
    solve(model, sampling=Sampling(10))
    assert len(model.requests) == 1  # it did not think, so there is nothing to go by


@pytest.mark.parametrize("text", ["", "Six times seven is"])
def test_a_model_whose_thinking_is_counted_but_not_shown_is_asked_without_it(text: str) -> None:
    """Its thinking took the length. The answer's own words go on after what it had said."""
    info = ModelInfo("thinker", EVERYTHING - {"prefill"}, Shape(1), local=True)
    took = Completion(text, "length", PROMPT_TOKENS, 10, reasoning_tokens=8)
    model = Scripted([took, r"\boxed{42}"], info=info)
    result = solve(model, sampling=Sampling(10))
    assert (result.answer, result.receipt.total.calls) == ("42", 2)
    first, second = model.requests
    assert (first.thinking, second.thinking) == (None, Thinking("off"))
    assert len(second.messages) == len(first.messages) + (2 if text else 0)


def test_one_that_cannot_be_told_not_to_think_is_not_asked_again() -> None:
    took = Completion("", "length", PROMPT_TOKENS, 10, reasoning_tokens=10)
    model = Scripted([took], info=PLAIN)
    assert solve(model, sampling=Sampling(10)).answer is None
    assert len(model.requests) == 1
