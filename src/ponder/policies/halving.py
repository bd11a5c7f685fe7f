"""Sequential halving: a fixed budget of pulls on the best of several arms (Karnin 2013, 'Almost
Optimal Exploration in Multi-Armed Bandits', algorithm 1).
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def rounds(arms: int) -> int:
    """Return the number of rounds until one arm is left: ceil(log2 arms)."""
    return max(0, (arms - 1).bit_length())


def pulls(budget: int, arms: int, left: int) -> int:
    """Return the pulls of each arm that is ``left`` in this round: floor(budget / (left x rounds)),
    at least one.
    """
    return max(1, budget // (left * max(1, rounds(arms))))


def survivors(values: Sequence[float]) -> list[int]:
    """Return the better half of the arms, ceil(n / 2) of them, in their order; ties go to the
    first.
    """
    ranked = sorted(range(len(values)), key=lambda i: (-values[i], i))
    return sorted(ranked[: math.ceil(len(values) / 2)])
