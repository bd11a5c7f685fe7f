"""Apportionment: whole samples in proportion to weights."""

from __future__ import annotations

import math
from collections.abc import Sequence


def apportion(weights: Sequence[float], seats: int) -> list[int]:
    """Share out ``seats`` in proportion to weights: whole parts first, then one each to the largest
    remainders (Hamilton); ties go to the first.

    Raises:
        ValueError: a weight is negative, or all are 0.
    """
    total = math.fsum(weights)
    if min(weights, default=0.0) < 0 or not total:
        raise ValueError(f"weights must be 0 or more, and not all 0, got {list(weights)}.")
    quotas = [seats * weight / total for weight in weights]
    held = [math.floor(quota + 1e-9) for quota in quotas]
    by_rest = sorted(range(len(weights)), key=lambda i: (round(held[i] - quotas[i], 9), i))
    for i in by_rest[: seats - sum(held)]:
        held[i] += 1
    return held
