"""The handler that writes every call to the journal, and replays it on resume.

Results are replayed in order of delivery. Lost calls are not replayed but tried again; their cost
stays on the ledger. Once one of them succeeds, the run diverges from its record: recorded results
still answer the calls that they match, but in no order.

Where the order of calls matters to a limit of the budget, results are delivered one at a time, the
first time too: everything that follows from one is asked for before the next. So the order of
delivery, which is recorded, tells the order in which calls come to the budget.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

from ponder.core.errors import ReplayMismatch
from ponder.core.record.effects import Call, Effect, Generate, Handler, Result, Steer
from ponder.core.record.events import Decision
from ponder.runtime.journal import Journal
from ponder.runtime.records import Row, unpack

PATIENCE = 1.0
"""Seconds without progress after which a replay stops to wait for its turn."""

TURNS = 16
"""Turns of the event loop that it takes until everything that follows from a result was asked for:
three for each level of branches within branches.
"""


def recorded(inner: Handler, book: Book) -> Handler:
    """Wrap ``inner``.

    Raises (when called):
        ReplayMismatch: the run asks for other effects than the recorded ones.
    """

    async def handle(call: Call) -> Result:
        book.moves += 1
        if book.answers(call):
            return await book.replay(call)
        if isinstance(call.effect, Steer):
            if book.replaying:
                return ()  # nobody acted here
            actions = await inner(call)
            if not actions:
                return ()
            book.note(call, call.effect, actions, None)
            await book.settled()
            await book.deliver()
            return actions
        effect = call.effect  # a handler further in may shorten it
        result, lost = None, "cancelled"
        book.live += 1
        try:
            result = await inner(call)
        except Exception as error:
            lost = str(error) or type(error).__name__
            raise
        finally:
            book.live -= 1
            book.moves += 1
            if result is not None or call.spent is not None:
                book.note(call, effect, result, lost if result is None else None)
        await book.settled()
        if call.path in book.lost:
            book.leave()
        await book.deliver()
        return result

    return handle


class Book:
    """The record of one run: its rows, the position of the replay, and new rows.

    ``rows`` are those of an earlier attempt at the run. Unless ``ordered``, they answer in any
    order, and calls that differ from them are made again. If ``paced``, results are delivered one
    at a time.
    """

    def __init__(
        self,
        journal: Journal,
        run: str,
        rows: Sequence[Row] = (),
        *,
        ordered: bool = True,
        paced: bool = True,
    ) -> None:
        self._journal, self._run = journal, run
        self._follows, self._place = 0, 0
        self._replies = {row.path: row for row in rows if row.lost is None}
        ever_lost = {row.path for row in rows if row.lost is not None}
        self.lost = ever_lost - self._replies.keys()
        self._left = not ordered or bool(ever_lost & self._replies.keys())  # in an earlier attempt
        self._order = list(self._replies)
        self._next = 0
        self._passed: set[str] = set()
        self._turns: dict[str, asyncio.Future[None]] = {}
        self._seq = max((row.seq for row in rows), default=-1) + 1
        self._delivering = asyncio.Lock()
        self._paced = paced
        self.moves = 0
        self.live = 0

    def note(self, call: Call, effect: Effect, result: Result | None, lost: str | None) -> None:
        """Add a call; it is durable once ``settled`` returns."""
        self._journal.note(self._run, self._seq, call, effect, result, lost)
        self._seq += 1
        self._after(self._seq)

    def decide(self, decision: Decision) -> None:
        """Add a decision after the call that was delivered last."""
        self._journal.decide(self._run, self._follows, self._place, decision)
        self._place += 1

    def _after(self, calls: int) -> None:
        self._follows, self._place = calls, 0

    async def settled(self) -> None:
        """Wait until all added rows are durable."""
        await self._journal.settled()

    async def deliver(self) -> None:
        """Wait until everything that follows from earlier results was asked for."""
        if self._paced:
            async with self._delivering:
                for _ in range(TURNS):
                    await asyncio.sleep(0)

    def answers(self, call: Call) -> bool:
        """True if a recorded result answers the call."""
        row = self._replies.get(call.path)
        return row is not None and not (self._left and call.effect.describe() != row.effect)

    @property
    def replaying(self) -> bool:
        """True while some recorded results were not requested yet."""
        return not self._left and self._next < len(self._order)

    async def replay(self, call: Call) -> Result:
        """Return the recorded result of the call, once it is its turn.

        Raises:
            ReplayMismatch: another effect is recorded, or its turn never comes.
        """
        row = self._replies[call.path]
        asked = call.effect.describe()
        if asked != row.effect:
            raise ReplayMismatch(
                f"the journal of run {self._run} holds another effect at {call.path}: recorded "
                f"{json.dumps(row.effect)}, asked for {json.dumps(asked)}."
            )
        if not isinstance(call.effect, Generate):
            # The model calls that a verifier made for this result are not repeated.
            within = f"{call.path}."
            self._passed.update(path for path in self._order if path.startswith(within))
        turn = self._turns[call.path] = asyncio.get_running_loop().create_future()
        if self._left:
            turn.set_result(None)
        self._release()
        try:
            while not turn.done():
                before = self.moves
                await asyncio.wait([turn], timeout=PATIENCE)
                if not turn.done() and not self.live and self.moves == before:
                    raise ReplayMismatch(
                        f"the journal of run {self._run} has {self._order[self._next]} before "
                        f"{call.path}, and nobody asked for it: was the strategy changed since?"
                    )
            await self.deliver()
        finally:
            self._passed.add(call.path)
            self._release()
        call.replayed = True
        self._after(row.seq + 1)
        return unpack(row.result, call.effect)

    def leave(self) -> None:
        """Mark the run as diverged from its record: no call waits for its turn any more."""
        self._left = True
        for turn in self._turns.values():
            if not turn.done():
                turn.set_result(None)

    def _release(self) -> None:
        """Let the next call in the recorded order pass, skipping delivered and cancelled ones."""
        while self._next < len(self._order) and self._order[self._next] in self._passed:
            self._next += 1
        turn = self._turns.get(self._order[self._next]) if self._next < len(self._order) else None
        if turn is not None and not turn.done():
            turn.set_result(None)
