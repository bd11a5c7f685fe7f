"""Material of ladders (``policies.ladder``) of equal rungs, as it is fitted, and a stated one."""

from __future__ import annotations

from dataclasses import dataclass

from ponder.core.outlook import Seen
from ponder.policies.ladder import Ladder
from ponder.policies.value import Mixture, Urn

MUTE = 0.03
"""Probability that a rung is mute. Stated: a 0.5B model wrote eight programs without an answer on 2
of 78 problems.
"""


@dataclass(frozen=True)
class Climb:
    """Material of ladders: an outlook on one rung, and what a rung tells of the next."""

    mixture: Mixture
    """The kinds of problems, and their shares on the first rung."""
    step: tuple[tuple[float, ...], ...]
    """Probability of each kind on a rung (columns), given the kind on the rung below (rows)."""
    shared: float
    """As in ``Ladder``."""
    own: Mixture | None = None
    """The caller's own outlook, for a ladder of one rung: it tells nothing of a next one."""

    @property
    def alone(self) -> Mixture:
        """The outlook of a ladder of one rung."""
        return self.own or self.mixture

    @property
    def basis(self) -> str:
        """Description of the data behind one rung; '' for a stated prior."""
        return self.alone.basis

    def right(self, seen: Seen) -> float:
        """Return the probability that the leading answer of one rung is right."""
        return self.alone.right(seen)

    def after(self, seen: Seen, more: int) -> float:
        """Return the expectation of ``right`` once ``more`` further samples have arrived."""
        return self.alone.after(seen, more)

    def ladder(self, rungs: int) -> Ladder:
        """Return a ladder of so many rungs."""
        mixture = self.alone if rungs == 1 else self.mixture
        return Ladder((mixture,) * rungs, (self.step,) * (rungs - 1), self.shared, MUTE)


EASY = Urn(6.0, 0.5, 0.1, 0.5)
HARD = Urn(0.7, 2.0, 0.3, 0.5)
STATED = Climb(Mixture((EASY, HARD)), ((0.9, 0.1), (0.4, 0.6)), 0.3)
"""Stated, not fitted: half of the problems are easy, where nine samples in ten are right; of the
hard ones, two in five are easy on the next rung.
"""
