"""Sequential halving: a fixed budget of pulls on the best of several arms (Karnin 2013, 'Almost
Optimal Exploration in Multi-Armed Bandits', algorithm 1).
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def rounds(arms: int) -> int:
    """In how many rounds one arm is left: ceil(log2 arms)."""
    return max(0, (arms - 1).bit_length())


def pulls(budget: int, arms: int, left: int) -> int:
    """How often each of the arms that are ``left`` is pulled in this round, at least once:
    floor(budget / (left x rounds)).
    """
    return max(1, budget // (left * max(1, rounds(arms))))


def survivors(values: Sequence[float]) -> list[int]:
    """The better half of the arms, ceil(n / 2) of them, in their order; ties go to the first."""
    ranked = sorted(range(len(values)), key=lambda i: (-values[i], i))
    return sorted(ranked[: math.ceil(len(values) / 2)])
