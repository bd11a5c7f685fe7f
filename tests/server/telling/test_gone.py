"""Many readers that hang up at random moments: nothing of theirs is left."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

from ponder.runtime.journal import Journal
from ponder.server.settings import Settings
from tests.support.serving import NUMBER, Gate, Served, scripted, serving

BODY: dict[str, Any] = {"model": "scripted", "messages": NUMBER}
READERS = 100


async def read(server: Served, events: int) -> None:
    """Read so many events of a stream, and hang up."""
    body = {**BODY, "stream": True}
    async with server.http.stream("POST", "/v1/chat/completions", json=body) as said:
        lines = (line async for line in said.aiter_lines() if line.startswith("data: "))
        for _ in range(events):
            await anext(lines)


async def wait(server: Served, gate: Gate) -> None:
    """Wait for a whole reply, and hang up once a request is at the model."""
    asking = asyncio.ensure_future(server.post(**BODY))
    await gate.reached()
    asking.cancel()
    await asyncio.wait([asking])


async def test_a_hundred_readers_hang_up_and_nothing_of_theirs_is_left(tmp_path: Path) -> None:
    rng, gate, file = random.Random(3), Gate(), tmp_path / "runs.sqlite"
    model = scripted(lambda request: "late", gate=gate)
    async with serving(model, Settings(at_once=16), journal=file) as server:
        async with asyncio.TaskGroup() as readers:
            for _ in range(READERS):
                events = rng.randrange(4)
                readers.create_task(wait(server, gate) if events == 3 else read(server, events))
        await gate.left()
        async with asyncio.timeout(60):
            while server.engine.runs:  # they book what their requests cost
                await server.http.get("/healthz")
        assert model.running == 0
        spent = server.engine.spent.tokens
    journal = Journal(file)
    runs = journal.runs()
    journal.close()
    assert 0 < len(runs) <= READERS
    assert {run.state for run in runs} == {"interrupted"}
    totals = [run.result["receipt"]["total"] for run in runs if run.result]
    booked = sum(total["prompt_tokens"] + total["completion_tokens"] for total in totals)
    words = sum(len(m.content.split()) for request in model.requests for m in request.messages)
    assert booked == spent == words > 0
