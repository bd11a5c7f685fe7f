"""Decisions from the probabilities of labels.

Two corrections, each of which assumes that a bias multiplies the probabilities of the labels:

- *Permutations*: the same choices under other labels. The mean of the log-probabilities over the
  cyclic shifts of the choices removes any factor that a label or a place has whatever stands there,
  since each choice then meets each factor once (Zheng 2024, arXiv 2309.03882, section 2).
- *Contextual calibration* (Zhao 2021, arXiv 2102.09690, section 4): a choice that is likely even
  where the text says nothing is divided by that probability, the mean over content-free texts.

A temperature (Guo 2017, arXiv 1706.04599, section 4.2) softens what is still too certain.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ponder.policies.labels import LEAST_MASS, begins, masses

RAREST = 1e-6
"""Least probability of a choice, so that its logarithm is finite."""
TEMPERATURES = (0.05, 20.0)
"""Least and highest temperature."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The choices' log-probabilities after one prompt, given that the reply is one of them."""

    logprobs: tuple[float, ...]
    """Natural logarithms, one per choice; their exponentials sum to 1."""
    mass: float
    """Probability that the reply is one of the choices."""


def read_place(place: Mapping[str, float], labels: Sequence[str]) -> Reading:
    """Read the likeliest first tokens, with their natural log-probabilities.

    A label that is not among them is at most as likely as the least of them, and as all the rest:
    it counts for the smaller of the two.
    """
    found = masses(place, labels, begins)
    known = [math.exp(logprob) for logprob in place.values()]
    unseen = min(min(known, default=1.0), max(0.0, 1.0 - math.fsum(known)))
    chances = [found[label] or unseen for label in labels]
    return Reading(_logs(chances), min(1.0, math.fsum(found.values())))


def read_greedy(reply: str, logprob: float, labels: Sequence[str]) -> Reading:
    """Read the greedy token and its log-probability alone.

    The others share the rest: exact for two labels if the model says nothing else, and otherwise
    too high for them.
    """
    label = begins(reply, labels)
    p = math.exp(min(0.0, logprob))
    if label is None:
        return Reading(_logs([1.0] * len(labels)), 0.0)
    rest = (1.0 - p) / (len(labels) - 1)
    return Reading(_logs([p if one == label else rest for one in labels]), p)


def orders(count: int, most: int) -> list[tuple[int, ...]]:
    """Return at most ``most`` cyclic shifts of ``count`` choices, evenly spaced.

    With ``count`` of them, each choice has been at each place once.
    """
    shifts = [i * count // min(count, most) for i in range(min(count, most))]
    return [tuple((place + shift) % count for place in range(count)) for shift in shifts]


def unordered(reading: Reading, order: Sequence[int]) -> Reading:
    """Return a reading of the choices in their own order, from one of the order that was shown."""
    own = sorted(zip(order, reading.logprobs, strict=True))
    return Reading(tuple(logprob for _, logprob in own), reading.mass)


def pooled(readings: Sequence[Reading]) -> tuple[float, ...]:
    """Return the choices' mean log-probabilities, normalised."""
    columns = zip(*(reading.logprobs for reading in readings), strict=True)
    return normalised([math.fsum(column) / len(readings) for column in columns])


def averaged(readings: Sequence[Reading]) -> Reading:
    """Return the choices' mean probabilities."""
    columns = zip(*(reading.logprobs for reading in readings), strict=True)
    mean = _logs([math.fsum(map(math.exp, column)) for column in columns])
    return Reading(mean, math.fsum(reading.mass for reading in readings) / len(readings))


def calibrated(logprobs: Sequence[float], blank: Sequence[float]) -> tuple[float, ...]:
    """Return the log-probabilities divided by those of content-free texts, normalised."""
    return normalised([p - b for p, b in zip(logprobs, blank, strict=True)])


def softened(logprobs: Sequence[float], temperature: float) -> tuple[float, ...]:
    """Return the log-probabilities at a temperature: above 1 flatter, below 1 sharper."""
    return normalised([p / temperature for p in logprobs])


def fitted(rows: Sequence[Sequence[float]], right: Sequence[int]) -> float:
    """Return the temperature with the least cross-entropy, by golden-section search.

    ``rows`` are log-probabilities of the choices, ``right`` the places of the right ones. In the
    logarithm of the temperature the cross-entropy has one valley, as it is convex in its inverse.
    """
    low, high = map(math.log, TEMPERATURES)
    part = (math.sqrt(5) - 1) / 2
    while high - low > 1e-4:
        left, middle = high - part * (high - low), low + part * (high - low)
        if cross_entropy(rows, right, math.exp(left)) <= cross_entropy(
            rows, right, math.exp(middle)
        ):
            high = middle
        else:
            low = left
    return math.exp((low + high) / 2)


def cross_entropy(
    rows: Sequence[Sequence[float]], right: Sequence[int], temperature: float
) -> float:
    """Return the mean cross-entropy of the right choices at a temperature, in nats."""
    found = [-softened(row, temperature)[at] for row, at in zip(rows, right, strict=True)]
    return math.fsum(found) / len(found)


def chances(logprobs: Sequence[float]) -> tuple[float, ...]:
    """Return the probabilities."""
    return tuple(map(math.exp, logprobs))


def normalised(logprobs: Sequence[float]) -> tuple[float, ...]:
    """Return log-probabilities whose exponentials sum to 1."""
    top = max(logprobs)
    total = top + math.log(math.fsum(math.exp(p - top) for p in logprobs))
    return tuple(min(0.0, p - total) for p in logprobs)


def undecided(probabilities: Sequence[float], mass: float, threshold: float) -> str:
    """Return the reason for an abstention, or '' if there is none."""
    if mass < LEAST_MASS:
        return f"the choices have only {mass:.2f} of the next token's probability"
    ranked = sorted(probabilities, reverse=True)
    if ranked[0] - ranked[1] < 1e-9:
        return "two choices are equally likely"
    if ranked[0] < threshold:
        return f"the likeliest choice has {ranked[0]:.2f}, less than the threshold of {threshold:g}"
    return ""


def _logs(chances: Sequence[float]) -> tuple[float, ...]:
    total = math.fsum(chances)
    shares = [chance / total if total else 1 / len(chances) for chance in chances]
    return normalised([math.log(max(RAREST, share)) for share in shares])
