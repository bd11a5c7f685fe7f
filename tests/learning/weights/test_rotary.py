"""The order of rows under rotary positions."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ponder.learning.weights.rotary import halved, neighboured

HEADS = st.integers(1, 9)
HALVES = st.integers(1, 33)


@given(HEADS, HALVES)
def test_it_moves_each_row_to_a_place_of_its_own_within_its_head(heads: int, half: int) -> None:
    rows = np.arange(heads * 2 * half)
    moved = neighboured(rows, heads)
    assert sorted(moved) == rows.tolist()
    assert (moved // (2 * half) == rows // (2 * half)).all()


@given(HEADS, HALVES)
def test_each_undoes_the_other(heads: int, half: int) -> None:
    rows = np.arange(heads * 2 * half * 3).reshape(-1, 3)
    assert (halved(neighboured(rows, heads), heads) == rows).all()
    assert (neighboured(halved(rows, heads), heads) == rows).all()


def test_a_pair_of_halves_become_neighbours() -> None:
    assert neighboured(np.array([0, 1, 2, 3, 4, 5, 6, 7]), 2).tolist() == [0, 2, 1, 3, 4, 6, 5, 7]
    assert neighboured(np.array([0, 1, 2, 3, 4, 5]), 1).tolist() == [0, 3, 1, 4, 2, 5]
