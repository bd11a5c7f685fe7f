"""Every strategy, cancelled in the middle: the server itself says that nothing goes on."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import pytest

import ponder
from ponder.core.record.events import Event, Grew
from ponder.models.base import Request
from ponder.models.openvino.model import OpenVINO
from ponder.strategies.registry import STRATEGIES
from tests.support.commands import QUESTION
from tests.support.loopback import Loopback
from tests.support.sandboxes import needed
from tests.support.seeded import configure
from tests.support.strategies import ABLE, completion, knobs_of


class Metered(Loopback):
    """Answers by the request alone, but from the ``held``-th on nobody. Of those that ``arrived``
    so many are ``running``: neither answered nor given up.
    """

    def __init__(self, held: int = 0) -> None:
        super().__init__()
        self.arrived = self.running = 0
        self._held = held
        self._moved = asyncio.Condition()

    async def until(self, *, arrived: int = 0, running: int | None = None) -> None:
        """Wait until so many have arrived, and so many are running."""
        async with self._moved, asyncio.timeout(600):
            await self._moved.wait_for(
                lambda: self.arrived >= arrived and running in (None, self.running)
            )

    async def _moves(self, running: int) -> None:
        async with self._moved:
            self.arrived += running > 0
            self.running += running
            self._moved.notify_all()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
        body = completion(json.loads(await reader.readexactly(length)))
        await self._moves(+1)
        answered = not self._held or self.arrived < self._held
        if answered:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        else:
            await reader.read()  # until the client goes away
        await self._moves(-1)
        return answered


async def solve(name: str, **options: Any) -> ponder.Result:
    return await ponder.asolve(
        QUESTION, strategy=name, knobs=knobs_of(name), journal=False, **options
    )


@pytest.mark.parametrize("name", STRATEGIES)
async def test_the_endpoint_has_nothing_left(name: str, tmp_path: Path) -> None:
    needed(name)
    server = Metered()
    async with server:
        configure(tmp_path, server.url, **ABLE)
        await solve(name, model="loop")
        whole = server.arrived
        assert server.running == 0
    held = random.Random(name).randint(1, whole)
    server = Metered(held)
    async with server:
        configure(tmp_path, server.url, **ABLE)
        task = asyncio.create_task(solve(name, model="loop"))
        await server.until(arrived=held)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await server.until(running=0)
        assert held <= server.arrived <= whole


# In the embedded engine ---------------------------------------------------------------------------


@pytest.fixture
def model(small_engine: OpenVINO) -> OpenVINO:
    return small_engine


@pytest.mark.parametrize("name", STRATEGIES)
async def test_the_engine_has_nothing_left(name: str, model: OpenVINO) -> None:
    """Not in its batch, and not in its queue: the next sample finds itself alone there."""
    needed(name)
    assert set(STRATEGIES[name].needs) <= model.info.capabilities  # it can run every one
    moment, seen = random.Random(name).randint(1, 6), 0

    def watch(event: Event) -> None:
        nonlocal seen
        seen += isinstance(event, Grew)
        if seen == moment:
            task.cancel()

    task = asyncio.create_task(solve(name, model=model, on_event=watch))
    with pytest.raises(asyncio.CancelledError):
        await task
    await model.generate(Request((ponder.Message("user", "Hi"),), max_tokens=2, temperature=0.0))
    assert model.metrics().requests == 0
