"""A worker: asks a child process that may hang or crash without harm (``answers.child``).

One request at a time over pipes, one JSON line each way. A time-out is the child's death; the next
request starts another. It is CPU time that is limited, so that the same request gets the same reply
on a busy machine; a child that waits instead is killed, too. It dies with its parent: idle, at the
end of its input; at work, by that limit.

Threads and not asyncio's subprocesses: those belong to one event loop, and ``asyncio.run`` makes a
new one at each call. The executor's only thread is also the queue and the lock.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import subprocess
import sys
import threading
import weakref
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from ponder.core.errors import PonderError

START_SECONDS = 300.0
"""Longest time that importing sympy may take on a busy machine."""
PATIENCE = 12
"""Seconds of wall-clock time for each second of CPU time that a request may take."""
_CACHED = 4_096

Reply = str | int | None
Kind = Literal["math", "schema"]


class Worker:
    """Asks the child and remembers its replies. ``None``: a time-out, or nothing readable.

    ``timeout`` is in seconds of CPU time per request; a request of more than ``longest`` characters
    is not sent. Any number of tasks, on any event loop, may ask at once. A new ``timeout`` holds
    for later requests.
    """

    def __init__(self, kind: Kind, timeout: float, longest: int) -> None:
        self._kind, self.timeout, self._longest = kind, timeout, longest
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=f"ponder-{kind}")
        self._child: _Child | None = None
        self._known: OrderedDict[bytes, Reply] = OrderedDict()

    def close(self) -> None:
        """End the child. A pending request gets ``None``; a later one starts a new child."""
        if self._child is not None:
            self._child.stop()

    def end(self) -> None:
        """End the child and the thread for good, and wait until they are gone."""
        self.close()
        self._executor.shutdown()
        self.close()  # a child may have started in the meantime

    async def ask(self, *request: str) -> Reply:
        """Return the child's reply to an operation and its texts."""
        if sum(map(len, request)) > self._longest:
            return None
        return await asyncio.get_running_loop().run_in_executor(
            self._executor, self._answer, request, self.timeout
        )

    def _answer(self, request: tuple[str, ...], timeout: float) -> Reply:
        line = json.dumps(request)
        digest = hashlib.sha256(line.encode("ascii")).digest()
        if digest in self._known:
            self._known.move_to_end(digest)
            return self._known[digest]
        if self._child is None or not self._child.alive:
            self._child = _Child(self._kind)
        reply = self._child.ask(request, timeout)
        if self._child.stop.alive:  # else the silence was close(), not the request's doing
            # A time-out is remembered as well: equal answers must not wait again.
            self._known[digest] = reply
            if len(self._known) > _CACHED:
                self._known.popitem(last=False)
        return reply


class _Child:
    """One process; a time-out ends it."""

    def __init__(self, kind: Kind) -> None:
        # -P: files in the user's directory must not shadow sympy's imports.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "ponder.answers.child", kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="ascii",
        )
        self.stop = weakref.finalize(self, _end, self._process)
        ready = self._line(START_SECONDS)
        if ready is None:
            raise PonderError(
                f"the worker that compares answers was not ready within {START_SECONDS:.0f} "
                "seconds: try again when this machine is less busy."
            )
        if not ready:
            raise PonderError(
                "the worker that compares answers did not start; "
                f"`python -m ponder.answers.child {kind}` says why."
            )

    @property
    def alive(self) -> bool:
        """False after a time-out, a crash or ``stop``."""
        return self.stop.alive and self._process.poll() is None

    def ask(self, request: tuple[str, ...], timeout: float) -> Reply:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps([timeout, *request]) + "\n")
            self._process.stdin.flush()
            line = self._line(PATIENCE * timeout)
        except (OSError, ValueError):  # it died, or another thread closed it, just now
            line = ""
        if not line:
            self._process.kill()
            self._process.wait()
            return None
        reply: Reply = json.loads(line)
        return reply

    def _line(self, timeout: float) -> str | None:
        """Return the next line, "" if the child is dead; None after a time-out, which kills it."""
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
        return None if expired.is_set() else line


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        with contextlib.suppress(OSError):  # a request that was never flushed
            pipe.close()
