"""A fuzz of what reads Gemini's replies. PONDER_FUZZ=20000 makes it a long one."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ponder.models.base import Request
from ponder.models.gemini.generate import Generate
from tests.support.vendors.driving import ASK
from tests.support.vendors.gemini import KEY, reply_to
from tests.support.vendors.hostile import LONG, check_stream, check_whole, mangled
from tests.support.vendors.serving import Asked, Reply

MODEL = "gemini-2.5-flash"
REQUEST = Request(ASK.messages, 2000, stop=("\n",), logprobs=True, top_logprobs=2)


def replied(model: str, *, stream: bool) -> Reply:
    config = {"thinkingConfig": {"includeThoughts": True}}
    turns = [{"parts": [{"text": "What is six times seven?"}]}]
    body = {"contents": turns, "generationConfig": config}
    path = f"/v1beta/models/{model}:" + ("streamGenerateContent" if stream else "generateContent")
    query = {"alt": "sse"} if stream else {}
    return reply_to(Asked("POST", path, query, {"x-goog-api-key": KEY}, body), delta=30)


NAMES = ("gemini-parts", "gemini-cached", "gemini-unsafe-midway", "gemini-breaks")
WHOLE: list[Any] = [replied(name, stream=False).body for name in NAMES]
EVENTS: list[Any] = [
    [json.loads(event.removeprefix(b"data: ")) for event in replied(name, stream=True).events]
    for name in NAMES
]


@LONG
@given(mangled(WHOLE))
def test_a_reply_is_a_completion_or_an_error_whatever_it_holds(body: Any) -> None:
    check_whole(Generate, MODEL, body, REQUEST)


@LONG
@given(mangled(EVENTS), st.integers(1, 400))
def test_a_stream_is_a_completion_or_an_error_whatever_it_holds(events: Any, size: int) -> None:
    check_stream(Generate, MODEL, events, size, REQUEST)
