"""Selection rules for trees whose branches are arms of a bandit. Values lie in [0, 1].

``uct``      Kocsis & Szepesvari 2006, 'Bandit based Monte-Carlo Planning', section 2
``puct``     Silver 2017, 'Mastering the game of Go without human knowledge', methods (search)
``allowed``  Couetoux 2011, 'Continuous Upper Confidence Trees', progressive widening
``Beta``     Thompson 1933; as used by AB-MCTS-A (Inoue 2025, 'Wider or Deeper?', section 3)
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from dataclasses import dataclass, replace


def uct(mean: float, visits: int, parent_visits: int, c: float = math.sqrt(2)) -> float:
    """Return mean + c sqrt(ln N / n); infinite for an arm that was never tried.

    Raises:
        ValueError: the parent has fewer visits than its child.
    """
    if visits == 0:
        return math.inf
    _check(visits, parent_visits)
    return mean + c * math.sqrt(math.log(parent_visits) / visits)


def puct(mean: float, visits: int, parent_visits: int, prior: float, c: float = 1.25) -> float:
    """Return mean + c p sqrt(N) / (1 + n): an unlikely branch waits, even if never tried.

    Raises:
        ValueError: the parent has fewer visits than its child.
    """
    _check(visits, parent_visits)
    return mean + c * prior * math.sqrt(parent_visits) / (1 + visits)


def _check(visits: int, parent_visits: int) -> None:
    if parent_visits < visits:
        raise ValueError(f"a child with {visits} visits has a parent with {parent_visits}.")


def allowed(visits: int, c: float = 1.0, alpha: float = 0.5) -> int:
    """Return the number of branches that a node with so many visits may have: ceil(c n^alpha), at
    least one.
    """
    return max(1, math.ceil(c * math.pow(visits, alpha) - 1e-9))


@dataclass(frozen=True, slots=True)
class Beta:
    """Posterior of an arm's value: Beta(a, b), with Jeffreys' prior by default.

    A value between 0 and 1 counts as that share of a success.
    """

    a: float = 0.5
    b: float = 0.5

    @property
    def mean(self) -> float:
        """The expected value."""
        return self.a / (self.a + self.b)

    def seen(self, values: Iterable[float]) -> Beta:
        """Return the posterior after these values.

        Raises:
            ValueError: one of them is not in [0, 1].
        """
        now = self
        for value in values:
            if not 0 <= value <= 1:
                raise ValueError(f"a value must lie in [0, 1], not {value}.")
            now = replace(now, a=now.a + value, b=now.b + 1 - value)
        return now

    def draw(self, rng: random.Random) -> float:
        """Draw one sample."""
        return rng.betavariate(self.a, self.b)
