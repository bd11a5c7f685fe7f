"""Measuring a model: the points, what is dropped, the budget that is never passed, and resuming."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ponder.core.budget import Budget
from ponder.core.costs.ledger import Item
from ponder.core.errors import RunFailed
from ponder.experiments.pools.file import Pool
from ponder.experiments.tuning import measuring
from ponder.experiments.tuning.measuring import Found, Measurement, measure, points, rounds
from ponder.models.base import Completion, ModelInfo, Request, Shape
from ponder.models.fakes.scripted import EVERYTHING, Scripted
from ponder.models.opening import Opened
from ponder.runtime.engine import Engine
from tests.support.items import items, right

PLAIN = ModelInfo("m", EVERYTHING - {"native_thinking"}, Shape(1), local=True)
TOKENS = {"off": 10, "low": 20, "medium": 40, "high": 80}


def asked(problems: int = 12, **changes: Any) -> Measurement:
    plan = Measurement("s", items(problems), "m", {}, Budget(), most=8, unit="tokens")
    return replace(plan, **changes)


def measured(plan: Measurement, folder: Path, model: Scripted) -> Found:
    async def go() -> Found:
        async with Engine() as engine:
            return await measure(plan, folder, engine, opened=Opened(model))

    return asyncio.run(go())


def thinker(request: Request) -> Completion:
    """Right at medium and high, which costs most."""
    level = request.thinking.level if request.thinking else ""
    text = right(request) if level in ("medium", "high") else "\\boxed{0}"
    return Completion(text, "stop", 5, TOKENS[level])


def asked_levels(model: Scripted) -> dict[str, int]:
    levels = [str(request.thinking) for request in model.requests]
    return {level: levels.count(level) for level in TOKENS}


def test_the_plane_has_levels_or_styles_and_what_is_set_by_hand_is_no_axis() -> None:
    able = ModelInfo("m", EVERYTHING)
    assert [p.name for p in points(able, {})] == [f"{level}-plain" for level in TOKENS]
    assert [p.name for p in points(PLAIN, {})] == ["plain", "brief", "worked"]
    assert [p.name for p in points(able, {"thinking": "low"})] == ["plain", "brief", "worked"]
    assert [p.name for p in points(PLAIN, {"style": "brief"})] == ["brief"]


def test_rounds_take_more_problems_and_then_more_samples() -> None:
    assert rounds(100, 32) == [(25, 4), (50, 4), (100, 8), (100, 16), (100, 32)]
    assert rounds(12, 8) == [(8, 4), (12, 8)]
    assert rounds(3, 4) == [(3, 4)]


def test_what_is_dearer_and_no_better_is_dropped_after_the_first_round(tmp_path: Path) -> None:
    model = Scripted(thinker)
    found = measured(asked(), tmp_path, model)
    assert [path.stem for path in found.paths] == ["off-plain", "medium-plain"]
    assert found.dropped.keys() == {"low-plain", "high-plain"}
    assert asked_levels(model) == {"off": 96, "low": 32, "medium": 96, "high": 32}
    assert found.why == ""
    for path in found.paths:
        pool = Pool(path)
        entries = list(pool)
        assert [len(entry.samples) for entry in entries] == [8] * 12
        assert {s.correct for e in entries for s in e.samples} == {path.stem == "medium-plain"}
        assert pool.header.rest["sampling"]["thinking"] == path.stem.partition("-")[0]


def test_the_same_measurement_again_asks_for_nothing(tmp_path: Path) -> None:
    first = measured(asked(), tmp_path, Scripted(thinker))
    silent = Scripted(thinker)
    assert measured(asked(), tmp_path, silent) == first
    assert silent.requests == []


@settings(max_examples=20)
@given(st.integers(1, 20_000), st.integers(0, 20_000))
def test_the_budget_of_everything_is_never_passed(
    tmp_path_factory: pytest.TempPathFactory, first: int, more: int
) -> None:
    folder, used = tmp_path_factory.mktemp("p"), 0
    for tokens in (first, first + more):  # the second goes on where the first ended
        model = Scripted(thinker)
        with suppress(RunFailed):
            measured(asked(4, budget=Budget(tokens=tokens)), folder, model)
        used += sum(5 + TOKENS[str(request.thinking)] for request in model.requests)
        assert used <= tokens


def test_a_budget_that_buys_no_round_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match=r"no point had 4 samples of 4 problems .*larger budget"):
        measured(asked(4, budget=Budget(tokens=60)), tmp_path, Scripted(thinker))


def test_a_round_that_would_pass_the_budget_is_not_begun(tmp_path: Path) -> None:
    whole = asked(budget=Budget(tokens=40_000), knobs={"length": 100})
    model = Scripted(thinker)
    assert measured(whole, tmp_path / "a", model).why == ""
    model = Scripted(thinker)
    (tmp_path / "b").mkdir()
    found = measured(replace(whole, budget=Budget(tokens=9_000)), tmp_path / "b", model)
    assert found.why == "8 samples of 12 problems would pass the budget of tokens"
    assert [len(entry.samples) for path in found.paths for entry in Pool(path)] == [4] * 16
    assert found.spent.calls == 4 * 8 * 4


def test_a_point_that_its_share_does_not_suffice_for_is_dropped(tmp_path: Path) -> None:
    plan = asked(8, most=4, budget=Budget(tokens=5_000), knobs={"length": 100})
    found = measured(plan, tmp_path, Scripted(thinker))
    assert found.dropped["high-plain"] == "its share of the budget of tokens ended"
    assert [path.stem for path in found.paths] == ["off-plain", "low-plain", "medium-plain"]


def test_points_that_differ_in_nothing_but_cost_leave_the_cheapest(tmp_path: Path) -> None:
    found = measured(asked(), tmp_path, Scripted(lambda _: "\\boxed{1}", info=PLAIN))
    assert [path.stem for path in found.paths] == ["plain"]
    assert set(found.dropped.values()) == {"plain costs less and is right as often or more"}


def test_a_budget_of_dollars_is_shared_without_a_rest() -> None:
    whole = measuring._left(Budget(usd=2.0, flops=1e18), Item("total", "", picousd=1))
    assert whole == {"usd": 2 * 10**12 - 1, "flops": 10**18}
    assert measuring._limits(Item("total", "", picousd=1), {"usd": 5}).usd == 6e-12
