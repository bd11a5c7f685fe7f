"""The handler that writes every call to the journal, and answers from it on resume.

Results are replayed in the order in which they were delivered. Lost calls are not replayed but
tried again; what they cost stays on the ledger. Once one of them succeeds, the run takes a way of
its own: what is recorded still answers the calls that it fits, but in no order.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

from ponder.core.effects import Call, Effect, Generate, Handler, Result, Steer
from ponder.core.errors import ReplayMismatch
from ponder.core.events import Decision
from ponder.runtime.journal import Journal
from ponder.runtime.records import Row, unpack

PATIENCE = 1.0
"""Seconds in which nothing happens before a replay stops to wait for its turn."""


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
            return actions
        effect = call.effect  # further in, it may be replaced by a shorter one
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
        return result

    return handle


class Book:
    """The record of one run: what is in it, how far it has been read, and what is added.

    ``rows`` are those of an earlier attempt at the run. Unless ``ordered``, they answer in any
    order, and what differs from them is asked anew.
    """

    def __init__(
        self, journal: Journal, run: str, rows: Sequence[Row] = (), *, ordered: bool = True
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
        self.moves = 0
        self.live = 0

    def note(self, call: Call, effect: Effect, result: Result | None, lost: str | None) -> None:
        """Add a call; it is durable once ``settled`` returns."""
        self._journal.note(self._run, self._seq, call, effect, result, lost)
        self._seq += 1
        self._after(self._seq)

    def decide(self, decision: Decision) -> None:
        """Add a decision, behind the call that was delivered last."""
        self._journal.decide(self._run, self._follows, self._place, decision)
        self._place += 1

    def _after(self, calls: int) -> None:
        self._follows, self._place = calls, 0

    async def settled(self) -> None:
        """Wait until all that was added is durable."""
        await self._journal.settled()

    def answers(self, call: Call) -> bool:
        """True if what is recorded answers the call."""
        row = self._replies.get(call.path)
        return row is not None and not (self._left and call.effect.describe() != row.effect)

    @property
    def replaying(self) -> bool:
        """True while there are recorded results that nobody has asked for yet."""
        return not self._left and self._next < len(self._order)

    async def replay(self, call: Call) -> Result:
        """The recorded result of the call, once it is its turn.

        Raises:
            ReplayMismatch: another effect is recorded, or it is never its turn.
        """
        row = self._replies[call.path]
        asked = call.effect.describe()
        if asked != row.effect:
            raise ReplayMismatch(
                f"the journal of run {self._run} holds another effect at {call.path}: recorded "
                f"{json.dumps(row.effect)}, asked for {json.dumps(asked)}."
            )
        if not isinstance(call.effect, Generate):
            # What a verifier asked of models to come to this result is not asked again.
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
        finally:
            self._passed.add(call.path)
            self._release()
        call.replayed = True
        self._after(row.seq + 1)
        return unpack(row.result, call.effect)

    def leave(self) -> None:
        """The run differs from the recorded one from now on: nobody waits for a turn any more."""
        self._left = True
        for turn in self._turns.values():
            if not turn.done():
                turn.set_result(None)

    def _release(self) -> None:
        """Whoever has passed, or was cancelled, makes way for the next in the recorded order."""
        while self._next < len(self._order) and self._order[self._next] in self._passed:
            self._next += 1
        turn = self._turns.get(self._order[self._next]) if self._next < len(self._order) else None
        if turn is not None and not turn.done():
            turn.set_result(None)
