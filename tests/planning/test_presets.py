"""The dial: from an effort to a plan, and what is set by hand instead."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.budget import Budget
from ponder.core.errors import UnknownName, UsageError
from ponder.core.record.effects import Sampling
from ponder.planning.presets import DEFAULT, PRESETS, Preset, preset
from ponder.strategies import registry
from ponder.strategies.knobs import read


@pytest.mark.parametrize("effort", PRESETS)
def test_every_effort_resolves_to_a_strategy_with_all_its_knobs(effort: str) -> None:
    found = preset(effort)
    assert found.strategy == PRESETS[effort].strategy
    assert set(found.knobs) == set(registry.find(found.strategy).knobs)
    assert found.knobs == read(registry.find(found.strategy).knobs, PRESETS[effort].knobs)
    assert (found.sampling, found.budget) == (PRESETS[effort].sampling, PRESETS[effort].budget)


def test_the_dial_is_monotone() -> None:
    *fixed, last = PRESETS
    assert fixed == ["none", "minimal", "low", "medium", "high", "xhigh", "max"]
    assert last == "auto"  # decides as it goes
    assert preset("none") == preset("minimal")  # but for the thinking of a model that thinks
    plans = [preset(effort) for effort in fixed[1:]]
    for lower, higher in itertools.pairwise(plans):
        assert lower.sampling.length < higher.sampling.length
        assert lower.knobs.get("n", 1) < higher.knobs["n"]
        assert lower.budget.tokens is not None
        assert higher.budget.tokens is not None
        assert lower.budget.tokens < higher.budget.tokens
    assert preset() == preset(DEFAULT)


@pytest.mark.parametrize("effort", PRESETS)
def test_a_plans_budget_has_room_for_all_its_samples_and_a_prompt_each(effort: str) -> None:
    found = preset(effort)
    assert found.budget.tokens is not None
    assert found.knobs.get("n", 1) * found.sampling.length <= found.budget.tokens


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"effort": "hihg"}, "unknown effort 'hihg': did you mean 'high'?"),
        ({"strategy": "dircet"}, "unknown strategy 'dircet': did you mean 'direct'?"),
        ({"given": {"treshold": 1}}, "unknown knob 'treshold': did you mean 'threshold'?"),
        ({"strategy": "direct", "given": {"lenght": 1}}, "unknown knob 'lenght'"),
        ({"strategy": "direct", "given": {"n": 4}}, "unknown knob 'n': expected one of: length"),
    ],
)
def test_an_unknown_name_is_told_with_the_nearest(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UnknownName) as error:
        preset(**options)
    assert str(error.value).startswith(sentence)


@pytest.mark.parametrize(
    "given",
    [
        {"n": 0},
        {"n": 4097},
        {"length": 0},
        {"temperature": -0.1},
        {"temperature": "5.1"},
        {"top_p": 0},
        {"top_p": 1.1},
        {"threshold": 0.4},
        {"n": "0.5"},
    ],
)
def test_what_is_out_of_range_is_refused(given: dict[str, Any]) -> None:
    [name] = given
    with pytest.raises(UsageError, match=f"knob '{name}' must be"):
        preset(given=given)


def test_knobs_may_come_as_words() -> None:
    words = {"n": "16", "threshold": "0.5", "stop": "bayes", "temperature": "0", "length": "99"}
    found = preset("low", given=words)
    chosen = {"n": 16, "threshold": 0.5, "stop": "bayes"}
    assert found.knobs == {**chosen, "weight": "votes", "batch": 1}
    assert found.sampling == Sampling(99, temperature=0.0)
    assert type(found.knobs["n"]) is int


def test_another_strategy_keeps_the_plans_number_and_takes_its_own_defaults() -> None:
    found = preset("high", "best_of_n")
    assert found == Preset("best_of_n", {"n": 16, "pick": "best"}, Sampling(2048), Budget())
    assert preset("high", "direct").knobs == {}
    assert preset("minimal", "self_consistency").knobs["n"] == 8


def test_one_greedy_chain_is_fine_and_eight_equal_ones_are_not() -> None:
    assert preset("minimal").sampling.temperature == 0
    assert preset("minimal", "self_consistency").sampling.temperature == Sampling().temperature
    by_hand = preset("minimal", "self_consistency", {"temperature": 0})
    assert by_hand.sampling.temperature == 0


def test_a_budget_replaces_the_plans_limit_by_limit() -> None:
    tokens = preset("medium").budget.tokens
    assert preset("medium", budget=Budget(usd=1)).budget == Budget(tokens=tokens, usd=1)
    assert preset("medium", budget=Budget(tokens=5)).budget == Budget(tokens=5)
    assert preset("medium", budget=Budget(tokens=10**9)).budget == Budget(tokens=10**9)
    assert preset("medium", budget=Budget()).budget == Budget(tokens=tokens)


@pytest.mark.parametrize("given", [{"n": 64}, {"length": 9000}])
def test_more_by_hand_lifts_the_plans_own_budget_but_not_the_one_given(
    given: dict[str, Any],
) -> None:
    assert preset("low", given=given).budget == Budget()
    assert preset("low", given=given, budget=Budget(tokens=50)).budget == Budget(tokens=50)


def test_plans_are_not_changed_by_who_reads_them() -> None:
    before = repr(PRESETS)
    preset("low", given={"n": 64, "length": 7}, budget=Budget(tokens=5))
    assert repr(PRESETS) == before


@given(
    st.sampled_from(list(PRESETS)),
    st.sampled_from([None, *registry.STRATEGIES]),
    st.integers(1, 10**6),
)
def test_every_effort_goes_with_every_strategy(
    effort: str, strategy: str | None, length: int
) -> None:
    found = preset(effort, strategy, {"length": length})
    assert found.strategy == (strategy or PRESETS[effort].strategy)
    assert found.sampling.length == length
    assert set(found.knobs) == set(registry.find(found.strategy).knobs)
