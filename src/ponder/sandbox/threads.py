"""Threads that wait for processes, one per core, and callers that wait for the threads.

Threads and not asyncio's subprocesses: those belong to one event loop, and ``asyncio.run`` makes a
new one at each call.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from ponder.core.errors import UsageError
from ponder.sandbox.base import WORKERS
from ponder.sandbox.process import Started

T = TypeVar("T")


class Threads:
    """Runs blocking work, as much at once as there are cores. ``spares`` are idle processes."""

    def __init__(self) -> None:
        self.spares: deque[Started] = deque()
        self._executor = ThreadPoolExecutor(WORKERS, thread_name_prefix="ponder-sandbox")
        self.close = weakref.finalize(self, _close, self._executor, self.spares)

    def end(self) -> None:
        """Close, and wait until the threads are gone."""
        self.close()
        self._executor.shutdown()

    async def in_turn(self, work: Callable[[Turn], T]) -> T:
        """Return the result of ``work``; if the caller is cancelled, kill its process."""
        turn = Turn()
        future = self._executor.submit(work, turn)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            turn.stop()
            raise

    def wait(self, work: Callable[[Turn], T]) -> T:
        """As ``in_turn``, but blocks the caller's thread."""
        return self._executor.submit(work, Turn()).result()

    def spare(self) -> Started | None:
        """Return an idle process that is still alive, if there is one."""
        while self.spares:
            started = self.spares.popleft()
            if started.alive:
                return started
            started.end()
        return None


def started_by(start: Callable[[], Started]) -> Started:
    """Return a new process.

    Raises:
        UsageError: the machine has no room for it; no program is to blame.
    """
    try:
        return start()
    except OSError as error:
        raise UsageError(
            f"the sandbox does not start any more ({error.strerror or error}): see that there is "
            "memory and that processes can be started, then resume."
        ) from None


class Turn:
    """One caller's wait for an outcome. ``stop`` ends it, whether it waits or runs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: Started | None = None
        self.stopped = False

    def begin(self, started: Started) -> bool:
        """Let ``stop`` kill this process from now on; returns False if already stopped."""
        with self._lock:
            self._running = None if self.stopped else started
            return not self.stopped

    def end(self) -> None:
        """Let ``stop`` kill nothing from now on."""
        with self._lock:
            self._running = None

    def stop(self) -> None:
        """Stop waiting for the outcome."""
        with self._lock:
            self.stopped = True
            if self._running is not None:
                self._running.kill()


def _close(executor: ThreadPoolExecutor, spares: deque[Started]) -> None:
    executor.shutdown(wait=False, cancel_futures=True)
    while spares:
        spares.popleft().end()
