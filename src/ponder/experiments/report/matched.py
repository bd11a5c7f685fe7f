"""Small models that think against larger ones that do not, at matched FLOPs.

Snell 2024 (arXiv 2408.03314), section 7.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ponder.experiments.report.table import Table
from ponder.experiments.stats.paired import Difference

_SAME = 1e-9  # relative excess below which a cost is within the budget

Verdict = Literal["thinking", "parameters", "undecided", "unaffordable"]


def inference_multiple(times: float, ratio: float = math.inf) -> float:
    """Return the smaller model's inference budget as a multiple of the larger one's FLOPs.

    The larger has ``times`` as many parameters; ``ratio`` R is inference tokens per pretraining
    token. Pretraining takes X = 6 N D_pretrain FLOPs, inference Y = 2 N D_inference. At equal
    total, with equal D_pretrain, the smaller may spend M + 3 (M - 1) / R times its own Y (Snell
    2024, arXiv 2408.03314, section 7), which is 1 + 3 (M - 1) / (M R) times the larger's. R =
    infinity counts inference alone: 1.
    """
    return 1.0 + 3.0 * (times - 1.0) / (times * ratio)


@dataclass(frozen=True, slots=True)
class Match:
    """A smaller model that thinks against a larger one, at matched FLOPs."""

    small: str
    large: str
    method: str
    bin: str
    times: float
    """The larger model's parameters over the smaller one's."""
    ratio: float | None
    """Inference tokens per pretraining token; None where inference alone counts."""
    budget: float
    """Most cost per problem, in the unit that is matched."""
    n: int
    """Largest number of samples within the budget; 0 if none fits."""
    large_n: int
    """The larger model's number of samples: 1, or those of its own vote."""
    unused: float
    """The budget over the cost of the n samples."""
    all_recorded: bool
    """True if n is all that were recorded: a large ``unused`` would have paid for more."""
    gap: Difference | None
    """Accuracy of the smaller minus the larger; None if nothing fits."""

    @property
    def verdict(self) -> Verdict:
        """The verdict of the interval for this pair."""
        if self.gap is None:
            return "unaffordable"
        if not self.gap.decided:
            return "undecided"
        return "thinking" if self.gap.low > 0 else "parameters"


def match(
    table: Table,
    small: int,
    large: int,
    ratio: float,
    *,
    among: Collection[str] | None = None,
    bin: str = "",
    large_n: int = 1,
    unit: str = "flops",
) -> Match | None:
    """Match one series against ``large_n`` samples of another, with as many samples as fit.

    ``large`` is a series of single samples, or of a vote for the comparison of two votes. A
    ``unit`` other than FLOPs is matched where inference alone counts.

    None unless both know their parameters and the unit, and share some of the problems, and unless
    the larger has that many samples.
    """
    columns = table.columns(small)
    alone = next((i for i in table.columns(large) if table.configs[i].n == large_n), None)
    if alone is None:
        return None
    rows = table.rows([*columns, alone], among)
    costs, price = table.cost(unit)[columns], table.configs[alone].cost.get(unit, 0.0)
    one, other = table.series[small], table.series[large]
    if not len(rows) or not price or not 0 < one.parameters < other.parameters:
        return None
    if np.isnan(costs).any():
        return None
    times = other.parameters / one.parameters
    budget = price * inference_multiple(times, ratio)
    fits = [i for i, cost in zip(columns, costs, strict=True) if cost <= budget * (1 + _SAME)]
    chosen = max(fits, key=lambda i: table.configs[i].n, default=None)
    return Match(
        small=one.model,
        large=other.model,
        method=one.method,
        bin=bin,
        times=times,
        ratio=None if math.isinf(ratio) else ratio,
        budget=budget,
        n=0 if chosen is None else table.configs[chosen].n,
        large_n=large_n,
        unused=0.0 if chosen is None else budget / table.configs[chosen].cost[unit],
        all_recorded=chosen == columns[-1],
        gap=None if chosen is None else table.difference(chosen, alone, rows),
    )
