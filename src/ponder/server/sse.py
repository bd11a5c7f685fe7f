"""Server-sent events: framing, keep-alives, and the end of a stream whose reader hangs up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from typing import Any

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from ponder.core import jsontext
from ponder.server.gone import hung_up

HEADERS = {"cache-control": "no-cache", "x-accel-buffering": "no"}
"""Tell proxies to pass each event on at once."""
KEEP_ALIVE = b": still thinking\n\n"
"""A comment, which readers skip."""
DONE = b"data: [DONE]\n\n"
"""The last event of a stream of OpenAI's."""


def frame(data: Any, event: str = "") -> bytes:
    """Return one event."""
    head = f"event: {event}\n" if event else ""
    return f"{head}data: {jsontext.dumps(data)}\n\n".encode()


class EventStream(StreamingResponse):
    """A response of server-sent events. ``stop`` is called at its end, whatever ends it."""

    def __init__(
        self, events: AsyncGenerator[bytes, None], stop: Callable[[], Awaitable[None]]
    ) -> None:
        super().__init__(events, media_type="text/event-stream", headers=HEADERS)
        self._events, self._stop = events, stop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events until they end or the reader hangs up."""
        work = asyncio.ensure_future(self.stream_response(send))
        watch = asyncio.ensure_future(hung_up(receive))
        try:
            await asyncio.wait((work, watch), return_when=asyncio.FIRST_COMPLETED)
        finally:
            watch.cancel()
            work.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await work
            await self._events.aclose()
            await self._stop()


async def alive(queue: asyncio.Queue[Any], seconds: float) -> Any:
    """Return the next item of a queue; None if none has come within the seconds."""
    if not queue.empty():
        return queue.get_nowait()
    try:
        async with asyncio.timeout(seconds):
            return await queue.get()
    except TimeoutError:
        return None
