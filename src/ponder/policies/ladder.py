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
from functools import lru_cache
from itertools import combinations_with_replacement, pairwise

from ponder.policies.value import Mixture, Seen, Urn

NEW, OTHER = "\0", "\1"
"""Stand for answers that were not seen yet."""
TINY = 1e-9
LOOKED = 2
"""Most samples whose outcomes are enumerated."""
RIVALS = 3
"""Answers that may win, the likeliest first; the others count as wrong."""


@dataclass(frozen=True, slots=True)
class Tally:
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

    def plus(self, answers: Iterable[str | None]) -> Tally:
        """Return the tally with further samples; None is one without an answer."""
        votes, silent = dict(self.votes), self.silent
        for answer in answers:
            if answer is None:
                silent += 1
            else:
                votes[answer] = votes.get(answer, 0) + 1
        return Tally(votes, silent)


EMPTY = Tally({})


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

    def beliefs(self, tallies: Sequence[Tally]) -> dict[str, float]:
        """Return the probability of each answer to be the right one, the likeliest first.

        ``tallies`` are one per rung. Of answers that are as likely, the one that came first leads.
        """
        weights = self._weights(tallies, [_scale(tally) for tally in tallies])
        total = math.fsum(weights.values())
        found = {name: weight / total for name, weight in weights.items() if name is not None}
        return dict(sorted(found.items(), key=lambda pair: -pair[1]))

    def gain(self, tallies: Sequence[Tally], rung: int, samples: int) -> float:
        """Return the expected increase of the leader's probability with ``samples`` more of a rung.

        Exact, within the model, for up to ``LOOKED`` samples and ``RIVALS`` rivals; more are
        taken to add to that what they add on that rung alone.
        """
        looked = min(samples, LOOKED)
        beliefs = self.beliefs(tallies)
        now = next(iter(beliefs.values()), 0.0)
        scales = [_scale(tally) for tally in tallies]
        best = whole = 0.0
        for drawn, ways in _draws([*list(beliefs)[:RIVALS], NEW, None], looked):
            after = [*tallies[:rung], tallies[rung].plus(drawn), *tallies[rung + 1 :]]
            weights = self._weights(after, scales)
            known = [weight for name, weight in weights.items() if name is not None]
            best += ways * max(known, default=0.0)
            whole += ways * math.fsum(weights.values())
        gain = best / whole - now
        if samples > looked:
            alone, seen = self._alone(tallies, rung), tallies[rung].seen
            gain += max(0.0, alone.after(seen, samples) - alone.after(seen, looked))
        return min(max(0.0, gain), 1.0 - now)

    def options(
        self,
        tallies: Sequence[Tally],
        sizes: Sequence[int],
        price: Mapping[tuple[int, int], float],
    ) -> list[Option]:
        """Return the options whose (rung, samples) has a price; sizes are tried smallest first."""
        return [
            Option(rung, size, self.gain(tallies, rung, size), price[rung, size])
            for rung in range(len(self.rungs))
            for size in sizes
            if (rung, size) in price
        ]

    def _alone(self, tallies: Sequence[Tally], rung: int) -> Mixture:
        """Return a rung's mixture, its kinds as likely as the rungs below make them."""
        own = self.rungs[rung]
        if not rung:
            return own
        below = tallies[:rung]
        scales = [_scale(tally) for tally in below]
        names = [*dict.fromkeys(name for tally in below for name in tally.votes), None]
        chains = [self._forward(below, name, scales) for name in names]
        shares = self._step(rung, [math.fsum(weights) for weights in zip(*chains, strict=True)])
        whole = math.fsum(shares)
        return Mixture(
            tuple(
                replace(urn, share=max(share / whole, TINY))
                for urn, share in zip(own.urns, shares, strict=True)
            ),
            own.basis,
        )

    def _weights(
        self, tallies: Sequence[Tally], scales: Sequence[float]
    ) -> dict[str | None, float]:
        """Return the joint weight of the samples and of each answer being the right one; None
        stands for an answer that was not seen yet.
        """
        names: dict[str | None, None] = dict.fromkeys(name for t in tallies for name in t.votes)
        names[None] = None
        return {name: math.fsum(self._forward(tallies, name, scales)) for name in names}

    def _forward(
        self, tallies: Sequence[Tally], right: str | None, scales: Sequence[float]
    ) -> list[float]:
        """Return the weight of each kind on the last rung, if that answer is the right one."""
        weights: list[float] = []
        earlier: set[str] = set()
        for place, (tally, scale) in enumerate(zip(tallies, scales, strict=True)):
            urns = self.rungs[place].urns
            weights = self._step(place, weights) if place else [urn.share for urn in urns]
            if tally.samples:
                won = tally.votes.get(right, 0) if right is not None else 0
                lost = tuple(v for name, v in tally.votes.items() if name != right)
                alike = self._alike(tally, right, earlier)
                weights = [
                    weight * alike * math.exp(_evidence(urn, won, lost, tally.silent) - scale)
                    for weight, urn in zip(weights, urns, strict=True)
                ]
                earlier |= set(tally.votes)
        return weights

    def _step(self, rung: int, weights: Sequence[float]) -> list[float]:
        columns = zip(*self.steps[rung - 1], strict=True)
        return [
            math.fsum(w * chance for w, chance in zip(weights, column, strict=True))
            for column in columns
        ]

    def _alike(self, tally: Tally, right: str | None, earlier: set[str]) -> float:
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


def choose(options: Sequence[Option], worth: float) -> Option | None:
    """Return the option with the highest gain per price; None if none is worth its price.

    Ties go to the earlier option.
    """
    paying = [one for one in options if one.gain * worth > one.price]
    return max(
        paying, key=lambda one: one.gain / one.price if one.price else math.inf, default=None
    )


def independent(rungs: Sequence[Mixture], shared: float = 0.3) -> Ladder:
    """Return a ladder whose rungs tell nothing of each other's kinds: the stated prior."""
    steps = tuple(
        tuple(tuple(urn.share for urn in upper.urns) for _ in lower.urns)
        for lower, upper in pairwise(rungs)
    )
    return Ladder(tuple(rungs), steps, shared)


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


def _scale(tally: Tally) -> float:
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
