"""What a report is made of: accuracy against compute, of one method and one model on one suite.

A pool gives one series per aggregator, with a point per N; each configuration of a results store is
a series with one point. Values are per problem, so that series on the same problems can be compared
in pairs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ponder.experiments.stats.estimators import Floats

UNITS = ("tokens", "flops", "seconds", "usd")
"""What compute is counted in. A series has those that are known."""


@dataclass(frozen=True, slots=True)
class Point:
    """``values`` is each problem's expected accuracy with ``n`` samples, ``cost`` the mean per
    problem by unit, ``error`` the Monte Carlo standard error of the mean value (0: exact).
    """

    n: int
    values: Floats
    cost: Mapping[str, float]
    error: float = 0.0


@dataclass(frozen=True, slots=True)
class Series:
    """One method of one model on one suite. ``points`` are in the order of their cost.

    ``method`` is an aggregator (``majority``, ``best:SCORE``, ``coverage``, ``random``) or the name
    of a configuration; ``coverage`` knows the gold and is a ceiling, not something one could run.
    ``levels`` are the problems' difficulties as the suite has them, None where it has none.
    ``parameters`` is 0 where unknown. ``source`` is the file's name.
    """

    suite: str
    model: str
    method: str
    parameters: int
    problem_ids: tuple[str, ...]
    levels: tuple[str | float | None, ...]
    points: tuple[Point, ...]
    source: str
