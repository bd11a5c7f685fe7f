"""Material of ladders: of equal rungs, and of a stated prior."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ponder.policies.climb import MUTE, STATED, Climb
from ponder.policies.ladder import Ballots, Ladder
from ponder.policies.value import Mixture, Urn

BOTH = Mixture((Urn(8, 0.5, 0.1, 0.6), Urn(0.5, 3, 0.5, 0.4)))


def test_a_ladder_is_made_of_equal_rungs() -> None:
    climb = Climb(BOTH, ((0.9, 0.1), (0.3, 0.7)), 0.2)
    assert climb.ladder(3) == Ladder((BOTH,) * 3, (climb.step,) * 2, 0.2, MUTE)
    seen = Ballots({"a": 2, "b": 1}).seen
    assert climb.right(seen) == BOTH.right(seen)
    assert climb.after(seen, 3) == BOTH.after(seen, 3)
    assert STATED.basis == ""


def test_an_outlook_of_ones_own_is_for_one_rung() -> None:
    own = Mixture((Urn(2, 1, 0.1, 1.0),), "my questions")
    climb = replace(STATED, own=own)
    assert climb.ladder(1) == Ladder((own,), (), STATED.shared, MUTE)
    assert climb.ladder(2) == STATED.ladder(2)
    seen = Ballots({"a": 2, "b": 1}).seen
    assert (climb.right(seen), climb.after(seen, 3)) == (own.right(seen), own.after(seen, 3))
    assert climb.basis == "my questions"


def test_chances_of_the_stated_one_add_up() -> None:
    assert all(sum(row) == pytest.approx(1) for row in STATED.step)
