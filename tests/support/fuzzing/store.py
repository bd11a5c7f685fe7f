"""The results of evaluations."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from ponder.core.errors import PonderError
from ponder.runtime import tables
from tests.support.fuzzing import Reader
from tests.support.fuzzing.hostile import hostile, json_text, scalars
from tests.support.fuzzing.places import commands, database, file_of, row

RESOLVED = {"strategy": "direct", "knobs": {"n": 1}, "model": "m", "verifier": None, "seed": 0}
CONFIGURATION = ["c1", 1.0, "name", "suite", "m", 0, 0, "", json.dumps(RESOLVED)]
OUTCOME = [
    "c1",
    "p1",
    0,
    None,
    "digest",
    "run",
    "done",
    "",
    "42",
    "42",
    "done",
    0.5,
    1,
    10,
    0,
    5,
    0,
    0.0,
    1.0,
    1.0,
    1,
]


def made(configuration: list[Any], outcomes: list[list[Any]], format: Any = tables.FORMAT) -> bytes:
    def fill(db: Any) -> None:
        row(db, "store", (format,))
        row(db, "configurations", configuration)
        row(db, "configurations", ["c2", *CONFIGURATION[1:]])
        row(db, "outcomes", ["c2", *OUTCOME[1:]])
        for outcome in outcomes:
            row(db, "outcomes", outcome)

    return database(tables.RESULTS, fill)


PLAIN = made(CONFIGURATION, [OUTCOME])


def like(values: list[Any]) -> st.SearchStrategy[list[Any]]:
    """A row like this one, in which some cells are others."""
    return st.tuples(*(st.one_of(st.just(v), st.just(v), st.just(v), scalars) for v in values)).map(
        list
    )


filled = st.builds(
    made,
    st.tuples(like(CONFIGURATION[:-1]), json_text(RESOLVED)).map(
        lambda both: [*both[0], both[1].decode(errors="replace")]
    ),
    st.lists(like(OUTCOME), max_size=4),
    st.just(tables.FORMAT) | scalars,
)


def read(data: bytes) -> list[int]:
    """As 'ponder eval' reads it."""
    with file_of(data, "results.sqlite") as path:
        there = ("--store", path)
        return commands(
            ("eval", "show", *there),
            ("eval", "show", "--json", *there),
            ("eval", "show", "c1", *there),
            ("eval", "show", "c1", "--json", *there),
            ("eval", "compare", "c1", "c2", *there),
            ("eval", "show", "--export", path.with_name("out.csv"), *there),
        )


READER = Reader(hostile(PLAIN, more=filled), read, (PLAIN,), (PonderError,))
