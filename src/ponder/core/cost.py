"""What is compared with a limit: exact sums in whole units."""

from __future__ import annotations

from dataclasses import dataclass

PICO = 10**12
"""Picodollars in a dollar. Money is counted in whole picodollars, so that sums are exact."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What an effect costs against the limits, in exact whole units. Time is not among them: it
    passes by itself.
    """

    tokens: int = 0
    picousd: int = 0
    flops: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.tokens + other.tokens, self.picousd + other.picousd, self.flops + other.flops
        )

    def __sub__(self, other: Cost) -> Cost:
        return Cost(
            self.tokens - other.tokens, self.picousd - other.picousd, self.flops - other.flops
        )
