"""The worked examples of the puzzle suites: right, of the puzzle's size, and of no puzzle asked."""

from __future__ import annotations

from fractions import Fraction

import pytest

from ponder.answers.arithmetic import solves
from ponder.core.problem import ArithmeticTests, Message
from ponder.experiments.suites.game24 import WORKED, puzzle


@pytest.mark.parametrize("worked", [w for size in WORKED.values() for w in size])
def test_each_example_is_right_and_so_is_each_of_its_steps(
    worked: tuple[tuple[int, ...], int, tuple[str, ...], str],
) -> None:
    numbers, target, steps, whole = worked
    assert solves(whole, numbers, Fraction(target))
    left = sorted(numbers)
    for step in steps:
        said, _, rest = step.partition(" (left: ")
        first, _, second, _, value = said.split()
        left.remove(int(first))
        left.remove(int(second))
        left.append(int(value))
        assert eval(said.replace("=", "=="))
        assert sorted(map(int, rest.rstrip(")").split(", "))) == sorted(left)
    assert left == [target]


def test_a_puzzle_is_asked_after_examples_of_its_size() -> None:
    three, four, five = (puzzle(tuple(range(2, 2 + n)), 24) for n in (3, 4, 5))
    assert [len(p.shown) for p in (three, four, five)] == [9, 7, 1]
    assert three.shown[1] == Message(
        "assistant", "9 - 4 = 5 (left: 3, 5)\n3 * 5 = 15 (left: 15)\n\\boxed{3 * (9 - 4)}"
    )
    assert three.tests == ArithmeticTests((2, 3, 4), "24")
