"""A fuzz of what reads Anthropic's replies. PONDER_FUZZ=20000 makes it a long one."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ponder.models.anthropic.messages import Messages
from ponder.models.base import Request
from tests.support.vendors.anthropic import KEY, reply_to
from tests.support.vendors.driving import ASK
from tests.support.vendors.hostile import LONG, check_stream, check_whole, mangled
from tests.support.vendors.serving import Asked, Reply

MODEL = "claude-sonnet-4-5"
REQUEST = Request(ASK.messages, 2000, "It ", stop=("\n", "Q:"))


def replied(model: str, *, stream: bool) -> Reply:
    thinking = {"type": "adaptive", "display": "summarized"}
    turns = [{"role": "user", "content": "What is six times seven?"}]
    body = {"model": model, "max_tokens": 2000, "messages": turns, "stream": stream}
    headers = {"x-api-key": KEY, "anthropic-version": "2023-06-01"}
    return reply_to(
        Asked("POST", "/v1/messages", {}, headers, body | {"thinking": thinking}), delta=30
    )


NAMES = ("claude-redacts", "claude-parts", "claude-refuses-midway", "claude-breaks")
WHOLE: list[Any] = [replied(name, stream=False).body for name in NAMES]
EVENTS: list[Any] = [
    [json.loads(event.partition(b"data: ")[2]) for event in replied(name, stream=True).events]
    for name in NAMES
]


@LONG
@given(mangled(WHOLE))
def test_a_reply_is_a_completion_or_an_error_whatever_it_holds(body: Any) -> None:
    check_whole(Messages, MODEL, body, REQUEST)


@LONG
@given(mangled(EVENTS), st.integers(1, 400))
def test_a_stream_is_a_completion_or_an_error_whatever_it_holds(events: Any, size: int) -> None:
    check_stream(Messages, MODEL, events, size, REQUEST)
