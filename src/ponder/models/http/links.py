"""Connections to one endpoint, for each event loop that uses it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field

import aiohttp

from ponder.models.base import Request
from ponder.models.http.callers import Caller

KEEP_ALIVE = 4.0  # seconds; below uvicorn's 5, so that the server does not cut an idle connection


@dataclass(slots=True, eq=False)
class Link:
    """The state of one event loop: connections, and requests of this tick to send together."""

    session: aiohttp.ClientSession
    slots: asyncio.Semaphore
    pending: dict[object, tuple[Request, list[Caller]]] = field(default_factory=dict)


class Links:
    """The links of all event loops. With ``keep``, a connection serves several requests."""

    def __init__(
        self, headers: Mapping[str, str], proxy: str | None, concurrency: int, *, keep: bool
    ) -> None:
        self._headers, self._proxy, self._concurrency = headers, proxy, concurrency
        self._keep = keep
        self._links: dict[asyncio.AbstractEventLoop, tuple[Link, AsyncGenerator[Link]]] = {}

    async def get(self) -> Link:
        """Return the running loop's link."""
        loop = asyncio.get_running_loop()
        if loop not in self._links:
            # The loop closes its asynchronous generators when it ends, so that connections end in
            # order even without a call of close() between two asyncio.run().
            holder = self._connect(loop)
            self._links[loop] = await anext(holder), holder  # does not yield to the loop
        return self._links[loop][0]

    async def close(self) -> None:
        """Close the running loop's connections; a later ``get`` opens new ones."""
        if held := self._links.get(asyncio.get_running_loop()):
            await held[1].aclose()

    async def _connect(self, loop: asyncio.AbstractEventLoop) -> AsyncGenerator[Link]:
        keep = KEEP_ALIVE if self._keep else None
        connector = aiohttp.TCPConnector(limit=0, force_close=not keep, keepalive_timeout=keep)
        async with aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=self._headers,
            proxy=self._proxy,
            auto_decompress=False,  # see received
        ) as session:
            try:
                yield Link(session, asyncio.Semaphore(self._concurrency))
            finally:
                del self._links[loop]
