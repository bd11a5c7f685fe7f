"""A pool as arrays: the data that the estimators need of every sample.

Built in one pass over the file. Texts are dropped as they are read; each distinct answer is kept
once, and gets its canonical key (``answers.equivalence``) at the end, so that formulas, which go
to the worker process, are asked about once each.
"""

from __future__ import annotations

import asyncio
import math
from array import array
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ponder.answers.equivalence import canonical, quick_key
from ponder.answers.mathworker import MathWorker
from ponder.core.errors import UnknownName, UsageError
from ponder.core.problem import AnswerType
from ponder.experiments.pools.samples import Entry
from ponder.experiments.stats.costs import Cost, Counter
from ponder.experiments.stats.estimators import Bools, Floats, Ints
from ponder.models.base import Shape

ABSTAINED = float(np.finfo(np.float64).min)
"""Stands for the missing score of a verifier: it loses against any other."""
Spelling = tuple[AnswerType, str]
"""An answer as it was written, and its type."""


@dataclass(frozen=True, slots=True)
class Group:
    """The problems that have n samples each. Arrays are (problems, n) unless said otherwise."""

    rows: Ints
    """Positions of the problems in the pool."""
    correct: Floats
    classes: Ints
    """Number of each sample's answer within its problem, by order of recording; -1 for none."""
    sizes: Ints
    """(problems, classes): number of samples with each answer."""
    right: Floats
    """(problems, classes): mean of those samples' ``correct``."""
    scores: dict[str, Floats]

    @property
    def n(self) -> int:
        """Samples per problem."""
        return int(self.correct.shape[1])

    @property
    def answered(self) -> Bools:
        """True for samples with an answer."""
        return np.asarray(self.classes >= 0)


@dataclass(frozen=True, slots=True)
class Columns:
    """A pool as arrays."""

    problem_ids: list[str]
    levels: list[str | float | None]
    groups: list[Group]
    costs: dict[str, Cost]
    """Costs by unit, for units known of all samples."""
    verified: dict[str, dict[str, float]]
    """Mean cost of one sample's score, by the score's name and by unit."""
    score_names: tuple[str, ...]
    any_answer: bool

    @property
    def problems(self) -> int:
        """Number of problems."""
        return len(self.problem_ids)

    @property
    def any_right(self) -> bool:
        """True if any sample is right."""
        return any(group.correct.any() for group in self.groups)

    @property
    def fewest(self) -> int:
        """Number of samples that every problem has."""
        return min(group.n for group in self.groups)

    def cost(self, k: int, score: str = "") -> dict[str, float]:
        """Return the mean cost of k samples of a problem, by unit, each with the named score."""
        bought = self.verified.get(score, {})
        return {unit: c.mean(k) + k * bought.get(unit, 0.0) for unit, c in self.costs.items()}

    def check_score(self, name: str) -> None:
        """Reject a score that does not exist, or that answered samples lack.

        Raises:
            UsageError: the message names it, and the number of samples that lack it.
        """
        if name not in self.score_names:
            if not self.score_names:
                raise UsageError(f"the pool has no scores, so none is named {name!r}.")
            raise UnknownName("score", name, self.score_names)
        lacking, first = 0, self.problems
        for group in self.groups:
            gaps = np.isnan(group.scores[name]) & (group.answered | (not self.any_answer))
            lacking += int(gaps.sum())
            first = min(first, *group.rows[gaps.any(axis=1)], self.problems)
        if lacking:
            raise UsageError(
                f"{_samples(lacking)} the score {name!r}, first in problem "
                f"{self.problem_ids[first]!r}: score the pool anew, or choose another score."
            )


def read(
    entries: Iterable[Entry],
    *,
    shape: Shape | None = None,
    exact_strings: bool = False,
    announce: Callable[[int], None] = lambda formulas: None,
) -> Columns:
    """Read a pool into arrays. ``shape`` is its model's, for FLOPs (None: unknown).

    Answers are equal if they mean the same, or with ``exact_strings`` if they are the same string.
    ``announce`` gets the number of formulas that the worker process is about to be asked.

    Raises:
        UsageError: a problem has no samples, or answered samples are not graded.
    """
    ids: list[str] = []
    levels: list[str | float | None] = []
    counts: list[int] = []
    spellings: dict[Spelling, int] = {}
    keys: dict[Spelling, str] = {}
    spelt, correct, counter = array("q"), array("d"), Counter(shape or Shape())
    scores: dict[str, array[float]] = {}
    ungraded, ungraded_in = 0, ""
    for entry in entries:
        if not entry.samples:
            raise UsageError(
                f"problem {entry.problem_id!r} has no samples: record it again, or remove its line."
            )
        ids.append(entry.problem_id)
        levels.append(entry.level)
        counts.append(len(entry.samples))
        for sample in entry.samples:
            # A program or a formula may be empty space: that is no answer either.
            answer = sample.answer if sample.answer and sample.answer.strip() else None
            if answer is None:
                spelt.append(-1)
            else:
                spelling = (entry.answer_type, answer)
                spelt.append(spellings.setdefault(spelling, len(spellings)))
                if sample.key is not None:
                    keys[spelling] = sample.key
            if sample.correct is None and answer is not None:
                ungraded, ungraded_in = ungraded + 1, ungraded_in or entry.problem_id
            correct.append(bool(sample.correct))
            abstained = dict.fromkeys(sample.verified.keys() - sample.scores.keys(), ABSTAINED)
            for name, score in (*sample.scores.items(), *abstained.items()):
                column = scores.get(name)
                if column is None:
                    column = scores[name] = array("d")
                column.extend([math.nan] * (len(correct) - 1 - len(column)))
                column.append(score)
            counter.add(sample)
    if ungraded:
        raise UsageError(
            f"{_samples(ungraded)} 'correct', first in problem {ungraded_in!r}: grade the pool "
            "first (ponder pool grade)."
        )
    for column in scores.values():
        column.extend([math.nan] * (len(correct) - len(column)))
    disputed = None if exact_strings else _disputed(spelt, counts)
    numbers = _numbers(spellings, keys, disputed, announce)
    lengths = np.array(counts, dtype=np.int64)
    starts = np.cumsum(lengths) - lengths
    classes = _classes(spelt, numbers, counts)
    flat = {name: np.frombuffer(column) for name, column in scores.items()}
    groups = [
        _group(np.nonzero(lengths == n)[0], int(n), starts, np.frombuffer(correct), classes, flat)
        for n in np.unique(lengths)
    ]
    return Columns(
        problem_ids=ids,
        levels=levels,
        groups=groups,
        costs=counter.costs(starts, lengths),
        verified=counter.verified(),
        score_names=tuple(scores),
        any_answer=bool(spellings),
    )


def _samples(count: int) -> str:
    return "1 sample lacks" if count == 1 else f"{count} samples lack"


def _disputed(spelt: Sequence[int], counts: Sequence[int]) -> set[int]:
    """Return the spellings beside another one in some problem: their meaning matters."""
    disputed: set[int] = set()
    at = 0
    for count in counts:
        given = {answer for answer in spelt[at : at + count] if answer >= 0}
        if len(given) > 1:
            disputed |= given
        at += count
    return disputed


def _numbers(
    spellings: dict[Spelling, int],
    keys: dict[Spelling, str],
    disputed: set[int] | None,
    announce: Callable[[int], None],
) -> list[int]:
    """Return a number for each spelling, the same for disputed ones of the same meaning.

    ``disputed`` None: none is. ``keys`` are those in the pool.
    """
    if disputed is None:
        return list(range(len(spellings)))
    quick = [quick_key(text, kind) or keys.get((kind, text)) for kind, text in spellings]
    slow = [s for (s, i), key in zip(spellings.items(), quick, strict=True)
            if key is None and i in disputed]  # fmt: skip
    found: dict[Spelling, str] = {}
    if slow:
        announce(len(slow))
        # In a thread of its own, so that this works within a running event loop as well.
        with ThreadPoolExecutor(1) as pool:
            found = dict(zip(slow, pool.submit(asyncio.run, _asked(slow)).result(), strict=True))
    numbers: dict[object, int] = {}
    return [
        numbers.setdefault(key or found.get(spelling, spelling), len(numbers))
        for spelling, key in zip(spellings, quick, strict=True)
    ]


async def _asked(slow: Sequence[Spelling]) -> list[str]:
    worker = MathWorker()
    try:
        return [(await canonical(text, kind, worker)).key for kind, text in slow]
    finally:
        worker.close()


def _classes(spelt: Sequence[int], keys: Sequence[int], counts: Sequence[int]) -> Ints:
    """Number each problem's answers in the order of recording; -1 for none."""
    classes = np.full(len(spelt), -1, dtype=np.int64)
    at = 0
    for count in counts:
        seen: dict[int, int] = {}
        for i in range(at, at + count):
            if spelt[i] >= 0:
                classes[i] = seen.setdefault(keys[spelt[i]], len(seen))
        at += count
    return classes


def _group(
    rows: Ints, n: int, starts: Ints, correct: Floats, classes: Ints, scores: dict[str, Floats]
) -> Group:
    at = starts[rows][:, None] + np.arange(n)
    numbered, flags = classes[at], correct[at]
    width = max(1, int(numbered.max(initial=-1)) + 1)
    given = numbered >= 0
    cell = (np.arange(len(rows))[:, None] * width + numbered)[given]
    shape = (len(rows), width)
    sizes = np.bincount(cell, minlength=len(rows) * width).reshape(shape)
    hits = np.bincount(cell, weights=flags[given], minlength=len(rows) * width).reshape(shape)
    return Group(
        rows=rows,
        correct=flags,
        classes=numbered,
        sizes=sizes,
        right=hits / np.maximum(sizes, 1),
        scores={name: column[at] for name, column in scores.items()},
    )
