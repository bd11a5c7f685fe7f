"""The data of a report: accuracy against compute, of one method and one model on one suite.

A pool gives one series per aggregator, with a point per N; each configuration of a results store
is a series with one point. Values are per problem, so that series on the same problems can be
compared in pairs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ponder.experiments.stats.estimators import Floats

UNITS = ("tokens", "flops", "seconds", "usd")
"""Units of compute. A series has those that are known."""


@dataclass(frozen=True, slots=True)
class Point:
    """Accuracy and cost with ``n`` samples."""

    n: int
    values: Floats
    """Expected accuracy of each problem."""
    cost: Mapping[str, float]
    """Mean cost per problem, by unit."""
    error: float = 0.0
    """Monte Carlo standard error of the mean value; 0 if exact."""


@dataclass(frozen=True, slots=True)
class Series:
    """One method of one model on one suite."""

    suite: str
    model: str
    method: str
    """An aggregator (``majority``, ``best:SCORE``, ``coverage``, ``random``) or the name of a
    configuration. ``coverage`` knows the gold and is a ceiling, not something one could run.
    """
    parameters: int
    """The model's number of parameters; 0 if unknown."""
    problem_ids: tuple[str, ...]
    levels: tuple[str | float | None, ...]
    """Difficulty of each problem in the suite; None where it has none."""
    points: tuple[Point, ...]
    """In the order of their cost."""
    source: str
    """The file's name."""
