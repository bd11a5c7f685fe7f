"""The first event of a stream goes out before its run begins, in all APIs."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from starlette.types import Message

from ponder.models.config import Config
from ponder.models.opening import Opened
from ponder.runtime.engine import Engine
from ponder.server.app import application
from ponder.server.settings import Settings
from tests.support.serving import USER, answering

TURNS = 200
"""Turns of the event loop in which a run that was let go would have asked its model."""
BODIES: dict[str, tuple[dict[str, Any], bytes]] = {
    "/v1/chat/completions": ({"messages": USER}, b'"role":'),
    "/v1/messages": ({"messages": USER, "max_tokens": 50}, b"event: message_start"),
    "/v1/responses": ({"input": "Say hello."}, b"event: response.created"),
}


@pytest.mark.parametrize("path", BODIES)
async def test_nothing_is_asked_before_the_first_event_is_out(path: str) -> None:
    model = answering("Hello.")
    body, begins = BODIES[path]
    said: list[bytes] = []

    async def send(message: Message) -> None:
        if not (part := message.get("body")):
            return
        if not said:
            for _ in range(TURNS):
                await asyncio.sleep(0)
            assert not model.requests
        said.append(part)

    given = [
        {
            "type": "http.request",
            "body": json.dumps({"model": "scripted", "stream": True, **body}).encode(),
        }
    ]

    async def receive() -> Message:
        if not given:
            await asyncio.Event().wait()  # the client stays
        return given.pop()

    headers = [(b"content-type", b"application/json"), (b"host", b"127.0.0.1")]
    scope = {
        "type": "http", "method": "POST", "path": path, "query_string": b"", "headers": headers,
        "http_version": "1.1", "scheme": "http",
    }  # fmt: skip
    async with Engine(Config()) as engine:
        app = application(engine, (), Settings(journal=False), given={"scripted": Opened(model)})
        await app(scope, receive, send)
    assert begins in said[0]
    assert b"Hello" in b"".join(said)
    assert len(model.requests) == 1
