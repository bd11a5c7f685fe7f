"""Clients that hang up: what they asked for is ended."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive

from ponder.server.telling.answered import Reply, reply
from ponder.server.telling.conducted import Conducted

T = TypeVar("T")


async def hung_up(receive: Receive) -> None:
    """Return once the client is gone; its request's body has been read."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def unless_gone(request: Request, runs: Sequence[Conducted]) -> list[Reply]:
    """Return the replies of runs; ends them all if one fails or the client hangs up.

    Raises:
        ClientDisconnect: the client is gone.
        ApiError, PonderError: a run was refused or has failed.
    """
    return await while_there(request, runs, _replies(runs))


async def while_there(
    request: Request, runs: Sequence[Conducted], waiting: Coroutine[Any, Any, T]
) -> T:
    """Return the result of ``waiting`` for runs; ends them all if it fails or the client hangs up.

    Raises:
        ClientDisconnect: the client is gone.
    """
    watch = asyncio.ensure_future(hung_up(request.receive))
    work = asyncio.ensure_future(waiting)
    try:
        await asyncio.wait((watch, work), return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise ClientDisconnect
        return work.result()
    finally:
        watch.cancel()
        work.cancel()
        await asyncio.gather(*(run.stop() for run in runs))


async def _replies(runs: Sequence[Conducted]) -> list[Reply]:
    async def one(run: Conducted) -> Reply:
        planned = await run.ready()
        return reply(await run.result(), planned)

    return list(await asyncio.gather(*map(one, runs)))
