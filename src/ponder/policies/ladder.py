"""A ladder of ways to answer, from cheap to dear: how sure they are together, which to ask next.

Each rung is a model with its thinking, or another way of solving, with an urn for each kind of
problem (``policies.value``). The kind that a problem is on one rung tells its kind on the next
(a Markov chain): what is hard for the small model is seldom easy for the large one. Given the kinds
the rungs err independently, but for mistakes that they share. A rung may also be mute: it answers
no such question, and its silence tells nothing of the problem. The posterior of each answer is then
a sum over chains of kinds, which is a forward pass.

The next step is the one with the highest expected gain per price, among those whose gain is worth
more than their price: a myopic value of computation (Russell and Wefald 1991; Hay 2012), where
several samples at once see beyond a tie.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, reduce
from itertools import combinations_with_replacement
from operator import mul

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
    mute: float = 0.0
    """Probability that a rung, apart from the others, answers no such question at all."""

    def posterior(self, tallies: Sequence[Ballots]) -> Posterior:
        """Return what the samples tell; ``tallies`` are one per rung."""
        return Posterior(self, tallies)

    def prior(self, rung: int, below: Sequence[float]) -> list[float]:
        """Return the weight of each kind on a rung, given the weights on the rung below it."""
        if not rung:
            return [urn.share for urn in self.rungs[0].urns]
        return [sum(map(mul, below, column)) for column in self._columns[rung - 1]]

    @cached_property
    def _columns(self) -> list[list[tuple[float, ...]]]:
        return [list(zip(*step, strict=True)) for step in self.steps]


Place = tuple[int, ...]
"""Votes of an answer on each rung. Answers of the same place are as likely."""


class Posterior:
    """All samples, for each answer that may be the right one.

    A forward pass gives the weights of the kinds on each rung by the samples below it, a backward
    pass those by the samples above it (Rabiner 1989), once for each place.
    """

    def __init__(self, ladder: Ladder, tallies: Sequence[Ballots]) -> None:
        self.ladder, self.tallies = ladder, tallies
        names = dict.fromkeys(name for tally in tallies for name in tally.votes)
        self.places: dict[str, Place] = {
            name: tuple(tally.votes.get(name, 0) for tally in tallies) for name in names
        }
        self.unseen: Place = (0,) * len(tallies)
        self.many = Counter(self.places.values())
        """Number of answers of each place."""
        self.earlier = [
            {name for tally in tallies[:rung] for name in tally.votes}
            for rung in range(len(tallies))
        ]
        """Answers of the rungs below each."""
        self._wrong = [
            [urn.evidence(tally.seen) - _scale(tally) for urn in mixture.urns]
            for tally, mixture in zip(tallies, ladder.rungs, strict=True)
        ]
        odds = ladder.mute / (1.0 - ladder.mute)
        self.mute = [0.0 if tally.votes else odds for tally in tallies]
        """Weight of a rung's silence if it is mute; 0 once it has answered."""
        self.priors: dict[Place, list[list[float]]] = {}
        """Weights of the kinds on each rung, by the samples of all other rungs."""
        self.votes: dict[Place, list[list[float]]] = {}
        """Probabilities of a rung's own votes for each kind, up to ``alike``."""
        self._weights = {place: self._pass(place) for place in (*self.many, self.unseen)}
        rest = [many * self._weights[place] for place, many in self.many.items()]
        whole = math.fsum([self._weights[self.unseen], *rest])
        shares = {name: self._weights[place] / whole for name, place in self.places.items()}
        self.beliefs = dict(sorted(shares.items(), key=lambda pair: -pair[1]))
        """Probability of each answer to be the right one, the likeliest first. Of answers that are
        as likely, the one that came first leads.
        """

    def gain(self, rung: int, samples: int) -> float:
        """Return the expected increase of the leader's probability with ``samples`` more of a rung.

        Exact, within the model, for up to ``LOOKED`` samples and ``RIVALS`` rivals, but for
        mistakes that rungs above may come to share; more samples are taken to add to that what they
        add on that rung alone.
        """
        return _View(self, rung).gain(samples)

    def options(self, prices: Mapping[tuple[int, int], float]) -> list[Option]:
        """Return an option for each (rung, samples) that has a price, in their order."""
        views = {rung: _View(self, rung) for rung in dict.fromkeys(r for r, _ in prices)}
        return [
            Option(rung, samples, views[rung].gain(samples), price)
            for (rung, samples), price in prices.items()
        ]

    def _pass(self, place: Place) -> float:
        """Fill in the weights for a right answer of that place, and return their sum."""
        steps, rungs = self.ladder.steps, range(len(self.tallies))
        self.votes[place] = [self._own(rung, place) for rung in rungs]
        likelihoods = []
        for rung, own in enumerate(self.votes[place]):
            alike = self.alike(rung, place, *self.split(rung, self.tallies[rung].votes))
            likelihoods.append([alike * one + self.mute[rung] for one in own])
        below = [self.ladder.prior(0, [])]
        for rung in rungs[1:]:
            below.append(self.ladder.prior(rung, list(map(mul, below[-1], likelihoods[rung - 1]))))
        above = [1.0] * len(below[-1])
        self.priors[place] = below
        for rung in reversed(rungs):
            weight = math.fsum(map(mul, map(mul, below[rung], likelihoods[rung]), above))
            below[rung] = list(map(mul, below[rung], above))
            above = list(map(mul, likelihoods[rung], above))
            above = [sum(map(mul, row, above)) for row in steps[rung - 1]] if rung else above
        return weight

    def _own(self, rung: int, place: Place) -> list[float]:
        urns, wrong = self.ladder.rungs[rung].urns, self._wrong[rung]
        if not (votes := place[rung]):
            return [math.exp(one) for one in wrong]
        return [math.exp(one + urn.log_odds(votes)) for one, urn in zip(wrong, urns, strict=True)]

    def split(self, rung: int, answers: Collection[str]) -> tuple[int, int]:
        """Return how many of these answers a rung below has, too, and how many none has."""
        common = len(self.earlier[rung].intersection(answers))
        return common, len(answers) - common

    def alike(
        self, rung: int, place: Place, common: int, fresh: int, *, mine: bool = False
    ) -> float:
        """Return the probability that the mistakes of a rung are, or are not, mistakes of the rungs
        below, if an answer of that place is the right one.

        ``common`` and ``fresh`` are the numbers of its answers, as ``split`` returns them. The
        right answer is among them if the rung has a vote for it, or if it is ``mine``.
        """
        mine, theirs = mine or place[rung] > 0, any(place[:rung])
        before, shared = len(self.earlier[rung]) - theirs, self.ladder.shared
        if not before:
            return 1.0
        same, other = common - (mine and theirs), fresh - (mine and not theirs)
        return math.pow(shared / before, same) * math.pow(1.0 - shared, other)


class _View:
    """One rung, seen from all others: what further samples of it would tell.

    Each further sample of an urn multiplies the weights by what the urn then holds of it.
    """

    def __init__(self, now: Posterior, rung: int) -> None:
        self._all, self._rung = now, rung
        self._urns = now.ladder.rungs[rung].urns
        self._tally = now.tallies[rung]
        self._now = next(iter(now.beliefs.values()), 0.0)
        self._joint = {
            place: list(map(mul, priors[rung], now.votes[place][rung]))
            for place, priors in now.priors.items()
        }
        self._mute = {
            place: now.mute[rung] * math.fsum(priors[rung]) for place, priors in now.priors.items()
        }
        self._names = [*list(now.beliefs)[:RIVALS], NEW, None]
        self._looked = lru_cache(self._look)
        self._factors = lru_cache(self._multiplied)
        self._alikes = lru_cache(self._alike)

    def gain(self, samples: int) -> float:
        """Return the expected increase of the leader's probability."""
        looked = min(samples, LOOKED)
        gain = self._looked(looked)
        if samples > looked:
            seen = self._tally.seen
            more = self._alone.after(seen, samples) - self._alone.after(seen, looked)
            gain += self._able * max(0.0, more)
        return min(max(0.0, gain), 1.0 - self._now)

    def _look(self, samples: int) -> float:
        best, whole, before = 0.0, 0.0, self._tally.samples
        rest = [math.prod(urn.total + before + k for k in range(samples)) for urn in self._urns]
        joint = {
            place: [one / total for one, total in zip(own, rest, strict=True)]
            for place, own in self._joint.items()
        }
        for drawn, ways in _draws(self._names, samples):
            most, weight = self._weights(joint, drawn)
            best += ways * most
            whole += ways * weight
        return best / whole - self._now if whole else 0.0

    def _weights(
        self, joints: Mapping[Place, list[float]], drawn: Mapping[str | None, int]
    ) -> tuple[float, float]:
        """Return the weight of the likeliest answer after these samples, and the sum of all.

        ``joints`` are the weights before them.
        """
        now, rung = self._all, self._rung
        names = [name for name in drawn if name is not None]
        split = now.split(rung, {*self._tally.votes, *names})
        alike = self._alikes(*split)
        factors = {name: self._factors(name, many) for name, many in drawn.items()}
        common = reduce(_times, factors.values())
        left, most, whole = now.many.copy(), 0.0, 0.0
        for name in names:  # the right answer is among those drawn
            place = now.places.get(name, now.unseen)
            left[place] -= name in now.places
            others = (found for other, found in factors.items() if other != name)
            joint = reduce(_times, others, joints[place])
            own = self._factors(name, drawn[name], True)
            weight = now.alike(rung, place, *split, mine=True) * sum(map(mul, joint, own))
            most, whole = max(most, weight), whole + weight
        for place, joint in joints.items():
            many = left[place] + (place == now.unseen)
            if many > 0:
                weight = alike[place] * sum(map(mul, joint, common))
                weight += 0.0 if names else self._mute[place]
                whole += many * weight
                if place != now.unseen:
                    most = max(most, weight)
        return most, whole

    def _alike(self, common: int, fresh: int) -> dict[Place, float]:
        return {place: self._all.alike(self._rung, place, common, fresh) for place in self._joint}

    def _multiplied(self, name: str | None, many: int, right: bool = False) -> list[float]:
        """Return, for each kind, what ``many`` samples of an answer multiply the weights by."""
        votes = self._tally.votes.get(name, 0) if name is not None else self._tally.silent
        if name is None or right:
            starts = [votes + (urn.silent if name is None else urn.right) for urn in self._urns]
            firsts = starts
        else:
            starts = [float(votes)] * len(self._urns)
            firsts = starts if votes else [urn.wrong for urn in self._urns]
        if many == 1:
            return firsts
        return [first * (start + 1) for first, start in zip(firsts, starts, strict=True)]

    @cached_property
    def _able(self) -> float:
        """The probability that the rung is not mute."""
        if not self._all.mute[self._rung]:
            return 1.0
        many = {**self._all.many, self._all.unseen: 1}
        able = math.fsum(many[place] * sum(joint) for place, joint in self._joint.items())
        return able / (able + math.fsum(many[place] * one for place, one in self._mute.items()))

    @cached_property
    def _alone(self) -> Mixture:
        """The rung's mixture, its kinds as likely as the other rungs make them."""
        now, own = self._all, self._all.ladder.rungs[self._rung]
        shares = list(now.priors[now.unseen][self._rung])
        for place, many in now.many.items():
            more = now.priors[place][self._rung]
            shares = [share + many * one for share, one in zip(shares, more, strict=True)]
        whole = math.fsum(shares)
        return Mixture(
            tuple(
                Urn(urn.right, urn.wrong, urn.silent, max(share / whole, TINY))
                for urn, share in zip(own.urns, shares, strict=True)
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


def _draws(
    names: Sequence[str | None], samples: int
) -> Iterator[tuple[dict[str | None, int], int]]:
    """Yield each way in which up to two samples can fall on these answers, and its orders."""
    for one, *rest in combinations_with_replacement(names, samples):
        drawn = {one: samples} if [one] == rest or not rest else dict.fromkeys((one, *rest), 1)
        yield drawn, math.factorial(samples) if len(drawn) > 1 else 1
    if samples == LOOKED:
        yield {NEW: 1, OTHER: 1}, 1  # the one that comes first is the new one


def _scale(tally: Ballots) -> float:
    """Return about the logarithm of the tally's probability, so that none vanishes."""
    parts = sum(math.lgamma(votes) for votes in tally.votes.values())
    return parts + math.lgamma(tally.silent + 1) - math.lgamma(tally.samples + 1)


def _times(some: list[float], others: list[float]) -> list[float]:
    return list(map(mul, some, others))
