"""Streams of responses, each event checked against the official client's own types."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from typing import Any

from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from tests.support.serving import Served

EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
RESPONSE: TypeAdapter[Response] = TypeAdapter(Response)


async def events(server: Served, method: str, path: str, **body: Any) -> AsyncIterator[Any]:
    """The events of a stream as they come; comments are passed on as texts."""
    async with server.http.stream(method, path, json=body or None) as said:
        assert said.headers["content-type"].startswith("text/event-stream"), await said.aread()
        kind = ""
        async for line in said.aiter_lines():
            if line.startswith(":"):
                yield line
            elif line.startswith("event: "):
                kind = line.removeprefix("event: ")
            elif line:
                data = json.loads(line.removeprefix("data: "))
                assert data["type"] == kind
                EVENT.validate_python(data)
                yield data


def read(text: str) -> list[dict[str, Any]]:
    """The events of a stream that has come as a whole."""
    lines = [line for line in text.splitlines() if line.startswith("data: ")]
    found = [json.loads(line.removeprefix("data: ")) for line in lines]
    for event in found:
        EVENT.validate_python(event)
    return found


async def streamed(server: Served, **body: Any) -> list[dict[str, Any]]:
    """The events of a new response, which make sense as a whole."""
    asked = {"model": "scripted", "stream": True, **body}
    found = [e async for e in events(server, "POST", "/v1/responses", **asked)]
    check(found)
    return found


def check(found: list[dict[str, Any]], start: int = 0) -> None:
    """Numbers without gaps, each item opened and closed, and its deltas are its text."""
    assert [e["sequence_number"] for e in found] == [*range(start, start + len(found))]
    last = found[-1]["response"]
    RESPONSE.validate_python(last)
    if found[0]["type"] != "response.created":
        return
    for at, item in enumerate(last["output"]):
        mine = [e for e in found if e.get("output_index") == at]
        assert mine[0]["type"] == "response.output_item.added"
        assert mine[0]["item"]["id"] == item["id"]
        assert mine[-1]["type"] == "response.output_item.done"
        assert mine[-1]["item"] == item
        assert {e["item_id"] for e in mine[1:-1]} == {item["id"]}
        assert "".join(deltas(mine)) == text_of(item)


def text_of(item: dict[str, Any]) -> str:
    """The text of an item, or the arguments of a call."""
    if item["type"] == "function_call":
        return str(item["arguments"])
    parts = item["summary"] if item["type"] == "reasoning" else item["content"]
    return str(parts[0]["text"])


def deltas(found: Iterable[dict[str, Any]], kind: str = "") -> list[str]:
    return [e["delta"] for e in found if e["type"].endswith(f"{kind}.delta")]


def kinds(found: Iterable[dict[str, Any]]) -> list[str]:
    """The types without their common prefix, each run of deltas once."""
    names = [e["type"].removeprefix("response.") for e in found]
    return [n for n, before in zip(names, ["", *names], strict=False) if n != before]
