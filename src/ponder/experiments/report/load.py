"""Loads the inputs of ``ponder report`` from pools and results stores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ponder.core.errors import UsageError
from ponder.core.problem import AnswerType
from ponder.experiments.evals.figures import series_of
from ponder.experiments.evals.store import Outcome, Store, Stored
from ponder.experiments.pools.file import Pool
from ponder.experiments.pools.samples import Entry
from ponder.experiments.report.dial.votes import RULES, Stated, Votes, votes
from ponder.experiments.stats import columns, costs, scoring
from ponder.experiments.stats.columns import Columns
from ponder.experiments.stats.scoring import COVERAGE, RANDOM, Aggregator
from ponder.experiments.stats.series import Point, Series

_SQLITE = b"SQLite format 3\x00"


@dataclass(frozen=True, slots=True)
class Loaded:
    """The content of a report's files."""

    series: list[Series] = field(default_factory=list)
    """Accuracy against compute, with random and coverage for each pool."""
    rules: list[Series] = field(default_factory=list)
    """Votes of the pools' samples that end by a rule; the method is the rule."""
    stated: list[Stated] = field(default_factory=list)
    """Stated probabilities: of configurations, and what the shipped outlook says of pools."""


def load(
    paths: Sequence[Path],
    *,
    n: Sequence[int] = (),
    by: Sequence[str] = ("majority",),
    skip_broken: bool = False,
    dial: bool = False,
) -> Loaded:
    """Return the content of these files; ``dial`` asks for ``rules`` and ``stated``, too.

    ``n`` are the numbers of samples (none: powers of two, as far as each pool goes). A pool skips
    larger numbers than it holds, and scores that only other pools have.

    Raises:
        UsageError: a file is neither, is broken, or lacks what ``by`` needs.
    """
    asked = list(dict.fromkeys([RANDOM, *map(scoring.aggregator, by), COVERAGE]))
    stores = {path for path in paths if _is_store(path)}
    pools = {path: _read(path, skip_broken) for path in paths if path not in stores}
    most = max((held.fewest for _, held, _ in pools.values()), default=0)
    if n and most and max(n) > most:
        raise UsageError(f"n = {max(n)} is more than any of the pools holds: ask for less.")
    names = {name for _, held, _ in pools.values() for name in held.score_names}
    found = Loaded()
    for path in paths:
        if path in stores:
            series, stated = _stored(path)
            found.series.extend(series)
            found.stated.extend(stated if dial else [])
            continue
        pool, held, kinds = pools[path]
        elsewhere = names - {*held.score_names}
        own = _of_pool(pool, held, [how for how in asked if how.score not in elsewhere], n)
        found.series.extend(own)
        if dial and (drawn := votes(held, kinds)):
            found.rules.extend(_ruled(own[0], drawn))
            said = drawn.stated(own[0].suite, own[0].model, own[0].source)
            found.stated.extend([said] if said else [])
    return found


def _read(path: Path, skip_broken: bool) -> tuple[Pool, Columns, list[AnswerType]]:
    pool = Pool(path, skip_broken=skip_broken)
    kinds: list[AnswerType] = []

    def entries() -> Iterator[Entry]:
        for entry in pool:
            kinds.append(entry.answer_type)
            yield entry

    return pool, columns.read(entries(), shape=costs.shape_of(pool.header)), kinds


def _ruled(of: Series, drawn: Votes) -> list[Series]:
    """Return a series for each stopping rule, of the pool that ``of`` is a series of."""
    return [replace(of, method=text, points=tuple(drawn.points(text))) for text in RULES]


def _is_store(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except OSError:
        return False  # the pool's reader says why


def _of_pool(
    pool: Pool, read: Columns, asked: Sequence[Aggregator], n: Sequence[int]
) -> list[Series]:
    shape = costs.shape_of(pool.header)
    sizes = [k for k in sorted(set(n)) if k <= read.fewest] or scoring.doubling(read.fewest)
    points = [(how, k) for how in asked for k in sizes]
    scoring.check(read, points)
    values, errors = scoring.evaluate(read, points)
    model = " and ".join(pool.header.models) or "unknown model"
    series = []
    for how in asked:
        at = [i for i, (by, _) in enumerate(points) if by == how]
        series.append(
            Series(
                str(pool.header.rest.get("suite", pool.path.stem)),
                model,
                str(how),
                shape.parameters,
                tuple(read.problem_ids),
                tuple(read.levels),
                tuple(
                    Point(
                        points[i][1],
                        values[:, i],
                        read.cost(points[i][1], how.score),
                        errors[i],
                    )
                    for i in at
                ),
                pool.path.name,
            )
        )
    return series


def _stored(path: Path) -> tuple[list[Series], list[Stated]]:
    """Return each configuration of a results store, as a series of one point, and what it says of
    its answers.

    Problems whose runs have not ended are left out, and so are configurations that have none.

    Raises:
        UsageError: not a store, or a configuration that is not graded.
    """
    store = Store(path)
    try:
        held = [(one, store.outcomes(one.id)) for one in reversed(store.configurations())]
    finally:
        store.close()
    ended = [(one, [o for o in outcomes if o.state != "open"]) for one, outcomes in held]
    series = [series_of(one, outcomes, path.name) for one, outcomes in ended if outcomes]
    stated = [_confidence(one, outcomes, path.name) for one, outcomes in ended]
    return series, [said for said in stated if len(said.problem)]


def _confidence(of: Stored, outcomes: Sequence[Outcome], source: str) -> Stated:
    """Return what a configuration says of its answers, where it says something."""
    rows = [
        (i, outcome.confidence, bool(outcome.correct))
        for i, outcome in enumerate(outcomes)
        if outcome.confidence is not None and outcome.answer is not None
    ]
    problem, likely, right = zip(*rows, strict=True) if rows else ((), (), ())
    return Stated(
        of.suite,
        of.model,
        of.name,
        source,
        np.array(problem, dtype=np.int64),
        np.array(likely, dtype=np.float64),
        np.array(right, dtype=np.bool_),
        False,
    )
