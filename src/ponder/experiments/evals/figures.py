"""Figures from a results store: accuracy and cost of a configuration, and differences between two.

Accuracy has Wilson's interval. Two configurations are compared on the problems that both have, in
pairs: the difference has a bootstrap interval over problems, and McNemar's exact test (McNemar
1947) asks whether the problems that only one of them has right could be chance. The difference is
decided if both say so: with few such problems the bootstrap alone is too narrow.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import scipy  # loads ``stats`` when it is used

from ponder.core.errors import UsageError
from ponder.experiments.evals.store import Outcome, Stored
from ponder.experiments.stats import paired
from ponder.experiments.stats.intervals import LEVEL, resampled_means, wilson
from ponder.experiments.stats.paired import Difference
from ponder.experiments.stats.series import UNITS, Point, Series

POWER = 0.8
"""Probability with which ``needed`` problems would show the difference."""
_LEAST_DISCORDANT = 10  # with fewer, their share is too uncertain to plan with


@dataclass(frozen=True, slots=True)
class Summary:
    """One configuration on the problems whose runs have ended."""

    id: str
    name: str
    model: str
    problems: int
    ungraded: int
    accuracy: float | None
    """None unless all are graded; so are ``low`` and ``high``."""
    low: float | None
    """Lower end of the 95 % interval."""
    high: float | None
    """Upper end of the 95 % interval."""
    cost: Mapping[str, float]
    """Mean per problem, in each unit that is known."""
    failed: int
    refused: int
    stopped_by: Mapping[str, int]
    """Number of runs by the limit that stopped them, or ``done``."""

    def to_json(self) -> dict[str, Any]:
        """Return all fields, with the units of ``cost`` beside them, None where unknown."""
        found = {name: getattr(self, name) for name in self.__slots__}
        del found["cost"]
        return {**found, **{unit: self.cost.get(unit) for unit in UNITS}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison(Difference):
    """``b`` against ``a`` on the problems that both have: accuracy of b minus accuracy of a."""

    a: str
    b: str
    accuracy_a: float
    accuracy_b: float
    only_a: int
    """Number of problems that only a has right."""
    only_b: int
    """Number of problems that only b has right."""
    p: float
    """McNemar's p-value."""
    cost: Mapping[str, float]
    """Mean cost of b as a multiple of that of a, by unit."""

    @property
    def decided(self) -> bool:
        """True if the interval excludes zero and McNemar's test agrees."""
        return not self.low <= 0 <= self.high and self.p <= 1 - LEVEL

    @property
    def needed(self) -> int | None:
        """Number of problems that would show a difference of this size with 80 % power.

        None where the difference is decided already, or the number cannot be estimated.
        """
        return None if self.decided else needed(self.only_a, self.only_b, self.problems)

    @property
    def verdict(self) -> str:
        """One sentence."""
        if self.decided:
            return f"{'B' if self.difference > 0 else 'A'} is better"
        more = ""
        if self.needed is not None:
            more = f"; about {self.needed:,} would be needed to see a difference of this size"
        return f"the data do not decide ({self.problems:,} problems{more})"

    def to_json(self) -> dict[str, Any]:
        """Return all fields and properties."""
        return {name: getattr(self, name) for name in _SHOWN}


_SHOWN = (
    "a", "b", "problems", "accuracy_a", "accuracy_b", "difference", "low", "high", "only_a",
    "only_b", "p", "decided", "needed", "cost", "verdict",
)  # fmt: skip


def ended(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return the outcomes whose runs have ended, in the order given."""
    return [outcome for outcome in outcomes if outcome.state != "open"]


def summary(of: Stored, outcomes: Sequence[Outcome]) -> Summary:
    """Return a configuration's figures; runs that have not ended are left out."""
    outcomes = ended(outcomes)
    ungraded = sum(outcome.correct is None for outcome in outcomes)
    accuracy = low = high = None
    if outcomes and not ungraded:
        right = sum(outcome.correct is True for outcome in outcomes)
        accuracy = right / len(outcomes)
        low, high = wilson(right, len(outcomes))
    return Summary(
        of.id,
        of.name,
        of.model,
        len(outcomes),
        ungraded,
        accuracy,
        low,
        high,
        costs(of, outcomes),
        sum(outcome.state == "failed" for outcome in outcomes),
        sum(outcome.state == "refused" for outcome in outcomes),
        dict(sorted(Counter(o.stopped_by for o in outcomes if o.stopped_by).items())),
    )


def costs(of: Stored, outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Return the mean cost per problem, in every unit that is known."""
    priced = of.priced or any(outcome.usd for outcome in outcomes)  # or a verifier's model is
    known = {"tokens": True, "flops": of.parameters > 0, "seconds": True, "usd": priced}
    return {
        unit: math.fsum(getattr(o, unit) for o in outcomes) / len(outcomes)
        for unit in UNITS
        if known[unit] and outcomes
    }


def compare(a: tuple[Stored, Sequence[Outcome]], b: tuple[Stored, Sequence[Outcome]]) -> Comparison:
    """Compare the second with the first.

    Raises:
        UsageError: they have no problem in common, or one of those is not graded.
    """
    (one, of_a), (other, of_b) = a, b
    if one.id == other.id:
        raise UsageError(f"{one.id} is compared with itself: name another configuration.")
    by_id = {outcome.problem_id: outcome for outcome in ended(of_a)}
    both = [(by_id[o.problem_id], o) for o in ended(of_b) if o.problem_id in by_id]
    both = [(x, y) for x, y in both if x.question == y.question]
    if not both:
        raise UsageError(
            f"{one.id} and {other.id} have no problem in common: evaluate both on the same suite."
        )
    for held, side in ((one, 0), (other, 1)):
        if any(pair[side].correct is None for pair in both):
            raise _ungraded(held)
    right = np.array([(bool(x.correct), bool(y.correct)) for x, y in both], dtype=np.float64)
    only_a, only_b = (int((right[:, i] > right[:, 1 - i]).sum()) for i in (0, 1))
    spent_a, spent_b = costs(one, [x for x, _ in both]), costs(other, [y for _, y in both])
    return Comparison(
        **asdict(paired.difference(right, resampled_means(right, 0), 1, 0)),
        a=one.id,
        b=other.id,
        accuracy_a=float(right[:, 0].mean()),
        accuracy_b=float(right[:, 1].mean()),
        only_a=only_a,
        only_b=only_b,
        p=mcnemar(only_a, only_b),
        cost={unit: spent_b[unit] / spent_a[unit] for unit in spent_a
              if unit in spent_b and spent_a[unit] > 0},
    )  # fmt: skip


def mcnemar(only_a: int, only_b: int) -> float:
    """Return the exact two-sided p-value: a split of fair coins at least as lopsided."""
    tosses = only_a + only_b
    return float(scipy.stats.binomtest(min(only_a, only_b), tosses).pvalue) if tosses else 1.0


def needed(only_a: int, only_b: int, problems: int) -> int | None:
    """Return the number of problems for McNemar's test to show this difference with 80 % power.

    Connor 1987, equation 3. None if there is no difference, or too little to tell from.
    """
    if only_a == only_b or only_a + only_b < _LEAST_DISCORDANT:
        return None
    apart, gain = (only_a + only_b) / problems, (only_b - only_a) / problems
    alpha, beta = (NormalDist().inv_cdf(x) for x in ((1 + LEVEL) / 2, POWER))
    root = alpha * math.sqrt(apart) + beta * math.sqrt(apart - gain * gain)
    return max(problems + 1, math.ceil((root / gain) ** 2))


def series_of(of: Stored, outcomes: Sequence[Outcome], source: str) -> Series:
    """Return a configuration as a series of one point; ``outcomes`` are those of ended runs.

    Raises:
        UsageError: one of them is not graded.
    """
    if any(outcome.correct is None for outcome in outcomes):
        raise _ungraded(of)
    calls = sum(outcome.calls for outcome in outcomes) / len(outcomes)
    values = np.array([float(bool(outcome.correct)) for outcome in outcomes])
    return Series(
        of.suite,
        of.model,
        of.name,
        of.parameters,
        tuple(outcome.problem_id for outcome in outcomes),
        tuple(outcome.level for outcome in outcomes),
        (Point(max(1, round(calls)), values, costs(of, outcomes)),),
        source,
    )


def _ungraded(of: Stored) -> UsageError:
    return UsageError(
        f"configuration {of.id} is not graded yet: give the 'ponder eval' command that made it "
        "again."
    )
