"""Tokens of thinking that no server reports are counted, or estimated within what is billed."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from ponder.models.base import Completion, Counting
from ponder.models.fakes.scripted import Scripted
from ponder.models.thought import share, thought
from ponder.runtime.limited import Limited

SAMPLE = Completion("42", "stop", 10, 9, reasoning="six sevens")


class Counted(Scripted):
    """A model with a tokenizer that counts words, or fails to count."""

    def __init__(self, fails: bool = False) -> None:
        super().__init__([])
        self.fails = fails

    async def count(self, text: str) -> int | None:
        return None if self.fails else len(text.split())


def test_a_tokenizer_counts_exactly() -> None:
    assert asyncio.run(thought(Counted(), SAMPLE)) == (2, 0)
    assert asyncio.run(thought(Limited(Counted(), 1), SAMPLE)) == (2, 0)
    assert isinstance(Counted(), Counting)


def test_without_a_count_the_share_of_the_characters_is_an_estimate() -> None:
    # 10 of 12 characters, 9 tokens: 7.5, rounded up
    for model in (Scripted([]), Counted(fails=True), Limited(Scripted([]), 1)):
        assert asyncio.run(thought(model, SAMPLE)) == (8, 8)


def test_what_a_server_reports_stands() -> None:
    reported = Completion("42", "stop", 10, 9, reasoning="six sevens", reasoning_tokens=3)
    assert asyncio.run(thought(Counted(), reported)) == (3, 0)
    assert asyncio.run(thought(Counted(), Completion("42", "stop", 10, 9))) == (0, 0)


def test_no_count_is_above_what_is_billed() -> None:
    short = Completion("", "length", 10, 1, reasoning="six sevens are forty-two")
    assert asyncio.run(thought(Counted(), short)) == (1, 0)


@given(st.integers(0, 10**6), st.text(min_size=1), st.text())
def test_a_share_is_the_nearest_and_within_the_completion(
    tokens: int, reasoning: str, text: str
) -> None:
    part = share(Completion(text, "stop", 1, tokens, reasoning=reasoning))
    assert 0 <= part <= tokens
    assert abs(part - tokens * len(reasoning) / len(reasoning + text)) <= 0.5 + 1e-6
