"""A ladder of ways to answer, from cheap to dear: how sure they are together, which to ask next.

Each rung is a model with its thinking, or another way of solving, with an urn for each kind of
problem (``policies.value``). The kind that a problem is on one rung tells its kind on the next
(a Markov chain): what is hard for the small model is seldom easy for the large one. Given the kinds
the rungs err independently, but for mistakes that they share. The posterior of each answer is then
a sum over chains of kinds, which is a forward pass.

The next step is the one with the highest expected gain per price, among those whose gain is worth
more than their price: a myopic value of computation (Russell and Wefald 1991; Hay 2012), where
several samples at once see beyond a tie.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import combinations_with_replacement
from operator import add, mul

from ponder.core.outlook import Seen
from ponder.policies.value import Mixture, Urn

NEW, OTHER = "\0", "\1"
"""Stand for answers that were not seen yet."""
TINY = 1e-9
LOOKED = 2
"""Most samples whose outcomes are enumerated."""
RIVALS = 3
"""Answers that may win, the likeliest first; the others count as wrong."""


@dataclass(frozen=True, slots=True)
class Ballots:
    """The samples of one rung."""

    votes: Mapping[str, int]
    """Votes by answer, in the order in which the answers came."""
    silent: int = 0
    """Number of samples without an answer."""

    @property
    def samples(self) -> int:
        """Number of samples."""
        return sum(self.votes.values()) + self.silent

    @property
    def seen(self) -> Seen:
        """The samples of this rung alone."""
        return Seen(tuple(sorted(self.votes.values(), reverse=True)), self.silent)

    def plus(self, answers: Iterable[str | None]) -> Ballots:
        """Return the tally with further samples; None is one without an answer."""
        votes, silent = dict(self.votes), self.silent
        for answer in answers:
            if answer is None:
                silent += 1
            else:
                votes[answer] = votes.get(answer, 0) + 1
        return Ballots(votes, silent)


EMPTY = Ballots({})


@dataclass(frozen=True, slots=True)
class Option:
    """Further samples of one rung."""

    rung: int
    samples: int
    gain: float
    """Expected increase of the probability that the answer is right."""
    price: float
    """Price of the samples, in the unit of the worth."""


@dataclass(frozen=True)
class Ladder:
    """The rungs, and what one tells of the next."""

    rungs: tuple[Mixture, ...]
    """The kinds of problems as each rung meets them, with their shares on the first."""
    steps: tuple[tuple[tuple[float, ...], ...], ...]
    """For each rung but the first, the probability of its kinds (columns) given the kind on the
    rung before (rows).
    """
    shared: float = 0.3
    """Probability that a mistake is one that another rung made too."""

    def beliefs(self, tallies: Sequence[Ballots]) -> dict[str, float]:
        """Return the probability of each answer to be the right one, the likeliest first.

        ``tallies`` are one per rung. Of answers that are as likely, the one that came first leads.
        """
        weights = self._weights(tallies, [_scale(tally) for tally in tallies])
        total = math.fsum(weights.values())
        found = {name: weight / total for name, weight in weights.items() if name is not None}
        return dict(sorted(found.items(), key=lambda pair: -pair[1]))

    def gain(self, tallies: Sequence[Ballots], rung: int, samples: int) -> float:
        """Return the expected increase of the leader's probability with ``samples`` more of a rung.

        Exact, within the model, for up to ``LOOKED`` samples and ``RIVALS`` rivals, but for
        mistakes that rungs above may come to share; more samples are taken to add to that what they
        add on that rung alone.
        """
        return _View(self, tallies, rung).gain(samples)

    def options(
        self, tallies: Sequence[Ballots], prices: Mapping[tuple[int, int], float]
    ) -> list[Option]:
        """Return an option for each (rung, samples) that has a price, in their order."""
        views = {rung: _View(self, tallies, rung) for rung in dict.fromkeys(r for r, _ in prices)}
        return [
            Option(rung, samples, views[rung].gain(samples), price)
            for (rung, samples), price in prices.items()
        ]

    def _weights(
        self, tallies: Sequence[Ballots], scales: Sequence[float]
    ) -> dict[str | None, float]:
        """Return the joint weight of the samples and of each answer being the right one; None
        stands for an answer that was not seen yet.
        """
        names: dict[str | None, None] = dict.fromkeys(name for t in tallies for name in t.votes)
        names[None] = None
        return {name: math.fsum(self.forward(tallies, name, scales)) for name in names}

    def forward(
        self, tallies: Sequence[Ballots], right: str | None, scales: Sequence[float]
    ) -> list[float]:
        """Return the weight of each kind on the last of these rungs, if that answer is the right
        one.
        """
        weights: list[float] = []
        earlier: set[str] = set()
        for place, (tally, scale) in enumerate(zip(tallies, scales, strict=True)):
            weights = self.prior(place, weights)
            if tally.samples:
                found = self.likelihoods(place, tally, right, earlier, scale)
                weights = [weight * chance for weight, chance in zip(weights, found, strict=True)]
                earlier |= set(tally.votes)
        return weights

    def backward(
        self, tallies: Sequence[Ballots], rung: int, right: str | None, scales: Sequence[float]
    ) -> list[float]:
        """Return the probability of the samples above a rung, for each kind on that rung."""
        chances = [1.0] * len(self.rungs[-1].urns)
        for place in range(len(tallies) - 1, rung, -1):
            if tallies[place].samples:
                earlier = {name for tally in tallies[:place] for name in tally.votes}
                found = self.likelihoods(place, tallies[place], right, earlier, scales[place])
                chances = [one * chance for one, chance in zip(chances, found, strict=True)]
            chances = [
                math.fsum(one * chance for one, chance in zip(row, chances, strict=True))
                for row in self.steps[place - 1]
            ]
        return chances

    def likelihoods(
        self, rung: int, tally: Ballots, right: str | None, earlier: set[str], scale: float
    ) -> list[float]:
        """Return the probability of a rung's samples for each kind, over exp(scale)."""
        won = tally.votes.get(right, 0) if right is not None else 0
        lost = tuple(votes for name, votes in tally.votes.items() if name != right)
        alike = self._alike(tally, right, earlier)
        return [
            alike * math.exp(_evidence(urn, won, lost, tally.silent) - scale)
            for urn in self.rungs[rung].urns
        ]

    def prior(self, rung: int, below: Sequence[float]) -> list[float]:
        """Return the weight of each kind on a rung, given the weights on the rung below it."""
        if not rung:
            return [urn.share for urn in self.rungs[0].urns]
        columns = zip(*self.steps[rung - 1], strict=True)
        return [sum(map(mul, below, column)) for column in columns]

    def _alike(self, tally: Ballots, right: str | None, earlier: set[str]) -> float:
        """Return the probability that a rung's mistakes are, or are not, mistakes of the rungs
        below.
        """
        before = earlier - {right}
        if not before:
            return 1.0
        return math.prod(
            self.shared / len(before) if answer in before else 1.0 - self.shared
            for answer in tally.votes
            if answer != right
        )


class _View:
    """One rung, seen from all others: what further samples of it would tell."""

    def __init__(self, ladder: Ladder, tallies: Sequence[Ballots], rung: int) -> None:
        self._ladder, self._rung, self._tally = ladder, rung, tallies[rung]
        scales = [_scale(tally) for tally in tallies]
        self._scale = scales[rung]
        self._earlier = {name for tally in tallies[:rung] for name in tally.votes}
        beliefs = ladder.beliefs(tallies)
        self._now = next(iter(beliefs.values()), 0.0)
        self._priors: dict[str | None, list[float]] = {}
        self._shares = [0.0] * len(ladder.rungs[rung].urns)
        for name in (*beliefs, None):
            below = ladder.forward(tallies[:rung], name, scales[:rung])
            prior = ladder.prior(rung, below)
            above = ladder.backward(tallies, rung, name, scales)
            self._priors[name] = list(map(mul, prior, above))
            self._shares = list(map(add, self._shares, self._priors[name]))
        self._names = [*list(beliefs)[:RIVALS], NEW, None]
        self._looked = lru_cache(self._look)

    def gain(self, samples: int) -> float:
        """Return the expected increase of the leader's probability."""
        looked = min(samples, LOOKED)
        gain = self._looked(looked)
        if samples > looked:
            seen = self._tally.seen
            gain += max(0.0, self._alone.after(seen, samples) - self._alone.after(seen, looked))
        return min(max(0.0, gain), 1.0 - self._now)

    def _look(self, samples: int) -> float:
        best = whole = 0.0
        for drawn, ways in _draws(self._names, samples):
            tally = self._tally.plus(drawn)
            most = 0.0
            for name in (*self._priors, *(one for one in (NEW, OTHER) if one in drawn)):
                prior = self._priors.get(name) or self._priors[None]
                found = self._ladder.likelihoods(
                    self._rung, tally, name, self._earlier, self._scale
                )
                weight = sum(map(mul, prior, found))
                whole += ways * weight
                most = max(most, weight) if name is not None else most
            best += ways * most
        return best / whole - self._now if whole else 0.0

    @cached_property
    def _alone(self) -> Mixture:
        """The rung's mixture, its kinds as likely as the other rungs make them."""
        own, whole = self._ladder.rungs[self._rung], math.fsum(self._shares)
        return Mixture(
            tuple(
                replace(urn, share=max(share / whole, TINY))
                for urn, share in zip(own.urns, self._shares, strict=True)
            ),
            own.basis,
        )


def choose(options: Sequence[Option], worth: float) -> Option | None:
    """Return the option with the highest gain per price; None if none is worth its price.

    Ties go to the earlier option.
    """
    paying = [one for one in options if one.gain * worth > one.price]
    return max(
        paying, key=lambda one: one.gain / one.price if one.price else math.inf, default=None
    )


@dataclass(frozen=True)
class Climb:
    """Material of ladders: an outlook on one rung, and what a rung tells of the next."""

    mixture: Mixture
    """The kinds of problems, and their shares on the first rung."""
    step: tuple[tuple[float, ...], ...]
    """Probability of each kind on a rung (columns), given the kind on the rung below (rows)."""
    shared: float
    """As in ``Ladder``."""

    @property
    def basis(self) -> str:
        """Description of the data that it was fitted on; '' for a stated prior."""
        return self.mixture.basis

    def right(self, seen: Seen) -> float:
        """Return the probability that the leading answer of one rung is right."""
        return self.mixture.right(seen)

    def after(self, seen: Seen, more: int) -> float:
        """Return the expectation of ``right`` once ``more`` further samples have arrived."""
        return self.mixture.after(seen, more)

    def ladder(self, rungs: int) -> Ladder:
        """Return a ladder of so many rungs."""
        return Ladder((self.mixture,) * rungs, (self.step,) * (rungs - 1), self.shared)


EASY = Urn(6.0, 0.5, 0.1, 0.5)
HARD = Urn(0.7, 2.0, 0.3, 0.5)
STATED = Climb(Mixture((EASY, HARD)), ((0.9, 0.1), (0.4, 0.6)), 0.3)
"""Stated, not fitted: half of the problems are easy, where nine samples in ten are right; of the
hard ones, two in five are easy on the next rung.
"""


def _draws(
    names: Sequence[str | None], samples: int
) -> Iterator[tuple[tuple[str | None, ...], int]]:
    """Yield each way in which up to two samples can fall on these answers, and its orders."""
    for drawn in combinations_with_replacement(names, samples):
        orders = math.factorial(samples)
        for count in Counter(drawn).values():
            orders //= math.factorial(count)
        yield drawn, orders
    if samples == LOOKED:
        yield (NEW, OTHER), 1  # the one that comes first is the new one


def _scale(tally: Ballots) -> float:
    """Return about the logarithm of the tally's probability, so that none vanishes."""
    parts = sum(math.lgamma(votes) for votes in tally.votes.values())
    return parts + math.lgamma(tally.silent + 1) - math.lgamma(tally.samples + 1)


@lru_cache(maxsize=1 << 16)
def _evidence(urn: Urn, won: int, lost: tuple[int, ...], silent: int) -> float:
    """Return the logarithm of the probability of the votes, if ``won`` are for the right answer."""
    own = math.lgamma(urn.right + won) - math.lgamma(urn.right)
    return own + urn.evidence(Seen(lost, silent)) - _more(urn.total, sum(lost) + silent, won)


def _more(total: float, drawn: int, further: int) -> float:
    """Return the logarithm of the number of ways to draw ``further`` ones."""
    return math.lgamma(total + drawn + further) - math.lgamma(total + drawn)
