"""Stopping rules of a vote: pure functions of the samples that have arrived.

Every rule but ``never`` also stops once no outcome of the remaining samples can change the winner;
``exact`` stops only then, and loses nothing. All others can stop on an answer that the full vote
would not elect. ``core.refs`` is the grammar in which they are named.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from ponder.core.errors import UnknownName, UsageError
from ponder.core.outlook import Outlook, Seen
from ponder.core.text.refs import parse
from ponder.policies.value import PRIOR


class Rule(Protocol):
    """Decides when a vote may stop."""

    def stops(self, seen: Seen, left: int, run: int) -> bool:
        """Return True if the vote may stop before it is decided.

        ``left`` samples may still come. The latest ``run`` samples, in the order of request, gave
        the same answer.
        """
        ...


@dataclass(frozen=True, slots=True)
class Exact:
    """Only once no outcome of the remaining samples can change the winner."""

    def stops(self, seen: Seen, left: int, run: int) -> bool:
        """Return False."""
        return False


@dataclass(frozen=True, slots=True)
class Never:
    """Not even when the vote is decided."""

    def stops(self, seen: Seen, left: int, run: int) -> bool:
        """Return False."""
        return False


@dataclass(frozen=True, slots=True)
class Beta:
    """Adaptive-Consistency (Aggarwal 2023, 'Let's Sample Step by Step', section 3, Beta criterion):
    with a uniform prior on the share of the leader against the runner-up, the posterior probability
    that the leader is the true majority of the two.
    """

    threshold: float = 0.95

    def stops(self, seen: Seen, left: int, run: int) -> bool:
        """Return True if the probability reaches the threshold."""
        return majority_probability(*seen.lead) >= self.threshold


@dataclass(frozen=True, slots=True)
class Dirichlet:
    """Adaptive-Consistency (Aggarwal 2023, Dirichlet criterion): with a uniform prior on the shares
    of all answers seen, the posterior probability that the leader is the most frequent one. One
    answer alone has a rival without votes.
    """

    threshold: float = 0.95

    def stops(self, seen: Seen, left: int, run: int) -> bool:
        """Return True if the probability reaches the threshold."""
        counts = seen.counts if len(seen.counts) > 1 else (*seen.counts, 0)
        return mode_probability(counts) >= self.threshold


@dataclass(frozen=True, slots=True)
class Window:
    """ESC (Li 2024, 'Escape Sky-high Cost'): samples come in windows, and a window of which all
    answers agree is the last.
    """

    size: int = 4

    def stops(self, seen: Seen, left: int, run: int) -> bool:
        """Return True after a window that agrees."""
        return seen.samples % self.size == 0 and run >= self.size


@dataclass(frozen=True, slots=True)
class BayesFactor:
    """Best-of-infinity (Komiyama 2025, 2509.21091, adaptive generation): the Bayes factor for the
    leader being the most frequent answer, with a Dirichlet process of concentration ``alpha`` that
    keeps room for an answer not seen yet. The prior odds are those of one among all answers seen
    and an unseen one.
    """

    least: float = 100.0
    alpha: float = 1.0

    def stops(self, seen: Seen, left: int, run: int) -> bool:
        """Return True if the factor reaches ``least``."""
        shares = (*seen.counts, self.alpha)
        sure = leads(shares)
        return sure >= 1 or sure / (1 - sure) * len(seen.counts) >= self.least


@dataclass(frozen=True, slots=True)
class Entropy:
    """Stop when the answers scatter little: their entropy is at most ``most`` bits, after at least
    ``least`` samples.
    """

    most: float = 0.6
    least: int = 4

    def stops(self, seen: Seen, left: int, run: int) -> bool:
        """Return True if the entropy is low enough."""
        return seen.samples >= self.least and entropy(seen.counts) <= self.most


@dataclass(frozen=True, slots=True)
class Lead:
    """The first answer that leads by ``k`` votes: a sequential probability ratio test (Wald 1945)
    between the two strongest answers.
    """

    k: int = 4

    def stops(self, seen: Seen, left: int, run: int) -> bool:
        """Return True if the leader is ``k`` votes ahead."""
        first, second = seen.lead
        return first - second >= self.k


FEATURES = ("1", "n", "leader", "lead", "runner-up", "answers", "silent")
"""Features of the learned rule: logarithms of counts and shares of the samples."""
WEIGHTS = (-0.025, 0.087, 1.215, 1.98, -2.192, 0.635, 2.245)
"""Weights of the features, fitted by ``benchmarks/stopping.py`` to all pools of
``planning/difficulty.json``.
"""


@dataclass(frozen=True, slots=True)
class Learned:
    """A controller learned on answer counts (after 2606.03102, a logistic model for its
    network): the probability that the leader is the answer that all samples would elect.
    """

    threshold: float = 0.98
    weights: tuple[float, ...] = WEIGHTS
    """One per feature."""

    def stops(self, seen: Seen, left: int, run: int) -> bool:
        """Return True if the probability reaches the threshold."""
        score = sum(map(float.__mul__, self.weights, features(seen)))
        return 1 / (1 + math.exp(-score)) >= self.threshold


@dataclass(frozen=True, slots=True)
class Value:
    """The value of computation (Russell and Wefald 1991; Hay 2012): stop once no further wave is
    expected to gain what it costs.

    ``price`` is that of one sample, as a share of what a right answer is worth. A lead of d votes
    gains nothing from d samples, so the look-ahead reaches over waves: the fewest samples that can
    overturn the lead, and about as many as overturn it most cheaply (d squared).
    """

    price: float = 0.0005
    outlook: Outlook = PRIOR

    def stops(self, seen: Seen, left: int, run: int) -> bool:
        """Return True if no wave is worth its price."""
        now = self.outlook.right(seen)
        return not any(
            1.0 - now >= wave * self.price  # it cannot gain more than that
            and self.outlook.after(seen, wave) - now >= wave * self.price
            for wave in _ahead(seen, left)
        )

    def gain(self, seen: Seen, left: int) -> float:
        """Return the largest expected gain per sample, over the waves that are looked at."""
        wave, gain = self.best(seen, left)
        return gain / wave

    def best(self, seen: Seen, left: int) -> tuple[int, float]:
        """Return the wave of the largest expected gain per sample: its size, and its gain."""
        now = self.outlook.right(seen)
        gains = {wave: self.outlook.after(seen, wave) - now for wave in _ahead(seen, left)}
        return max(gains.items(), key=lambda pair: pair[1] / pair[0])


def _ahead(seen: Seen, left: int) -> list[int]:
    first, second = seen.lead
    lead = first - second
    return sorted({min(lead + 1, left), min(lead * lead + 1, left)})


# Naming -------------------------------------------------------------------------------------------

RULES: dict[str, type[Rule]] = {
    "exact": Exact,
    "never": Never,
    "bayes": Beta,
    "dirichlet": Dirichlet,
    "window": Window,
    "factor": BayesFactor,
    "entropy": Entropy,
    "lead": Lead,
    "learned": Learned,
    "value": Value,
}
"""The rules by name."""
RANGES: dict[str, dict[str, tuple[Callable[[str], float], float, float]]] = {
    "bayes": {"threshold": (float, 0.5, 1)},
    "dirichlet": {"threshold": (float, 0, 1)},
    "window": {"size": (int, 2, 4096)},
    "factor": {"least": (float, 1, 1e12), "alpha": (float, 1e-6, 1e6)},
    "entropy": {"most": (float, 0, 64), "least": (int, 1, 4096)},
    "lead": {"k": (int, 1, 4096)},
    "learned": {"threshold": (float, 0, 1)},
    "value": {"price": (float, 1e-9, 1)},
}
"""Options of the rules: type and bounds, both inclusive."""


def rule(text: str, outlook: Outlook = PRIOR, **defaults: float) -> Rule:
    """Return a rule by its reference, such as ``lead(k=4)``.

    ``outlook`` is for the rules that need one; ``defaults`` stand for options not given.

    Raises:
        UsageError: there is no such rule or option, or its value is invalid.
    """
    ref = parse(text)
    if ref.name not in RULES:
        raise UnknownName("stopping rule", ref.name, RULES)
    ranges = RANGES.get(ref.name, {})
    if ref.args or ref.model:
        raise UsageError(
            f"the stopping rule {text!r} must be NAME or NAME(OPTION=VALUE), "
            f"such as {_example(ref.name)}."
        )
    options = {name: value for name, value in defaults.items() if name in ranges}
    for name, value in ref.options.items():
        if name not in ranges:
            raise UnknownName(f"option of the stopping rule {ref.name}", name, ranges)
        kind, low, high = ranges[name]
        try:
            number = kind(value.text)
        except ValueError:
            number = math.nan
        if not low <= number <= high:
            what = "a whole number" if kind is int else "a number"
            raise UsageError(
                f"{name} of the stopping rule {ref.name} must be {what} from {low:g} to {high:g}, "
                f"not {value.text!r}."
            )
        options[name] = number
    if ref.name == "value":
        return Value(outlook=outlook, **options)
    return RULES[ref.name](**options)


def _example(name: str) -> str:
    option = next(iter(RANGES.get(name, {})), "")
    return f"{name}({option}=...)" if option else name


# Mathematics --------------------------------------------------------------------------------------


def decided(first: float, second: float, remaining: int) -> bool:
    """True if ``remaining`` votes of at most 1 each cannot lift the second above the first.

    A tie is not decided: it goes to the answer requested first, which may not have arrived yet.
    """
    return first > second + remaining


def majority_probability(first: int, second: int) -> float:
    """Return P(p > 1/2) for p ~ Beta(first + 1, second + 1).

    For whole counts the regularised incomplete beta function at 1/2 is a binomial tail: the chance
    of at most ``first`` heads in ``first + second + 1`` fair tosses.
    """
    n = first + second + 1
    tail: int = sum(math.comb(n, k) for k in range(first + 1))
    return tail / (1 << n)


def mode_probability(counts: tuple[int, ...]) -> float:
    """Return the probability that the first share is the largest, for shares with the density of
    Dirichlet(counts + 1).
    """
    return leads(tuple(count + 1 for count in counts))


@lru_cache(maxsize=16384)
def leads(shape: tuple[float, ...]) -> float:
    """Return the probability that the first of Dirichlet(shape) is the largest.

    The shares are independent gamma variables, divided by their sum, so that it is an integral over
    the first one: of its density times the distribution functions of the others. Simpson's rule in
    the logarithm of the variable; the error is below 1e-5.
    """
    first, rivals = shape[0], Counter(shape[1:])
    low = math.log(first) - 14 / math.sqrt(min(first, 20.0))
    high = math.log(first + 8 * math.sqrt(first) + 12)
    steps = 240
    width = (high - low) / steps
    total = 0.0
    for i in range(steps + 1):
        x = math.exp(low + i * width)
        density = math.exp(first * math.log(x) - x - math.lgamma(first))
        if density > 1e-14:
            below = math.prod(_gamma(a, x) ** many for a, many in rivals.items())
            total += (1 if i in (0, steps) else 4 if i % 2 else 2) * density * below
    return min(1.0, total * width / 3)


def _gamma(a: float, x: float) -> float:
    """Return the regularised lower incomplete gamma function, by its power series or continued
    fraction.
    """
    scale = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1:
        term = total = 1 / a
        k = a
        while term > total * 1e-12:
            k += 1
            term *= x / k
            total += term
        return scale * total
    tiny = 1e-300
    b = x + 1 - a
    c, d = 1 / tiny, 1 / b
    found = d
    for i in range(1, 500):
        step = -i * (i - a)
        b += 2
        d = 1 / ((step * d + b) or tiny)
        c = (b + step / c) or tiny
        change = d * c
        found *= change
        if abs(change - 1) < 1e-12:
            break
    return 1 - scale * found


def entropy(counts: tuple[int, ...]) -> float:
    """Return the entropy of the shares of the answers, in bits."""
    whole = sum(counts)
    return math.fsum(-c / whole * math.log2(c / whole) for c in counts)


def features(seen: Seen) -> tuple[float, ...]:
    """Return the features of the learned rule, in the order of ``FEATURES``."""
    n, (first, second) = seen.samples, seen.lead
    return (
        1.0,
        math.log(n),
        first / n,
        math.log1p(first - second),
        second / n,
        math.log(len(seen.counts)),
        seen.silent / n,
    )
