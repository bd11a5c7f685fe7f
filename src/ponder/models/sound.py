"""Validation of values from a model: texts, counts, log-probabilities."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeGuard

MOST_TOKENS = 2**53
"""Largest valid count: the largest integer that every reader of JSON keeps exactly."""
ROUNDING = 1e-3
"""Rounding tolerance: a log-probability this far above 0 is set to 0."""
LOWEST = -1e100
"""Lowest log-probability. Some servers send the lowest 32-bit float for a probability of 0."""


def is_count(value: object) -> TypeGuard[int]:
    """True if it is an integer number of tokens; bools do not count."""
    return type(value) is int and 0 <= value <= MOST_TOKENS


def count(value: object) -> int | None:
    """Return a number of tokens from JSON, even if written as a float; None for anything else."""
    if type(value) is float and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value <= MOST_TOKENS else None


def whole(text: str) -> str:
    """Return the text with surrogate pairs joined and lone ones replaced, so that it can be
    encoded.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def number(value: object) -> float:
    """Return a number from JSON; NaN for anything else, so that it cannot pass for a number."""
    if type(value) is float:
        return value
    return float(value) if type(value) is int and abs(value) <= MOST_TOKENS else math.nan


def chances(values: tuple[float, ...]) -> tuple[float, ...] | None:
    """Return log-probabilities, or None if one of them is not finite, or above 0."""
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
    """Return the likeliest tokens of each place, or None if a log-probability among them is
    invalid.
    """
    found: list[Mapping[str, float]] = []
    for place in places:
        values = tuple(place.values())
        checked = chances(values)
        if checked is None:
            return None
        found.append(place if checked is values else dict(zip(place, checked, strict=True)))
    return tuple(found)


def pieces(rows: Sequence[Mapping[str, object]]) -> tuple[bytes, ...] | None:
    """Return the UTF-8 bytes of each listed token; None unless all are told. The ``bytes`` count
    before the ``token``, which cannot write a part of a character.
    """
    found = []
    for row in rows:
        token, listed = row.get("token"), row.get("bytes")
        if isinstance(listed, list) and all(type(one) is int and 0 <= one < 256 for one in listed):
            found.append(bytes(listed))
        elif isinstance(token, str):
            found.append(whole(token).encode())
        else:
            return None
    return tuple(found)
