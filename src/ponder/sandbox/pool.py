"""A sandbox of processes: each verdict uses a fresh one, and nothing outlives it.

While one process runs, the next is started ahead, so that no order waits for an interpreter to
start.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from ponder.sandbox.base import WORKERS, Ended, Limits, Outcome, Output, Script
from ponder.sandbox.library import with_library, with_numbers
from ponder.sandbox.process import Started
from ponder.sandbox.threads import Threads, Turn, started_by
from ponder.sandbox.wire import no_other, pack, unpack

ATTEMPTS = 3
"""Number of times that a program is run again for the tests after one that killed it."""
LONGEST_REPORTS = 64 * 2**20
_VERDICTS = ("pass", "fail", "error")


@dataclass(frozen=True, slots=True)
class Said:
    """The reports of one run."""

    reports: tuple[Any, ...]
    timely: bool
    """True if the run came to its end in time."""


class Pool(Threads):
    """A ``Sandbox`` made of the processes that ``start`` starts.

    With ``nobody``, the program and its tests each run as a user of their own who owns nothing;
    the supervisor must be able to switch to one.
    """

    whole = True

    def __init__(
        self, name: str, start: Callable[[], Started], limits: Limits, *, nobody: bool
    ) -> None:
        super().__init__()
        self.name, self.limits = name, limits
        self._start, self._nobody = start, nobody

    async def test(self, program: Sequence[str], script: Script) -> list[Outcome]:
        """As ``Sandbox``."""
        return await self.in_turn(lambda turn: self._test(turn, tuple(program), script))

    async def feed(self, program: Sequence[str], inputs: Sequence[str]) -> list[Output]:
        """As ``Sandbox``."""
        return await self.in_turn(lambda turn: self._feed(turn, tuple(program), tuple(inputs)))

    def test_now(self, program: Sequence[str], script: Script) -> list[Outcome]:
        """As ``test``, but blocks the caller's thread."""
        return self.wait(lambda turn: self._test(turn, tuple(program), script))

    def _test(self, turn: Turn, program: tuple[str, ...], script: Script) -> list[Outcome]:
        """Test the program; if a test kills it, run it again for the later ones.

        All share the time.
        """
        script = with_numbers(with_library(script), program)
        found: list[Outcome] = []
        deadline = time.monotonic() + self.limits.wall_seconds
        for _ in range(ATTEMPTS):
            rest = replace(script, units=script.units[len(found) :])
            if not rest.units or turn.stopped:
                break
            found += self._attempt(turn, program, rest, deadline - time.monotonic())
        missing = len(script.units) - len(found)
        return found + [replace(found[-1], detail="not reached") for _ in range(missing) if found]

    def _attempt(
        self, turn: Turn, program: tuple[str, ...], script: Script, seconds: float
    ) -> list[Outcome]:
        secret = secrets.token_bytes(32)
        order = {"sources": program, "limits": self.limits.resources(), "uid": self._uid()}
        tests = (secret, script.setup, script.units)
        said = self._carry_out(turn, [order, tests], seconds)
        known = [
            report[1:]
            for report in said.reports
            if isinstance(report, tuple)
            and len(report) == 5
            and isinstance(report[0], bytes)
            and hmac.compare_digest(report[0], secret)
        ]
        return outcomes(known, len(script.units), timely=said.timely)

    def _feed(self, turn: Turn, program: tuple[str, ...], inputs: tuple[str, ...]) -> list[Output]:
        order = {"sources": program, "limits": self.limits.resources(), "uid": self._uid()}
        said = self._carry_out(turn, [{**order, "inputs": inputs}], self.limits.wall_seconds)
        found = [
            Output(
                cast(Ended, verdict),
                output.decode("utf-8", "replace"),
                error.decode("utf-8", "replace"),
            )
            for verdict, output, error in said.reports
        ]
        missing = Output("error" if said.timely else "timeout")
        return [*found, *[missing] * (len(inputs) - len(found))]

    def _uid(self) -> int:
        return 2**20 + 2 * secrets.randbelow(2**29) if self._nobody else 0

    def _carry_out(self, turn: Turn, frames: Sequence[Any], seconds: float) -> Said:
        """Send the frames to a process of its own, and read its reports until it ends."""
        started = self.spare() or started_by(self._start)
        try:
            if not turn.begin(started):
                return Said((), False)
            while len(self.spares) < WORKERS:
                self.spares.append(started_by(self._start))
            packed = b"".join(_frame(pack(frame, no_other)) for frame in frames)
            said, timely = started.exchange(packed, seconds, LONGEST_REPORTS)
        finally:
            turn.end()
            started.end()
        return Said(tuple(_unframed(said)), timely)


def outcomes(reports: Sequence[tuple[Any, ...]], units: int, *, timely: bool) -> list[Outcome]:
    """Return the outcomes of the first tests of one run: of at least one, if there is one.

    Each report is (unit, verdict, error, detail). The report after the last unit says how the run
    ended.
    """
    found: list[Outcome] = []
    whole = died = None
    late = not timely
    for at, verdict, error, detail in reports:
        if at == units:
            late = late or verdict == "timeout"
        elif at == -1:
            whole = Outcome("error", error, detail)
        elif verdict == "died":
            died = Outcome("error", error, detail)
        elif at == len(found) and verdict in _VERDICTS:
            found.append(Outcome(verdict, error, detail))
    if len(found) == units:
        return found
    ended = Outcome("timeout", "", "out of time") if late else None
    if whole is not None:
        return [ended if ended and not whole.error else whole] * units
    if not timely:
        return found + [Outcome("timeout", "", "out of time")] * (units - len(found))
    return [*found, ended or died or Outcome("error", "", "the tests ended without a verdict")]


def _frame(data: bytes) -> bytes:
    return len(data).to_bytes(8, "big") + data


def _unframed(data: bytes) -> list[Any]:
    """Return the value of every complete frame."""
    found, at = [], 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 8], "big")
        at += 8 + size
        if at > len(data):
            break
        try:
            found.append(unpack(data[at - size : at], no_other))
        except (ValueError, TypeError, LookupError, RecursionError):
            break
    return found
