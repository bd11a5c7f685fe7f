"""A body becomes the data of its events, however it is framed and wherever it is divided."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.models.http.framing import Framer


def framed(body: bytes, size: int = 0) -> list[bytes]:
    framer, events = Framer(), list[bytes]()
    for start in range(0, len(body), size or len(body) or 1):
        events += framer.feed(body[start : start + (size or len(body))])
    return events + framer.end()


BODIES: list[tuple[bytes, list[bytes]]] = [
    (b'data: {"a":1}\n\ndata: [DONE]\n\n', [b'{"a":1}', b"[DONE]"]),
    (b'data:{"a":1}\n\ndata:[DONE]', [b'{"a":1}', b"[DONE]"]),
    (b'data: {"a":1}\r\n\r\ndata: [DONE]\r\n\r\n', [b'{"a":1}', b"[DONE]"]),
    (b'data: {"a":1}\r\rdata: [DONE]\r\r', [b'{"a":1}', b"[DONE]"]),
    (b'\xef\xbb\xbfdata: {"a":1}\n\n', [b'{"a":1}']),
    (b': ping\n\n: OPENROUTER PROCESSING\n\ndata: {"a":1}\n\n', [b'{"a":1}']),
    (b'data:\n\ndata: \n\ndata: {"a":1}\n\n', [b'{"a":1}']),
    (b'event: delta\nid: 7\nretry: 5\ndata: {"a":1}\n\n', [b'{"a":1}']),
    (b'data: {"a":\ndata: 1}\n\n', [b'{"a":\n1}']),
    (b'data: {"a":1}\ndata: {"b":2}\n\n', [b'{"a":1}', b'{"b":2}']),
    (b'data: {"a":"\xe2\x80\xa8"}\n\n', [b'{"a":"\xe2\x80\xa8"}']),
    (b'data: {"a":1}\n{"error": "oom"}\n', [b'{"a":1}', b'{"error": "oom"}']),
    (b"", []),
    (b"\n\n\n", []),
]  # fmt: skip


@pytest.mark.parametrize("size", [0, 1, 2, 7])
@pytest.mark.parametrize(("body", "events"), BODIES)
def test_every_framing_of_the_standard_and_of_the_field(
    body: bytes, events: list[bytes], size: int
) -> None:
    assert framed(body, size) == events


@pytest.mark.parametrize("start", [b"", b"\n", b"\xef\xbb\xbf", b"  \r\n"])
@pytest.mark.parametrize("size", [1, 3, 100])
def test_one_reply_in_place_of_a_stream_is_whole(start: bytes, size: int) -> None:
    body = start + b'{"choices": []}\n\n{"not": "an event"}'
    framer = Framer()
    for at in range(0, len(body), size):
        assert framer.feed(body[at : at + size]) == []
    assert framer.end() == []
    assert framer.whole is not None
    assert framer.whole.strip() == body.removeprefix(b"\xef\xbb\xbf").strip()


@given(st.binary(max_size=300), st.integers(1, 20))
def test_where_a_body_is_divided_changes_nothing(body: bytes, size: int) -> None:
    once, pieces = Framer(), Framer()
    expected = once.feed(body) + once.end()
    events: list[bytes] = []
    for start in range(0, len(body), size):
        events += pieces.feed(body[start : start + size])
    assert events + pieces.end() == expected
    assert (pieces.whole is None) == (once.whole is None)


ERROR = {"error": {"code": 503, "message": "overloaded", "details": [{}]}}
EVENT = b'data: {"a": 1}\r\n\r\n'


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("write", [1, 7, 1000])
@pytest.mark.parametrize("after", [b"", b"\n", b"\n\n" + EVENT])
def test_an_error_outside_of_any_event_is_one(indent: int | None, write: int, after: bytes) -> None:
    body = EVENT + json.dumps(ERROR, indent=indent).encode() + after
    framer = Framer()
    pieces = [body[at : at + write] for at in range(0, len(body), write)]
    events = [event for piece in pieces for event in framer.feed(piece)] + framer.end()
    expected = [{"a": 1}, ERROR] + ([{"a": 1}] if EVENT in after else [])
    assert [json.loads(event) for event in events] == expected


def test_it_is_passed_on_before_the_body_ends() -> None:
    framer = Framer()
    assert framer.feed(EVENT) == [b'{"a": 1}']
    [event] = framer.feed(json.dumps(ERROR, indent=2).encode() + b"\n")
    assert json.loads(event) == ERROR


@pytest.mark.parametrize("after", [b"", EVENT])
def test_half_of_it_is_an_event_of_its_own(after: bytes) -> None:
    framer = Framer()
    events = framer.feed(EVENT + b'{\n  "error": {\n' + after) + framer.end()
    assert events[:2] == [b'{"a": 1}', b'{\n  "error": {']
    assert events[2:] == ([b'{"a": 1}'] if after else [])
