"""Values that come from a model, made sound where they enter: texts, counts, log-probabilities."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeGuard

MOST_TOKENS = 2**53
"""A count above this is none: the largest whole number that every reader of JSON keeps exactly."""
ROUNDING = 1e-3
"""A log-probability may be so far above 0 by rounding, and is then 0."""
LOWEST = -1e100
"""The lowest log-probability. Some servers send the lowest float of 32 bits for a chance of 0."""


def is_count(value: object) -> TypeGuard[int]:
    """True if it is a whole number of tokens; True and False are none."""
    return type(value) is int and 0 <= value <= MOST_TOKENS


def whole(text: str) -> str:
    """The text as it can be written: pairs of surrogates are joined, lone ones replaced."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def number(value: object) -> float:
    """A number as JSON has it; what is none is NaN, so that nobody can take it for one."""
    if type(value) is float:
        return value
    return float(value) if type(value) is int and abs(value) <= MOST_TOKENS else math.nan


def chances(values: tuple[float, ...]) -> tuple[float, ...] | None:
    """Log-probabilities, or None if one of them is none: not finite, or above 0."""
    if not values:
        return values
    if not (math.isfinite(sum(values)) and min(values) >= LOWEST):  # a sum with NaN is NaN
        return None
    highest = max(values)
    if highest <= 0:
        return values
    return tuple(min(value, 0.0) for value in values) if highest <= ROUNDING else None


def alternatives(
    places: tuple[Mapping[str, float], ...],
) -> tuple[Mapping[str, float], ...] | None:
    """The likeliest tokens of each place, or None if a log-probability among them is none."""
    found: list[Mapping[str, float]] = []
    for place in places:
        values = tuple(place.values())
        checked = chances(values)
        if checked is None:
            return None
        found.append(place if checked is values else dict(zip(place, checked, strict=True)))
    return tuple(found)
