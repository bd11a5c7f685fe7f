"""Verifiers as reward functions."""

from __future__ import annotations

import pytest

from ponder.core.errors import UsageError
from ponder.core.problem import ArithmeticTests, Message, Problem
from ponder.learning.rewards import Completion, Rewards, text_of
from ponder.learning.rows.questions import problem_to_text
from tests.support.lessons import SUM, asks

PUZZLE = problem_to_text(
    Problem((Message("user", "?"),), "math", tests=ArithmeticTests((67, 47, 25), "5"))
)
RIGHT, WRONG = "\\boxed{25 - (67 - 47)}", "\\boxed{67 - 47 - 25}"


def test_rewards_are_in_the_order_of_the_completions() -> None:
    other = problem_to_text(asks(SUM))
    said: list[Completion] = [
        RIGHT,
        "\\boxed{42}",
        [{"role": "assistant", "content": WRONG}],
        RIGHT,
    ]
    with Rewards("arithmetic") as reward:
        found = reward(["p"] * 4, said, problem=[PUZZLE, other, PUZZLE, PUZZLE], verifier=["x"] * 4)
        assert found == [1.0, None, 0.0, 1.0]
        assert reward.__name__ == "ponder_arithmetic"
        assert reward([], [], problem=[]) == []
    with reward:  # opened again when it is needed
        assert reward(["p"], [RIGHT], problem=[PUZZLE]) == [1.0]


def test_a_damaged_row_is_refused() -> None:
    with Rewards("arithmetic") as reward, pytest.raises(UsageError, match="problem is damaged"):
        reward(["p"], ["x"], problem=["{}"])


def test_the_text_of_a_completion_is_that_of_its_last_message() -> None:
    assert text_of("a") == "a"
    assert text_of([{"content": "a"}, {"content": "b"}]) == "b"
    assert text_of([]) == text_of([{"content": None}]) == ""
