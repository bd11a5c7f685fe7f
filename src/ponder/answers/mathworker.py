"""A child process that runs sympy, where it may hang, explode or crash without harm.

One request at a time over pipes, one JSON line each way. The hard time-out is the child's death;
the next request starts another. The child dies with its parent: idle, at the end of its input; at
work, by its limit on CPU time.

Threads and not asyncio's subprocesses: those belong to one event loop, and ``asyncio.run`` makes a
new one at each call. The executor's only thread is also the queue and the lock.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import IO

from ponder.core.errors import PonderError

LONGEST = 2_000
"""Characters beyond which a text is not sent."""
START_SECONDS = 60.0
"""How long importing sympy may take on a busy machine."""
MEMORY_BYTES = 2 * 2**30
_CACHED = 4_096

Reply = str | bool | None


class MathWorker:
    """Asks the child, remembers what it said; ``None`` stands for too long, too slow or unreadable.

    ``timeout`` is in seconds of wall-clock time per request, from when the child gets it. Any
    number of tasks, on any event loop, may ask at once.
    """

    def __init__(self, timeout: float = 5.0) -> None:
        self._timeout = timeout
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="ponder-math")
        self._child: _Child | None = None
        self._known: OrderedDict[tuple[str, ...], Reply] = OrderedDict()

    async def key(self, latex: str) -> str | None:
        """The canonical key of a LaTeX expression (``symbolic.key``)."""
        reply = await self._ask("key", latex)
        return reply if isinstance(reply, str) else None

    async def same(self, reference: str, reply: str) -> bool | None:
        """math-verify's verdict (``symbolic.same``)."""
        verdict = await self._ask("same", reference, reply)
        return verdict if isinstance(verdict, bool) else None

    def close(self) -> None:
        """End the child. A request under way gets ``None``; a later one starts a new child."""
        if self._child is not None:
            self._child.stop()

    async def _ask(self, *request: str) -> Reply:
        if sum(map(len, request)) > LONGEST:
            return None
        return await asyncio.get_running_loop().run_in_executor(
            self._executor, self._answer, request
        )

    def _answer(self, request: tuple[str, ...]) -> Reply:
        if request in self._known:
            self._known.move_to_end(request)
            return self._known[request]
        if self._child is None or not self._child.alive:
            self._child = _Child()
        reply = self._child.ask(request, self._timeout)
        if self._child.stop.alive:  # else the silence was close(), not the request's doing
            # A time-out is remembered as well: the other votes for a bomb must not wait again.
            self._known[request] = reply
            if len(self._known) > _CACHED:
                self._known.popitem(last=False)
        return reply


class _Child:
    """One process; used up by a time-out."""

    def __init__(self) -> None:
        # -P: whatever lies in the user's directory must not shadow sympy's imports.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "ponder.answers.mathworker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="ascii",
        )
        self.stop = weakref.finalize(self, _end, self._process)
        if not self._line(START_SECONDS):
            raise PonderError(
                "the math worker did not start; `python -m ponder.answers.mathworker` says why."
            )

    @property
    def alive(self) -> bool:
        """False after a time-out, a crash or ``stop``."""
        return self.stop.alive and self._process.poll() is None

    def ask(self, request: tuple[str, ...], timeout: float) -> Reply:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps([math.ceil(timeout) + 1, *request]) + "\n")
            self._process.stdin.flush()
            line = self._line(timeout)
        except (OSError, ValueError):  # died, or closed by another thread, in this moment
            line = ""
        if not line:
            self._process.kill()
            self._process.wait()
            return None
        reply: Reply = json.loads(line)
        return reply

    def _line(self, timeout: float) -> str:
        """The next line, or "" when the child is dead, which the time-out makes sure of."""
        assert self._process.stdout is not None
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            self._process.kill()

        timer = threading.Timer(timeout, expire)
        timer.daemon = True
        timer.start()
        try:
            line = self._process.stdout.readline()
        finally:
            timer.cancel()
            timer.join()  # so that it cannot kill the child during the next request
        return "" if expired.is_set() else line


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        with contextlib.suppress(OSError):  # a request that was never flushed
            pipe.close()


# The child ----------------------------------------------------------------------------------------


def _limit_memory() -> None:
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


def _limit_cpu(seconds: int) -> None:
    """The soft limit counts from the process's start, so it moves on with each request."""
    if sys.platform != "win32":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(time.process_time()) + seconds, hard))


def _serve(requests: IO[str], replies: IO[str]) -> None:
    _limit_memory()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent to handle
    logging.disable()
    from ponder.answers import symbolic

    operations: dict[str, Callable[..., Reply]] = {"key": symbolic.key, "same": symbolic.same}
    print("ready", file=replies, flush=True)
    for line in requests:
        seconds, operation, *texts = json.loads(line)
        _limit_cpu(seconds)
        try:
            reply = operations[operation](*texts)
        except Exception:  # any text may break any parser; the caller falls back to the notation
            reply = None
        print(json.dumps(reply), file=replies, flush=True)


if __name__ == "__main__":
    channel, sys.stdout = sys.stdout, sys.stderr  # a library that prints must not break the lines
    _serve(sys.stdin, channel)
