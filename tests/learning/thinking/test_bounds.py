"""The count of tokens, and levels of the dial."""

from __future__ import annotations

import pytest

from ponder.learning.thinking.bounds import ALL, BOUNDS, tokens
from ponder.models.thinking import LEVELS


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("I go back.", 4),
        ("30 + 7 = 37", 9),  # 3 0 + ␣ 7 = ␣ 3 7
        ("(left: 30, 7)\n\nThat fails.", 14),
        ("sub_total é", 4),
    ],
)
def test_digits_words_and_marks_count_one_each(text: str, count: int) -> None:
    assert tokens(text) == count


def test_levels_are_of_the_dial_and_allow_more_from_one_to_the_next() -> None:
    assert [level for level in LEVELS if level in ALL] == list(ALL)
    bounds = [BOUNDS[level] for level in ALL if level != "off"]
    assert bounds == sorted(bounds, key=lambda bound: (bound.branches, bound.tokens))
    assert bounds[0].branches == 0
