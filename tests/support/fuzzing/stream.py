"""A reply that an endpoint sends piece by piece."""

from __future__ import annotations

from tests.support.fuzzing import Reader
from tests.support.fuzzing.hostile import hostile
from tests.support.hostile_replies import RICH, check, stream, streams

VALID = (
    b'data: {"choices":[{"index":0,"delta":{"content":"42"},"finish_reason":null}]}\n\n'
    b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    b'data: {"choices":[],"usage":{"prompt_tokens":20,"completion_tokens":5}}\n\ndata: [DONE]\n\n'
)


def read(data: bytes) -> None:
    """As a client reads it: in pieces that end anywhere."""
    size = 1 + len(data) % 97
    check(stream([data[at : at + size] for at in range(0, len(data), size)] or [b""]), RICH)


READER = Reader(hostile(VALID, more=streams().map(b"".join)), read, (VALID,), ())
