"""Admission: reserve the worst case, settle the actual cost.

Calls are admitted strictly in order of arrival. One that does not fit waits while calls in flight
may still release unused budget. Only when nothing is in flight is it shortened to the remaining
budget, or refused. So admission and length of a call follow from the costs of the calls before it
and not from the order in which they finished.

The same holds of a run that is resumed, whose calls in flight were lost but not those asked for
later: what is kept beside a call stays kept while it flies, and a shortened call flies alone.

An endpoint can charge more than a request allowed. Once one has, admission is closed: every waiting
and every later call is refused.
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
from ponder.core.costs.cost import PICO, Cost
from ponder.core.costs.ledger import Item, Ledger
from ponder.core.errors import Limit, LimitReached, Overcharged

NOTHING = Cost()


@dataclass(frozen=True, slots=True)
class Grant:
    """Permission to spend budget on a call."""

    length: int
    """Tokens that the call may generate."""
    reserved: Cost
    """Most that it may cost."""
    limit: Limit | None = None
    """The limit that shortened it, if any."""
    beside: Cost = NOTHING
    """Headroom that is kept beside it."""


@dataclass(slots=True)
class _Waiting:
    """A call that waits for admission."""

    length: int
    least: int
    worst: Callable[[int], Cost]
    beside: Callable[[int], Cost]
    grant: asyncio.Future[Grant]

    def at(self, length: int, limit: Limit | None = None) -> Grant:
        """Return the grant of a length."""
        return Grant(length, self.worst(length), limit, self.beside(length))


class Admission:
    """Keeps the spent and the reserved budget within the limits. Not shared between event loops."""

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
        self._beside: list[Cost] = []  # of the calls in flight that have any
        self._alone = False  # True while a shortened call is in flight
        self._queue: deque[_Waiting] = deque()
        self._excess = False  # True once a call has cost more than was reserved for it
        self.fired: Limit | None = None
        self.refused = False  # True once a call was refused, and not merely shortened

    @property
    def limited(self) -> bool:
        """True if any unit is limited, but for seconds."""
        return bool(self._ceilings)

    @property
    def reserved(self) -> Cost:
        """The reservations of all calls in flight."""
        return self._reserved

    def exceeded(self, cost: Cost) -> Limit | None:
        """Return the limit that ``cost`` would exceed now, on top of the spent and the reserved
        budget.
        """
        return self.ceiling(self._ledger.spent + self._reserved + cost)

    def ceiling(self, cost: Cost) -> Limit | None:
        """Return the limit that ``cost`` would exceed if nothing else were spent."""
        for limit, figure, ceiling in self._ceilings:
            if figure(cost) > ceiling:
                return limit
        return None

    def covers(self, grant: Grant, cost: Cost) -> bool:
        """True if ``cost`` was reserved, in all units that are limited."""
        return all(figure(cost) <= figure(grant.reserved) for _, figure, _ in self._ceilings)

    async def reserve(
        self,
        length: int,
        least: int,
        worst: Callable[[int], Cost],
        beside: Callable[[int], Cost] = lambda length: Cost(),
    ) -> Grant:
        """Wait for permission to spend ``worst(length)``, or that of a length down to ``least``.

        ``beside`` is headroom: it must remain available but is not reserved.

        Raises:
            LimitReached: not even ``least`` fits, and no call in flight could release budget.
            Overcharged: the admission is closed.
        """
        if self._ledger.overcharged:
            raise Overcharged(self._ledger.overcharged)
        if not self._ceilings:
            return self._granted(Grant(length, worst(length)))
        future = asyncio.get_running_loop().create_future()
        waiting = _Waiting(length, least, worst, beside, future)
        if not self._queue and self._fits(waiting.at(length)):
            return self._granted(waiting.at(length))
        self._queue.append(waiting)
        self._pump()
        try:
            return await waiting.grant
        except asyncio.CancelledError:
            if waiting in self._queue:
                self._queue.remove(waiting)
            elif not waiting.grant.cancelled() and waiting.grant.exception() is None:
                self.settle(waiting.grant.result())  # granted, but never used
            self._pump()
            raise

    def settle(self, grant: Grant, spent: Item | None = None, most: int | None = None) -> None:
        """Release a reservation. Book ``spent`` first, so that no budget is spent twice.

        ``most``: so many tokens may be charged; the granted length, if not given.
        """
        if spent is not None:
            cost = spent.cost
            self._excess = self._excess or not self.covers(grant, cost)
            self.audit(spent, grant.length if most is None else most)
        self._reserved -= grant.reserved
        self._flying -= 1
        if grant.beside != NOTHING:
            self._beside.remove(grant.beside)
        if grant.limit:
            self._alone = False
        self._pump()

    def audit(self, spent: Item, length: int) -> None:
        """Close admission if an endpoint overcharged.

        That is so if it charged calls for more than ``length`` completion tokens, or if a limit was
        exceeded since a call cost more than its reservation.
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
        """Audit the calls of an earlier attempt within the same budget.

        Each comes with the number of tokens that one of its calls allowed.
        """
        self._excess = self.passed() is not None
        for spent, length in calls:
            self.audit(spent, length * max(1, spent.calls))

    def passed(self) -> Limit | None:
        """Return the limit that the spent budget has exceeded."""
        return self.ceiling(self._ledger.spent)

    def _close(self, reason: str) -> None:
        self._ledger.overcharged = self._ledger.overcharged or reason

    def _granted(self, grant: Grant) -> Grant:
        self._reserved += grant.reserved
        self._flying += 1
        if grant.beside != NOTHING:
            self._beside.append(grant.beside)
        self._alone = grant.limit is not None
        return grant

    def _fits(self, grant: Grant) -> bool:
        """True if the grant fits beside the calls in flight."""
        return not self._alone and self._exceeding(grant) is None

    def _exceeding(self, grant: Grant) -> Limit | None:
        """Return the limit that the grant would exceed, with the largest headroom of all calls."""
        besides = [grant.beside, *self._beside]
        used = self._ledger.spent + self._reserved + grant.reserved
        for limit, figure, ceiling in self._ceilings:
            if figure(used) + max(map(figure, besides)) > ceiling:
                return limit
        return None

    def _pump(self) -> None:
        while self._queue:
            head = self._queue[0]
            if head.grant.done():  # cancelled, but still in the queue
                self._queue.popleft()
            elif self._ledger.overcharged:
                self._queue.popleft()
                head.grant.set_exception(Overcharged(self._ledger.overcharged))
            elif self._fits(head.at(head.length)):
                self._queue.popleft()
                head.grant.set_result(self._granted(head.at(head.length)))
            elif self._flying:
                return
            else:
                self._queue.popleft()
                self._shorten(head)

    def _shorten(self, head: _Waiting) -> None:
        lengths = range(head.least, head.length + 1)
        fitting = bisect.bisect_left(
            lengths, True, key=lambda n: self._exceeding(head.at(n)) is not None
        )
        limit = self._exceeding(head.at(lengths[fitting]))  # for the shortest that is too long
        assert limit is not None
        if fitting:
            head.grant.set_result(self._granted(head.at(lengths[fitting - 1], limit)))
        else:
            self.fired, self.refused = limit, True
            head.grant.set_exception(LimitReached(limit))
