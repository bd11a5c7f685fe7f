"""Selection among candidates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def top_k(items: Sequence[T], scores: Sequence[float | None], k: int) -> list[T]:
    """Return the k items with the highest scores, best first; ties go to the earliest, abstentions
    come last.
    """
    value = [-math.inf if score is None else score for score in scores]
    ranked = sorted(range(len(items)), key=lambda i: (-value[i], i))
    return [items[i] for i in ranked[: max(0, k)]]
