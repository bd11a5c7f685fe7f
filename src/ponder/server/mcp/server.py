"""The Model Context Protocol: over standard input and output, and at ``/mcp`` of a server."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ponder._version import __version__
from ponder.runtime.engine import Engine
from ponder.server.asking.served import Served
from ponder.server.body import bounded
from ponder.server.keys import guarded
from ponder.server.settings import Settings
from ponder.server.telling.conducted import House
from ponder.util.threads import in_thread

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server

PATH = "/mcp"
ABOUT = (
    "Ponder thinks longer about one hard question than one reply would: give it the whole question."
)


def server(house: House) -> Server[Any]:
    """Return the protocol's server over a house."""
    from mcp import types
    from mcp.server.context import ServerRequestContext
    from mcp.server.lowlevel import Server

    from ponder.server.mcp import tools

    async def list_tools(
        context: ServerRequestContext[Any], params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return await tools.listed(house)

    async def call_tool(
        context: ServerRequestContext[Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        return await tools.call(house, context, params)

    return Server(
        "ponder",
        version=__version__,
        instructions=ABOUT,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def installed() -> bool:
    """Return True if the extra ``mcp`` is installed."""
    return importlib.util.find_spec("mcp") is not None


# At /mcp ------------------------------------------------------------------------------------------


@asynccontextmanager
async def mounted(app: Starlette) -> AsyncIterator[None]:
    """Serve the protocol at ``/mcp`` of an application meanwhile, under the same keys."""
    if not installed():
        yield
        return
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

    house: House = app.state.house
    manager = StreamableHTTPSessionManager(server(house), max_request_body_size=house.settings.body)

    async def answer(request: Request) -> Response:
        body = await bounded(request, house.settings.body)
        return _Passed(body, request.state.key.name, manager.handle_request)

    route = Route(PATH, guarded(answer), methods=["GET", "POST", "DELETE"])
    app.router.routes.append(route)
    async with manager.run():
        yield


class _Passed(Response):
    """A response that the protocol's own application gives to a request whose body was read."""

    def __init__(self, body: bytes, key: str, application: ASGIApp) -> None:
        super().__init__()
        self._body, self._key, self._application = body, key, application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
        from mcp.server.auth.provider import AccessToken

        if self._key:  # a session is for the key that began it alone
            scope["user"] = AuthenticatedUser(AccessToken(token="", client_id=self._key, scopes=[]))
        parts: list[Message] = [{"type": "http.request", "body": self._body, "more_body": False}]

        async def again() -> Message:
            return parts.pop() if parts else await receive()

        await self._application(scope, again, send)


# Over standard input and output -------------------------------------------------------------------


async def speak(engine: Engine, models: Sequence[str], settings: Settings) -> None:
    """Serve on standard input and output until the input ends or a signal comes.

    Raises:
        PonderError: a model cannot be opened.
    """
    async with engine, AsyncExitStack() as opened:
        served = Served(engine, models)
        house = House.of(engine, served, settings)
        opened.callback(house.operation.close)
        for name in models:
            await opened.enter_async_context(served.open(name))
        work = asyncio.ensure_future(_exchange(server(house)))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, work.cancel)
        try:
            await asyncio.wait([work])
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)
        if not work.cancelled():
            work.result()


async def _exchange(speaker: Server[Any]) -> None:
    from mcp.server.stdio import stdio_server

    source: Any = _lines()
    try:
        async with stdio_server(source) as (heard, said):
            await speaker.run(heard, said, speaker.create_initialization_options())
    except* BrokenPipeError:  # the client is gone
        pass


async def _lines() -> AsyncIterator[str]:
    """Yield the lines of standard input, which nothing else reads meanwhile. Unlike the package's
    own reader it does not keep a signal waiting for the next line.
    """
    own, nothing = os.dup(0), os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    rest = b""
    while part := await in_thread(os.read, own, 1 << 16):
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            yield line.decode("utf-8", "replace")
    if rest:
        yield rest.decode("utf-8", "replace")
