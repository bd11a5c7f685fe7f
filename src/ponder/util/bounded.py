"""Bounded concurrency over many things."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


async def bounded(one: Callable[[T], Awaitable[R]], things: Iterable[T], at_once: int) -> list[R]:
    """Return the result of ``one`` for each thing, in their order.

    The first failure or cancellation ends all of them: no further call starts, and none keeps
    running.
    """
    found: dict[int, R] = {}
    left = iter(enumerate(things))

    async def work() -> None:
        for i, thing in left:
            found[i] = await one(thing)

    workers = [asyncio.ensure_future(work()) for _ in range(at_once)]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    return [found[i] for i in range(len(found))]
