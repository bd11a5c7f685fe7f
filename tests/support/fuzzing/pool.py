"""Recorded samples."""

from __future__ import annotations

import json

from ponder.core.errors import PonderError
from ponder.experiments.pools import file as pools
from tests.support.fuzzing import Reader
from tests.support.fuzzing.hostile import hostile, json_text, lines
from tests.support.fuzzing.places import commands, file_of

HEADER = {"pool": 1, "model": "m", "suite": "s", "sampling": {"temperature": 0.8}, "seed": 0}
SAMPLE = {
    "answer": "42",
    "correct": True,
    "score": {"mean_logprob": -0.5},
    "tokens": 5,
    "seconds": 1.0,
    "usd": 0.0,
    "prompt_tokens": 10,
    "key": "42",
    "cut": False,
    "text": "so 42",
    "verified": {"v": {"tokens": 5.0}},
}
ENTRY = {
    "problem_id": "p/1",
    "gold": "42",
    "answer_type": "number",
    "level": 1,
    "samples": [SAMPLE, {**SAMPLE, "answer": None, "correct": False}],
}


PLAIN = b"\n".join(json.dumps(line).encode() for line in (HEADER, ENTRY))


def read(data: bytes) -> list[int]:
    """As the commands read it; what is written of it can be read again."""
    with file_of(data, "pool.jsonl") as path:
        again = path.with_name("again.jsonl")
        codes = commands(
            ("pool", "score", path, "--by", "majority,best:mean_logprob"),
            ("pool", "score", path, "--exact-strings", "--skip-broken", "--json"),
            ("pool", "strip", path, "-o", again, "--skip-broken"),
        )
        if again.exists():
            list(pools.Pool(again))
        return codes


READER = Reader(
    hostile(
        PLAIN,
        more=lines(json_text(HEADER), json_text(ENTRY), json_text(ENTRY)),
    ),
    read,
    (PLAIN,),
    (PonderError,),
    seconds=60.0,  # answers are compared by a worker
)
