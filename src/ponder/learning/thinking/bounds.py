"""The length of a lesson: levels of thinking, each with a bound, and a count of tokens.

``low`` is the right way alone; the others have ways that failed before it, each with the words by
which it is left. They are levels of the dial (``models.taught``), so what a level means is learned
from its lessons.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

Level = Literal["off", "low", "medium", "high"]
ALL: tuple[Level, ...] = get_args(Level)


@dataclass(frozen=True, slots=True)
class Bound:
    """The most that a lesson may think."""

    branches: int
    """Number of ways that failed."""
    tokens: int
    """Number of tokens between the marks of thinking, as ``tokens`` counts them."""


BOUNDS: dict[Level, Bound] = {
    "low": Bound(0, 256),
    "medium": Bound(3, 512),
    "high": Bound(16, 2048),
}
"""Bounds of the levels that think."""

_TOKEN = re.compile(r"\d|[^\W\d_]+|[^\w\s]|_|[^\S\n]+(?=\d)|\n+")


def tokens(text: str) -> int:
    """Return about the number of tokens of a text, whatever the tokenizer.

    Digits, words, marks, the space before a number and the end of a line count one each. Of traces
    of arithmetic that is a little more than Qwen2.5's tokenizer counts (docs/learn.md).
    """
    return len(_TOKEN.findall(text))
