"""Work that blocks, beside the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def in_thread(
    function: Callable[..., T], *arguments: Any, unwanted: Callable[[T], object] | None = None
) -> T:
    """What the function returns or raises, called in a thread that nobody waits for. ``unwanted``
    gets what it returned, in that thread, if its caller was cancelled meanwhile.

    ``asyncio.to_thread`` would hold up the end of the event loop until the function has returned,
    whoever has stopped waiting for it: a deadline, or Ctrl-C.
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
    """An event loop in a thread of its own, for callers that have none."""

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
        """Return what it returns. Who stops waiting for it, by Ctrl-C, cancels it."""
        future = asyncio.run_coroutine_threadsafe(work, self.loop)
        try:
            return future.result()
        finally:
            future.cancel()

    def close(self) -> None:
        """End the loop and what still runs on it, and wait until the thread is gone."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
