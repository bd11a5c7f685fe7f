"""The outlook on a problem before it is known: how hard problems of its answer type are for models.

``fit`` takes graded pools and finds the share that each kind of urn (``policies.value``) has of
their problems, by expectation maximisation over a fixed grid of urns (nonparametric maximum
likelihood: Laird 1978). Every pool counts the same, whatever its size. The fit for an answer type
gives the pools of other types a small weight, so that a type with few pools leans on them; the fit
for types without a pool weighs all pools equally.

What it finds carries over to other models as far as these make mistakes of the same kinds; the
figures are in ``docs/results.md``.
"""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, cached_property
from importlib import resources
from operator import mul
from pathlib import Path
from typing import Any

from ponder.core.errors import UsageError
from ponder.core.problem import ANSWER_TYPES, AnswerType
from ponder.policies.value import PRIOR, Mixture, Seen, Urn
from ponder.util.decoding import Malformed, decode, parse
from ponder.util.files import open_regular

FORMAT = 1
"""Version of the format, in the field ``difficulty``."""
ANY = "any"
"""Name of the fit for answer types that have no pool."""
GRID = tuple(
    Urn(right, wrong, silent)
    for right in (0.05, 0.2, 0.7, 2.0, 7.0, 20.0)
    for wrong in (0.05, 0.2, 0.7, 2.0, 7.0, 20.0)
    for silent in (0.02, 0.3)
)
"""The kinds of problems of which the shares are fitted."""
SIZE, SUBSETS = 16, 4
"""Samples in a random subset, and subsets of each problem: a fit to all samples at once would serve
votes of that many, and most votes end sooner.
"""
OTHERS = 0.03
"""Weight of a pool of another answer type."""
STEPS = 120
"""Steps of expectation maximisation."""
LEAST = 0.001
"""Least share of an urn that is kept."""
LIMIT = 1 << 20
"""Most bytes of a file."""


@dataclass(frozen=True, slots=True)
class Tally:
    """The graded samples of one problem."""

    right: int
    """Number of right ones."""
    wrong: tuple[int, ...]
    """Number of samples with each wrong answer."""
    silent: int = 0
    """Number of samples without an answer."""


@dataclass(frozen=True, slots=True)
class Graded:
    """The tallies of a pool."""

    name: str
    """Name of the benchmark."""
    model: str
    answer_type: AnswerType
    problems: tuple[Tally, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """Description of a pool that a fit was made from."""

    name: str
    model: str
    answer_type: str
    problems: int
    samples: int
    """Of all problems together."""


@dataclass(frozen=True)
class Fit:
    """Outlooks by answer type, and their origin."""

    made: str
    """The date."""
    pools: tuple[Source, ...]
    """The pools that it was made from."""
    urns: Mapping[str, tuple[Urn, ...]]
    """The kinds of problems by answer type; ``any`` is for all other types."""

    @property
    def basis(self) -> str:
        """One line on its origin."""
        models = dict.fromkeys(pool.model for pool in self.pools)
        names = dict.fromkeys(pool.name for pool in self.pools)
        samples = sum(pool.samples for pool in self.pools)
        return (
            f"{samples:,} graded samples of {_number(len(models), 'model')} on {', '.join(names)}; "
            f"fitted {self.made}"
        )

    def outlook(self, answer_type: str) -> Mixture:
        """Return the outlook on problems of an answer type."""
        return self._outlooks.get(answer_type, self._outlooks[ANY])

    @cached_property
    def _outlooks(self) -> dict[str, Mixture]:
        """Each outlook; they are kept, since they remember what they have computed."""
        return {kind: Mixture(urns, self.basis) for kind, urns in self.urns.items()}

    def to_json(self) -> dict[str, Any]:
        """Return its JSON in a file."""
        rows = {
            kind: [[urn.right, urn.wrong, urn.silent, round(urn.share, 5)] for urn in urns]
            for kind, urns in self.urns.items()
        }
        pools = [asdict(pool) for pool in self.pools]
        return {"difficulty": FORMAT, "made": self.made, "pools": pools, "urns": rows}


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


@dataclass(frozen=True, slots=True)
class _File:
    difficulty: int
    made: str
    pools: tuple[Source, ...]
    urns: dict[str, tuple[tuple[float, ...], ...]]


def from_json(value: Any) -> Fit:
    """Read a fit from its JSON.

    Raises:
        Malformed: it is none; the message says where.
    """
    read: _File = decode(_File, value)
    if read.difficulty != FORMAT:
        raise Malformed(f"difficulty must be {FORMAT}, the format of this version")
    if ANY not in read.urns:
        raise Malformed(f"urns has no {ANY!r}")
    urns = {}
    for kind, rows in read.urns.items():
        if kind != ANY and kind not in ANSWER_TYPES:
            raise Malformed(f"urns.{kind[:40]} must be an answer type or {ANY!r}")
        for row in rows:
            if len(row) != 4 or min(row) <= 0 or max(row) > 1e6:
                raise Malformed(f"urns.{kind} must hold rows of four positive numbers")
        if not rows:
            raise Malformed(f"urns.{kind} is empty")
        whole = sum(row[3] for row in rows)
        urns[kind] = tuple(Urn(row[0], row[1], row[2], row[3] / whole) for row in rows)
    return Fit(read.made, read.pools, urns)


def check(mixture: Mixture) -> None:
    """Refuse an outlook with numbers that no fit has.

    Raises:
        Malformed: it has some.
    """
    numbers = [value for urn in mixture.urns for value in asdict(urn).values()]
    if not numbers or min(numbers) <= 0 or max(numbers) > 1e6:
        raise Malformed("its outlook must have urns of positive numbers")


def load(path: Path) -> Fit:
    """Read a fit from a file.

    Raises:
        UsageError: the file cannot be read, or is none.
    """
    with open_regular(path, "the fit") as file:
        try:
            content = file.read(LIMIT + 1)
            if len(content) > LIMIT:
                raise Malformed(f"more than {LIMIT >> 20} MiB")
            return from_json(parse(content))
        except Malformed as error:
            raise UsageError(
                f"{path} is not a fit of difficulty: {error}; make one with 'ponder tune'."
            ) from None
        except OSError as error:
            raise UsageError(f"cannot read {path}: {error.strerror or error}.") from None


@cache
def shipped() -> Fit:
    """Return the fit in the package."""
    return from_json(parse(resources.files(__package__).joinpath("difficulty.json").read_bytes()))


def outlook(answer_type: str, fit: Fit | None) -> Mixture:
    """Return the outlook of a fit, or without one the stated prior."""
    return fit.outlook(answer_type) if fit else PRIOR


# Fitting ------------------------------------------------------------------------------------------


def fit(pools: Iterable[Graded], made: str) -> Fit:
    """Fit to graded pools; ``made`` is the date. The same pools give the same fit.

    Raises:
        UsageError: no pool has a problem with a sample.
    """
    given = [pool for pool in pools if any(_size(tally) for tally in pool.problems)]
    if not given:
        raise UsageError("there is no graded sample to fit to: give a pool that has some.")
    drawn = [subsets(pool) for pool in given]
    rows = {tally: likelihoods(tally) for counts in drawn for tally in counts}
    kinds = [*dict.fromkeys(pool.answer_type for pool in given), ANY]
    urns = {}
    for kind in kinds:
        weights: dict[Tally, float] = defaultdict(float)
        for pool, counts in zip(given, drawn, strict=True):
            weight = 1.0 if kind in (ANY, pool.answer_type) else OTHERS
            for tally, share in counts.items():
                weights[tally] += weight * share
        urns[kind] = _kept(likeliest([rows[tally] for tally in weights], [*weights.values()]))
    return Fit(made, tuple(source(pool) for pool in given), urns)


def _size(tally: Tally) -> int:
    return tally.right + sum(tally.wrong) + tally.silent


def source(pool: Graded) -> Source:
    """Return the description of a pool."""
    samples = sum(map(_size, pool.problems))
    return Source(pool.name, pool.model, pool.answer_type, len(pool.problems), samples)


def subsets(pool: Graded) -> dict[Tally, float]:
    """Return random subsets of the samples of each problem, and their shares; these add up to 1."""
    rng = random.Random(0)
    found = Counter(
        drawn_from(tally, rng) for tally in pool.problems if _size(tally) for _ in range(SUBSETS)
    )
    whole = found.total()
    return {tally: many / whole for tally, many in found.items()}


def drawn_from(tally: Tally, rng: random.Random) -> Tally:
    """Return a random subset of a problem's samples, ``SIZE`` of them if there are so many."""
    answers = [-1] * tally.silent + [0] * tally.right
    for number, votes in enumerate(tally.wrong, 1):
        answers += [number] * votes
    counts = Counter(rng.sample(answers, min(SIZE, len(answers))))
    wrong = sorted((votes for name, votes in counts.items() if name > 0), reverse=True)
    return Tally(counts[0], tuple(wrong), counts[-1])


def likelihoods(tally: Tally, urns: Sequence[Urn] = GRID) -> list[float]:
    """Return the likelihood of the samples in each urn, up to a common factor."""
    seen = Seen((tally.right, *tally.wrong) if tally.right else tally.wrong, tally.silent)
    right = tally.right
    logs = [urn.evidence(seen) + (urn.log_odds(right) if right else 0.0) for urn in urns]
    most = max(logs)
    return [math.exp(log - most) for log in logs]


def likeliest(
    rows: Sequence[Sequence[float]], weights: Sequence[float], steps: int = STEPS
) -> list[float]:
    """Return the shares of the kinds that make the weighted rows of likelihoods likeliest, by
    expectation maximisation.
    """
    whole, kinds = math.fsum(weights), len(rows[0])
    found = [1 / kinds] * kinds
    for _ in range(steps):
        sums = [0.0] * kinds
        for row, weight in zip(rows, weights, strict=True):
            scale = weight / whole / sum(map(mul, row, found))
            sums = [total + scale * one for total, one in zip(sums, row, strict=True)]
        found = [share * total for share, total in zip(found, sums, strict=True)]
    return found


def _kept(found: Sequence[float]) -> tuple[Urn, ...]:
    """Return the urns of the grid that have a share."""
    kept = [(urn, share) for urn, share in zip(GRID, found, strict=True) if share >= LEAST]
    left = math.fsum(share for _, share in kept)
    return tuple(replace(urn, share=share / left) for urn, share in kept)
