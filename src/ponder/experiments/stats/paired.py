"""The difference of two accuracies on the same problems, with its 95 % interval over problems."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ponder.experiments.stats import intervals
from ponder.experiments.stats.estimators import Floats


@dataclass(frozen=True, slots=True)
class Difference:
    """The mean of one column minus that of another, over the same problems."""

    difference: float
    low: float
    """The lower end of the 95 % interval."""
    high: float
    """The upper end of the 95 % interval."""
    problems: int

    @property
    def decided(self) -> bool:
        """True if the interval excludes zero."""
        return self.low > 0 or self.high < 0

    def rounded(self, decimals: int) -> Difference:
        """Round off the last bits, in which equal means may differ by the order of summation."""
        middle, low, high = (round(x, decimals) for x in (self.difference, self.low, self.high))
        return Difference(middle, low, high, self.problems)


Differences = Mapping[tuple[str, str], Difference]
"""Differences by the names of the compared points: the first minus the second."""


def difference(values: Floats, means: Floats, a: int, b: int) -> Difference:
    """Compare two columns: the first minus the second.

    Args:
        values: of each problem, (problems, columns).
        means: resampled, (resamples, columns), as ``intervals.resampled_means`` gives them.
        a: the column of the first.
        b: the column of the second.
    """
    middle = float((values[:, a] - values[:, b]).mean())
    if len(values) == 1:  # one problem says nothing about others
        return Difference(middle, -1.0, 1.0, 1)
    return Difference(middle, *intervals.percentile(means[:, a] - means[:, b]), len(values))


def to_json(differences: Differences) -> list[dict[str, Any]]:
    """Return the differences as the commands print them with ``--json``."""
    return [
        {
            "a": a,
            "b": b,
            "difference": one.difference,
            "low": one.low,
            "high": one.high,
            "decided": one.decided,
        }
        for (a, b), one in differences.items()
    ]
