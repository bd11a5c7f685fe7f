"""Particle filtering over steps of reasoning (Puri 2025, 'A Probabilistic Inference Approach to
Inference-Time Scaling of LLMs using Particle-Based Monte Carlo Methods', section 3).

Traces are draws from the model; a verifier's score of a prefix is the likelihood that it is right
so far. The target is the posterior: model x product of likelihoods. Each trace carries the product
as its weight. Once the weights are unequal (effective sample size below ``threshold`` x n), traces
are resampled by weight (systematically) and get equal weights. Unlike in beam search, a poor score
does not end a trace; it only makes it less likely to survive.

With ``iterations`` above 1, particle Gibbs (Andrieu 2010, section 4.5): the next filter keeps one
trace of the last one as its reference, drawn by weight, beside n - 1 new ones. ``pick=vote`` lets
all traces of the last filter vote with their weights; ``best`` takes the heaviest.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Annotated, Literal

from ponder.core.problem import Problem
from ponder.core.sessions.session import Session
from ponder.core.steps import Step, step
from ponder.core.trace import Trace
from ponder.policies.particles import Particle, Past, log_likelihood, picked, resampled
from ponder.policies.resample import multinomial, normalised
from ponder.strategies.declaring import RUN, STEPS, strategy
from ponder.strategies.knobs import Range, StepKind, StepTokens


@strategy(
    "chains are resampled by weight",
    "Puri 2025",
    verifier=RUN,
    needs=STEPS,
)
async def particle_filter(
    s: Session,
    problem: Problem,
    *,
    n: Annotated[int, Range(1, 1024)] = 8,
    iterations: Annotated[int, Range(1, 16)] = 1,
    threshold: Annotated[float, Range(0, 1)] = 0.5,
    pick: Literal["vote", "best"] = "vote",
    steps: StepKind = "paragraph",
    step_tokens: StepTokens = 256,
) -> Trace:
    """Draw ``n`` traces from the posterior, step by step; return the answer with the
    most weight.
    """
    unit = step(steps, step_tokens)
    kept: Past = ()
    for _ in range(iterations):
        particles = await filtered(s, problem, n, threshold, unit, kept)
        weights = normalised([p.log_weight for p in particles])
        chosen = picked(particles, weights, pick)
        s.propose(chosen)
        [drawn] = multinomial(weights, [s.rng.random()])
        kept = particles[drawn].past
    return await s.conclude(chosen)


async def filtered(
    s: Session, problem: Problem, n: int, threshold: float, unit: Step, kept: Past = ()
) -> list[Particle]:
    """Run one pass of the filter; return the finished particles with their weights, without lost
    ones.

    ``kept`` is the past of a reference that is the first particle and always survives.
    """

    async def move(child: Session, particle: Particle, goes: bool) -> tuple[Particle, Trace | None]:
        return particle, await child.advance(particle.trace, step=unit) if goes else None

    particles = [Particle(s.tree(problem).root.trace)] * n
    while not all(p.trace.done for p in particles):
        reference = particles[0]
        particles = await _steered(s, particles)
        if particles[0] is not reference:  # it was pruned or edited: what is first now is new
            kept = ()
        moved = await s.gather(
            partial(move, particle=p, goes=not (p.trace.done or (kept and i == 0)))
            for i, p in enumerate(particles)
        )
        scores = iter(await s.score([trace for _, trace in moved if trace is not None]))
        particles = [p if t is None else p.moved(t, log_likelihood(next(scores))) for p, t in moved]
        if kept and not particles[0].trace.done:
            particles[0] = particles[0].moved(*kept[len(particles[0].past)])
        if not particles:
            s.fail()
        if not all(p.trace.done for p in particles):
            before, particles = particles, resampled(particles, threshold, s.rng, bool(kept))
            s.drop([p.trace for p in before], "resampled away", but=[p.trace for p in particles])
    return particles


async def _steered(s: Session, particles: list[Particle]) -> list[Particle]:
    """Let an observer intervene, and return the particles to continue with."""
    ahead = {p.trace.id: s.node(p.trace.id) for p in particles if not p.trace.done}
    await s.offer(list(ahead.values()))
    heirs = [(p, s.heir(p.trace)) for p in particles]
    stay = [p if t is p.trace else replace(p, trace=t) for p, t in heirs if t is not None]
    return stay or [Particle(s.elsewhere().trace)] * len(particles)
