"""Plans that a pool can stand for, and what each would have given: votes of up to n samples that
end by a rule, over random orders of the recorded samples.

The samples of a wave are counted as ``stats.closing`` says.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ponder.core.outlook import Outlook
from ponder.core.problem import AnswerType
from ponder.experiments.stats.closing import Closing
from ponder.experiments.stats.estimators import Floats
from ponder.experiments.tuning.results import Evaluated
from ponder.experiments.tuning.samples import Recorded
from ponder.policies.stopping import rule

SIZES = (1, 2, 4, 8, 16, 32)
"""Most samples of a vote."""
RULES = (
    "exact",
    "lead(k=2)",
    "lead(k=3)",
    "lead(k=4)",
    "value(price=0.002)",
    "value(price=0.0005)",
)
"""Rules that end a vote of four or more; smaller ones end with ``exact``."""
VOTES = 1000
"""Votes that each plan is evaluated by, on all problems together."""
FEWEST, MOST = 4, 32
"""Fewest and most random orders of each problem's samples."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A plan: at most ``n`` samples of a pool, and the rule that ends the vote."""

    pool: int
    """Position of the pool."""
    n: int
    stop: str

    @property
    def knobs(self) -> dict[str, int | str]:
        """The knobs of ``self_consistency``; none for one sample, which is ``direct``."""
        if self.n == 1:
            return {}
        return {"n": self.n} if self.stop == "exact" else {"n": self.n, "stop": self.stop}

    def named(self, pools: Sequence[Recorded]) -> str:
        """Return its description, with the pool's name if there are several."""
        said = f"vote of {self.n}" if self.n > 1 else "one sample"
        said += f", {self.stop}" if self.n > 1 and self.stop != "exact" else ""
        return f"{pools[self.pool].name}: {said}" if len(pools) > 1 else said


@dataclass(frozen=True, slots=True)
class Fixed:
    """A plan that was measured as a whole."""

    place: int
    """Its position among the evaluated configurations."""
    name: str

    def named(self, pools: Sequence[Recorded]) -> str:
        """Return its description."""
        return self.name


Plan = Candidate | Fixed
"""A plan that can be fitted."""


def candidates(pools: Sequence[Recorded], rules: Sequence[str] = RULES) -> list[Candidate]:
    """Return all plans that the pools can stand for."""
    return [
        Candidate(number, n, stop)
        for number, pool in enumerate(pools)
        for n in SIZES
        if n <= pool.samples
        for stop in (rules if n >= 4 else ("exact",))
    ]


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Results of the plans on each problem. Arrays are (problems, plans)."""

    plans: tuple[Plan, ...]
    accuracy: Floats
    """Share of the orders in which the answer is right."""
    cost: Floats
    """Mean cost over the orders."""


def evaluate(
    pools: Sequence[Recorded],
    outlooks: Mapping[AnswerType, Outlook],
    seed: int = 0,
    plans: Sequence[Candidate] | None = None,
) -> Outcomes:
    """Return what every plan gives on every problem.

    ``outlooks`` are those of the rule ``value``. One sample is exact: the mean of all.
    """
    asked = tuple(candidates(pools) if plans is None else plans)
    shape = (len(pools[0].kinds), len(asked))
    accuracy, cost = np.empty(shape), np.empty(shape)
    orders = [_orders(pool, seed) for pool in pools]
    closings: dict[tuple[str, AnswerType], Closing] = {}
    for column, plan in enumerate(asked):
        pool = pools[plan.pool]
        if plan.n == 1:
            accuracy[:, column] = pool.correct.mean(1)
            cost[:, column] = pool.once + pool.each.mean(1)
            continue
        for row, kind in enumerate(pool.kinds):
            closing = closings.setdefault(
                (plan.stop, kind), Closing(rule(plan.stop, outlooks[kind]))
            )
            classes, each = pool.classes[row].tolist(), pool.each[row].tolist()
            drawn = orders[plan.pool][row]
            hits, spent = 0, 0.0
            for order in drawn:
                used, winner = closing.vote([classes[i] for i in order[: plan.n]])
                hits += winner >= 0 and bool(pool.right[row, winner])
                spent += sum(each[i] for i in order[:used])
            accuracy[row, column] = hits / len(drawn)
            cost[row, column] = pool.once[row] + spent / len(drawn)
    return Outcomes(asked, accuracy, cost)


def beside(found: Outcomes | None, evaluated: Sequence[Evaluated]) -> Outcomes:
    """Return the outcomes with those of the evaluated configurations beside them."""
    plans = tuple(Fixed(place, one.name) for place, one in enumerate(evaluated))
    accuracy, cost = ([getattr(one, name) for one in evaluated] for name in ("correct", "cost"))
    if found is None:
        return Outcomes(plans, np.stack(accuracy, 1), np.stack(cost, 1))
    if not plans:
        return found
    return Outcomes(
        (*found.plans, *plans),
        np.column_stack([found.accuracy, *accuracy]),
        np.column_stack([found.cost, *cost]),
    )


def _orders(pool: Recorded, seed: int) -> list[list[list[int]]]:
    """Return random orders of each problem's samples, the same whatever other pools there are."""
    rng = random.Random(f"{seed} {pool.name}")
    many = min(MOST, max(FEWEST, VOTES // len(pool.kinds)))
    return [
        [rng.sample(range(pool.samples), pool.samples) for _ in range(many)] for _ in pool.kinds
    ]
