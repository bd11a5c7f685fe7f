"""Blocking work beside the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def in_thread(
    function: Callable[..., T], *arguments: Any, unwanted: Callable[[T], object] | None = None
) -> T:
    """Return the function's result, computed in a daemon thread.

    If the caller was cancelled meanwhile, ``unwanted`` is called with the result, in a thread.
    ``asyncio.to_thread`` would delay the end of the event loop until the function returns, even
    after a deadline or Ctrl-C.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(value: Any, error: BaseException | None) -> None:
        if done.cancelled():
            if error is None and unwanted is not None:
                threading.Thread(target=unwanted, args=(value,), daemon=True).start()
            return
        if error is None:
            done.set_result(value)
        else:
            done.set_exception(error)

    def work() -> None:
        value: Any = None
        failure: BaseException | None = None
        try:
            value = function(*arguments)
        except BaseException as error:
            failure = error
        try:
            loop.call_soon_threadsafe(settle, value, failure)
        except RuntimeError:  # the loop is closed
            if failure is None and unwanted is not None:
                unwanted(value)

    threading.Thread(target=work, name="ponder-aside", daemon=True).start()
    return await done


class LoopThread:
    """An event loop in its own thread, for callers that have none."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="ponder-loop", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            runner.get_loop().run_forever()

    @property
    def inside(self) -> bool:
        """True on that thread."""
        return threading.current_thread() is self._thread

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Return the coroutine's result. If the caller stops waiting, by Ctrl-C, it is
        cancelled.
        """
        future = asyncio.run_coroutine_threadsafe(work, self.loop)
        try:
            return future.result()
        finally:
            future.cancel()

    def close(self) -> None:
        """Cancel everything that still runs on the loop, and wait until the thread has ended."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
