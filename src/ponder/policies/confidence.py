"""Confidence of a trace in its least confident passage (Fu 2025, 'Deep Think with Confidence')."""

from __future__ import annotations

import math
from collections.abc import Sequence


def last_mean(logprobs: Sequence[float], window: int) -> float:
    """Return the mean log-probability of the last ``window`` tokens; 0 if there are none."""
    passage = logprobs[-window:]
    return math.fsum(passage) / len(passage) if passage else 0.0


def lowest_mean(logprobs: Sequence[float], window: int) -> float:
    """Return the lowest mean log-probability of ``window`` consecutive tokens, or of all if there
    are fewer.
    """
    if len(logprobs) <= window:
        return last_mean(logprobs, window)
    total, lowest = math.fsum(logprobs[:window]), math.inf
    for i in range(window, len(logprobs) + 1):
        lowest = min(lowest, total)
        if i < len(logprobs):
            total += logprobs[i] - logprobs[i - window]
    return lowest / window


def threshold(lows: Sequence[float], keep: float) -> float:
    """Return the lowest value among the top ``keep`` fraction.

    Raises:
        ValueError: there are no values.
    """
    if not lows:
        raise ValueError("a threshold needs at least one value.")
    ranked = sorted(lows, reverse=True)
    return ranked[max(1, round(keep * len(ranked))) - 1]
