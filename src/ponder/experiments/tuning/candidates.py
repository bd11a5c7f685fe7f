"""Plans that a pool can stand for, and what each would have given: votes of up to n samples that
end by a rule, over random orders of the recorded samples.

Samples come in waves as ``policies.poll`` requests them: the fewest that could end the vote. With
``exact`` the wave itself ends with the vote. A wave's samples are counted whole for other rules.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ponder.core.outlook import Outlook, Seen
from ponder.core.problem import AnswerType
from ponder.experiments.stats.estimators import Floats
from ponder.experiments.tuning.results import Evaluated
from ponder.experiments.tuning.samples import Recorded
from ponder.policies.stopping import Exact, Rule, Value, Window, decided, rule

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


@dataclass(slots=True)
class Closing:
    """A rule, and what it said before."""

    rule: Rule
    _said: dict[tuple[Seen, int, int], bool] = field(default_factory=dict)

    def vote(self, answers: Sequence[int]) -> tuple[int, int]:
        """Return the number of samples that a vote on these uses, and its winner (-1: none)."""
        used, n = 0, len(answers)
        while used < n:
            seen, _ = tallied(answers[:used])
            run = _run(answers[:used]) if isinstance(self.rule, Window) else 0
            if self._closes(seen, 0, n - used, run):
                break
            left = n - used
            exact = isinstance(self.rule, Exact)  # looks at each sample
            wave = 1 if exact else next(
                k for k in range(1, left + 1) if self._closes(seen, k, left - k, run)
            )  # fmt: skip
            used += wave
        return used, tallied(answers[:used])[1]

    def _closes(self, seen: Seen, more: int, left: int, run: int) -> bool:
        """Return True if the vote ends after ``more`` votes for the leader, ``left`` before the
        end. The latest ``run`` samples gave the same answer; only ``Window`` asks.
        """
        if left == 0:
            return True
        first, second = seen.lead
        if first + more == 0:
            return False
        if decided(first + more, second, left):
            return True
        if more:
            seen = Seen((first + more, *seen.counts[1:]), seen.silent)
        if isinstance(self.rule, Value):  # looks ahead no further than this
            lead = seen.lead[0] - seen.lead[1]
            left = min(left, lead * lead + 1)
        key = (seen, left, run + more if isinstance(self.rule, Window) else 0)
        if key not in self._said:
            self._said[key] = self.rule.stops(*key)
        return self._said[key]


def tallied(answers: Sequence[int]) -> tuple[Seen, int]:
    """Return the votes, and the leading answer: the first of equals, -1 if there is none."""
    counts: dict[int, int] = {}
    for answer in answers:
        if answer >= 0:
            counts[answer] = counts.get(answer, 0) + 1
    given = tuple(sorted(counts.values(), reverse=True))
    leader = max(counts, key=counts.__getitem__, default=-1)
    return Seen(given, len(answers) - sum(given)), leader


def _run(answers: Sequence[int]) -> int:
    """Return the number of latest samples with the same answer."""
    if not answers or answers[-1] < 0:
        return 0
    return next((i for i, one in enumerate(reversed(answers)) if one != answers[-1]), len(answers))
