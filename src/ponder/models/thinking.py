"""The thinking dial in the terms of vendors: levels, numbers of tokens, and the nearest."""

from __future__ import annotations

from collections.abc import Sequence

from ponder.core.thinking import Thinking

LEVELS = ("off", "minimal", "low", "medium", "high", "xhigh", "max")
"""The levels, weakest first."""
TOKENS = {
    "off": 0, "minimal": 512, "low": 1024, "medium": 8192, "high": 24576, "xhigh": 32768,
    "max": 65536,
}  # fmt: skip
"""Number of tokens that a level stands for where an API takes only numbers."""


def tokens_of(thinking: Thinking) -> int | None:
    """Return the number of tokens of a setting; None for the model's own choice."""
    return thinking.tokens or TOKENS.get(thinking.level)


def level_of(thinking: Thinking) -> str:
    """Return the level of a setting: of a number, the weakest level that allows so many tokens."""
    if thinking.level:
        return thinking.level
    return next((level for level in LEVELS if TOKENS[level] >= thinking.tokens), LEVELS[-1])


def nearest(level: str, taken: Sequence[str]) -> str:
    """Return the nearest of the levels that a model takes; of two that are as near, the weaker."""
    known = [name for name in LEVELS if name in taken]
    place = LEVELS.index(level)
    return min(known, key=lambda name: abs(LEVELS.index(name) - place), default=level)


def budget_of(thinking: Thinking, length: int) -> int:
    """Return the number of tokens to think within a completion of ``length`` tokens.

    A number leaves at least one token for the answer, a level at least a quarter of the length.
    """
    if thinking.tokens:
        return min(thinking.tokens, length - 1)
    return min(TOKENS[thinking.level], length - -(-length // 4))
