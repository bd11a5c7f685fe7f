"""An event loop whose clock jumps to the next timer: seconds cost nothing, nothing is random."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Deadlock(AssertionError):
    """Everybody waits, and nothing can wake anybody."""


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self.complaints: list[dict[str, Any]] = []
        self.set_exception_handler(lambda _, context: self.complaints.append(context))

    def time(self) -> float:
        return self._now

    def _run_once(self) -> None:
        timers = self._scheduled  # type: ignore[attr-defined]
        while timers and timers[0]._cancelled:
            heapq.heappop(timers)._scheduled = False
        if not self._ready:  # type: ignore[attr-defined]
            if timers:
                self._now = max(self._now, timers[0]._when)
            elif not self._stopping:  # type: ignore[attr-defined]
                raise Deadlock("everybody waits, and nothing can wake anybody")
        super()._run_once()  # type: ignore[misc]


def run(main: Coroutine[Any, Any, T]) -> T:
    """asyncio.run in virtual time. What asyncio would only log (an exception that nobody looked at,
    a pending task that was destroyed) fails the test; so does a task that is left behind.
    """

    async def alone() -> T:
        result = await main
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"left behind: {left}"
        return result

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualLoop)
        result = runner.run(alone())
        assert not loop.complaints, loop.complaints
    return result
