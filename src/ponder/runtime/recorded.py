"""The handler that writes every call to the journal, and answers from it on resume.

Results are replayed in the order in which they were delivered. Lost calls are not replayed but
tried again; what they cost stays on the ledger. Once one of them succeeds, the run takes a way of
its own: what is recorded still answers the calls that it fits, but in no order.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

from ponder.core.effects import Call, Handler, Result
from ponder.core.errors import ReplayMismatch
from ponder.runtime.journal import Journal, Row, unpack

PATIENCE = 1.0
"""Seconds in which nothing happens before a replay stops to wait for its turn."""


def recorded(inner: Handler, journal: Journal, run: str, rows: Sequence[Row] = ()) -> Handler:
    """Wrap ``inner``; ``rows`` are those of an earlier attempt at the same run.

    Raises (when called):
        ReplayMismatch: the run asks for other effects than the recorded ones.
    """
    book = _Book(journal, run, rows)

    async def handle(call: Call) -> Result:
        book.asked += 1
        if book.answers(call):
            return await book.replay(call)
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
            if result is not None or call.spent is not None:
                journal.note(run, book.seq, call, effect, result, lost if result is None else None)
                book.seq += 1
        await journal.settled()
        if call.path in book.lost:
            book.leave()
        return result

    return handle


class _Book:
    """What was recorded, and how far it has been read."""

    def __init__(self, journal: Journal, run: str, rows: Sequence[Row]) -> None:
        self._run = run
        self._replies = {row.path: row for row in rows if row.lost is None}
        self.lost = {row.path for row in rows} - self._replies.keys()
        self._left = False
        self._order = list(self._replies)
        self._delivered = 0
        self._turns: dict[str, asyncio.Future[None]] = {}
        self.seq = max((row.seq for row in rows), default=-1) + 1
        self.asked = 0
        self.live = 0

    def answers(self, call: Call) -> bool:
        row = self._replies.get(call.path)
        return row is not None and not (self._left and call.effect.describe() != row.effect)

    async def replay(self, call: Call) -> Result:
        row = self._replies[call.path]
        asked = call.effect.describe()
        if asked != row.effect:
            raise ReplayMismatch(
                f"the journal of run {self._run} holds another effect at {call.path}: recorded "
                f"{json.dumps(row.effect)}, asked for {json.dumps(asked)}."
            )
        turn = self._turns[call.path] = asyncio.get_running_loop().create_future()
        if self._left:
            turn.set_result(None)
        self._release()
        while not turn.done():
            before = self.asked
            await asyncio.wait([turn], timeout=PATIENCE)
            if not turn.done() and not self.live and self.asked == before:
                raise ReplayMismatch(
                    f"the journal of run {self._run} has {self._order[self._delivered]} before "
                    f"{call.path}, and nobody asked for it: was the strategy changed since?"
                )
        call.replayed = True
        return unpack(row.result, call.effect)

    def leave(self) -> None:
        """The run differs from the recorded one from now on: nobody waits for a turn any more."""
        self._left = True
        for path in self._order:
            if path in self._turns and not self._turns[path].done():
                self._turns[path].set_result(None)

    def _release(self) -> None:
        while self._delivered < len(self._order) and self._order[self._delivered] in self._turns:
            turn = self._turns[self._order[self._delivered]]
            self._delivered += 1
            if not turn.done():
                turn.set_result(None)
