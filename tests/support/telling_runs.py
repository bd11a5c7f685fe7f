"""Readers of the Runs API."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from ponder.server.keys import Key
from tests.support.serving import Served

VOTE = {"strategy": "self_consistency", "knobs": {"n": 4, "stop": "never"}}
"""A search of four samples."""


def keys(*names: str) -> tuple[Key, ...]:
    """API keys that are their names."""
    return tuple(Key(name, hashlib.sha256(name.encode()).hexdigest()) for name in names)


def bearer(name: str) -> dict[str, str]:
    return {"authorization": f"Bearer {name}"}


@dataclass(frozen=True)
class Told:
    """One server-sent event."""

    id: str
    type: str
    data: dict[str, Any]


async def told(
    server: Served, run: str, *, headers: dict[str, str] | None = None, **query: str
) -> AsyncIterator[Told]:
    """The events of a run, checked for their form; comments are skipped."""
    path = f"/v1/runs/{run}/events"
    async with server.http.stream("GET", path, params=query, headers=headers) as said:
        assert said.status_code == 200, await said.aread()
        assert said.headers["content-type"].startswith("text/event-stream")
        fields: dict[str, str] = {}
        async for line in said.aiter_lines():
            if line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                assert name in ("id", "event", "data")
                assert name not in fields
                fields[name] = value
            elif fields:
                data = json.loads(fields["data"])
                assert data["type"] == fields["event"]
                yield Told(fields.get("id", ""), fields["event"], data)
                fields = {}


async def all_told(server: Served, run: str, **more: Any) -> list[Told]:
    return [event async for event in told(server, run, **more)]


async def runs(server: Served, *, headers: dict[str, str] | None = None, **query: Any) -> Any:
    said = await server.http.get("/v1/runs", params=query, headers=headers)
    assert said.status_code == 200, said.text
    return said.json()


async def shown(server: Served, run: str, **more: Any) -> Any:
    said = await server.http.get(f"/v1/runs/{run}", **more)
    assert said.status_code == 200, said.text
    return said.json()
