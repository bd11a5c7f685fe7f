"""The value of further votes: the probability that the leading answer is right, now and after more
samples.

Samples of one problem are drawn from an urn (Blackwell and MacQueen 1973): pseudo-counts stand for
the right answer, for wrong ones that were not seen yet and for samples without an answer, and each
sample adds one to what it showed. A wrong answer that was seen is drawn in proportion to its votes,
so a mistake that a model makes often gathers votes as a right answer does. Problems differ: a
mixture of urns, with the share of the problems that each kind makes up, is an empirical Bayes
prior. The probability of the counts in an urn is a product of rising factorials, so all posteriors
are closed forms. Urns that hold little of a right answer, or in which a wrong one swallows the
votes, are the problems that no vote will settle.

It assumes that samples are exchangeable, and that the right answer has one key.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from operator import mul

from ponder.core.outlook import Outlook, Seen

__all__ = ["PRIOR", "Mixture", "Outlook", "Seen", "Urn"]
NEGLIGIBLE = 0.002
"""Posterior share below which an urn is left out of a forecast."""
TINY = 1e-9
"""Probability below which a future is left out of a forecast."""


@dataclass(frozen=True, slots=True)
class Urn:
    """Pseudo-counts of one kind of problem."""

    right: float
    """Of the right answer."""
    wrong: float
    """Of wrong answers that were not seen yet."""
    silent: float
    """Of samples without an answer."""
    share: float = 1.0
    """Share of the problems that are of this kind."""

    @property
    def total(self) -> float:
        """All pseudo-counts."""
        return self.right + self.wrong + self.silent

    def odds(self, votes: int) -> float:
        """Return how much likelier the votes of one answer are if it is the right one, not a wrong
        one.
        """
        return math.exp(self.log_odds(votes))

    def log_odds(self, votes: int) -> float:
        """Return the logarithm of ``odds``."""
        return _rising(self.right, votes) - math.log(self.wrong) - math.lgamma(votes)

    def evidence(self, seen: Seen) -> float:
        """Return the logarithm of the probability of the samples, were all their answers wrong."""
        wrong = len(seen.counts) * math.log(self.wrong) + sum(map(math.lgamma, seen.counts))
        silence = _rising(self.silent, seen.silent)
        return wrong + silence - _rising(self.total, seen.samples)


Kinds = list[tuple[Urn, float, list[float]]]
"""Each urn with its posterior share, and the probabilities in it that each of the answers seen is
right.
"""


@dataclass(frozen=True)
class Mixture:
    """An outlook by a mixture of urns."""

    urns: tuple[Urn, ...]
    """The kinds of problems."""
    basis: str = ""
    """Description of the data that it was fitted on; '' if the urns are a stated prior."""

    def right(self, seen: Seen) -> float:
        """Return the probability that the leading answer is right; 0 without an answer."""
        if not seen.counts:
            return 0.0
        return _leading(self.kinds(seen))

    def after(self, seen: Seen, more: int) -> float:
        """Return the expectation of ``right`` once ``more`` further samples have arrived.

        Exact where no more than two answers compete. Where several could overtake the leader, they
        are taken to do so independently of each other.
        """
        if more <= 0:
            return self.right(seen)
        if seen.counts:
            return min(1.0, self.right(seen) + self._forecasts(seen, more))
        found, left = 0.0, [(urn, share) for urn, share, _ in self.kinds(seen)]
        for silent in range(seen.silent, seen.silent + more):  # the first answer comes after these
            more -= 1
            sizes = [urn.total + silent for urn in self.urns]
            spoken = [
                (urn, weight * (urn.right + urn.wrong) / size)
                for (urn, weight), size in zip(left, sizes, strict=True)
            ]
            left = [
                (urn, weight * (urn.silent + silent) / size)
                for (urn, weight), size in zip(left, sizes, strict=True)
            ]
            answered = math.fsum([weight for _, weight in spoken])
            if answered <= TINY:
                break
            first = [
                (urn, weight / answered, [urn.right / (urn.right + urn.wrong)])
                for urn, weight in spoken
            ]
            gain = _gain(first, Seen((1,), silent), more)
            found += answered * min(1.0, _leading(first) + gain)
        return found

    @cached_property
    def kinds(self) -> Callable[[Seen], Kinds]:
        """Returns the kinds given the samples; cached, as forecasts from one state share it."""
        return lru_cache(maxsize=64)(self._kinds)

    @cached_property
    def _forecasts(self) -> Callable[[Seen, int], float]:
        return lru_cache(maxsize=1024)(lambda seen, more: _gain(self.kinds(seen), seen, more))

    @cached_property
    def _logs(self) -> list[tuple[Urn, float, float, float, float]]:
        """Each urn with its total, and the logarithms of its share and evidence that no sample
        changes.
        """
        return [
            (
                urn,
                urn.total,
                math.log(urn.share) + math.lgamma(urn.total) - math.lgamma(urn.silent),
                math.log(urn.wrong),
                math.lgamma(urn.right),
            )
            for urn in self.urns
        ]

    def _kinds(self, seen: Seen) -> Kinds:
        found, weights = [], []
        sizes = {votes: math.lgamma(votes) for votes in seen.counts}
        for urn, total, share, wrong, right in self._logs:
            by_size = {
                votes: math.exp(math.lgamma(urn.right + votes) - right - wrong - scale)
                for votes, scale in sizes.items()
            }
            odds = [by_size[votes] for votes in seen.counts]
            whole = 1.0 + sum(odds)
            evidence = (
                len(odds) * wrong
                + math.lgamma(urn.silent + seen.silent)
                - math.lgamma(total + seen.samples)
            )
            found.append((urn, [one / whole for one in odds]))
            weights.append(share + math.log(whole) + evidence)
        most = max(weights)
        weights = [math.exp(weight - most) for weight in weights]
        rest = math.fsum(weights)
        return [
            (urn, weight / rest, right) for (urn, right), weight in zip(found, weights, strict=True)
        ]


PRIOR = Mixture((Urn(1.0, 1.0, 0.1),))
"""Stated, not fitted: before the first sample the right answer's share of the votes is uniform. A
leader with all of n votes is right with probability n / (n + 1).
"""


def _leading(kinds: Kinds) -> float:
    """Return the probability that the leading answer is right."""
    return math.fsum([share * right[0] for _, share, right in kinds])


def _gain(kinds: Kinds, seen: Seen, more: int) -> float:
    """Return the expected gain of ``more`` samples: that a right answer overtakes the leader,
    less that the leader was right and is overtaken.
    """
    first = seen.counts[0]
    rivals = sorted(Counter(seen.counts[1:]).items(), reverse=True)
    near = [(votes, many) for votes, many in rivals if votes + more > first]
    gain = 0.0
    for urn, share, right in kinds:
        if share < NEGLIGIBLE:
            continue
        total = urn.total + seen.samples
        every = _ways(total, more)[more]
        chances, gains = [], []
        lead_wrong, lead_right = _ways(first, more), _ways(urn.right + first, more)
        places = [(votes, many, right[seen.counts.index(votes, 1)]) for votes, many in near]
        if more > first:
            places.append((0, 1, max(0.0, 1.0 - sum(right))))
        for votes, many, own in places:
            rise_right = _ways(urn.right + votes, more)
            rise_wrong = _ways(votes, more) if votes else _new(urn.wrong, more)
            rest, need = max(0.0, total - urn.right - votes - first), first - votes + 1
            others = _ways(rest, more)[::-1]
            won = _overtakes(rise_right, lead_wrong, others, need) / every
            lost = _overtakes(rise_wrong, lead_right, others, need) / every
            gains.append(many * (own * won - right[0] * lost))
            chances += [own * won + right[0] * lost] * many
        whole = sum(chances)
        if whole > 0:
            gain += share * sum(gains) * (1 - math.prod(1 - min(1.0, c) for c in chances)) / whole
    return max(0.0, gain)


def _overtakes(
    rise: Sequence[float], lead: Sequence[float], others: Sequence[float], need: int
) -> float:
    """Return the number of ways in which a rival has ``need`` more of the new votes than the
    leader.

    ``rise`` and ``lead`` are their ``_ways``; ``others`` are those of everything else, backwards.
    """
    more = len(rise) - 1
    return math.fsum(
        [
            rise[x] * sum(map(mul, lead, others[x : x + min(x - need, more - x) + 1]))
            for x in range(need, more + 1)
        ]
    )


@lru_cache(maxsize=8192)
def _ways(weight: float, most: int) -> tuple[float, ...]:
    """Return weight (weight + 1) ... (weight + x - 1) / x! for x = 0 ... most."""
    ways = [1.0]
    for x in range(most):
        ways.append(ways[-1] * (weight + x) / (x + 1))
    return tuple(ways)


@lru_cache(maxsize=8192)
def _new(wrong: float, most: int) -> tuple[float, ...]:
    """Return the same for one wrong answer that was not seen yet."""
    return (0.0, *(wrong / x for x in range(1, most + 1)))


def _rising(start: float, steps: int) -> float:
    """Return the logarithm of start (start + 1) ... (start + steps - 1)."""
    return math.lgamma(start + steps) - math.lgamma(start)
