"""A budget's money at work: reserve the worst case, settle the actual cost.

Calls are admitted strictly in the order in which they came. One that does not fit waits while
others, still in flight, may give back what they do not use. Only when nothing is in flight is it
shortened to what is left, or refused. So who is admitted, and at which length, follows from the
costs of the calls before it and not from who finished first.

Nobody can prevent an endpoint from charging more than it was allowed to. Once one has, admission is
closed: whatever waits is refused, and whatever is asked for after that.
"""

from __future__ import annotations

import asyncio
import bisect
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from operator import attrgetter

from ponder.core.budget import Budget
from ponder.core.cost import PICO, Cost
from ponder.core.errors import Limit, LimitReached, Overcharged
from ponder.core.ledger import Item, Ledger


@dataclass(frozen=True, slots=True)
class Grant:
    """Leave to spend up to ``reserved`` on a call of ``length`` tokens. ``limit`` names what
    shortened it, if anything did.
    """

    length: int
    reserved: Cost
    limit: Limit | None = None


@dataclass(slots=True)
class _Waiting:
    length: int
    least: int
    worst: Callable[[int], Cost]
    beside: Callable[[int], Cost]
    grant: asyncio.Future[Grant]

    def needs(self, length: int) -> Cost:
        """What must be there for it."""
        return self.worst(length) + self.beside(length)


class Admission:
    """Keeps what is spent and reserved within the limits. Not shared between event loops."""

    def __init__(self, budget: Budget, ledger: Ledger) -> None:
        usd, flops = budget.usd, budget.flops
        limits: list[tuple[Limit, str, int | None]] = [
            ("tokens", "tokens", budget.tokens),
            ("usd", "picousd", None if usd is None else int(Decimal(str(usd)) * PICO)),
            ("flops", "flops", None if flops is None else int(flops)),
        ]
        self._ceilings = [
            (limit, attrgetter(field), ceiling)
            for limit, field, ceiling in limits
            if ceiling is not None
        ]
        self._ledger = ledger
        self._reserved = Cost()
        self._flying = 0
        self._queue: deque[_Waiting] = deque()
        self._excess = False  # True once a call has cost more than was set aside for it
        self.fired: Limit | None = None

    @property
    def reserved(self) -> Cost:
        """What is set aside for calls in flight."""
        return self._reserved

    def exceeded(self, cost: Cost) -> Limit | None:
        """The limit that ``cost`` would pass now, on top of what is spent and reserved."""
        spent, reserved = self._ledger.spent, self._reserved
        for limit, figure, ceiling in self._ceilings:
            if figure(spent) + figure(reserved) + figure(cost) > ceiling:
                return limit
        return None

    async def reserve(
        self,
        length: int,
        least: int,
        worst: Callable[[int], Cost],
        beside: Callable[[int], Cost] = lambda length: Cost(),
    ) -> Grant:
        """Wait for leave to spend ``worst(length)``, or of a length down to ``least``. What is
        ``beside`` it must be left over, and is not reserved.

        Raises:
            LimitReached: not even ``least`` fits, and nothing in flight could give anything back.
            Overcharged: the admission is closed.
        """
        if self._ledger.overcharged:
            raise Overcharged(self._ledger.overcharged)
        loop = asyncio.get_running_loop()
        waiting = _Waiting(length, least, worst, beside, loop.create_future())
        if not self._queue and self.exceeded(waiting.needs(length)) is None:
            return self._grant(waiting, length)
        self._queue.append(waiting)
        self._pump()
        try:
            return await waiting.grant
        except asyncio.CancelledError:
            if waiting in self._queue:
                self._queue.remove(waiting)
            elif not waiting.grant.cancelled() and waiting.grant.exception() is None:
                self.settle(waiting.grant.result())  # granted, and never to be used
            self._pump()
            raise

    def settle(self, grant: Grant, spent: Item | None = None) -> None:
        """Give back a reservation. Book what was ``spent`` first, so that it is never
        double-spent.
        """
        if spent is not None:
            cost = spent.cost
            for _, figure, _ in self._ceilings:
                if figure(cost) > figure(grant.reserved):
                    self._excess = True
            self.audit(spent, grant.length)
        self._reserved -= grant.reserved
        self._flying -= 1
        self._pump()

    def audit(self, spent: Item, length: int) -> None:
        """Close admission if more was charged for calls than ``length`` tokens of completions, or
        if a limit was passed since one cost more than was set aside for it.
        """
        generated = spent.completion_tokens + spent.wasted_tokens
        if generated > length:
            self._close(
                f"{spent.model} charged {generated:,} completion tokens where {length:,} were "
                "allowed: nothing more is sent to it."
            )
        elif self._excess and (passed := self.passed()):
            self._close(
                f"what {spent.model} charged has passed the budget of {passed}, since it was more "
                "than a request of that size can cost: nothing more is sent to it."
            )

    def recall(self, calls: Sequence[tuple[Item, int]]) -> None:
        """Take up what an earlier attempt within the same budget had spent, each with the tokens
        that one of its calls allowed.
        """
        self._excess = self.passed() is not None
        for spent, length in calls:
            self.audit(spent, length * max(1, spent.calls))

    def passed(self) -> Limit | None:
        """The limit that what is spent has passed."""
        for limit, figure, ceiling in self._ceilings:
            if figure(self._ledger.spent) > ceiling:
                return limit
        return None

    def _close(self, reason: str) -> None:
        self._ledger.overcharged = self._ledger.overcharged or reason

    def _grant(self, waiting: _Waiting, length: int, limit: Limit | None = None) -> Grant:
        reserved = waiting.worst(length)
        self._reserved += reserved
        self._flying += 1
        return Grant(length, reserved, limit)

    def _pump(self) -> None:
        while self._queue:
            head = self._queue[0]
            if head.grant.done():  # cancelled, and not yet awake to leave the queue
                self._queue.popleft()
            elif self._ledger.overcharged:
                self._queue.popleft()
                head.grant.set_exception(Overcharged(self._ledger.overcharged))
            elif self.exceeded(head.needs(head.length)) is None:
                self._queue.popleft()
                head.grant.set_result(self._grant(head, head.length))
            elif self._flying:
                return
            else:
                self._queue.popleft()
                self._shorten(head)

    def _shorten(self, head: _Waiting) -> None:
        lengths = range(head.least, head.length + 1)
        fitting = bisect.bisect_left(
            lengths, True, key=lambda n: self.exceeded(head.needs(n)) is not None
        )
        limit = self.exceeded(head.needs(lengths[fitting]))  # of the first length that is too much
        assert limit is not None
        if fitting:
            length = lengths[fitting - 1]
            head.grant.set_result(self._grant(head, length, limit))
        else:
            self.fired = limit
            head.grant.set_exception(LimitReached(limit))
