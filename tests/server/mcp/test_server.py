"""The Model Context Protocol at ``/mcp`` of a server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from ponder.core.budget import Budget
from ponder.server import keys
from ponder.server.keys import Key
from ponder.server.mcp import server as mcp_server
from ponder.server.settings import Settings
from tests.support.agents import text
from tests.support.serving import Gate, answering, scripted, serving

QUESTION = {"question": "How many is six times seven?", "effort": "low"}
MODES = ("legacy", "2026-07-28")
STARTING = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
ACCEPTED = {"accept": "application/json, text/event-stream"}


@asynccontextmanager
async def connected(url: str, mode: str, key: str = "") -> AsyncIterator[Client]:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http), mode=mode) as client,
    ):
        yield client


def two_keys() -> tuple[str, str, tuple[Key, ...]]:
    (one, _), (other, _) = keys.new("one"), keys.new("other")
    low = Key("one", keys._digest(one), Budget(tokens=3))
    return one, other, (low, Key("other", keys._digest(other)))


@pytest.mark.parametrize("mode", MODES)
async def test_a_tool_is_called_and_tells_of_its_progress(mode: str) -> None:
    heard: list[str | None] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append(message)

    async with (
        serving(answering("so \\boxed{42}")) as server,
        connected(server.url, mode) as client,
    ):
        result = await client.call_tool("solve", QUESTION, progress_callback=hear)
    assert result.structured_content["answer"] == "42"
    assert heard[0] == "Searching with self_consistency on scripted."


@pytest.mark.parametrize("mode", MODES)
async def test_a_caller_who_leaves_ends_the_run(mode: str) -> None:
    gate = Gate()
    model = scripted(lambda request: "late", gate=gate)
    async with serving(model) as server, connected(server.url, mode) as client:
        asking = asyncio.ensure_future(client.call_tool("solve", QUESTION))
        await gate.reached()
        asking.cancel()
        await asyncio.wait([asking])
        await gate.left()
    assert model.running == 0


@pytest.mark.parametrize("mode", MODES)
async def test_the_servers_keys_and_their_ceilings(mode: str) -> None:
    one, other, known = two_keys()
    model = answering("so \\boxed{42}")
    async with serving(model, Settings(keys=known)) as server:
        refused = await server.http.post("/mcp", json=STARTING, headers=ACCEPTED)
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key")
        async with connected(server.url, mode, one) as client:
            result = await client.call_tool("solve", QUESTION)
            assert "budget of 3 tokens is too small" in text(result)
        assert not model.requests
        async with connected(server.url, mode, other) as client:
            assert not (await client.call_tool("solve", QUESTION)).is_error


async def test_a_session_is_for_the_key_that_began_it() -> None:
    one, other, known = two_keys()
    async with serving(answering("no"), Settings(keys=known)) as server:
        begun = await server.http.post(
            "/mcp", json=STARTING, headers={**ACCEPTED, "authorization": f"Bearer {one}"}
        )
        assert begun.status_code == 200
        there = {**ACCEPTED, "mcp-session-id": begun.headers["mcp-session-id"]}
        listing = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
        statuses = [
            (
                await server.http.post(
                    "/mcp", json=listing, headers={**there, "authorization": f"Bearer {key}"}
                )
            ).status_code
            for key in (other, one)
        ]
    assert statuses == [404, 200]


async def test_pages_of_other_places_are_refused() -> None:
    async with serving(answering("no")) as server:
        said = await server.http.post(
            "/mcp", json=STARTING, headers={**ACCEPTED, "origin": "https://evil.example"}
        )
    assert (said.status_code, said.json()["error"]["code"]) == (403, "foreign_origin")


async def test_without_the_package_there_is_no_such_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mcp_server, "installed", lambda: False)
    async with serving(answering("no")) as server:
        assert (await server.http.post("/mcp", json=STARTING)).status_code == 404
