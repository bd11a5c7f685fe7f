"""Server-sent events: framing, keep-alives, and the end of a stream whose reader hangs up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from typing import Any, Generic, TypeVar

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from ponder.core.text import jsontext
from ponder.server.telling.gone import hung_up

T = TypeVar("T")

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
        watch = asyncio.ensure_future(hung_up(receive))
        try:
            with suppress(OSError):  # the reader has hung up, or does not read
                async with asyncio.timeout(None) as there:

                    def left(watch: asyncio.Future[None]) -> None:
                        if streaming:
                            there.reschedule(0)

                    streaming = True
                    watch.add_done_callback(left)
                    try:
                        await self.stream_response(send)
                    finally:
                        streaming = False
        finally:
            watch.cancel()
            await self._events.aclose()
            await self._stop()


class Arriving(Generic[T]):
    """Items on their way to one reader."""

    def __init__(self) -> None:
        self._items: list[T] = []
        self._bell: asyncio.Future[None] | None = None

    def put(self, item: T) -> None:
        """Append an item."""
        self._items.append(item)
        self._ring()

    def _ring(self) -> None:
        if self._bell is not None and not self._bell.done():
            self._bell.set_result(None)

    async def some(self, seconds: float) -> list[T]:
        """Return all that has come since, at least one item; [] if none has come within the
        seconds.
        """
        if not self._items:
            loop = asyncio.get_running_loop()
            self._bell, timer = loop.create_future(), loop.call_later(seconds, self._ring)
            try:
                await self._bell
            finally:
                timer.cancel()
                self._bell = None
        found, self._items = self._items, []
        return found
