"""A real server on loopback, in this event loop, and a model that tells when it is asked."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import httpx
import uvicorn
from openai import AsyncOpenAI, DefaultAsyncHttpxClient
from starlette.applications import Starlette

from ponder.models.base import Model, ModelInfo, Request, Shape
from ponder.models.config import Config
from ponder.models.fakes.scripted import EVERYTHING, Reply, Scripted
from ponder.models.opening import Opened
from ponder.runtime.engine import Engine
from ponder.server.app import application
from ponder.server.mcp.server import mounted
from ponder.server.operation.traces import Traces
from ponder.server.settings import Settings

USER = [{"role": "user", "content": "Say hello to the reader."}]
NUMBER = [{"role": "user", "content": "How many is six times seven?"}]


class Gate(asyncio.Event):
    """A gate that tells how many wait at it, and when that changes."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = 0
        self._changed = asyncio.Condition()

    async def wait(self) -> Literal[True]:
        await self._count(1)
        try:
            return await super().wait()
        finally:
            await self._count(-1)

    async def _count(self, more: int) -> None:
        self.waiting += more
        async with self._changed:
            self._changed.notify_all()

    async def reached(self) -> None:
        """Return once a request waits here."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.waiting > 0)

    async def left(self) -> None:
        """Return once no request waits here any more."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.waiting == 0)


@dataclass
class Served:
    """A server that is up, and clients of it."""

    url: str
    engine: Engine
    openai: AsyncOpenAI
    http: httpx.AsyncClient
    app: Starlette

    async def post(self, path: str = "/v1/chat/completions", **body: Any) -> httpx.Response:
        return await self.http.post(path, json=body)

    async def chat(self, messages: Any = None, **more: Any) -> Any:
        """Ask the scripted model."""
        return await self.openai.chat.completions.create(
            **{"model": "scripted", "messages": messages or USER, **more}
        )


@asynccontextmanager
async def serving(
    model: Model | None = None,
    settings: Settings | None = None,
    *,
    config: Config | None = None,
    names: tuple[str, ...] = (),
    key: str = "none",
    journal: Path | bool = False,
    traces: Traces | None = None,
) -> AsyncIterator[Served]:
    """Serve a model under its own name; without one, those of the configuration."""
    settings = replace(settings or Settings(), journal=journal)
    given = {model.info.name: Opened(model)} if model else {}
    async with Engine(config or Config()) as engine, AsyncExitStack() as opened:
        app = application(engine, names, settings, given=given, traces=traces)
        await opened.enter_async_context(mounted(app))
        config_of = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off")
        config_of.load()
        server = uvicorn.Server(config_of)
        server.lifespan = config_of.lifespan_class(config_of)
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{sock.getsockname()[1]}"
            await server.startup([sock])
            try:
                # Certificates take most of a test's time to load, and nothing here asks for them.
                bare = DefaultAsyncHttpxClient(verify=False)
                async with (
                    httpx.AsyncClient(base_url=url, timeout=60, verify=False) as http,
                    AsyncOpenAI(
                        base_url=f"{url}/v1", api_key=key, max_retries=0, http_client=bare
                    ) as client,
                ):
                    yield Served(url, engine, client, http, app)
            finally:
                await end(server)
                await app.state.house.stop()
                app.state.house.operation.close()
                await app.state.responses.close()


async def end(server: uvicorn.Server) -> None:
    """End a server without the tenth of a second that its own shutdown sleeps."""
    for listening in server.servers:
        listening.close()
    for connection in list(server.server_state.connections):
        connection.shutdown()
    while server.server_state.connections or server.server_state.tasks:  # noqa: ASYNC110
        await asyncio.sleep(0)


def scripted(
    reply: Callable[[Request], Reply], *, gate: Gate | None = None, thinks: bool = False
) -> Scripted:
    """A scripted model, by default one that has no thinking of its own."""
    able = EVERYTHING if thinks else EVERYTHING - {"native_thinking"}
    return Scripted(reply, info=ModelInfo("scripted", able, Shape(1), local=True), gate=gate)


def answering(*replies: str) -> Scripted:
    """A model that gives the replies in turn, over and over."""
    script = itertools.cycle(replies)
    return scripted(lambda request: next(script))
