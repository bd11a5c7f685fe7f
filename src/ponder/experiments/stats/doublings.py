"""The gain of each doubling of the number of samples, and the number from which none gains.

A straight line over the logarithm of compute says that every doubling gains the same. Its slope
(``fits.log_linear``) is the mean over doublings; these are the doublings one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ponder.experiments.stats import paired
from ponder.experiments.stats.estimators import Floats
from ponder.experiments.stats.paired import Difference

LEAST = 0.005
"""Gain of a doubling below which a curve counts as flat."""


@dataclass(frozen=True, slots=True)
class Doubling:
    """Accuracy with ``2 * n`` samples minus accuracy with ``n``, paired."""

    n: int
    gain: Difference

    def gains(self, least: float = LEAST) -> bool:
        """Return True if the gain is at least ``least`` and its interval is above zero."""
        return self.gain.low > 0 and self.gain.difference >= least


def doublings(sizes: Sequence[int], values: Floats, means: Floats) -> tuple[Doubling, ...]:
    """Return the gain of each doubling among ``sizes``.

    Args:
        sizes: the number of samples of each column, in any order.
        values: of each problem, (problems, columns).
        means: resampled, (resamples, columns), as ``intervals.resampled_means`` gives them.
    """
    place = {n: column for column, n in enumerate(sizes)}
    return tuple(
        Doubling(n, paired.difference(values, means, place[2 * n], place[n]))
        for n in sorted(place)
        if 2 * n in place
    )


def flat_from(found: Sequence[Doubling], least: float = LEAST) -> int | None:
    """Return the number of samples from which no doubling gains; None if the last one does.

    A doubling without a gain before one with a gain is not the end: a majority of two is no better
    than one sample.
    """
    if not found or found[-1].gains(least):
        return None
    return max((2 * one.n for one in found if one.gains(least)), default=found[0].n)
