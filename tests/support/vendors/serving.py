"""A vendor's server on loopback, but for that vendor's own part: a function from request to reply.

``async with serving(application(reply_to, book)) as base_url`` answers on a port of its own, within
this process. The ``Book`` has each request, and the tokens that each reply billed.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass(frozen=True)
class Asked:
    """A request as it arrived."""

    method: str
    path: str
    """Decoded, without the query."""
    query: dict[str, str]
    headers: dict[str, str]
    """By name in lower case."""
    body: Any
    """The JSON value; None if there was no body, the bytes if they are no JSON."""


@dataclass(frozen=True)
class Billed:
    """The tokens that one reply costs, in one vocabulary for all vendors."""

    prompt: int = 0
    """All of the prompt, including both kinds of cached tokens."""
    cached: int = 0
    """Those of the prompt that were read from a cache."""
    stored: int = 0
    """Those of the prompt that were written to a cache."""
    completion: int = 0
    """All that was generated, including thinking."""
    thinking: int = 0
    """Those of the completion that were thinking."""

    def __add__(self, other: Billed) -> Billed:
        return Billed(
            self.prompt + other.prompt,
            self.cached + other.cached,
            self.stored + other.stored,
            self.completion + other.completion,
            self.thinking + other.thinking,
        )


@dataclass(frozen=True)
class Reply:
    """The answer to one request."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    """A JSON value, sent if there are no events."""
    events: tuple[bytes, ...] = ()
    """A stream: each is sent by a write of its own, or as ``application`` is told."""
    cut: bool = False
    """True if the connection breaks after the last event, without the end of the stream."""
    hang: bool = False
    """True if nothing comes after the last event, or at all, until the client goes away."""
    billed: Billed = Billed()


@dataclass
class Book:
    """A record of all requests, and of their replies."""

    requests: list[Asked] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    """In the same order."""
    abandoned: int = 0
    """Requests whose client went away before the reply was sent."""
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def billed(self) -> Billed:
        """The sum over all replies."""
        return sum((reply.billed for reply in self.replies), Billed())

    async def until_asked(self, requests: int) -> None:
        """Wait until so many requests have arrived."""
        async with self.changed:
            await self.changed.wait_for(lambda: len(self.requests) >= requests)

    async def until_abandoned(self, requests: int = 1) -> None:
        """Wait until so many clients have gone away."""
        async with self.changed:
            await self.changed.wait_for(lambda: self.abandoned >= requests)


def application(
    reply_to: Callable[[Asked], Reply], book: Book, *, write: int | None = None
) -> web.Application:
    """Return a server that answers by a pure function.

    A stream is written event by event, or in pieces of ``write`` bytes that heed no boundary.
    """

    async def handle(request: web.Request) -> web.StreamResponse:
        asked = Asked(
            request.method,
            request.path,
            dict(request.query),
            {name.lower(): value for name, value in request.headers.items()},
            _parsed(await request.read()),
        )
        reply = reply_to(asked)
        async with book.changed:
            book.requests.append(asked)
            book.replies.append(reply)
            book.changed.notify_all()
        try:
            if reply.events:
                return await _stream(request, reply, write)
            if reply.hang:
                await asyncio.Event().wait()
        except (asyncio.CancelledError, ConnectionError):
            async with book.changed:
                book.abandoned += 1
                book.changed.notify_all()
            raise
        return web.json_response(reply.body, status=reply.status, headers=reply.headers)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    return app


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[str]:
    """Serve on a free port of loopback, and yield the base URL, without a slash at its end."""
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return body


async def _stream(request: web.Request, reply: Reply, write: int | None) -> web.StreamResponse:
    headers = {"Content-Type": "text/event-stream", **reply.headers}
    response = web.StreamResponse(status=reply.status, headers=headers)
    await response.prepare(request)
    pieces = list(reply.events)
    if write is not None:
        data = b"".join(pieces)
        pieces = [data[at : at + write] for at in range(0, len(data), write)]
    for piece in pieces:
        await response.write(piece)
    if reply.hang:
        await asyncio.Event().wait()
    if reply.cut:
        assert request.transport
        request.transport.close()
        return response
    await response.write_eof()
    return response
