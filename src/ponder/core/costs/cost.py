"""Costs that are compared with a limit: exact sums in whole units."""

from __future__ import annotations

from dataclasses import dataclass

PICO = 10**12
"""Picodollars in a dollar. Money is counted in whole picodollars, so that sums are exact."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost of an effect, in exact whole units. Time is not included: it passes by itself."""

    tokens: int = 0
    """Tokens of prompt and completion, wasted ones included."""
    picousd: int = 0
    """Picodollars."""
    flops: int = 0
    """Floating-point operations."""

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.tokens + other.tokens, self.picousd + other.picousd, self.flops + other.flops
        )

    def __sub__(self, other: Cost) -> Cost:
        return Cost(
            self.tokens - other.tokens, self.picousd - other.picousd, self.flops - other.flops
        )
