"""Recorded samples and runs to learn from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ponder.core.errors import PonderError
from tests.support.fuzzing import Reader, journal, pool
from tests.support.fuzzing.hostile import hostile, json_text, lines
from tests.support.fuzzing.places import commands, file_of

ENTRY: dict[str, Any] = {**pool.ENTRY, "question": "What is six times seven?"}
PLAIN = b"\n".join(json.dumps(line).encode() for line in (pool.HEADER, ENTRY))


def read(data: bytes) -> list[int]:
    """As 'ponder learn export' reads it; each row that is written is JSON."""
    with file_of(data, "recorded") as path:
        rows = path.with_name("rows.jsonl")
        how: tuple[str | Path, ...] = ("-o", rows, "--force", "--skip-broken")
        codes = commands(
            ("learn", "export", path, "--format", "prompts", "--verifier", "arithmetic", *how)
        )
        commands(  # there may be nothing to write
            ("learn", "export", path, "--verifier", "mean_logprob", "--at-least", "0", *how),
            ("learn", "export", path, "--verifier", "agreement", "--format", "preference", *how),
            ("learn", "export", path, "--verifier", "arithmetic", "--format", "steps", *how),
        )
        if rows.exists():
            for line in rows.read_bytes().splitlines():
                json.loads(line)
        return codes


READER = Reader(
    hostile(
        PLAIN, journal.PLAIN, more=lines(json_text(pool.HEADER), json_text(ENTRY)) | journal.filled
    ),
    read,
    (PLAIN, journal.PLAIN),
    (PonderError,),
)
