"""Difficulty, and where thinking helps, by bins of problems.

For each bin: the gains of selectors over a single sample, and the number of problems that any
sample solves. Where a suite has no levels, bins come from another model's pass@1. Snell 2024
(arXiv 2408.03314, section 3.2) bins by the model's own; but bins made from the very samples that
are reported regress to the mean: the hardest bin looks harder, the easiest easier than it is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy

from ponder.experiments.report.table import DECIMALS, ONE_SAMPLE, Table
from ponder.experiments.stats import intervals
from ponder.experiments.stats.paired import Difference
from ponder.experiments.stats.series import Series

BINS = 5
MOST_NAMES = 12
"""Most distinct levels, if they are not numbers, that make bins."""
NEAR_ZERO = 0.05
"""A bin whose coverage is certainly below this is out of reach: no selector exceeds coverage."""


# Bins ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bins:
    """Bins of problems."""

    names: tuple[str, ...]
    """Names, the easiest first where an order is known."""
    of: Mapping[str, int]
    """Position of each problem's bin in ``names``."""
    origin: str
    """Source of the bins, in words."""
    by_model: str = ""
    """Model whose pass@1 they are; empty for levels."""

    def problems(self, place: int) -> tuple[str, ...]:
        """Return the problems of one bin."""
        return tuple(problem for problem, at in self.of.items() if at == place)


def from_levels(series: Sequence[Series]) -> Bins | None:
    """Return bins of the suite's levels: one each, or numbers merged to five of nearly equal size.

    None without levels, with a single one, or with too many that are not numbers. Problems without
    a level are in no bin.
    """
    levels = {
        problem: level
        for s in series
        for problem, level in zip(s.problem_ids, s.levels, strict=True)
        if level is not None
    }
    distinct = sorted(set(levels.values()), key=_natural)
    if len(distinct) < 2:
        return None
    origin = "the suite's own levels"
    if len(distinct) <= BINS or any(_number(level) is None for level in distinct):
        if len(distinct) > MOST_NAMES:
            return None
        places = {level: i for i, level in enumerate(distinct)}
        names = tuple(_named(level, level) for level in distinct)
    else:
        sizes = [sum(1 for level in levels.values() if level == d) for d in distinct]
        merged = merge(sizes)
        places = dict(zip(distinct, merged, strict=True))
        groups = [[d for d in distinct if places[d] == i] for i in range(max(merged) + 1)]
        names = tuple(_named(group[0], group[-1]) for group in groups)
        origin += f", merged to {len(names)} bins of nearly equal size"
    return Bins(names, {p: places[level] for p, level in levels.items()}, origin)


def from_another(series: Sequence[Series], apart: Collection[str]) -> Bins | None:
    """Return bins of pass@1 of the largest model that is not in ``apart``, the easiest first.

    None if there is no such model, or if it finds all problems equally hard.
    """
    own = {_bare(model) for model in apart}
    others = [s for s in series if s.method == ONE_SAMPLE and _bare(s.model) not in own]
    if not others:
        return None
    other = max(others, key=lambda s: s.parameters)
    rates = np.round(other.points[0].values, DECIMALS)
    distinct = sorted({float(rate) for rate in rates}, reverse=True)
    merged = merge([int((rates == rate).sum()) for rate in distinct])
    if not merged or merged[-1] == 0:
        return None
    places = dict(zip(distinct, merged, strict=True))
    groups = [[d for d in distinct if places[d] == i] for i in range(merged[-1] + 1)]
    ends = {0: ", easiest", len(groups) - 1: ", hardest"}
    names = tuple(
        f"bin {i + 1}{ends.get(i, '')} (pass@1 {_range(group[-1], group[0])})"
        for i, group in enumerate(groups)
    )
    of = {p: places[float(rate)] for p, rate in zip(other.problem_ids, rates, strict=True)}
    return Bins(names, of, f"pass@1 of {other.model}, from samples of its own", other.model)


def _bare(model: str) -> str:
    """Return the name without the file that tells the model from the same one elsewhere."""
    return model.partition(" [")[0]


def merge(sizes: Sequence[int], bins: int = BINS) -> list[int]:
    """Return the bin of each of the ordered groups, such that bins are about equally large.

    A group is never split: its middle decides.
    """
    total, before, found = sum(sizes), 0, []
    for size in sizes:
        found.append(int(bins * (before + size / 2) / total))
        before += size
    places = {bin: i for i, bin in enumerate(sorted(set(found)))}
    return [places[bin] for bin in found]


def _number(level: str | float) -> float | None:
    try:
        value = float(level)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _natural(level: str | float) -> tuple[int, float, str]:
    """Sort numbers by value, then names, with a final number by value: Level 2 before Level 10."""
    number = _number(level)
    if number is not None:
        return 0, number, ""
    found = re.fullmatch(r"(.*?)(\d{1,9})", str(level))
    return (1, float(found[2]), found[1]) if found else (2, 0.0, str(level))


def _named(first: str | float, last: str | float) -> str:
    if _number(first) is None:
        return str(first)
    a, b = (f"{_number(level):g}" for level in (first, last))
    return f"level {a}" if a == b else f"level {a} to {b}"


def _range(low: float, high: float) -> str:
    return f"{low:.2f}" if low == high else f"{low:.2f} to {high:.2f}"


# Gains --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Gain:
    """The gain of a method's ``n`` samples over a single sample of the same model, paired."""

    label: str
    model: str
    method: str
    bin: str
    n: int
    one_sample: float
    gap: Difference

    @property
    def verdict(self) -> Literal["helps", "hurts", "undecided"]:
        """The verdict of the interval."""
        if not self.gap.decided:
            return "undecided"
        return "helps" if self.gap.low > 0 else "hurts"


def gain(
    table: Table,
    series: int,
    single: int,
    among: Collection[str] | None = None,
    bin: str = "",
) -> Gain | None:
    """Return the gain at the largest n of ``series``; None if n is 1 or no problem is shared."""
    most, alone = table.largest(series), table.columns(single)[0]
    rows = table.rows([*table.columns(series), alone], among)
    config = table.configs[most]
    if not len(rows) or config.n <= table.configs[alone].n:
        return None
    return Gain(
        label=config.label,
        model=config.model,
        method=config.method,
        bin=bin,
        n=config.n,
        one_sample=float(table.values[rows, alone].mean()),
        gap=table.difference(most, alone, rows),
    )


# How far anything reaches -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The number of problems that any of ``n`` samples solved, which no selector can exceed."""

    model: str
    bin: str
    n: int
    problems: int
    solved: float
    """An expectation where more than n samples are recorded."""
    one_sample: float | None
    above: float
    """Upper end of the 95 % interval for ``solved``, rounded up (Clopper and Pearson 1934)."""

    @property
    def verdict(self) -> Literal["out of reach", "none solved", "within reach"]:
        """``none solved``: none was, but of too few problems to rule out that any can be."""
        if self.above < NEAR_ZERO:
            return "out of reach"
        return "none solved" if self.solved < 1e-9 else "within reach"


def ceiling(
    table: Table,
    coverage: int,
    single: int | None,
    among: Collection[str] | None = None,
    bin: str = "",
) -> Ceiling | None:
    """Return the ceiling at the largest n of ``coverage`` on those problems.

    None if it has none.
    """
    most = table.largest(coverage)
    rows = table.rows([most], among)
    if not len(rows):
        return None
    solved = round(float(table.values[rows, most].sum()), DECIMALS)
    alone = None
    if single is not None:
        reached = float(table.values[rows, table.columns(single)[0]].mean())
        alone = None if math.isnan(reached) else reached
    return Ceiling(
        model=table.configs[most].model,
        bin=bin,
        n=table.configs[most].n,
        problems=len(rows),
        solved=solved,
        one_sample=alone,
        above=clopper_pearson_above(math.ceil(solved - 1e-9), len(rows)),
    )


def clopper_pearson_above(successes: int, trials: int) -> float:
    """Return the upper end of a proportion's exact 95 % interval (Clopper and Pearson 1934)."""
    return float(scipy.stats.binomtest(successes, trials).proportion_ci(intervals.LEVEL).high)
