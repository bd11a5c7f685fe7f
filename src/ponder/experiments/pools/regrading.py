"""Grades the samples of a pool: each distinct answer to a problem once, a few at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ponder.answers.reading import Reader
from ponder.core.problem import Problem
from ponder.experiments.pools.samples import Entry, Sample
from ponder.experiments.suites.grading.confined import RunCode
from ponder.experiments.suites.grading.gold import Gold
from ponder.experiments.suites.grading.grade import grade
from ponder.util.bounded import bounded
from ponder.verifiers.base import Tools

Tell = Callable[[int, int], None]
"""Called with (answers graded, answers to grade)."""


async def graded(
    entries: Sequence[Entry],
    golds: Mapping[str, Gold],
    *,
    keep: bool = False,
    run: RunCode | None = None,
    tools: Tools | None = None,
    tell: Tell = lambda done, of: None,
) -> list[Entry]:
    """Return the entries with every ``correct`` set anew; ``golds`` are by problem.

    With ``keep``, samples without a text keep their grades. ``run`` and ``tools`` are as for
    ``grade``.

    Raises:
        UsageError: programs are to be graded, and there is no safe way to run them here.
    """
    asked = [
        (entry.problem_id, answer)
        for entry in entries
        for answer in dict.fromkeys(
            s.answer for s in entry.samples if s.answer is not None and not (keep and stands(s))
        )
    ]
    tools = tools or Tools()
    found: dict[tuple[str, str], bool] = {}

    async def one(pair: tuple[str, str]) -> None:
        problem, answer = pair
        found[pair] = await grade(golds[problem], answer, run=run, tools=tools)
        tell(len(found), len(asked))

    await bounded(one, asked, os.cpu_count() or 1)

    def flagged(entry: Entry, sample: Sample) -> Sample:
        if keep and stands(sample):
            return sample
        right = sample.answer is not None and found[entry.problem_id, sample.answer]
        return replace(sample, correct=right)

    return [replace(e, samples=tuple(flagged(e, s) for s in e.samples)) for e in entries]


def stands(sample: Sample) -> bool:
    """Return True if the sample has a grade, and no text from which to grade it again."""
    return sample.text is None and sample.correct is not None


async def reread(
    entries: Sequence[Entry], problems: Mapping[str, Problem], reader: Reader
) -> list[Entry]:
    """Return the entries with the answers extracted from their texts again, if they have texts."""

    async def one(sample: Sample, problem: Problem) -> Sample:
        if sample.text is None:
            return sample
        found = await reader.read(sample.text, problem, sample.cut)
        if found is None:
            return replace(sample, answer=None, key=None)
        return replace(sample, answer=found.text, key=found.key)

    return [
        replace(e, samples=tuple([await one(s, problems[e.problem_id]) for s in e.samples]))
        for e in entries
    ]
