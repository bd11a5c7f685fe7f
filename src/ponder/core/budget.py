"""Limits, each with its unit."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

from ponder.core.errors import UsageError


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits of one run; None means no limit.

    ``tokens`` counts prompt and completion tokens of every role, cached and wasted ones too.
    ``usd`` are dollars, ``flops`` floating-point operations, ``seconds`` wall time.

    Raises:
        UsageError: a limit is not a positive, finite number.
    """

    tokens: int | None = None
    usd: float | None = None
    flops: float | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
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
