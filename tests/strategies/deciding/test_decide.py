"""Decisions after one look, on a scripted model that likes a letter and knows a choice."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest

from ponder.core.budget import Budget
from ponder.core.errors import ModelTimeout, RunFailed, UsageError
from ponder.core.problem import Message, Problem
from ponder.core.record.effects import Sampling
from ponder.core.record.events import Event, Weighed
from ponder.core.thinking import Thinking
from ponder.models.base import Completion, ModelInfo, Request, Shape
from ponder.models.fakes.scripted import EVERYTHING, Scripted
from ponder.runtime.journal import Journal
from ponder.runtime.result import Result
from tests.support.jobs import go

TEXT = "The invoice was due in March."
ASKED = Problem((Message("user", TEXT),), "choice", ("yes", "no"))
KNOBS = {"question": "Is it overdue?"}
PLAIN = ModelInfo("plain", EVERYTHING - {"top_logprobs", "first_logprobs", "logprobs"}, Shape(1))


def letters(request: Request) -> dict[str, str]:
    """The choice behind each letter that a request lists."""
    return dict(re.findall(r"^\(([A-Z])\) (.+)$", request.messages[-1].content, re.M))


def says(top: dict[str, float], text: str = "A") -> Completion:
    place = {token: math.log(p) for token, p in top.items()}
    return Completion(text, "length", 10, 1, logprobs=(max(place.values()),), top=(place,))


def biased(request: Request) -> Completion:
    """Three to one for 'yes' over 'no', times four for whatever is (A); without a text, nine to one
    for 'no', with the same liking.
    """
    blank = TEXT not in request.messages[-1].content
    worth = {"yes": 1.0, "no": 9.0} if blank else {"yes": 3.0, "no": 1.0}
    weights = {
        letter: worth[choice] * (4 if letter == "A" else 1)
        for letter, choice in letters(request).items()
    }
    whole = sum(weights.values()) / 0.9
    return says({letter: weight / whole for letter, weight in weights.items()} | {"So": 0.1})


async def decided(model: Scripted, problem: Problem = ASKED, **more: Any) -> tuple[Result, Weighed]:
    told: list[Weighed] = []

    def hear(event: Event) -> None:
        if isinstance(event, Weighed):
            told.append(event)

    knobs = {**KNOBS, **more.pop("knobs", {})}
    result = await go(model, "decide", problem=problem, knobs=knobs, publish=hear, **more)
    [one] = told
    assert one.choice == result.answer
    return result, one


async def test_all_orders_cancel_the_liking_for_a_letter() -> None:
    model = Scripted(biased)
    result, found = await decided(model)
    assert found.probabilities == pytest.approx((0.75, 0.25))
    assert (result.answer, found.why) == ("yes", "")
    assert found.mass == pytest.approx(0.9)
    assert [letters(r) for r in model.requests] == [
        {"A": "yes", "B": "no"},
        {"A": "no", "B": "yes"},
    ]
    assert {(r.max_tokens, r.temperature, r.top_logprobs) for r in model.requests} == {(1, 0.0, 20)}
    assert result.receipt.total.completion_tokens == 2
    assert [item.role for item in result.receipt.items] == ["decide"]


async def test_one_order_keeps_the_liking() -> None:
    _, found = await decided(Scripted(biased), knobs={"permutations": 1})
    assert found.probabilities == pytest.approx((12 / 13, 1 / 13))


async def test_a_text_that_says_nothing_calibrates() -> None:
    model = Scripted(biased)
    _, found = await decided(model, knobs={"calibrate": True})
    assert found.probabilities == pytest.approx((27 / 28, 1 / 28))  # 3 / (1/9)
    assert len(model.requests) == 2 * (1 + 3)


async def test_the_choices_themselves_may_be_the_replies() -> None:
    model = Scripted(lambda r: says({"Over": 0.6, " under": 0.2, "I": 0.2}))
    problem = Problem((Message("user", TEXT),), "choice", ("overdue", "underpaid"))
    _, found = await decided(model, problem, knobs={"labels": "words"})
    assert found.probabilities == pytest.approx((0.75, 0.25))
    assert "Reply with overdue or underpaid, and" in model.requests[0].messages[-1].content
    assert "Reply with underpaid or overdue, and" in model.requests[1].messages[-1].content


async def test_the_text_is_quoted_and_stands_first() -> None:
    model = Scripted(biased)
    problem = Problem((Message("system", "Be fair."), *ASKED.messages), "choice", ("yes", "no"))
    await decided(model, problem)
    first, second = (r.messages for r in model.requests)
    assert first[0] == second[0] == Message("system", "Be fair.")
    assert re.match(r"<text (\w{8})>\n.*\n</text \1>\n", first[1].content)
    shared = first[1].content.partition("(A)")[0]
    assert shared == second[1].content.partition("(A)")[0]
    assert shared.endswith("Is it overdue?\n\n")


async def test_a_problem_without_choices_is_yes_or_no_and_asks_by_itself() -> None:
    problem = Problem((Message("user", "Is 7 prime?"),))
    model = Scripted(lambda r: says({"A": 0.5, "B": 0.5}) if letters(r)["A"] == "yes" else
                     says({"A": 0.2, "B": 0.8}))  # fmt: skip
    result, _ = await decided(model, problem, knobs={"question": ""})
    assert result.answer == "yes"
    assert model.requests[0].messages[-1].content.startswith("Is 7 prime?\n\n(A) yes\n(B) no\n")


# Abstaining ---------------------------------------------------------------------------------------


async def test_it_abstains_where_the_model_says_something_else() -> None:
    result, found = await decided(Scripted(lambda r: says({"So": 0.7, "A": 0.2, "B": 0.1})))
    assert (result.answer, result.stopped_by) == (None, "done")
    assert found.why == "the choices have only 0.30 of the next token's probability"


async def test_it_abstains_below_the_threshold() -> None:
    _, found = await decided(Scripted(biased), knobs={"threshold": 0.8})
    assert found.why == "the likeliest choice has 0.75, less than the threshold of 0.8"
    assert found.probabilities == pytest.approx((0.75, 0.25))


async def test_a_model_without_log_probabilities_is_asked_once() -> None:
    model = Scripted(lambda r: "A", info=PLAIN)
    _, found = await decided(model, knobs={"calibrate": True})
    assert found.why == "the model reports no log-probabilities"
    assert found.probabilities == (0.5, 0.5)
    assert len(model.requests) == 1


async def test_the_greedy_token_alone_will_do() -> None:
    replies = iter(["A", "B"])
    model = Scripted(
        lambda r: Completion(next(replies), "length", 10, 1, logprobs=(math.log(0.8),)),
        info=ModelInfo("sampled", PLAIN.capabilities | {"logprobs"}, Shape(1)),
    )
    _, found = await decided(model)
    assert found.probabilities == pytest.approx((0.8, 0.2))


async def test_too_many_choices_are_refused() -> None:
    problem = Problem((Message("user", TEXT),), "choice", tuple(f"c{i}" for i in range(27)))
    with pytest.raises(UsageError, match="27 choices: give at most 26"):
        await go(Scripted(biased), "decide", problem=problem)


# Runs ---------------------------------------------------------------------------------------------


async def test_a_budget_that_ends_early_decides_by_what_it_saw() -> None:
    model = Scripted(biased)
    prompt = 50
    result, found = await decided(model, budget=Budget(tokens=prompt))
    assert len(model.requests) == 1
    assert found.probabilities == pytest.approx((12 / 13, 1 / 13))
    assert result.receipt.total.cost.tokens <= prompt


async def test_a_budget_without_one_look_abstains_and_writes_nothing() -> None:
    model = Scripted(biased)
    result, found = await decided(model, budget=Budget(tokens=10))
    assert found.why == "the budget did not allow one look"
    assert (result.answer, result.stopped_by, model.requests) == (None, "tokens", [])


async def test_a_lost_look_is_left_out_and_all_lost_fail() -> None:
    model = Scripted(lambda r: ModelTimeout("gone") if len(model.requests) == 1 else biased(r))
    result, found = await decided(model)
    assert found.probabilities == pytest.approx((3 / 7, 4 / 7))  # (A) was 'no'
    assert result.lost == "1 sample was lost (gone)."
    with pytest.raises(RunFailed, match="gone"):
        await go(Scripted(lambda r: ModelTimeout("gone")), "decide", problem=ASKED)


async def test_a_model_that_thinks_is_told_not_to() -> None:
    model = Scripted(biased)
    await decided(model, sampling=Sampling(100, thinking=Thinking("high")))
    assert {r.thinking for r in model.requests} == {Thinking("off")}


async def test_a_run_is_resumed_without_another_look(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "runs.sqlite")
    run = journal.create({})
    _, first = await decided(Scripted(biased), journal=journal, run=run)
    again = Scripted(biased)
    _, second = await decided(again, journal=journal, run=run)
    assert (again.requests, second) == ([], first)
    assert first in [decision for _, decision in journal.decisions(run)]
    journal.close()
