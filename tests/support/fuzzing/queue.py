"""What waits for a person."""

from __future__ import annotations

import io
import json
import sys
from typing import Any
from unittest import mock

from hypothesis import strategies as st

from ponder.core.errors import PonderError
from ponder.verifiers.human import verifier as human
from tests.support.fuzzing import Reader
from tests.support.fuzzing.hostile import hostile, json_text, scalars
from tests.support.fuzzing.places import commands, database, file_of, row

CANDIDATE = {
    "id": "0.0",
    "text": "so 42",
    "answer": "42",
    "key": "42",
    "tokens": 3,
    "cut": False,
    "scores": {"mean_logprob": -0.5},
}
ITEM = ["Why?", "number", [CANDIDATE, {**CANDIDATE, "id": "0.1"}]]
JUDGEMENT = {"how": "choice", "scores": [1.0, 1.0], "comment": "c", "who": "w", "at": 1.0}


def made(items: list[tuple[Any, ...]], judged: list[tuple[Any, ...]], version: int) -> bytes:
    def fill(db: Any) -> None:
        for item in items:
            row(db, "items", item)
        for one in judged:
            row(db, "judgements", one)
        db.execute(f"pragma user_version={version}")

    return database(human.QUEUE.schema, fill)


PLAIN = made(
    [("a", 1.0, None, "", json.dumps(ITEM)), ("b", 1.0, 2.0, "", json.dumps(ITEM))],
    [("a", json.dumps(JUDGEMENT))],
    human.QUEUE.version,
)
keys = st.sampled_from(["a", "b", "\x1b[2J"]) | scalars
filled = st.builds(
    made,
    st.lists(
        st.tuples(
            keys,
            st.just(1.0) | scalars,
            st.none() | scalars,
            st.just("") | scalars,
            json_text(ITEM).map(lambda data: data.decode(errors="replace")),
        ),
        max_size=3,
    ),
    st.lists(
        st.tuples(keys, json_text(JUDGEMENT).map(lambda data: data.decode(errors="replace"))),
        max_size=2,
    ),
    st.sampled_from([human.QUEUE.version] * 6 + [0, 9]),
)


def read(data: bytes) -> list[int]:
    """As 'ponder review' reads it."""
    with file_of(data, "reviews.sqlite") as path:
        there = ("--queue", path)
        with mock.patch.object(sys, "stdin", io.StringIO("s\n1\ng 5\n")):
            return commands(
                ("review", "--list", *there),
                ("review", "--list", "--json", *there),
                ("review", "--export", path.with_name("pool.jsonl"), *there),
                ("review", "--once", *there),
                ("review", "--drop", *there),
            )


READER = Reader(hostile(PLAIN, more=filled), read, (PLAIN,), (PonderError,))
