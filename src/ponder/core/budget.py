"""The limits of a run."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ponder.core.errors import UsageError


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits of one run; None means no limit.

    Raises:
        UsageError: a limit is not a positive, finite number.
    """

    tokens: int | None = None
    """Prompt and completion tokens of every role, including cached and wasted ones."""
    usd: float | None = None
    """Dollars."""
    flops: float | None = None
    """Floating-point operations."""
    seconds: float | None = None
    """Wall time in seconds."""

    def __post_init__(self) -> None:
        for name, value in self.units().items():
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise UsageError(f"the budget's {name} must be a number, not {value!r}.")
            if not (value > 0 and math.isfinite(value)):
                raise UsageError(
                    f"the budget's {name} must be greater than zero, and finite, not {value!r}."
                )
        if self.tokens is not None and self.tokens != int(self.tokens):
            raise UsageError(f"the budget's tokens must be a whole number, not {self.tokens!r}.")

    def units(self) -> dict[str, int | float | None]:
        """Return each unit's limit."""
        return {
            "tokens": self.tokens,
            "usd": self.usd,
            "flops": self.flops,
            "seconds": self.seconds,
        }
