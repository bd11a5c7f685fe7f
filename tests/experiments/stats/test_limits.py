"""The vote of infinitely many samples, against binomial sums written out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.experiments.stats.limits import right_at_infinity


def one(sizes: list[int], right: list[float]) -> float:
    return float(right_at_infinity(np.array([sizes]), np.array([right]))[0])


def test_by_hand() -> None:
    # P(Beta(4, 2) > 1/2) = P(at most 3 of 5 fair coins show heads) = 26 / 32.
    assert one([3, 1], [1.0, 0.0]) == pytest.approx(26 / 32)
    assert one([1, 3], [1.0, 0.0]) == pytest.approx(6 / 32)
    assert one([2, 2], [1.0, 0.0]) == 0.5
    assert one([3, 0], [1.0, 0.0]) == pytest.approx(15 / 16)
    assert one([3], [0.0]) == pytest.approx(1 / 16)


def test_only_the_strongest_of_either_kind_race() -> None:
    assert one([1, 3, 1, 2], [0.0, 1.0, 0.0, 1.0]) == pytest.approx(26 / 32)


def test_a_problem_without_answers_is_lost() -> None:
    assert one([0], [0.0]) == 0.0


@given(st.integers(0, 40), st.integers(0, 40))
def test_the_binomial_sum(ours: int, theirs: int) -> None:
    n = ours + theirs + 1
    expected = sum(math.comb(n, i) for i in range(ours + 1)) / 2**n
    if ours + theirs:
        assert one([ours, theirs], [1.0, 0.0]) == pytest.approx(expected, rel=1e-9)
