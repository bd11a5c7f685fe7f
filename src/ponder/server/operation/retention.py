"""Retention: runs that began long ago are removed from the journal, at the start and daily."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from ponder.api import journal_path
from ponder.core.errors import PonderError
from ponder.runtime.engine import Engine
from ponder.server.operation import logs
from ponder.server.settings import Settings

DAY = 86400.0


@asynccontextmanager
async def keeping(
    engine: Engine,
    settings: Settings,
    clock: Callable[[], float] = time.time,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> AsyncIterator[None]:
    """Remove old runs for as long as the server runs. ``pause`` waits until the next time.

    Raises:
        PonderError: the journal cannot be used.
    """
    days, where = settings.keep_days, settings.journal
    if days is None or where is False:
        yield
        return
    path = journal_path() if where is True else where

    def forget() -> None:
        count = engine.journal(path).forget(clock() - days * DAY)
        if count:
            logs.write("forgot", {"count": count})

    async def daily() -> None:
        while True:
            await pause(DAY)
            try:
                forget()
            except PonderError as error:  # tomorrow again
                logs.write("failure", {"path": "retention"}, error)

    forget()
    task = asyncio.ensure_future(daily())
    try:
        yield
    finally:
        task.cancel()
