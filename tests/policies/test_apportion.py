"""Apportionment against what defines it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.policies.apportion import apportion


@pytest.mark.parametrize(
    ("weights", "seats", "expected"),
    [
        ([1, 1], 8, [4, 4]),
        ([0.6, 0.4], 8, [5, 3]),  # quotas 4.8 and 3.2
        ([0.6, 0.4, 0], 3, [2, 1, 0]),
        ([1, 1, 1], 4, [2, 1, 1]),  # a tie goes to the first
        ([0.9, 0.05, 0.05], 6, [6, 0, 0]),
        ([5], 3, [3]),
        ([1, 2], 0, [0, 0]),
    ],
)
def test_by_hand(weights: list[float], seats: int, expected: list[int]) -> None:
    assert apportion(weights, seats) == expected


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=9).filter(any), st.integers(0, 300))
def test_each_gets_its_quota_rounded_up_or_down_and_all_seats_are_taken(
    weights: list[int], seats: int
) -> None:
    held = apportion(weights, seats)
    assert sum(held) == seats
    for weight, one in zip(weights, held, strict=True):
        assert abs(one * sum(weights) - seats * weight) < sum(weights)


@pytest.mark.parametrize("weights", [[], [0, 0], [1, -1]])
def test_weights_that_are_none_are_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="weights must be 0 or more"):
        apportion(weights, 3)
