"""Structured concurrency: branches that run at once and deliver results as they finish."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from types import TracebackType
from typing import Generic, TypeVar

from ponder.core.errors import LimitReached, ModelError, RunFailed

T = TypeVar("T")


class Branches(Generic[T]):
    """Results of concurrent branches, as they arrive; leaving the block cancels the rest.

    A branch that ends in a ``ModelError`` or ``RunFailed`` is left out: one lost sample is data,
    not a crash. A branch that the budget refused is left out too, unless no branch delivers
    anything: then ``LimitReached`` is raised. Any other error is raised at once.
    """

    def __init__(self, branches: Sequence[Callable[[], Awaitable[T]]]) -> None:
        self._branches = branches
        self._tasks: list[asyncio.Future[T]] = []
        self._ended: deque[asyncio.Future[T]] = deque()
        self._arrived = asyncio.Event()
        self._arriving = self._iterate()

    async def __aenter__(self) -> AsyncIterator[T]:
        for branch in self._branches:
            task = asyncio.ensure_future(branch())
            task.add_done_callback(self._end)
            self._tasks.append(task)
        return self._arriving

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        await self._arriving.aclose()
        for task in self._tasks:
            task.cancel()
        again: asyncio.CancelledError | None = None
        while running := [task for task in self._tasks if not task.done()]:
            try:
                await asyncio.wait(running)
            except asyncio.CancelledError as cancelled:
                again = cancelled  # we are cancelled too: wait for the others first
        for task in self._tasks:
            if not task.cancelled():
                task.exception()  # retrieved, so that asyncio does not warn about it
        if again is not None:
            raise again

    def _end(self, task: asyncio.Future[T]) -> None:
        self._ended.append(task)
        self._arrived.set()

    async def _iterate(self) -> AsyncGenerator[T, None]:
        delivered, refused = 0, None
        for _ in self._tasks:
            while not self._ended:
                self._arrived.clear()
                await self._arrived.wait()
            task = self._ended.popleft()
            try:
                value = task.result()
            except (ModelError, RunFailed):
                continue
            except LimitReached as error:
                refused = error
                continue
            delivered += 1
            yield value
        if refused is not None and not delivered:
            raise refused
