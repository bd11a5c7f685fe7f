"""Votes over random orders of a pool's samples: the result of every stopping rule, and what the
shipped outlook says of the leader.

Samples come in waves, as ``policies.poll`` requests them. A vote that ends after so many samples
costs so many times the mean sample of its problem: by Wald's identity (1944) this is its expected
cost, as a rule sees answers and not prices. The accuracy of a rule is that of the full vote, which
is known exactly, and the mean difference to it in the orders: chance enters the difference alone.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ponder.core.outlook import Seen
from ponder.core.problem import AnswerType
from ponder.experiments.stats import scoring
from ponder.experiments.stats.closing import Closing, tallied
from ponder.experiments.stats.columns import Columns
from ponder.experiments.stats.estimators import Bools, Floats, Ints
from ponder.experiments.stats.scoring import Aggregator
from ponder.experiments.stats.series import Point
from ponder.planning import difficulty
from ponder.policies import stopping

RULES = (
    *(name for name in stopping.RULES if name != "never"),
    "lead(k=2)",
    "value(price=0.002)",
)
"""Every stopping rule by its defaults, and two cheaper variants. ``never`` is the vote of all."""
MOST = 32
"""Most samples of a vote."""
LEAST = 4
"""Fewest samples of a vote that a rule may end."""
VOTES = 400
"""Votes that each rule is evaluated by, on all problems together."""
ORDERS = (4, 12)
"""Fewest and most random orders of each problem's samples."""


@dataclass(frozen=True, slots=True)
class Stated:
    """Stated probabilities that an answer is right, and if it was. Arrays have one length."""

    suite: str
    model: str
    method: str
    source: str
    """The file's name."""
    problem: Ints
    """Number of the problem, from 0."""
    likely: Floats
    right: Bools
    fitted: bool
    """True if the statements are those of the fit that ships, about votes of a pool."""


def sizes(fewest: int) -> tuple[int, ...]:
    """Return the numbers of samples of votes that a rule may end, for a pool of so many samples."""
    most = 1 << (min(fewest, MOST).bit_length() - 1) if fewest else 0
    return tuple(n for n in (most // 4, most) if n >= LEAST)


@dataclass(frozen=True, slots=True)
class Votes:
    """Random orders of the samples of a pool."""

    read: Columns
    kinds: tuple[AnswerType, ...]
    """Answer type of each problem."""
    orders: tuple[tuple[tuple[int, ...], ...], ...]
    """The answers of the samples in each order, by problem; -1 for none."""
    right: tuple[tuple[bool, ...], ...]
    """True for the answers that are right, by problem."""

    @property
    def most(self) -> int:
        """Number of samples of the largest vote."""
        return sizes(self.read.fewest)[-1]

    def points(self, text: str) -> Iterator[Point]:
        """Yield accuracy and cost of votes that end by a rule, of each of the ``sizes``."""
        closings = {
            kind: Closing(stopping.rule(text, difficulty.shipped().outlook(kind)))
            for kind in dict.fromkeys(self.kinds)
        }
        ns = sizes(self.read.fewest)
        full, errors = scoring.evaluate(self.read, [(Aggregator("majority"), n) for n in ns])
        drawn = len(self.orders[0])
        for n, exact, error in zip(ns, full.T, errors, strict=True):
            gained, used = np.zeros((len(self.kinds), drawn)), np.zeros(len(self.kinds))
            for row, kind in enumerate(self.kinds):
                for order, answers in enumerate(self.orders[row]):
                    samples, winner = closings[kind].vote(answers[:n])
                    elected = tallied(answers[:n])[1]
                    gained[row, order] = self._right(row, winner) - self._right(row, elected)
                    used[row] += samples
            noise = float(np.sqrt(gained.var(1, ddof=1).sum() / drawn)) / len(gained)
            values = exact + gained.mean(1)
            yield Point(n, values, self._costs(used / drawn), math.hypot(error, noise))

    def _right(self, row: int, answer: int) -> int:
        return int(answer >= 0 and self.right[row][answer])

    def _costs(self, used: Floats) -> Mapping[str, float]:
        known = {
            unit: float((cost.once + used * cost.each).mean())
            for unit, cost in self.read.costs.items()
        }
        return {**known, "samples": float(used.mean())}

    def stated(self, suite: str, model: str, source: str) -> Stated | None:
        """Return what the shipped outlook says after 1, 2, 4, ... samples; None if it was fitted to
        none of the answer types, or nothing was answered.
        """
        known = difficulty.shipped().urns
        said: dict[tuple[AnswerType, Seen], float] = {}
        rows: list[tuple[int, float, bool]] = []
        for row, kind in enumerate(self.kinds):
            if kind not in known:
                continue
            outlook = difficulty.shipped().outlook(kind)
            for answers in self.orders[row]:
                for n in (2**i for i in range(self.most.bit_length())):
                    seen, leader = tallied(answers[:n])
                    if leader < 0:
                        continue
                    if (kind, seen) not in said:
                        said[kind, seen] = outlook.right(seen)
                    rows.append((row, said[kind, seen], self.right[row][leader]))
        if not rows:
            return None
        problem, likely, right = zip(*rows, strict=True)
        method = f"votes of 1 to {self.most}"
        return Stated(suite, model, method, source, np.array(problem), np.array(likely),
                      np.array(right), True)  # fmt: skip


def votes(read: Columns, kinds: Sequence[AnswerType], seed: int = 0) -> Votes | None:
    """Return random orders of a pool's samples; None if it has too few of them for a rule."""
    if not sizes(read.fewest):
        return None
    rng = random.Random(seed)
    many = min(ORDERS[1], max(ORDERS[0], VOTES // read.problems))
    most = sizes(read.fewest)[-1]
    orders: dict[int, tuple[tuple[int, ...], ...]] = {}
    right: dict[int, tuple[bool, ...]] = {}
    for group in read.groups:
        for place, row in enumerate(group.rows.tolist()):
            answers = group.classes[place].tolist()
            orders[row] = tuple(tuple(rng.sample(answers, most)) for _ in range(many))
            right[row] = tuple((group.right[place] >= 0.5).tolist())
    rows = range(read.problems)
    return Votes(
        read, tuple(kinds), tuple(orders[row] for row in rows), tuple(right[row] for row in rows)
    )
