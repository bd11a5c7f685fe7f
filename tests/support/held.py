"""What this process holds: tasks, threads, children, sockets, and objects of a run."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from ponder.runtime.journal import Journal
from ponder.runtime.runner import Runner

RUN = (Runner, Journal)


def held() -> Counter[str]:
    """Everything of that kind, by name."""
    gc.collect()
    found = Counter[str]()
    here = asyncio.current_task()
    found.update(f"task {task.get_name()}" for task in asyncio.all_tasks() if task is not here)
    # The event loop's own executor keeps its threads until the loop ends.
    names = (thread.name for thread in threading.enumerate())
    found.update(f"thread {name}" for name in names if not name.startswith("asyncio_"))
    for task in Path("/proc/self/task").iterdir():
        found.update(f"child {pid}" for pid in (task / "children").read_text().split())
    for file in Path("/proc/self/fd").iterdir():
        try:
            target = os.readlink(file)
        except OSError:  # that of the listing itself
            continue
        if target.startswith("socket:"):
            found[f"socket {target}"] += 1
    found.update(f"object {type(one).__name__}" for one in gc.get_objects() if isinstance(one, RUN))
    return found


async def until(holds: Callable[[], bool]) -> None:
    """Let the event loop turn until something holds."""
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0)


async def nothing_but(before: Counter[str]) -> None:
    """Wait until nothing is held beyond what was: closing a socket takes turns of the loop."""
    try:
        await until(lambda: not held() - before)
    except TimeoutError:
        raise AssertionError(f"left behind: {sorted(held() - before)}") from None
