"""The record of runs."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from ponder.core.errors import PonderError
from ponder.runtime import tables
from tests.support.fuzzing import Reader
from tests.support.fuzzing.hostile import hostile, json_text, scalars
from tests.support.fuzzing.places import commands, database, file_of, row

RUN = "20260101-000000-aaaaaa"
SPEC: dict[str, Any] = {
    "problem": {
        "messages": [{"role": "user", "content": "?"}],
        "answer_type": "math",
        "choices": [],
        "schema": "",
        "tests": None,
    },
    "model": "simulated",
    "strategy": "best_of_n",
    "knobs": {"n": 2, "pick": "best"},
    "sampling": {
        "length": 1024,
        "temperature": 0.8,
        "top_p": 1.0,
        "stop": [],
        "logprobs": False,
        "top_logprobs": 0,
    },
    "budget": {"tokens": None, "usd": None, "flops": None, "seconds": None},
    "verifier": "arithmetic",
    "seed": 0,
    "version": "0.1.0",
}
SEARCH = {**SPEC, "strategy": "mcts", "knobs": {"expansions": 1, "fan": 2}}
GENERATED: list[Any] = [
    "0.0.0",
    {"effect": "generate", "start": "", "seed": 1, "problem": "8d71", "role": "generate"},
    {
        "id": "0.0.0",
        "parent": "",
        "text": "so 42",
        "tokens": 2,
        "finish": "stop",
        "answer": ["42", "q:42"],
        "logprobs": [-0.5, -0.25],
        "pieces": ["so", [32, 52, 50]],
    },
    None,
    ["generate", "simulated", 1, 0, 16, 0, 220, 0, 0, 472000000000, 0.001],
]
VERIFIED: list[Any] = [
    "0.0.1",
    {"effect": "verify", "verifier": "arithmetic", "traces": ["0.0.0"]},
    [{"value": 0.5, "verifier": "arithmetic", "detail": "fine", "verdict": "scored"}],
    None,
    None,
]
EXECUTED: list[Any] = [
    "0.0.2",
    {"effect": "execute", "role": "generate", "trace": "0.0.0"},
    {"answer": ["42", "q:42"], "output": "42\n", "why": ""},
    None,
    None,
]
LOST: list[Any] = ["0.1.0", GENERATED[1], None, "the endpoint said no", None]
RECORDS = [GENERATED, VERIFIED, EXECUTED, LOST]
TOTAL = {
    "calls": 2,
    "failed": 0,
    "prompt_tokens": 32,
    "cached_tokens": 0,
    "completion_tokens": 505,
    "wasted_tokens": 0,
    "usd": 0.0,
    "flops": 0,
    "seconds": 0.5,
}
RESULT = {
    "answer": "42",
    "confidence": 0.5,
    "stopped_by": "done",
    "receipt": {"items": [], "total": TOTAL},
    "candidates": [],
    "chosen": "0.0.0",
}


def made(run: list[Any], calls: list[tuple[Any, bytes]], version: int = tables.VERSION) -> bytes:
    def fill(db: Any) -> None:
        row(db, "runs", run)
        for number, record in calls:
            row(db, "calls", (RUN, number, record.decode(errors="replace")))
        db.execute(f"pragma user_version={version}")

    return database(tables.RUNS, fill)


PLAIN = made(
    [RUN, 1.0, json.dumps(SPEC), "done", None, json.dumps(RESULT)],
    [(i, json.dumps(record).encode()) for i, record in enumerate(RECORDS)],
)
records = st.one_of(*map(json_text, RECORDS))
filled = st.builds(
    made,
    st.tuples(
        st.just(RUN),
        st.just(1.0) | scalars,
        (json_text(SPEC) | json_text(SEARCH)).map(lambda d: d.decode(errors="replace")),
        st.just("done") | scalars,
        st.none() | scalars,
        st.none() | json_text(RESULT).map(lambda d: d.decode(errors="replace")),
    ).map(list),
    st.lists(st.tuples(st.integers(0, 9), records), max_size=4),
    st.sampled_from([tables.VERSION] * 6 + [0, 9]),
)


def read(data: bytes) -> list[int]:
    """As 'ponder runs' reads it."""
    with file_of(data, "runs.sqlite") as path:
        there = ("--journal", path)
        return commands(
            ("runs", "list", *there),
            ("runs", "list", "--json", *there),
            ("runs", "show", RUN, *there),
            ("runs", "show", RUN, "--json", *there),
            ("runs", "show", RUN, "--tree", *there),
        )


READER = Reader(hostile(PLAIN, more=filled), read, (PLAIN,), (PonderError,))
