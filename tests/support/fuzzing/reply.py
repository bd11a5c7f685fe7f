"""A reply that an endpoint sends all at once."""

from __future__ import annotations

from tests.support.fuzzing import Reader
from tests.support.fuzzing.hostile import hostile
from tests.support.hostile_replies import PLAIN, REPLIES, RICH, check, reply

VALID = (
    b'{"choices":[{"message":{"role":"assistant","content":"42"},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":20,"completion_tokens":5}}'
)


def read(data: bytes) -> None:
    """As a client reads it, for two samples and for one."""
    for samples, request in ((2, RICH), (1, PLAIN)):
        for outcome in reply(data, request, samples=samples):
            check(outcome, request)


READER = Reader(hostile(VALID, more=REPLIES), read, (VALID,), ())
