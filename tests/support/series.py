"""Series made by hand, and the table that a report reads them from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ponder.experiments.report.table import Table
from ponder.experiments.stats.series import Point, Series


def made(
    method: str,
    values: Mapping[int, Sequence[float]],
    *,
    model: str = "small",
    cost: float = 1.0,
    unit: str = "flops",
    **more: Any,
) -> Series:
    """A series with such values by n; n samples cost n times ``cost``."""
    count = len(next(iter(values.values())))
    return Series(
        suite=more.get("suite", "suite"),
        model=model,
        method=method,
        parameters=more.get("parameters", 0),
        problem_ids=tuple(more.get("ids", [f"p{i}" for i in range(count)])),
        levels=tuple(more.get("levels", [None] * count)),
        points=tuple(
            Point(n, np.array(v, dtype=float), {unit: n * cost} if cost else {})
            for n, v in values.items()
        ),
        source=more.get("source", f"{model}.jsonl"),
    )


def table_of(*series: Series) -> Table:
    return Table(series, [f"{s.method} of {s.model}" for s in series])


def share(right: int, of: int = 10) -> list[float]:
    return [1.0] * right + [0.0] * (of - right)


COMMAND = "ponder report <a>.jsonl & b.jsonl -o report.html"


def world(
    model: str, skill: float, parameters: int, *, suite: str = "sums", **more: Any
) -> list[Series]:
    """A pool of 40 problems in four levels, whose values by n are closed forms."""
    count = 40
    level = np.arange(count) % 4 + 1
    chance = np.clip(skill - 0.22 * (level - 1), 0.0, 1.0)
    seconds = more.get("seconds", 1.0)

    def series(method: str, sizes: tuple[int, ...], values: Any) -> Series:
        points = tuple(
            Point(n, values(n), {"flops": 2.0 * parameters * 100 * n, "seconds": seconds * n})
            for n in sizes
        )
        ids = tuple(f"{suite}/{i}" for i in range(count))
        levels = tuple(map(str, level)) if more.get("levels", True) else (None,) * count
        source = f"{model}.jsonl"
        return Series(suite, model, method, parameters, ids, levels, points, source)

    sizes = more.get("sizes", (1, 2, 4, 8, 16))
    return [
        series("random", sizes, lambda n: chance),
        series("majority", sizes, lambda n: chance**0.5 if n > 4 else chance),
        series("coverage", sizes, lambda n: 1 - (1 - chance) ** n),
    ]


SMALL, LARGE = world("small", 0.6, 10**9), world("large", 0.85, 4 * 10**9)
