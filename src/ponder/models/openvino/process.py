"""The parent's side of the engine's process: sends samples, delivers tokens to their
event loops.
"""

from __future__ import annotations

import asyncio
import atexit
import itertools
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

from ponder.core.errors import ModelError
from ponder.models.openvino.messages import Cancel, Done, Frame, Job, Metrics, Setup

_CHILD = "from ponder.models.openvino.engine import serve; serve()"

Loop = asyncio.AbstractEventLoop


@dataclass(frozen=True, slots=True)
class _Waiter:
    """A caller that waits for a sample."""

    id: int
    loop: Loop
    future: asyncio.Future[Done]
    grown: Callable[[int, str], None]


_News = tuple[_Waiter, tuple[int, str] | Done]


class Process:
    """The engine's child process, started at once; ``ready`` waits until it has loaded.
    Thread-safe.
    """

    def __init__(self, setup: Setup) -> None:
        self.error = ""
        self.metrics = Metrics()
        self._ids = itertools.count(1)
        self._waiters: dict[int, _Waiter] = {}
        self._lock = threading.Lock()  # for the waiters, and for dying only once
        self._first = threading.Event()
        self._outbox: SimpleQueue[Any] = SimpleQueue()
        self._child = subprocess.Popen(
            [sys.executable, "-P", "-c", _CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the parent: it may still need an answer
        )
        self._outbox.put(setup)
        # A full pipe must not hold up an event loop: hence a thread that writes.
        self._threads = [
            threading.Thread(target=work, name="ponder-engine", daemon=True)
            for work in (self._write, self._read)
        ]
        for thread in self._threads:
            thread.start()
        atexit.register(self.stop)

    @property
    def dead(self) -> bool:
        """True if it has failed or been stopped; ``error`` gives the reason."""
        return bool(self.error)

    def ready(self, timeout: float) -> bool:
        """Wait until it has loaded or died, for ``timeout`` seconds at most."""
        return self._first.wait(timeout)

    async def run(self, job: Callable[[int], Job], grown: Callable[[int, str], None]) -> Done:
        """Generate a sample; ``job`` gets its id. Cancelling ends it before the next step.

        ``grown`` is called with the number of tokens so far, and with the text added to a watched
        sample.

        Raises:
            ModelError: the process has ended.
        """
        loop, id = asyncio.get_running_loop(), next(self._ids)
        future: asyncio.Future[Done] = loop.create_future()
        with self._lock:
            if self.error:
                raise ModelError(self.error)
            self._waiters[id] = _Waiter(id, loop, future, grown)
        self._outbox.put(job(id))
        try:
            return await future
        finally:
            self._forget(id)

    def stop(self) -> None:
        """End the process and everything that it was generating. Idempotent."""
        self._die("the model has been closed.")
        self._child.kill()  # it has nothing to save
        self._child.wait()
        self._outbox.put(None)
        for thread in self._threads:
            thread.join()
        atexit.unregister(self.stop)

    def _write(self) -> None:
        assert self._child.stdin
        try:
            with self._child.stdin as pipe:
                while (message := self._outbox.get()) is not None:
                    pickle.dump(message, pipe, pickle.HIGHEST_PROTOCOL)
                    pipe.flush()
        except OSError:
            pass  # it is gone: the reader reports it

    def _read(self) -> None:
        assert self._child.stdout
        error = "the embedded engine ended unexpectedly; the memory may not have sufficed."
        try:
            with self._child.stdout as pipe:
                while True:
                    frame: Frame = pickle.load(pipe)
                    if frame.error:
                        error = f"the embedded engine failed: {frame.error}"
                        break
                    self._take(frame)
                    self._first.set()
        except (EOFError, OSError, pickle.UnpicklingError):
            pass
        self._die(error)

    def _take(self, frame: Frame) -> None:
        with self._lock:
            if self.error:  # it was under way when the process ended
                return
            self.metrics = frame.metrics
        self._deliver(frame)

    def _die(self, error: str) -> None:
        with self._lock:
            if self.error:
                return
            self.error = error
            lost = list(self._waiters)
            self.metrics = Metrics(steps=self.metrics.steps, tokens=self.metrics.tokens)
        self._deliver(Frame(done=[Done(id, error=error) for id in lost]))
        self._first.set()

    def _deliver(self, frame: Frame) -> None:
        """Deliver a frame to each event loop that waits for part of it, in one go."""
        news: dict[Loop, list[_News]] = {}
        with self._lock:
            for id, tokens in frame.grown.items():
                if waiter := self._waiters.get(id):
                    news.setdefault(waiter.loop, []).append(
                        (waiter, (tokens, frame.texts.get(id, "")))
                    )
            for done in frame.done:
                if waiter := self._waiters.pop(done.id, None):
                    news.setdefault(waiter.loop, []).append((waiter, done))
        for loop, items in news.items():
            try:
                loop.call_soon_threadsafe(_tell, items)
            except RuntimeError:  # that loop was closed with samples in progress
                for waiter, _ in items:
                    self._forget(waiter.id)

    def _forget(self, id: int) -> None:
        """Stop generating a sample, unless it is finished."""
        with self._lock:
            unfinished = self._waiters.pop(id, None)
        if unfinished:
            self._outbox.put(Cancel(id))


def _tell(news: list[_News]) -> None:
    for waiter, item in news:
        if waiter.future.done():
            continue
        if isinstance(item, Done):
            waiter.future.set_result(item)
            continue
        try:
            waiter.grown(*item)
        except Exception as error:  # one caller's mistake must not fail the others
            waiter.future.set_exception(error)
