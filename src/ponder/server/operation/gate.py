"""The gate: so many runs at once, a queue that is fair between keys, and no more than that."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable

from ponder.server.errors import ApiError

WEIGHT = 0.2
"""Weight of the last run in the mean time that runs take."""


class Ticket:
    """One run's place: in the queue until its turn, then inside until it ends."""

    def __init__(self, gate: Gate, key: str) -> None:
        self.key = key
        self._gate, self._began, self._left = gate, 0.0, False
        self._turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def inside(self) -> bool:
        """True once it is its turn."""
        return self._turn.done() and not self._turn.cancelled()

    def admit(self, now: float) -> None:
        """Let it in."""
        self._began = now
        self._turn.set_result(None)

    async def turn(self) -> None:
        """Wait until it is its turn."""
        await asyncio.shield(self._turn)

    def leave(self) -> None:
        """Give the place back, from inside or from the queue. Idempotent."""
        if not self._left:
            self._left = True
            self._gate.left(self, self._began)


class Gate:
    """Admits at most ``at_once`` runs; at most ``queue`` others wait. Of those that wait, each key
    takes its turn after the others, so one that asks for much delays itself.
    """

    def __init__(
        self, at_once: int, queue: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._at_once, self._queue, self._clock = at_once, queue, clock
        self._inside: set[Ticket] = set()
        self._waiting: dict[str, deque[Ticket]] = {}
        self._mean = 1.0

    @property
    def inside(self) -> int:
        """Number of runs that were let in and have not left."""
        return len(self._inside)

    @property
    def waiting(self) -> int:
        """Number of runs in the queue."""
        return sum(map(len, self._waiting.values()))

    def tickets(self, key: str, count: int) -> list[Ticket]:
        """Return places for a request's runs, inside or in the queue.

        Raises:
            ApiError: the queue is full.
        """
        room = self._at_once + self._queue - self.inside - self.waiting
        if count > room:
            rounds = (self.waiting + count) / self._at_once
            seconds = max(1, math.ceil(self._mean * rounds))
            raise ApiError(
                f"{self.inside} runs are in progress and {self.waiting} wait: the server takes no "
                f"more now; try again in {seconds} s.",
                429,
                "rate_limit_error",
                code="queue_full",
                headers={"retry-after": str(seconds)},
            )
        found = [Ticket(self, key) for _ in range(count)]
        self._waiting.setdefault(key, deque()).extend(found)
        self._admit()
        return found

    def left(self, ticket: Ticket, began: float) -> None:
        """Take a place back."""
        if ticket in self._inside:
            self._inside.discard(ticket)
            self._mean += WEIGHT * (self._clock() - began - self._mean)
        elif ticket.key in self._waiting:
            self._waiting[ticket.key].remove(ticket)
            if not self._waiting[ticket.key]:
                del self._waiting[ticket.key]
        self._admit()

    def _admit(self) -> None:
        while self._waiting and len(self._inside) < self._at_once:
            key = next(iter(self._waiting))
            line = self._waiting.pop(key)
            ticket = line.popleft()
            if line:
                self._waiting[key] = line  # behind the other keys
            self._inside.add(ticket)
            ticket.admit(self._clock())
