"""``pydantic-monty``: an interpreter of a part of Python that has no way out, in a wheel.

For machines without ``bubblewrap``. Program and tests are two sessions, each in a worker process of
its own, and plain data passes between them. The interpreter itself is what confines: it has no
files, network, processes or environment to offer, and bounds its own memory and time.

It runs no class that inherits and no generator, and has a few modules of the standard library. A
program that fails for want of those is ``unsupported``, not wrong; so is one that changes its
arguments in place, which are copies here.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from typing import Any

from ponder.sandbox.base import Limits, Outcome, Output, Script
from ponder.sandbox.library import with_library
from ponder.sandbox.process import Started
from ponder.sandbox.threads import Threads, Turn, started_by
from ponder.sandbox.wire import no_other, pack, unpack

NAME = "monty"
START_SECONDS = 60.0
"""Longest time that the library's import and its workers may take on a busy machine."""
_CALLS = 100_000
_LONGEST = 16 * 2**20


def monty(limits: Limits) -> Monty:
    """Return the sandbox.

    Raises:
        ImportError: it is not installed.
        OSError: it does not start.
    """
    if importlib.util.find_spec("pydantic_monty") is None:
        raise ImportError("pydantic-monty is not installed: pip install 'ponder[sandbox]'")
    made = Monty(limits)
    made.wait(lambda turn: made.give_back(made.take(turn)))
    return made


class Monty(Threads):
    """A ``Sandbox``. Each thread has a process that serves one order after the other."""

    name, whole = NAME, False

    def __init__(self, limits: Limits) -> None:
        super().__init__()
        self.limits = limits

    async def test(self, program: Sequence[str], script: Script) -> list[Outcome]:
        """As ``Sandbox``."""
        script = with_library(script)
        order = (tuple(program), script.setup, script.units, None)
        said = await self.in_turn(lambda turn: self._ask(turn, order))
        if isinstance(said, str):
            late = said == "timeout"
            return [
                Outcome("timeout" if late else "error", "", "out of time" if late else said)
                for _ in script.units
            ]
        return [Outcome(*outcome) for outcome in said]

    async def feed(self, program: Sequence[str], inputs: Sequence[str]) -> list[Output]:
        """As ``Sandbox``."""
        order = (tuple(program), "", (), tuple(inputs))
        said = await self.in_turn(lambda turn: self._ask(turn, order))
        if isinstance(said, str):
            return [Output("timeout" if said == "timeout" else "error") for _ in inputs]
        return [Output(*output) for output in said]

    def _ask(self, turn: Turn, order: tuple[Any, ...]) -> Any:
        """Return the process's reply, or a word that says why there is none."""
        limits = {
            "max_feed_duration_secs": float(self.limits.cpu_seconds),
            "max_memory": self.limits.memory_bytes,
            "max_suspensions": _CALLS,
            "max_total_sleep_secs": self.limits.wall_seconds,
            "output": self.limits.file_bytes,
        }
        started = started_by(lambda: self.take(turn))
        data = pack((limits, *order), no_other)
        seconds = self.limits.wall_seconds + self.limits.cpu_seconds
        said, timely = started.exchange(
            len(data).to_bytes(8, "big") + data, seconds, _LONGEST, frame=True
        )
        turn.end()
        try:
            found = unpack(said[8:], no_other)
        except (ValueError, TypeError, LookupError, RecursionError):
            started.end()
            return "the interpreter came to its end" if timely else "timeout"
        self.give_back(started)
        return found

    def take(self, turn: Turn) -> Started:
        """Return a process that is ready.

        Raises:
            OSError: it does not start.
        """
        started = self.spare()
        if started is None:
            command = (sys.executable, "-P", "-m", "ponder.sandbox.monty_child")
            started = Started((*command, str(self.limits.memory_bytes)), env={})
            said, _ = started.exchange(b"", START_SECONDS, _LONGEST, frame=True)
            if not said:
                started.end()
                raise OSError("pydantic-monty does not start here")
        turn.begin(started)
        return started

    def give_back(self, started: Started) -> None:
        """Put back a process that is ready for the next order."""
        started.waiting = True
        self.spares.append(started)
