"""Small models that think against larger ones that do not, at matched FLOPs (Snell 2024, arXiv
2408.03314, section 7).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ponder.experiments.report.economics import Gap, common, gap, on
from ponder.experiments.stats.series import Series

_SAME = 1e-9  # a cost that is over the budget by less, relatively, is within it

Verdict = Literal["thinking", "parameters", "undecided", "unaffordable"]


def inference_multiple(times: float, ratio: float = math.inf) -> float:
    """How many times the larger model's inference FLOPs the smaller one may spend.

    The larger has ``times`` as many parameters; ``ratio`` R is inference tokens per pretraining
    token. Pretraining takes X = 6 N D_pretrain FLOPs, inference Y = 2 N D_inference. At equal
    total, with equal D_pretrain, the smaller may spend M + 3 (M - 1) / R times its own Y (Snell
    2024, arXiv 2408.03314, section 7), which is 1 + 3 (M - 1) / (M R) times the larger's. R =
    infinity counts inference alone: 1.
    """
    return 1.0 + 3.0 * (times - 1.0) / (times * ratio)


@dataclass(frozen=True, slots=True)
class Match:
    """A smaller model that thinks against one sample of a larger one, at matched FLOPs.

    ``ratio`` is inference tokens per pretraining token, None where inference alone counts.
    ``budget`` is in FLOPs per problem, ``n`` the largest number of samples in it (0: none fits),
    ``gap`` smaller minus larger. ``unused`` is the budget over what the n samples cost; where it is
    far above one and n is ``all_recorded``, more could have been afforded than there is.
    """

    small: str
    large: str
    method: str
    bin: str
    times: float
    ratio: float | None
    budget: float
    n: int
    unused: float
    all_recorded: bool
    gap: Gap | None

    @property
    def verdict(self) -> Verdict:
        """What the data say for this pair."""
        if self.gap is None:
            return "unaffordable"
        if not self.gap.decided:
            return "undecided"
        return "thinking" if self.gap.low > 0 else "parameters"


def match(
    small: Series,
    single: Series,
    ratio: float,
    *,
    problem_ids: Sequence[str],
    bin: str = "",
    seed: int = 0,
) -> Match | None:
    """``small`` with as many samples as fit against ``single``, one sample of the larger model.

    None unless both know their parameters and FLOPs and share some of the problems.
    """
    shared = common([small, single], among=problem_ids)
    flops = single.points[0].cost.get("flops", 0.0)
    costs = [point.cost.get("flops", math.nan) for point in small.points]
    if not shared or not flops or not 0 < small.parameters < single.parameters:
        return None
    if math.isnan(min(costs)):
        return None
    times = single.parameters / small.parameters
    budget = flops * inference_multiple(times, ratio)
    fits = [i for i, cost in enumerate(costs) if cost <= budget * (1 + _SAME)]
    chosen = max(fits, key=lambda i: small.points[i].n, default=None)
    found = None
    if chosen is not None:
        found = gap(on(small, shared)[:, chosen], on(single, shared)[:, 0], seed)
    return Match(
        small=small.model,
        large=single.model,
        method=small.method,
        bin=bin,
        times=times,
        ratio=None if math.isinf(ratio) else ratio,
        budget=budget,
        n=0 if chosen is None else small.points[chosen].n,
        unused=0.0 if chosen is None else budget / costs[chosen],
        all_recorded=chosen is not None and chosen == len(costs) - 1,
        gap=found,
    )
