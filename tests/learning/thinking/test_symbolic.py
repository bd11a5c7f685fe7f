"""Search in words: true steps, a right answer, complete with three numbers, and its very words."""

from __future__ import annotations

import random
import re
from fractions import Fraction
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.answers.arithmetic import solves, steps
from ponder.experiments.suites.countdown_made import Puzzle, puzzles
from ponder.learning.thinking.bounds import Bound
from ponder.learning.thinking.symbolic import Place, search, solution, thinned, told

PUZZLES = st.sampled_from(list(islice(puzzles(7), 300)))
ORDERS = st.none() | st.integers(0, 99).map(random.Random)
BOUNDS = st.integers(0, 9).map(lambda branches: Bound(branches, 10**6))


def searched(puzzle: Puzzle, rng: random.Random | None = None) -> Place:
    found = search(puzzle.numbers, puzzle.target, rng)
    assert found is not None
    return found


@given(PUZZLES, ORDERS)
def test_every_puzzle_of_three_numbers_that_whole_numbers_solve_is_solved(
    puzzle: Puzzle, rng: random.Random | None
) -> None:
    way, expression = solution(searched(puzzle, rng))
    target = Fraction(puzzle.target)
    assert solves(expression, puzzle.numbers, target)
    assert steps("\n".join(map(str, way)), puzzle.numbers, target) == (2, "")


@given(PUZZLES, ORDERS, BOUNDS)
def test_each_step_is_true_and_no_more_ways_fail_than_allowed(
    puzzle: Puzzle, rng: random.Random | None, bound: Bound
) -> None:
    found, target = searched(puzzle, rng), puzzle.target
    thin = thinned(found, bound)
    assert thin.dead_ends == min(bound.branches, found.dead_ends)
    assert solution(thin) == solution(found)
    text = told(thin, target)
    made = re.findall(r"(\d+) ([-+*/]) (\d+) = (\d+)", text)
    assert made
    for first, sign, second, result in made:
        assert eval(f"{first} {sign} {second} == {result}")
    assert text.count("That fails.") == thin.dead_ends
    assert text.splitlines()[-1].endswith(": that is it.")
    if not bound.branches:
        assert "," not in text.splitlines()[-1]


def test_what_cannot_be_made_has_no_search() -> None:
    assert search((1, 1, 1), 50) is None


@pytest.mark.parametrize(
    ("bound", "said"),
    [
        (
            Bound(0, 256),
            """I want 81 from 11, 2, 68.
11 + 2 = 13 (left: 68, 13)
68 + 13 = 81: that is it.""",
        ),
        (
            Bound(1, 256),
            """I want 81 from 11, 2, 68.
68 / 2 = 34 (left: 11, 34)
11 + 34 = 45, 34 - 11 = 23: not 81. That fails. I go back to 11, 2, 68.
11 + 2 = 13 (left: 68, 13)
68 + 13 = 81: that is it.""",
        ),
        (
            Bound(3, 512),
            """I want 81 from 11, 2, 68.
68 / 2 = 34 (left: 11, 34)
11 + 34 = 45, 34 - 11 = 23: not 81. That fails. I go back to 11, 2, 68.
11 * 2 = 22 (left: 68, 22)
68 + 22 = 90, 68 - 22 = 46: not 81. That fails. I go back to 11, 2, 68.
11 + 2 = 13 (left: 68, 13)
68 + 13 = 81: that is it.""",
        ),
    ],
)
def test_its_words(bound: Bound, said: str) -> None:
    found = searched(Puzzle((11, 2, 68), 81, 0))
    assert told(thinned(found, bound), 81) == said


def test_with_four_numbers_it_goes_back_by_more_than_one_step() -> None:
    found = searched(Puzzle((2, 3, 7, 11), 36, 0), random.Random(6))
    assert "Nothing else is left to try. I go back to 2, 3, 7, 11." in told(found, 36)
    assert thinned(found, Bound(2, 0)).dead_ends == 2
    _, expression = solution(found)
    assert solves(expression, (2, 3, 7, 11), Fraction(36))


@given(PUZZLES)
def test_steps_that_leave_numbers_near_half_of_the_target_come_first(puzzle: Puzzle) -> None:
    def away(place: Place) -> int:
        return sum(abs(2 * value.number - puzzle.target) for value in place.left)

    tried = searched(puzzle).below
    assert sorted(tried, key=away) == list(tried)
