"""Sequential Monte Carlo: particle weights and resampling.

Doucet & Johansen 2009, 'A tutorial on particle filtering and smoothing', section 3; for reasoning
traces Puri 2025, 'A Probabilistic Inference Approach to Inference-Time Scaling of LLMs'.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def normalised(log_weights: Sequence[float]) -> list[float]:
    """Return weights that sum to 1, from logarithms of any size; -inf is a weight of zero.

    If all weights are zero, the result is uniform.

    Raises:
        ValueError: there are none, or one is NaN or +inf.
    """
    if not log_weights:
        raise ValueError("there are no weights.")
    if any(math.isnan(w) or w == math.inf for w in log_weights):
        raise ValueError("log-weights must be numbers below infinity.")
    top = max(log_weights)
    if top == -math.inf:
        return [1 / len(log_weights)] * len(log_weights)
    raw = [math.exp(w - top) for w in log_weights]
    total = math.fsum(raw)
    return [w / total for w in raw]


def effective(weights: Sequence[float]) -> float:
    """Return the effective sample size, 1 / sum w^2, of weights that sum to 1.

    It lies between 1 and their number.
    """
    return 1 / math.fsum(w * w for w in weights)


def systematic(weights: Sequence[float], count: int, u: float) -> list[int]:
    """Return ``count`` indices from one random number ``u`` in [0, 1), in increasing order.

    Index i appears floor or ceil of count x w_i times, count x w_i in expectation.
    """
    if not 0 <= u < 1:
        raise ValueError(f"u must lie in [0, 1), not {u}.")
    chosen: list[int] = []
    passed, i = weights[0], 0
    for k in range(count):
        point = (k + u) / count
        while point >= passed and i < len(weights) - 1:
            i += 1
            passed += weights[i]
        chosen.append(i)
    return chosen


def multinomial(weights: Sequence[float], points: Sequence[float]) -> list[int]:
    """Return one index for each of ``points``, independent random numbers in [0, 1).

    Used beside a reference that must survive (particle Gibbs: Andrieu 2010, section 4.5).
    """
    bounds: list[float] = []
    total = 0.0
    for weight in weights:
        total += weight
        bounds.append(total)
    return [_first_above(bounds, point * total) for point in points]


def _first_above(bounds: Sequence[float], point: float) -> int:
    return next((i for i, bound in enumerate(bounds) if point < bound), len(bounds) - 1)
