"""Expected prices of further samples; costs of prompts that a vendor stores in its cache."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ponder.core.budget import Budget
from ponder.core.errors import Limit, ModelTimeout
from ponder.core.problem import Message, Problem
from ponder.core.record.effects import Sampling
from ponder.models.base import Completion, ModelInfo, Pace, Request, Shape, Stores
from ponder.models.fakes.scripted import EVERYTHING, Scripted
from ponder.runtime.handlers.meter import Meter
from ponder.runtime.runner import Runner
from tests.support.jobs import job

TIMES = {"": 4, "5m": 5, "1h": 8}
"""Picodollars of a prompt's token, by the time for which it is stored."""


def price(prompt: int, cached: int, made: int, stored: int = 0, hour: int = 0, /) -> int:
    fresh = prompt - cached - stored
    return 4 * fresh + cached + 5 * (stored - hour) + 8 * hour + 20 * made


def info(stores: Stores) -> ModelInfo:
    return ModelInfo("hosted", EVERYTHING, Shape(), stores=stores)


@pytest.mark.parametrize("stores", ["", "5m", "1h"])
def test_the_most_that_a_prompt_costs_is_that_of_the_longest_store(stores: Stores) -> None:
    meter = Meter(Scripted([], info=info(stores)), price)
    assert meter.most(10, 3, 2).picousd == 7 * TIMES[stores] + 3 + 40
    assert meter.cost(10, 3, 2).picousd == 7 * 4 + 3 + 40
    assert meter.cost(10, 3, 2, 6, 1).picousd == 4 + 3 + 5 * 5 + 8 + 40


@pytest.mark.parametrize("stores", ["5m", "1h"])
@pytest.mark.parametrize("lost", [False, True])
def test_no_dollars_are_passed_by_what_is_stored(stores: Stores, lost: bool) -> None:
    def reply(request: Request) -> Completion | ModelTimeout:
        prompt = sum(len(message.content.split()) for message in request.messages)
        if lost and request.seed % 3 == 0:
            return ModelTimeout("late", prompt_tokens=prompt, completion_tokens=1)
        hour = prompt if stores == "1h" else 0
        return Completion("\\boxed{42}", "stop", prompt, 1, stored_tokens=prompt, hour_tokens=hour)

    model = Scripted(reply, info=info(stores))
    budget, length = Budget(usd=6e-10), Sampling(4)
    how: Any = {
        "knobs": {"n": 20, "stop": "never"},
        "budget": budget,
        "pricing": price,
        "sampling": length,
    }
    result = asyncio.run(Runner(job(model, "self_consistency", **how)).go())
    total = result.receipt.total
    assert result.stopped_by == "usd"
    assert total.cost.picousd == TIMES[stores] * total.prompt_tokens + 20 * (
        total.completion_tokens + total.wasted_tokens
    )
    assert total.cost.picousd <= 600


PROBLEM = Problem((Message("user", "one two three"),))


def _price(prompt: int, cached: int, made: int, stored: int = 0, hour: int = 0, /) -> int:
    return prompt - cached + 2 * made


def measured(*, local: bool) -> tuple[Meter, int]:
    info = ModelInfo("m", frozenset(), Shape(10), local=local, pace=Pace(0.5, 0.25, 4))
    model = Scripted([], info=info)
    return Meter(model, _price), (-(-len(PROBLEM.messages[0].content) // 4))


@pytest.mark.parametrize(
    ("chains", "seconds"), [(0, 0.0), (1, 5.0), (2, 6.25), (4, 8.75), (5, 13.75), (8, 17.5)]
)
def test_chains_at_once_share_most_of_their_time(chains: int, seconds: float) -> None:
    assert Pace(0.5, 0.25, 4).time(10, chains) == seconds


@pytest.mark.parametrize("unit", ["tokens", "usd", "flops", "seconds"])
def test_a_local_model_evaluates_a_prompt_once(unit: Limit) -> None:
    local, prompt = measured(local=True)
    hosted, _ = measured(local=False)
    expected = {
        "tokens": (3 * (prompt + 10), 3 * (prompt + 10)),
        "usd": ((prompt + 60) / 10**12, 3 * (prompt + 20) / 10**12),
        "flops": (20 * (prompt + 30), 60 * (prompt + 10)),
        "seconds": (prompt / 8 + 7.5, prompt / 8 + 7.5),
    }[unit]
    found = [one.price(unit, PROBLEM, 10, 3) for one in (local, hosted)]
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("unit", ["tokens", "usd", "flops", "seconds"])
def test_a_forced_answer_is_paid_for_with_its_chain_where_that_is_evaluated_again(
    unit: Limit,
) -> None:
    # It has at most 1024 tokens, as these models cannot continue their turn.
    local, prompt = measured(local=True)
    hosted, _ = measured(local=False)
    expected = {
        "tokens": (prompt + 50 + 1024, prompt + 50 + 1024),
        "usd": (2 * 1024 / 10**12, (prompt + 50 + 2 * 1024) / 10**12),
        "flops": (20 * 1024, 20 * (prompt + 50 + 1024)),
        "seconds": (512, 512),
    }[unit]
    assert [one.ending(unit, PROBLEM, 50) for one in (local, hosted)] == pytest.approx(expected)
