"""Loads series from pools and results stores, the inputs of ``ponder report``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ponder.core.errors import UsageError
from ponder.experiments.evals.figures import series_of
from ponder.experiments.evals.store import Store
from ponder.experiments.pools.file import Pool
from ponder.experiments.stats import columns, costs, scoring
from ponder.experiments.stats.columns import Columns
from ponder.experiments.stats.scoring import COVERAGE, RANDOM, Aggregator
from ponder.experiments.stats.series import Point, Series

_SQLITE = b"SQLite format 3\x00"


def load(
    paths: Sequence[Path],
    *,
    n: Sequence[int] = (),
    by: Sequence[str] = ("majority",),
    skip_broken: bool = False,
) -> list[Series]:
    """Return the series of these files, with random and coverage for each pool.

    ``n`` are the numbers of samples (none: powers of two, as far as each pool goes). A pool skips
    larger numbers than it holds, and scores that only other pools have.

    Raises:
        UsageError: a file is neither, is broken, or lacks what ``by`` needs.
    """
    asked = list(dict.fromkeys([RANDOM, *map(scoring.aggregator, by), COVERAGE]))
    stores = {path for path in paths if _is_store(path)}
    pools = {path: _read(path, skip_broken) for path in paths if path not in stores}
    most = max((held.fewest for _, held in pools.values()), default=0)
    if n and most and max(n) > most:
        raise UsageError(f"n = {max(n)} is more than any of the pools holds: ask for less.")
    names = {name for _, held in pools.values() for name in held.score_names}
    found: list[Series] = []
    for path in paths:
        if path in stores:
            found += _stored(path)
        else:
            pool, held = pools[path]
            elsewhere = names - {*held.score_names}
            found += _of_pool(pool, held, [how for how in asked if how.score not in elsewhere], n)
    return found


def _read(path: Path, skip_broken: bool) -> tuple[Pool, Columns]:
    pool = Pool(path, skip_broken=skip_broken)
    return pool, columns.read(pool, shape=costs.shape_of(pool.header))


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


def _stored(path: Path) -> list[Series]:
    """Return each configuration of a results store, as a series of one point.

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
    return [series_of(one, outcomes, path.name) for one, outcomes in ended if outcomes]
