"""Particles of a particle filter over traces (Puri 2025): weights, resampling, and the pick.

The weight of a particle is the product of its likelihoods since it was last resampled.
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
"""Smallest likelihood. Zero would end a trace for good, on one opinion."""
Past = tuple[tuple[Trace, float], ...]
"""The prefixes of a trace, itself last, and the log-likelihood that each one added."""


@dataclass(frozen=True, slots=True)
class Particle:
    """A weighted trace."""

    trace: Trace
    """The trace."""
    past: Past = ()
    """Its prefixes and their log-likelihoods."""
    log_weight: float = 0.0
    """Logarithm of its weight."""

    def moved(self, trace: Trace, gain: float) -> Particle:
        """Return the particle one step further."""
        return Particle(trace, (*self.past, (trace, gain)), self.log_weight + gain)


def log_likelihood(score: Score) -> float:
    """Return the logarithm of a score; 0 for an abstention, which changes no weight."""
    return 0.0 if score.value is None else math.log(max(score.value, LEAST))


def resampled(
    particles: Sequence[Particle], threshold: float, rng: Random, first_survives: bool
) -> list[Particle]:
    """Resample the particles by weight if their effective sample size is below ``threshold`` times
    their number.

    Otherwise they are returned unchanged. With ``first_survives``, the first is always kept.
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
    """Return the trace with the heaviest answer (``vote``), or the heaviest trace."""
    if pick == "vote":
        votes = Vote()
        for particle, weight in zip(particles, weights, strict=True):
            votes.add(particle.trace, weight)
        if standings := votes.standings():
            return standings[0].voter
    return particles[weights.index(max(weights))].trace
