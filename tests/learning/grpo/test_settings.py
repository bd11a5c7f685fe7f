"""Settings, and the problems and seeds that follow from them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.errors import UsageError
from ponder.learning.grpo.settings import SEEDS, Settings


@given(st.integers(1, 7), st.integers(1, 5), st.integers(0, 3))
def test_each_problem_comes_once_before_any_comes_again(of: int, prompts: int, seed: int) -> None:
    settings = Settings(prompts=prompts, seed=seed)
    order = [problem for step in range(of) for problem in settings.chosen(step, of)]
    assert len(order) == of * prompts
    for epoch in range(prompts):
        assert sorted(order[epoch * of : (epoch + 1) * of]) == list(range(of))


def test_samples_have_seeds_of_their_own() -> None:
    seeds = {Settings(seed=s).sample_seed(i, j) for s in (0, 1) for i in range(9) for j in range(9)}
    assert len(seeds) == 162
    assert all(0 <= seed < SEEDS for seed in seeds)


def test_all_settings_but_the_number_of_steps_are_fixed() -> None:
    settings = Settings(steps=7)
    fixed = settings.fixed()
    assert "steps" not in fixed
    assert settings.to_json() == {**fixed, "steps": 7}
    assert json.loads(json.dumps(fixed)) == fixed  # as it is compared with a file


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"steps": 0}, "steps must be 1 or more, not 0"),
        ({"refresh": 0}, "refresh must be 1 or more, not 0"),
        ({"group": 1}, "a group needs 2 completions or more, not 1"),
        ({"rate": 0.0}, "must be above 0"),
        ({"rank": -1}, "the rank at least 0"),
        ({"loss": "other"}, "there is no loss 'other'"),
    ],
)
def test_what_is_out_of_range_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Settings(**wrong)
