"""A fuzz of what reads an endpoint's replies. PONDER_FUZZ=20000 makes it a long one.

PONDER_FUZZ=20000 python -m pytest tests/models/test_hostile_replies.py
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ponder.models.base import Request
from tests.support.hostile_replies import PLAIN, REPLIES, RICH, check, reply, stream, streams

EXAMPLES = int(os.environ.get("PONDER_FUZZ", "200"))
LONG = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
REQUESTS = st.sampled_from([RICH, PLAIN])


@LONG
@given(REPLIES, REQUESTS, st.integers(1, 3), st.sampled_from([200, 200, 200, 400, 503]))
def test_a_reply_is_a_completion_or_an_error_whatever_it_holds(
    body: bytes, asked: Request, samples: int, status: int
) -> None:
    outcomes = reply(body, asked, samples=samples, status=status)
    assert len(outcomes) == samples
    for outcome in outcomes:
        check(outcome, asked)


@LONG
@given(streams(), REQUESTS)
def test_a_stream_is_a_completion_or_an_error_whatever_it_holds(
    pieces: list[bytes], asked: Request
) -> None:
    check(stream(pieces, asked), asked)


@LONG
@given(st.data())
def test_a_stream_is_read_alike_in_whatever_pieces_it_comes(data: st.DataObject) -> None:
    pieces = data.draw(streams())
    whole, parts = stream([b"".join(pieces)]), stream(pieces)
    for outcome in (whole, parts):
        check(outcome)
    assert type(whole) is type(parts)
