"""The plan of a training's steps."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.errors import UsageError
from ponder.learning.sft.settings import TOGETHER, Settings, rate, steps, together

LENGTHS = st.lists(st.integers(1, 3000), min_size=1, max_size=40)


@given(LENGTHS, st.integers(1, 6000), st.integers(1, 3), st.integers(0, 5))
def test_each_epoch_has_each_row_once_in_steps_of_so_many_tokens(
    lengths: list[int], batch: int, epochs: int, seed: int
) -> None:
    plan = steps(lengths, Settings(batch=batch, epochs=epochs, seed=seed))
    assert Counter(row for step in plan for row in step) == dict.fromkeys(
        range(len(lengths)), epochs
    )
    assert all(len(step) == 1 or sum(lengths[row] for row in step) <= batch for step in plan)
    order = [row for step in plan for row in step]
    assert sorted(order[: len(lengths)]) == list(range(len(lengths)))


def test_the_order_follows_from_the_seed() -> None:
    orders = {seed: steps([1] * 20, Settings(batch=20, seed=seed)) for seed in (0, 1)}
    assert orders[0] == steps([1] * 20, Settings(batch=20, seed=0))
    assert orders[0] != orders[1]
    assert orders[0][0] != orders[0][1], "the second epoch has an order of its own"


@given(LENGTHS)
def test_rows_pass_together_within_the_memory_or_alone(lengths: list[int]) -> None:
    groups = together(range(len(lengths)), lengths)
    assert sorted(row for group in groups for row in group) == list(range(len(lengths)))
    for group in groups:
        assert len(group) == 1 or len(group) * max(lengths[row] for row in group) <= TOGETHER
    widths = [lengths[row] for group in groups for row in group]
    assert widths == sorted(lengths, reverse=True)


def test_the_rate_rises_and_falls_to_nearly_nothing() -> None:
    rates = [rate(step, 100, 1.0) for step in range(100)]
    assert rates[:6] == pytest.approx([1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1.0])
    assert rates[5:] == sorted(rates[5:], reverse=True)
    assert rates[52] == pytest.approx(0.508267, abs=1e-6)  # (1 + cos(pi 47 / 95)) / 2
    assert 0 < rates[99] < 0.001
    assert rate(0, 1, 1.0) == 0.5


@pytest.mark.parametrize(
    ("given", "said"),
    [({"rank": 0}, "rank must be 1 or more, not 0"), ({"rate": 2.0}, "above 0 and at most 1")],
)
def test_a_setting_out_of_range_is_refused(given: dict[str, float], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Settings(**given)  # type: ignore[arg-type]
