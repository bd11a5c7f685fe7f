"""Equal questions, sides of a split, contamination, and problems as text."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.errors import UsageError
from ponder.core.problem import (
    ArithmeticTests,
    AssertTests,
    IoCase,
    IoTests,
    Message,
    Problem,
    Tests,
)
from ponder.core.tools import Tool, Toolset
from ponder.learning.rows.questions import (
    GRAM,
    TEMPLATE,
    Known,
    grams,
    held_out,
    identity,
    plain,
    problem_from_text,
    problem_to_text,
    side,
)
from tests.support.lessons import SUM, asks

WORDING = "make {} of these by the rules that stand in the book of all our games"
LONG = "a farmer has three pens with fourteen sheep in each and sells nine of them"


def test_equal_words_are_one_question() -> None:
    spelled = asks("  WHAT is six\n times \uff53even? ")
    assert side(spelled) == side(asks("what is six times seven?"))
    assert side(asks("What is 3 + 5?")) != side(asks("What is 3 - 5?"))


def test_a_problem_is_what_a_model_is_shown_and_what_checks_it() -> None:
    told = replace(asks(SUM), instruction="Be brief.", examples=(Message("user", "?"),))
    others = [told, asks(SUM.upper()), asks(SUM, choices=("41", "42")), asks(SUM, schema="{}")]
    assert len({identity(one) for one in [*others, asks(SUM), asks(SUM)]}) == 5
    assert {side(one) for one in others} == {side(asks(SUM))}


def test_a_question_is_on_one_side_whatever_stands_before_it() -> None:
    before = Problem((Message("user", "a"), Message("assistant", "b"), Message("user", SUM)))
    assert side(before) == side(asks(SUM))
    assert identity(before) != identity(asks(SUM))


@pytest.mark.parametrize(
    ("digits", "fraction", "held"),
    [
        ("0" * 16, 0.0, False),
        ("0" * 16, 1e-9, True),
        ("8" + "0" * 15, 0.5, False),
        ("7" + "f" * 15, 0.5, True),
        ("f" * 16, 0.99, False),
    ],
)
def test_the_first_part_of_all_hashes_is_held_out(digits: str, fraction: float, held: bool) -> None:
    assert held_out(digits, fraction) is held


@given(st.text(), st.floats(0, 0.5), st.floats(0, 0.5))
def test_held_out_sets_are_nested(text: str, fraction: float, more: float) -> None:
    name = side(asks(f"?{text}"))
    assert not held_out(name, fraction) or held_out(name, fraction + more)


# Contamination ------------------------------------------------------------------------------------


def test_an_equal_question_is_held() -> None:
    known = Known.of("s", [asks(SUM)])
    assert known.holds(asks(SUM.upper()))
    assert not known.holds(asks("What is six times eight?"))


def test_thirteen_words_in_a_row_are_an_overlap_and_twelve_are_none() -> None:
    known = Known.of("s", [asks(LONG)])
    words = LONG.split()
    assert known.holds(asks(f"Once, {', '.join(words[:GRAM])}!"))
    assert not known.holds(asks(" ".join(words[: GRAM - 1]) + " and more of it"))


def test_a_turn_before_the_last_counts_too() -> None:
    chat = (Message("user", SUM), Message("assistant", "42"), Message("user", "and twice that?"))
    assert Known.of("s", [asks(SUM)]).holds(Problem(chat))


@pytest.mark.parametrize(("count", "held"), [(TEMPLATE, True), (TEMPLATE + 1, False)])
def test_the_wording_of_a_template_is_no_overlap(count: int, held: bool) -> None:
    def puzzle(number: int) -> Problem:
        return asks(WORDING.format(number))

    known = Known.of("s", map(puzzle, range(count)))
    assert known.holds(puzzle(3))
    assert known.holds(asks(f"now {WORDING.format(3)}")) is held


@given(st.lists(st.text("ab", min_size=1, max_size=3), max_size=20))
def test_grams_are_all_windows(words: list[str]) -> None:
    found = list(grams(" ".join(words)))
    assert len(found) == max(0, len(words) - GRAM + 1)
    assert all(gram.split() == words[i : i + GRAM] for i, gram in enumerate(found))


# As text ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tests",
    [
        None,
        ArithmeticTests((1, 2, 3), "7/2"),
        AssertTests("assert f(1) == 2", "f", "import math"),
        IoTests((IoCase("1", "2"),)),
    ],
)
def test_a_problem_is_read_again_as_it_was(tests: Tests | None) -> None:
    problem = Problem(
        (Message("system", "s"), Message("user", "q")), "code", tests=tests, instruction="i",
        examples=(Message("user", "u"), Message("assistant", "a")),
    )  # fmt: skip
    assert problem_from_text(problem_to_text(problem)) == problem


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"messages": 1}', "\x00"])
def test_another_text_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="a row's problem is damaged"):
        problem_from_text(text)


def test_images_and_tools_are_not_plain() -> None:
    assert plain(asks(SUM))
    tools = Toolset((Tool("t", "d", "{}"),))
    assert not plain(replace(asks(SUM), tools=tools))
