"""Particles of a particle filter over chains (Puri 2025): weights, resampling, and the pick.

The weight of a particle is the product of its likelihoods since it was resampled last.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from ponder.core.trace import Score, Trace
from ponder.policies.resample import effective, multinomial, normalised, systematic
from ponder.policies.vote import Vote

LEAST = 1e-9
"""A likelihood of zero would end a chain for good, on one opinion."""
Past = tuple[tuple[Trace, float], ...]
"""The prefixes that a chain grew from, itself last, and the log-likelihood that each added."""


@dataclass(frozen=True, slots=True)
class Particle:
    """A weighted chain."""

    trace: Trace
    """The chain."""
    past: Past = ()
    """How it came about."""
    log_weight: float = 0.0
    """Logarithm of its weight."""

    def moved(self, trace: Trace, gain: float) -> Particle:
        """One step further."""
        return Particle(trace, (*self.past, (trace, gain)), self.log_weight + gain)


def log_likelihood(score: Score) -> float:
    """The logarithm of a score; an abstention says nothing either way."""
    return 0.0 if score.value is None else math.log(max(score.value, LEAST))


def resampled(
    particles: Sequence[Particle], threshold: float, rng: Random, first_survives: bool
) -> list[Particle]:
    """The particles as they are, or, where their effective number falls below ``threshold`` of
    their number, as many drawn by weight. With ``first_survives`` the first is always kept.
    """
    weights, n = normalised([p.log_weight for p in particles]), len(particles)
    if effective(weights) >= threshold * n:
        return list(particles)
    if first_survives:
        chosen = [0, *multinomial(weights, [rng.random() for _ in range(n - 1)])]
    else:
        chosen = systematic(weights, n, rng.random())
    return [replace(particles[i], log_weight=0.0) for i in chosen]


def picked(particles: Sequence[Particle], weights: Sequence[float], pick: str) -> Trace:
    """The trace with the answer that weighs most (``vote``), or the one that weighs most."""
    if pick == "vote":
        votes = Vote()
        for particle, weight in zip(particles, weights, strict=True):
            votes.add(particle.trace, weight)
        if standings := votes.standings():
            return standings[0].voter
    return particles[weights.index(max(weights))].trace
