"""The vendor's client of the Messages API on a server of Ponder's, and streams that are checked."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anthropic
from anthropic.types import Message, RawMessageStreamEvent
from pydantic import TypeAdapter

from tests.support.serving import USER, Served

ADAPTIVE = {"type": "adaptive"}
DISABLED = {"type": "disabled"}
EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)


def thinking(tokens: int) -> dict[str, Any]:
    return {"type": "enabled", "budget_tokens": tokens}


@asynccontextmanager
async def talking(server: Served, **options: Any) -> AsyncIterator[anthropic.AsyncAnthropic]:
    options = {"api_key": "none", "max_retries": 0, **options}
    async with (
        anthropic.DefaultAsyncHttpxClient(verify=False) as plain,  # loads no certificates
        anthropic.AsyncAnthropic(base_url=server.url, http_client=plain, **options) as client,
    ):
        yield client


def request(**fields: Any) -> dict[str, Any]:
    return {"model": "scripted", "max_tokens": 2000, "messages": USER, **fields}


async def ask(server: Served, **fields: Any) -> Any:
    """A message, which satisfies the vendor's type."""
    async with talking(server) as client:
        message = await client.messages.create(**request(**fields))
    Message.model_validate(message.model_dump(), strict=True)
    return message


async def events(server: Served, **fields: Any) -> list[dict[str, Any]]:
    """The events of a stream as they were sent, each of which satisfies the vendor's types, and
    all of which come in the order that the vendor documents.
    """
    found = []
    async with server.http.stream(
        "POST", "/v1/messages", json=request(**fields, stream=True)
    ) as said:
        assert said.status_code == 200, await said.aread()
        assert said.headers["content-type"].startswith("text/event-stream")
        assert said.headers["request-id"].startswith("req_")
        name = ""
        async for line in said.aiter_lines():
            kind, _, rest = line.partition(": ")
            if kind == "event":
                name = rest
            elif kind == "data":
                found.append(json.loads(rest))
                assert found[-1]["type"] == name
            else:
                assert line == ""
    check(found)
    return found


def check(found: Sequence[dict[str, Any]]) -> None:
    """Fail unless a stream is one that the vendor could have sent."""
    known = [event for event in found if event["type"] not in ("ping", "error", "ponder")]
    for event in known:
        EVENT.validate_python(event, strict=True)
    kinds = [event["type"] for event in known]
    assert kinds[0] == "message_start"
    opened: dict[int, str] = {}
    closed: set[int] = set()
    for event in known:
        match event:
            case {"type": "content_block_start", "index": at, "content_block": block}:
                assert at == len(opened) == len(closed), "one block after another"
                opened[at] = block["type"]
            case {"type": "content_block_delta", "index": at, "delta": delta}:
                assert at in opened.keys() - closed
                kind = {"input_json_delta": "tool_use", "signature_delta": "thinking"}
                assert kind.get(delta["type"], delta["type"].removesuffix("_delta")) == opened[at]
            case {"type": "content_block_stop", "index": at}:
                assert at in opened.keys() - closed
                closed.add(at)
    if not any(event["type"] == "error" for event in found):
        assert kinds[-2:] == ["message_delta", "message_stop"]
        assert closed == opened.keys()


def joined(found: Sequence[dict[str, Any]], name: str) -> str:
    """All that a stream adds under that name."""
    return "".join(event["delta"].get(name) or "" for event in found if "delta" in event)
