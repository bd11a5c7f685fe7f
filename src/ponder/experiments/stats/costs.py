"""The cost of k samples of each problem of a pool, in every unit that the pool knows.

tokens   prompt (where recorded) and completion of every sample, as an endpoint counts them
flops    the prompt evaluated once, and every completion on top of it (``models.base.Shape``);
         completions alone where the prompt of no sample is recorded
usd      what was booked for the samples
seconds  the samples' shares of the time that the recording took; they add up to it

A score that was paid for (``Sample.verified``) adds its cost for each sample that is scored.
"""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, field

import numpy as np

from ponder.experiments.pools.samples import Header, Sample
from ponder.experiments.stats.estimators import Floats, Ints
from ponder.models.base import Shape


@dataclass(frozen=True, slots=True)
class Cost:
    """Costs by problem."""

    once: Floats
    """Spent once, for any number of samples."""
    each: Floats
    """Spent on each sample."""

    def mean(self, k: int) -> float:
        """Return the mean cost of k samples, over problems."""
        return float(self.once.mean() + k * self.each.mean())


def shape_of(header: Header) -> Shape:
    """Return the size of the model that a pool names; zeros where it is unknown."""
    sizes = [header.rest.get(name) for name in ("parameters", "attention")]
    parameters, attention = (size if type(size) is int else 0 for size in sizes)
    return Shape(parameters, attention)


@dataclass(slots=True)
class Counter:
    """Collects the costs of samples, in the order of recording."""

    shape: Shape
    _tokens: array[float] = field(default_factory=lambda: array("d"))
    _prompts: array[float] = field(default_factory=lambda: array("d"))
    _seconds: array[float] = field(default_factory=lambda: array("d"))
    _usd: array[float] = field(default_factory=lambda: array("d"))
    _verified: dict[str, dict[str, float]] = field(default_factory=dict)

    def add(self, sample: Sample) -> None:
        """Add one sample; missing values are unknown."""
        self._tokens.append(_known(sample.tokens))
        self._prompts.append(_known(sample.prompt_tokens))
        self._seconds.append(_known(sample.seconds))
        self._usd.append(_known(sample.usd))
        for name, spent in sample.verified.items():
            sums = self._verified.setdefault(name, {})
            for unit, value in spent.items():
                sums[unit] = sums.get(unit, 0.0) + value

    def verified(self) -> dict[str, dict[str, float]]:
        """Return the mean cost of one sample's score, by the score's name and by unit."""
        n = len(self._tokens)
        return {
            name: {unit: total / n for unit, total in sums.items()}
            for name, sums in self._verified.items()
        }

    def costs(self, starts: Ints, lengths: Ints) -> dict[str, Cost]:
        """Return costs by unit, for units known of all samples.

        ``starts`` and ``lengths`` delimit the samples of each problem.
        """
        if not len(starts):
            return {}
        tokens, prompts = np.frombuffer(self._tokens), np.frombuffer(self._prompts)
        nothing = np.zeros(len(starts))

        def each(figures: Floats) -> Floats:
            return np.asarray(np.add.reduceat(figures, starts) / lengths)

        found = {
            "tokens": Cost(nothing, each(tokens + np.nan_to_num(prompts))),
            "seconds": Cost(nothing, each(np.frombuffer(self._seconds))),
            "usd": Cost(nothing, each(np.frombuffer(self._usd))),
        }
        if self.shape.parameters:
            if np.isnan(prompts).all():
                prompts = np.zeros_like(prompts)
            after = self._flops(prompts, tokens)
            once = each(self._flops(np.zeros_like(prompts), prompts))
            found["flops"] = Cost(once, each(after))
        return {
            unit: cost
            for unit, cost in found.items()
            if not (np.isnan(cost.each).any() or np.isnan(cost.once).any())
        }

    def _flops(self, before: Floats, new: Floats) -> Floats:
        """Return ``Shape.flops`` of ``new`` tokens after ``before`` cached ones, as floats."""
        end = before + new
        attended = (end * (end - 1) - before * (before - 1)) / 2
        return 2 * self.shape.parameters * new + 4 * self.shape.attention * attended


def _known(value: float | None) -> float:
    return math.nan if value is None else value
