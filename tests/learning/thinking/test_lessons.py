"""One lesson: its turn, its bound, and what is wrong with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ponder.core.problem import ArithmeticTests, Problem
from ponder.core.text.marks import split
from ponder.experiments.suites.game24 import puzzle
from ponder.experiments.suites.registry import find
from ponder.learning.rewards import Rewards
from ponder.learning.rows.questions import problem_to_text
from ponder.learning.thinking.bounds import ALL, BOUNDS, Level
from ponder.learning.thinking.lessons import Lesson, of_puzzle, wrong
from tests.support.jobs import PROBLEM

ASKED = puzzle((11, 2, 68), 81)
STEPS = "11 + 2 = 13 (left: 68, 13)\n68 + 13 = 81 (left: 81)\n\\boxed{68 + (11 + 2)}"
LOW = """<think>
I want 81 from 11, 2, 68.
11 + 2 = 13 (left: 68, 13)
68 + 13 = 81: that is it.
</think>

"""


def lesson(level: Level, problem: Problem = ASKED) -> Lesson:
    found = of_puzzle(problem, level, "7")
    assert found is not None
    return found


def test_a_lesson_is_a_turn_as_a_model_that_thinks_writes_it() -> None:
    assert lesson("low").turn == LOW + STEPS
    assert lesson("off").turn == f"<think>\n\n</think>\n\n{STEPS}"
    for level in ALL:
        one = lesson(level)
        assert one.fits
        assert split(one.turn).text == one.text
        assert wrong(one, ASKED) == ""


def test_the_verifier_itself_passes_every_lesson() -> None:
    problems = [item.problem for item in find("countdown/train(seed=1, n=2)").load()]
    asked = [(problem, level) for problem in problems for level in ALL]
    texts = [lesson(level, problem).turn for problem, level in asked]
    with Rewards("arithmetic") as reward:
        assert reward.scores([problem_to_text(one) for one, _ in asked], texts) == [1.0] * len(
            asked
        )


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"text": "\\boxed{68 + 11 - 2}"}, "wrong answers"),
        ({"text": "It is 81."}, "wrong answers"),
        ({"text": STEPS.replace("= 13", "= 14", 1)}, "false steps"),
        ({"thinking": "11 + 68 = 80, no."}, "false steps"),
        ({"thinking": "11 / 0 = 80, no."}, "false steps"),
        ({"thinking": "11 + 2 + 68 = 81, 100 - 11 + 2 = 91."}, ""),
    ],
)
def test_a_wrong_answer_or_a_false_step_is_found(changed: dict[str, Any], fault: str) -> None:
    assert wrong(replace(lesson("low"), **changed), ASKED) == fault


@pytest.mark.parametrize("level", BOUNDS)
def test_what_is_too_long_or_closes_its_thinking_does_not_fit(level: Level) -> None:
    one, most = lesson(level), BOUNDS[level].tokens
    assert replace(one, thinking=" ".join(["word"] * most)).fits
    assert not replace(one, thinking=" ".join(["word"] * (most + 1))).fits
    assert not replace(one, thinking="so </think> it is").fits
    assert not Lesson("off", "no thinking here", one.text).fits


@pytest.mark.parametrize(
    "problem",
    [
        PROBLEM,
        puzzle((1, 2, 3, 4, 5), 15),
        puzzle((1, 1, 1), 50),
        replace(ASKED, tests=ArithmeticTests((1, 2, 3), "1/2")),
    ],
)
def test_what_no_search_in_whole_numbers_solves_gives_no_lesson(problem: Problem) -> None:
    assert of_puzzle(problem, "high", "7") is None


def test_the_seed_decides_the_order_of_high_alone() -> None:
    problems = [item.problem for item in find("countdown/train(seed=1, n=20)").load()]

    def taught(level: Level, seed: str) -> list[Lesson | None]:
        return [of_puzzle(problem, level, seed) for problem in problems]

    assert taught("high", "1") == taught("high", "1") != taught("high", "2")
    assert taught("medium", "1") == taught("medium", "2")
