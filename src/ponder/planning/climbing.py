"""Kinds of problems for ladders (``policies.ladder``), fitted to several models on the same
problems, and shipped as data.

The kinds of problems are few here, since each rung multiplies them. Their shares are fitted by
answer type, to every pool; the step from rung to rung is fitted to pairs of pools, a cheaper and a
dearer model on the same problems, by expectation maximisation given the kinds.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from ponder.planning.difficulty import (
    ANY,
    GRID,
    Fit,
    Graded,
    Source,
    drawn_from,
    likeliest,
    likelihoods,
    source,
    subsets,
)
from ponder.policies.climb import Climb
from ponder.policies.value import Mixture, Urn
from ponder.util.decoding import Malformed, decode, parse

FORMAT = 1
"""Version of the format, in the field ``climbing``."""
KINDS = 16
"""Number of kinds of problems."""
STEPS = 100
"""Steps of expectation maximisation."""
PRIOR = 0.5
"""Problems' worth of the shares on every row of the step, so that none is empty."""
PROBLEMS = 100
"""Problems that a benchmark counts for."""
LEAST = 1e-4


@dataclass(frozen=True, slots=True)
class Pair:
    """A cheaper and a dearer model on the same problems, in the same order."""

    lower: Graded
    upper: Graded
    alike: float
    """Probability that a mistake of the upper one is one that the lower one made too."""


@dataclass(frozen=True, slots=True)
class Climbs:
    """A fit, and its origin."""

    made: str
    """The date."""
    pools: tuple[Source, ...]
    urns: tuple[tuple[float, float, float], ...]
    """Pseudo-counts of right, wrong and silent samples by kind."""
    shares: Mapping[str, tuple[float, ...]]
    """Shares of the kinds by answer type; ``any`` is for all other types."""
    step: tuple[tuple[float, ...], ...]
    """As in ``Climb``."""
    shared: Mapping[str, float]
    """As in ``Climb``, by answer type."""

    @property
    def basis(self) -> str:
        """One line on its origin."""
        return Fit(self.made, self.pools, {}).basis

    def climb(self, answer_type: str) -> Climb:
        """Return what a ladder for an answer type is made of."""
        kind = answer_type if answer_type in self.shares else ANY
        urns = tuple(
            Urn(*urn, share) for urn, share in zip(self.urns, self.shares[kind], strict=True)
        )
        return Climb(Mixture(urns, self.basis), self.step, self.shared.get(kind, self.shared[ANY]))

    def to_json(self) -> dict[str, Any]:
        """Return its JSON in a file."""
        return {
            "climbing": FORMAT,
            "made": self.made,
            "pools": [
                {name: getattr(pool, name) for name in Source.__dataclass_fields__}
                for pool in self.pools
            ],
            "urns": self.urns,
            "shares": {kind: [round(s, 5) for s in row] for kind, row in self.shares.items()},
            "step": [[round(chance, 5) for chance in row] for row in self.step],
            "shared": {kind: round(chance, 4) for kind, chance in self.shared.items()},
        }


@dataclass(frozen=True, slots=True)
class _File:
    climbing: int
    made: str
    pools: tuple[Source, ...]
    urns: tuple[tuple[float, float, float], ...]
    shares: dict[str, tuple[float, ...]]
    step: tuple[tuple[float, ...], ...]
    shared: dict[str, float]


def from_json(value: Any) -> Climbs:
    """Read a fit from its JSON.

    Raises:
        Malformed: it is none; the message says where.
    """
    read: _File = decode(_File, value)
    kinds = len(read.urns)
    rows = [*read.shares.values(), *read.step]
    if read.climbing != FORMAT:
        raise Malformed(f"climbing must be {FORMAT}, the format of this version")
    if ANY not in read.shares or ANY not in read.shared:
        raise Malformed(f"shares and shared must have {ANY!r}")
    if not kinds or len(read.step) != kinds or any(len(row) != kinds for row in rows):
        raise Malformed("shares and step must have a number for each kind")
    if any(min(urn) <= 0 for urn in read.urns) or any(min(row) < 0 for row in rows):
        raise Malformed("its numbers must be positive")
    return Climbs(
        read.made,
        read.pools,
        read.urns,
        {kind: _normal(row) for kind, row in read.shares.items()},
        tuple(map(_normal, read.step)),
        read.shared,
    )


@cache
def shipped() -> Climbs:
    """Return the fit in the package."""
    return from_json(parse(resources.files(__package__).joinpath("climbing.json").read_bytes()))


# Fitting ------------------------------------------------------------------------------------------


def fit(pools: Sequence[Graded], pairs: Sequence[Pair], made: str) -> Climbs:
    """Fit to graded pools, every benchmark of them with the same weight; ``made`` is the date."""
    cases = [
        (tally, share * _weight(pool, pools), pool.answer_type)
        for pool in pools
        for tally, share in subsets(pool).items()
    ]
    grid = [likelihoods(tally, GRID) for tally, *_ in cases]
    sizes = [weight for _, weight, _ in cases]
    found = _floored(grid, sizes)
    best = sorted(range(len(GRID)), key=lambda kind: -found[kind])[:KINDS]
    urns = [GRID[kind] for kind in sorted(best)]
    rows = [likelihoods(tally, urns) for tally, *_ in cases]
    shares = {ANY: _floored(rows, sizes)}
    for kind in dict.fromkeys(pool.answer_type for pool in pools):
        own = [weight if one == kind else weight * 0.03 for _, weight, one in cases]
        shares[kind] = _floored(rows, own)
    alike: dict[str, list[float]] = {ANY: [pair.alike for pair in pairs]}
    for pair in pairs:
        alike.setdefault(pair.upper.answer_type, []).append(pair.alike)
    return Climbs(
        made,
        tuple(map(source, pools)),
        tuple((urn.right, urn.wrong, urn.silent) for urn in urns),
        shares,
        _step(pairs, urns, shares[ANY]),
        {kind: math.fsum(row) / len(row) if row else 0.3 for kind, row in alike.items()},
    )


def _weight(pool: Graded, pools: Sequence[Graded]) -> float:
    return 1 / sum(one.name == pool.name for one in pools)


def _floored(rows: Sequence[Sequence[float]], weights: Sequence[float]) -> tuple[float, ...]:
    """Return the likeliest shares of the kinds, none of them below ``LEAST``."""
    return _normal([max(share, LEAST) for share in likeliest(rows, weights, STEPS)])


def _step(
    pairs: Sequence[Pair], urns: Sequence[Urn], shares: Sequence[float]
) -> tuple[tuple[float, ...], ...]:
    rng, cases = random.Random(0), []
    for pair in pairs:
        weight = PROBLEMS / sum(one.upper.name == pair.upper.name for one in pairs)
        drawn = [
            [drawn_from(tally, rng) for tally in pool.problems] for pool in (pair.lower, pair.upper)
        ]
        for below, above in zip(*drawn, strict=True):
            both = likelihoods(below, urns), likelihoods(above, urns)
            cases.append((*both, weight / len(pair.lower.problems)))
    step = [list(shares) for _ in urns]
    for _ in range(STEPS if cases else 0):
        sums = [[PRIOR * share for share in shares] for _ in urns]
        for lower, upper, weight in cases:
            joint = [
                [share * low * chance * high for chance, high in zip(row, upper, strict=True)]
                for share, low, row in zip(shares, lower, step, strict=True)
            ]
            scale = weight / sum(map(sum, joint))
            for total, row in zip(sums, joint, strict=True):
                for place, one in enumerate(row):
                    total[place] += scale * one
        step = [list(_normal(row)) for row in sums]
    return tuple(map(tuple, step))


def _normal(row: Sequence[float]) -> tuple[float, ...]:
    whole = math.fsum(row)
    return tuple(one / whole for one in row)
