"""A fuzz of what reads an endpoint's replies. PONDER_FUZZ=20000 makes it a long one.

PONDER_FUZZ=20000 python -m pytest tests/models/test_hostile_replies.py
"""

from __future__ import annotations

import json
import os
from itertools import pairwise
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ponder.models.base import Completion, Request
from ponder.models.openai.responses import Responses
from tests.support.hostile_replies import (
    EVENTS,
    PLAIN,
    REPLIES,
    RESPONSES,
    RICH,
    UNSTOPPED,
    Canned,
    Outcome,
    check,
    mutated,
    reply,
    stream,
    streams,
)

EXAMPLES = int(os.environ.get("PONDER_FUZZ", "60"))
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


def check_once(outcome: Outcome, canned: Canned) -> None:
    """A reply that was paid for is not asked for again."""
    if isinstance(outcome, Completion) or outcome.completion_tokens:
        assert canned.asked == 1


@LONG
@given(st.one_of(RESPONSES, mutated(RESPONSES)), st.sampled_from([UNSTOPPED, PLAIN]))
def test_a_response_is_a_completion_or_an_error_whatever_it_holds(
    body: bytes, asked: Request
) -> None:
    canned = Canned([body], 200, {})
    [outcome] = reply(canned, asked, wire=Responses)
    check(outcome, asked)
    check_once(outcome, canned)


@LONG
@given(st.data(), st.sampled_from([UNSTOPPED, PLAIN]))
def test_events_of_a_response_are_read_alike_in_whatever_pieces_they_come(
    data: st.DataObject, asked: Request
) -> None:
    pieces = data.draw(streams(EVENTS))
    found = [Canned([b"".join(pieces)], 200, {}), Canned(pieces, 200, {})]
    whole, parts = (stream(canned, asked, wire=Responses) for canned in found)
    for outcome, canned in zip((whole, parts), found, strict=True):
        check(outcome, asked)
        check_once(outcome, canned)
    assert type(whole) is type(parts)


@LONG
@given(streams(), REQUESTS)
def test_a_stream_that_was_paid_for_is_not_asked_for_again(
    pieces: list[bytes], asked: Request
) -> None:
    canned = Canned(pieces, 200, {})
    check_once(stream(canned, asked), canned)


# Neighbours of real replies: fields in any order, present, absent, null or of a wrong type --------

TEXT = "Six times seven is 42."
TOLD = {"prompt_tokens": 9, "completion_tokens": 7, "total_tokens": 16}
ODD = st.sampled_from([None, 0, -1, 1.5, "", "x", [], {}, True, [None], {"x": None}])


@LONG
@given(st.data())
def test_a_text_that_came_is_kept_whatever_stands_beside_it(data: st.DataObject) -> None:
    message = {"content": TEXT, **data.draw(beside("role", "reasoning", "refusal", "annotations"))}
    choice = {"message": message, "finish_reason": "stop"}
    choice |= data.draw(beside("index", "logprobs", "stop_reason", "seed", "matched_stop"))
    body = {"choices": [choice], **data.draw(beside("id", "usage", "timings", "model", "created"))}
    shuffled = dict(data.draw(st.permutations(list(body.items()))))
    [outcome] = reply(json.dumps(shuffled).encode(), RICH)
    check(outcome)
    assert isinstance(outcome, Completion)
    assert outcome.text == TEXT
    assert outcome.finish == "stop"


@LONG
@given(st.data(), st.lists(st.integers(0, 600), max_size=5))
def test_a_streamed_text_is_kept_whatever_stands_beside_it(
    data: st.DataObject, cuts: list[int]
) -> None:
    events = []
    for piece in ("Six times ", "seven is ", "42."):
        delta = {"content": piece, **data.draw(beside("role", "reasoning", "annotations"))}
        choice = {"delta": delta, "finish_reason": None, **data.draw(beside("logprobs", "seed"))}
        events.append({"choices": [choice], **data.draw(beside("id", "usage", "timings"))})
    if ended := data.draw(st.booleans()):
        events.append({"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": TOLD})
    body = b"".join(b"data: %s\n\n" % json.dumps(event).encode() for event in events)
    places = sorted({0, len(body), *(cut % len(body) for cut in cuts)})
    outcome = stream([body[a:b] for a, b in pairwise(places)], RICH)
    check(outcome)
    assert isinstance(outcome, Completion) is ended, "what did not end is no sample"
    if isinstance(outcome, Completion):
        assert outcome.text == TEXT


def beside(*names: str) -> st.SearchStrategy[dict[str, Any]]:
    """Some of these fields, with a value of any type."""
    return st.fixed_dictionaries({}, optional=dict.fromkeys(names, ODD))
