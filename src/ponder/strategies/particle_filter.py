"""Particle filtering over steps of reasoning (Puri 2025, 'A Probabilistic Inference Approach to
Inference-Time Scaling of LLMs using Particle-Based Monte Carlo Methods', section 3).

Chains are draws from the model; a verifier's score of a beginning is the likelihood that it is
right so far. What is sought is the posterior: model x product of likelihoods. Each chain carries
the product as its weight; when the weights have become unequal (effective sample size below
``threshold`` x n), chains are resampled by weight (systematically) and weigh the same again. So a
poor score does not end a chain, as in beam search: it becomes less likely to go on.

With ``iterations`` above 1, particle Gibbs (Andrieu 2010, section 4.5): the next filter keeps one
chain of the last one as its reference, drawn by weight, beside n - 1 new ones. ``pick=vote`` lets
all chains of the last filter vote with their weights; ``best`` takes the heaviest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import Annotated, Literal

from ponder.core.concluding import concluded
from ponder.core.problem import Problem
from ponder.core.session import Session
from ponder.core.steps import Step, step
from ponder.core.trace import Score, Trace
from ponder.policies.resample import effective, multinomial, normalised, systematic
from ponder.policies.vote import Vote
from ponder.strategies.knobs import Range, StepKind

LEAST = 1e-9
"""A likelihood of zero would end a chain for good, on one opinion."""
Past = tuple[tuple[Trace, float], ...]
"""The beginnings that a chain grew from, itself last, and the log-likelihood that each added."""


@dataclass(frozen=True, slots=True)
class Particle:
    """A chain, how it came about, and the logarithm of its weight."""

    trace: Trace
    past: Past = ()
    log_weight: float = 0.0

    def moved(self, trace: Trace, gain: float) -> Particle:
        """One step further."""
        return Particle(trace, (*self.past, (trace, gain)), self.log_weight + gain)


async def particle_filter(
    s: Session,
    problem: Problem,
    *,
    n: Annotated[int, Range(1, 1024)] = 8,
    iterations: Annotated[int, Range(1, 16)] = 1,
    threshold: Annotated[float, Range(0, 1)] = 0.5,
    pick: Literal["vote", "best"] = "vote",
    steps: StepKind = "paragraph",
    step_tokens: Annotated[int, Range(1, 4096)] = 256,
) -> Trace:
    """Draw n chains from the posterior, step by step; return the answer that weighs most."""
    unit = step(steps, step_tokens)
    kept: Past = ()
    for _ in range(iterations):
        particles = await filtered(s, problem, n, threshold, unit, kept)
        weights = normalised([p.log_weight for p in particles])
        chosen = _picked(particles, weights, pick)
        s.propose(chosen)
        [drawn] = multinomial(weights, [s.rng.random()])
        kept = particles[drawn].past
    return await concluded(s, chosen)


async def filtered(
    s: Session, problem: Problem, n: int, threshold: float, unit: Step, kept: Past = ()
) -> list[Particle]:
    """One pass of the filter: particles that have ended, weighted. Lost ones are missing.

    ``kept`` is the past of a reference that goes along as the first particle and always survives.
    """

    async def move(child: Session, particle: Particle, goes: bool) -> tuple[Particle, Trace | None]:
        return particle, await child.advance(particle.trace, step=unit) if goes else None

    particles = [Particle(Trace.empty(problem))] * n
    while not all(p.trace.done for p in particles):
        moved = await s.gather(
            partial(move, particle=p, goes=not (p.trace.done or (kept and i == 0)))
            for i, p in enumerate(particles)
        )
        scores = iter(await s.score([trace for _, trace in moved if trace is not None]))
        particles = [
            p if t is None else p.moved(t, _log_likelihood(next(scores))) for p, t in moved
        ]
        if kept and not particles[0].trace.done:
            particles[0] = particles[0].moved(*kept[len(particles[0].past)])
        if not particles:
            s.first([])
        if not all(p.trace.done for p in particles):
            particles = _resampled(particles, threshold, s.rng, bool(kept))
    return particles


def _log_likelihood(score: Score) -> float:
    """An abstention says nothing either way."""
    return 0.0 if score.value is None else math.log(max(score.value, LEAST))


def _resampled(
    particles: list[Particle], threshold: float, rng: Random, first_survives: bool
) -> list[Particle]:
    weights, n = normalised([p.log_weight for p in particles]), len(particles)
    if effective(weights) >= threshold * n:
        return particles
    if first_survives:
        chosen = [0, *multinomial(weights, [rng.random() for _ in range(n - 1)])]
    else:
        chosen = systematic(weights, n, rng.random())
    return [replace(particles[i], log_weight=0.0) for i in chosen]


def _picked(particles: list[Particle], weights: list[float], pick: str) -> Trace:
    if pick == "vote":
        votes = Vote()
        for particle, weight in zip(particles, weights, strict=True):
            votes.add(particle.trace, weight)
        if standings := votes.standings():
            return standings[0].voter
    return particles[weights.index(max(weights))].trace
