"""Expected prices of further samples, in each unit of a budget."""

from __future__ import annotations

import pytest

from ponder.core.errors import Limit
from ponder.core.problem import Message, Problem
from ponder.models.base import ModelInfo, Pace, Shape
from ponder.models.fakes.scripted import Scripted
from ponder.runtime.handlers.meter import Meter

PROBLEM = Problem((Message("user", "one two three"),))


def meter(*, local: bool) -> tuple[Meter, int]:
    info = ModelInfo("m", frozenset(), Shape(10), local=local, pace=Pace(0.5, 0.25, 4))
    model = Scripted([], info=info)
    return Meter(model, lambda prompt, cached, made: prompt - cached + 2 * made), (
        model.prompt_least(PROBLEM.shown)
    )


@pytest.mark.parametrize(
    ("chains", "seconds"), [(0, 0.0), (1, 5.0), (2, 6.25), (4, 8.75), (5, 13.75), (8, 17.5)]
)
def test_chains_at_once_share_most_of_their_time(chains: int, seconds: float) -> None:
    assert Pace(0.5, 0.25, 4).time(10, chains) == seconds


@pytest.mark.parametrize("unit", ["tokens", "usd", "flops", "seconds"])
def test_a_local_model_evaluates_a_prompt_once(unit: Limit) -> None:
    local, prompt = meter(local=True)
    hosted, _ = meter(local=False)
    expected = {
        "tokens": (3 * (prompt + 10), 3 * (prompt + 10)),
        "usd": ((prompt + 60) / 10**12, 3 * (prompt + 20) / 10**12),
        "flops": (20 * (prompt + 30), 60 * (prompt + 10)),
        "seconds": (prompt / 8 + 7.5, prompt / 8 + 7.5),
    }[unit]
    found = [one.price(unit, PROBLEM, 10, 3) for one in (local, hosted)]
    assert found == pytest.approx(expected)
