"""Limits of a model's own thinking before it answers."""

from __future__ import annotations

from dataclasses import dataclass

from ponder.core.errors import UsageError

LEVELS = ("off", "minimal", "low", "medium", "high", "xhigh", "max", "auto")
MOST = 10**6
EXPECTED = f"{', '.join(LEVELS)}, or a number of tokens from 1 to {MOST:,}"


@dataclass(frozen=True, slots=True)
class Thinking:
    """A setting for a model's own thinking: off, an effort, a number of tokens, or the model's
    choice.

    Raises:
        UsageError: it is none of these, or two of them.
    """

    level: str = ""
    """One of ``LEVELS``: ``off``, an effort, or ``auto`` (the model's own choice)."""
    tokens: int = 0
    """Most tokens of thinking, if given instead of a level."""

    def __post_init__(self) -> None:
        by_level = self.level in LEVELS and self.tokens == 0
        if not by_level and (self.level or not 1 <= self.tokens <= MOST):
            raise _refusal(str(self))

    def __str__(self) -> str:
        return self.level or str(self.tokens)

    @classmethod
    def read(cls, value: object) -> Thinking | None:
        """Return the setting from Python or the command line: ``low``, ``8000`` or 8000; None if
        unset.

        Raises:
            UsageError: it is not such a value.
        """
        if value is None or isinstance(value, Thinking):
            return value
        if isinstance(value, str) and value in LEVELS:
            return cls(value)
        digits = isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 8
        if digits or type(value) is int:
            return cls(tokens=int(value))  # type: ignore[call-overload]
        raise _refusal(value)


def _refusal(value: object) -> UsageError:
    return UsageError(f"thinking must be {EXPECTED}, not {value!r}.")
