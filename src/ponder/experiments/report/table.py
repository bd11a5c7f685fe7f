"""Configurations side by side: problems in rows, configurations in columns, aligned once.

All comparisons of a report read from this table. Those on the same problems share one set of
resamples of them (``experiments.stats.intervals``), so every difference is paired.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ponder.experiments.stats import intervals, paired
from ponder.experiments.stats.estimators import Floats, Ints
from ponder.experiments.stats.paired import Difference
from ponder.experiments.stats.series import Series

ONE_SAMPLE, CEILING = "random", "coverage"
DECIMALS = 12
"""Decimals beyond which equal means may differ by the order of summation."""


@dataclass(frozen=True, slots=True)
class Config:
    """One column: a point of a series, which is a configuration that could be run."""

    series: int
    """Position of its series in the table."""
    label: str
    model: str
    method: str
    n: int
    cost: Mapping[str, float]


class Table:
    """Accuracy of each configuration on each problem, and its cost.

    ``values`` is (problems, configurations), NaN where a series lacks the problem.
    """

    def __init__(self, series: Sequence[Series], labels: Sequence[str]) -> None:
        self.series = tuple(series)
        self.labels = tuple(labels)
        self.configs = tuple(
            Config(i, label, s.model, s.method, point.n, point.cost)
            for i, (s, label) in enumerate(zip(series, labels, strict=True))
            for point in s.points
        )
        self.problem_ids = tuple(dict.fromkeys(p for s in series for p in s.problem_ids))
        self._row = {name: row for row, name in enumerate(self.problem_ids)}
        self.values: Floats = np.full((len(self.problem_ids), len(self.configs)), np.nan)
        for i, s in enumerate(series):
            rows = [self._row[name] for name in s.problem_ids]
            for column, point in zip(self.columns(i), s.points, strict=True):
                self.values[rows, column] = point.values
        runnable = [i for i, config in enumerate(self.configs) if config.method != CEILING]
        self.shared = self.rows(runnable) if runnable else np.array([], dtype=np.int64)
        """The rows that every configuration has; coverage knows the gold and is none of them."""
        self._means: dict[bytes, Floats] = {}

    def columns(self, series: int) -> range:
        """Return the columns of a series."""
        start = sum(len(s.points) for s in self.series[:series])
        return range(start, start + len(self.series[series].points))

    def largest(self, series: int) -> int:
        """Return the column of a series with the most samples."""
        return max(self.columns(series), key=lambda i: self.configs[i].n)

    def cost(self, unit: str) -> Floats:
        """Return the mean cost of each configuration, NaN where it is unknown."""
        return np.array([config.cost.get(unit, np.nan) for config in self.configs])

    def rows(self, columns: Sequence[int], among: Collection[str] | None = None) -> Ints:
        """Return the rows that all of these columns have, among these problems (None: all)."""
        there = np.arange(len(self.problem_ids))
        if among is not None:
            there = np.array(sorted(self._row[p] for p in among if p in self._row), dtype=np.int64)
        missing = np.isnan(self.values[there][:, columns]).any(axis=1)
        return there[~missing]

    def means(self, rows: Ints) -> Floats:
        """Return resampled means over these problems, (resamples, configurations); cached."""
        key = rows.tobytes()
        if key not in self._means:
            self._means[key] = intervals.resampled_means(self.values[rows], seed=0)
        return self._means[key]

    def difference(self, a: int, b: int, rows: Ints) -> Difference:
        """Compare two columns on these problems: the first minus the second."""
        return paired.difference(self.values[rows], self.means(rows), a, b).rounded(DECIMALS)
