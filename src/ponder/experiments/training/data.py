"""Pools for a learned verifier: samples with their features and, here alone, their labels.

Answers are equal if they mean the same, as everywhere (``columns``). A sample without an answer
cannot be right, which need not be learned: it is not an example, but it counts among the others in
the agreement.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from ponder.core.errors import UsageError
from ponder.experiments.pools.file import Pool
from ponder.experiments.pools.samples import Entry, Header
from ponder.experiments.stats import columns
from ponder.verifiers.learned.features import Agreement, Seen

NAME = "learned"
"""Name of the learned score in a pool."""
STRENGTHS = (0.01, 100.0)  # bounds of an estimate


@dataclass(frozen=True, slots=True)
class Examples:
    """The samples of one problem of one pool."""

    problem_id: str
    seen: tuple[Seen, ...]
    correct: tuple[bool, ...]
    """One label per sample."""

    @property
    def answered(self) -> list[int]:
        """Positions of the samples that have an answer."""
        return [i for i, sample in enumerate(self.seen) if sample.key is not None]


def slim(pool: Pool) -> list[Entry]:
    """Return the problems of a pool without the samples' texts, which are not used here."""
    return [
        replace(entry, samples=tuple(replace(sample, text=None) for sample in entry.samples))
        for entry in pool
    ]


def examples(
    entries: Sequence[Entry], announce: Callable[[int], None] = lambda formulas: None
) -> list[Examples]:
    """Return the problems of one pool, in order.

    ``announce`` gets the number of formulas that are about to be compared.

    Raises:
        UsageError: a problem has no samples, or answered samples are not graded.
    """
    read = columns.read(entries, announce=announce)
    classes = {
        int(row): numbers
        for group in read.groups
        for row, numbers in zip(group.rows, group.classes.tolist(), strict=True)
    }
    return [_examples(entry, classes[i]) for i, entry in enumerate(entries)]


def _examples(entry: Entry, classes: Sequence[int]) -> Examples:
    seen = tuple(
        Seen(
            None if number < 0 else number,
            sample.tokens or 0.0,
            sample.cut,
            {name: score for name, score in sample.scores.items() if name != NAME},
        )
        for sample, number in zip(entry.samples, classes, strict=True)
    )
    return Examples(entry.problem_id, seen, tuple(bool(s.correct) for s in entry.samples))


def check_sources(pools: Sequence[Pool], *, mixed: bool = False) -> None:
    """Reject pools of several models (unless ``mixed``), and the same file twice.

    Raises:
        UsageError: the message names the two.
    """
    first, paths = pools[0], set()
    for pool in pools:
        if not mixed and pool.header.source != first.header.source:
            raise UsageError(
                f"{first.path} is of {first.header} and {pool.path} of {pool.header}: train on "
                "pools of one model, or say --mixed."
            )
        if pool.path.resolve() in paths:
            raise UsageError(f"{pool.path} is given twice: its samples would count twice.")
        paths.add(pool.path.resolve())


def check_seeds(a: Header, b: Header, shared: int) -> None:
    """Reject two pools that hold the same samples: of one model, seed, and ``shared`` problems.

    Raises:
        UsageError: they do.
    """
    if shared and a.source == b.source and any(seed in b.seeds for seed in a.seeds):
        raise UsageError(
            f"two of the pools have {shared} problems in common and were drawn with the same "
            "seed: their samples are the same ones, and would count twice."
        )


def agreement_of(data: Iterable[Examples]) -> Agreement:
    """Return ``Agreement`` with the prior and strength estimated from these samples.

    With c of m others agreeing, the means of c / m and of c (c - 1) / (m (m - 1)) over samples are
    unbiased for the mean of p and of p^2, p being the probability of the sample's answer; then
    prior = E[p], strength = E[p (1 - p)] / Var[p] (Bühlmann 1967). If no sample has two others,
    the strength is 1; if none has one, the prior is 1/2 too.
    """
    once: list[float] = []
    twice: list[tuple[float, float]] = []
    for problem in data:
        given, others = Counter(s.key for s in problem.seen), len(problem.seen) - 1
        agreeing = [given[s.key] - 1 for s in problem.seen if s.key is not None]
        if others:
            once += [c / others for c in agreeing]
        if others > 1:
            twice += [(c / others, c * (c - 1) / (others * (others - 1))) for c in agreeing]
    prior = math.fsum(once) / len(once) if once else 0.5
    if not twice:
        return Agreement(prior, 1.0)
    mean, square = (math.fsum(part) / len(twice) for part in zip(*twice, strict=True))
    between, within = square - mean * mean, mean - square
    least, most = STRENGTHS
    return Agreement(prior, min(max(within / between, least), most) if between > 0 else most)
