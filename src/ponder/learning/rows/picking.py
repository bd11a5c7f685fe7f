"""The choice of chains: those that a verifier passed, a few for each problem.

Deterministic: ties are broken by a shuffle whose seed is made of the caller's and of the problem's
hash, so the choice depends neither on the order of sources nor on the other problems.

============  ======================================================================================
``shortest``  fewest tokens first, so that a model learns the direct way
``diverse``   the shortest, then always the chain that is farthest from those chosen (Gonzalez
              1985): the distance of two is 1 - the share of their three-word sequences that they
              have in common (Jaccard), and that of one from several is that from the nearest
``best``      highest score first
``random``    in the order of the shuffle
============  ======================================================================================

To keep a few right chains of each problem is rejection sampling (Yuan 2023, 'Scaling Relationship
on Learning Mathematical Reasoning with Large Language Models').
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from ponder.core.errors import UsageError
from ponder.learning.rows.chains import Chain
from ponder.verifiers.naming import canonical

Pick = Literal["shortest", "diverse", "best", "random"]
PICKS: tuple[Pick, ...] = get_args(Pick)
WORDS = 3
"""Words of a sequence by which chains are compared."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The caller's choice of chains.

    Raises:
        UsageError: a number is out of range.
    """

    verifier: str
    """Name of the score that decides."""
    at_least: float = 1.0
    """Least score of a chain that counts as right."""
    pick: Pick = "shortest"
    most: int = 4
    """Most rows of one problem."""
    seed: int = 0
    any_steps: bool = False
    """True to keep right chains with a step that is false."""
    _recorded: str = field(init=False, default="", repr=False)
    """The verifier's name as records have it: ``regex:4`` is ``regex(4)``."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "_recorded", canonical(self.verifier))
        if self.most < 1:
            raise UsageError(f"at most {self.most} rows of a problem are none: give 1 or more.")

    def score(self, chain: Chain) -> float | None:
        """Return the score that decides; None for an abstention."""
        return chain.scores.get(self.verifier, chain.scores.get(self._recorded))

    def passed(self, chain: Chain) -> bool:
        """Return True if the verifier passed the chain's answer."""
        score = self.score(chain)
        return score is not None and score >= self.at_least and chain.answer is not None

    def right(self, chain: Chain) -> bool:
        """Return True if the verifier passed the chain, and it can be a lesson."""
        return chain.fit and self.passed(chain) and (self.any_steps or not chain.misstep)

    def wrong(self, chain: Chain) -> bool:
        """Return True if the verifier failed the chain, and it can be a lesson."""
        score = self.score(chain)
        return chain.fit and score is not None and score < self.at_least

    def ordered(self, chains: Iterable[Chain], problem: str) -> list[Chain]:
        """Return the chains of a problem (its hash) in the order of the choice, each text once."""
        found = list({chain.turn.strip(): chain for chain in _sorted(chains)}.values())
        random.Random(f"{self.seed}:{problem}").shuffle(found)
        return _ORDERS[self.pick](found, self)

    def chosen(self, chains: Sequence[Chain], problem: str) -> list[Chain]:
        """Return the right chains that are kept."""
        return self.ordered(filter(self.right, chains), problem)[: self.most]

    def pairs(self, chains: Sequence[Chain], problem: str) -> list[tuple[Chain, Chain]]:
        """Return pairs of a right chain and a wrong one, each chain in one pair.

        To each right chain comes the wrong one that is nearest in length, so that length is not
        what a pair teaches.
        """
        wrong = self.ordered(filter(self.wrong, chains), problem)
        found = []
        for right in self.ordered(filter(self.right, chains), problem)[: self.most]:
            if wrong:
                nearest = min(wrong, key=lambda one: abs(one.tokens - right.tokens))
                wrong.remove(nearest)
                found.append((right, nearest))
        return found


def _sorted(chains: Iterable[Chain]) -> list[Chain]:
    """Return the chains in an order that does not depend on the order of the sources.

    Of equal texts the last one stands for all.
    """
    return sorted(
        chains, key=lambda c: (c.turn, c.origin.source, c.origin.run, c.origin.sample), reverse=True
    )


def _shortest(chains: list[Chain], choice: Choice) -> list[Chain]:
    return sorted(chains, key=lambda chain: chain.tokens)


def _best(chains: list[Chain], choice: Choice) -> list[Chain]:
    return sorted(chains, key=lambda chain: -(choice.score(chain) or 0.0))


def _random(chains: list[Chain], choice: Choice) -> list[Chain]:
    return chains


def _diverse(chains: list[Chain], choice: Choice) -> list[Chain]:
    """Return the first ``most`` chains of the farthest-first order; the rest by length."""
    left = _shortest(chains, choice)
    shown = {id(chain): _sequences(chain.turn) for chain in left}
    nearest = {id(chain): 1.0 for chain in left}
    found: list[Chain] = []
    while left and len(found) < choice.most:
        taken = max(left, key=lambda chain: nearest[id(chain)])  # the first of equals
        left.remove(taken)
        found.append(taken)
        for chain in left:
            away = distance(shown[id(chain)], shown[id(taken)])
            nearest[id(chain)] = min(nearest[id(chain)], away)
    return found + left


def distance(a: frozenset[str], b: frozenset[str]) -> float:
    """Return the Jaccard distance of two sets, 0 for two empty ones."""
    return 1 - len(a & b) / len(a | b) if a or b else 0.0


def _sequences(text: str) -> frozenset[str]:
    words = text.casefold().split()
    last = max(1, len(words) - WORDS + 1)
    return frozenset(" ".join(words[i : i + WORDS]) for i in range(last))


_ORDERS: dict[Pick, Callable[[list[Chain], Choice], list[Chain]]] = {
    "shortest": _shortest,
    "diverse": _diverse,
    "best": _best,
    "random": _random,
}
