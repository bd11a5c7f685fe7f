"""The handler that writes every call to the journal, and answers from it on resume.

Results are replayed in the order in which they were delivered. Lost calls are not replayed but
tried again; what they cost stays on the ledger. Once one of them succeeds, the run takes a way of
its own: what is recorded still answers the calls that it fits, but in no order.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

from ponder.core.effects import Call, Generate, Handler, Result
from ponder.core.errors import ReplayMismatch
from ponder.runtime.journal import Journal
from ponder.runtime.records import Row, unpack

PATIENCE = 1.0
"""Seconds in which nothing happens before a replay stops to wait for its turn."""


def recorded(
    inner: Handler, journal: Journal, run: str, rows: Sequence[Row] = (), *, ordered: bool = True
) -> Handler:
    """Wrap ``inner``; ``rows`` are those of an earlier attempt at the same run. Unless ``ordered``,
    they answer in any order, and what differs from them is asked anew.

    Raises (when called):
        ReplayMismatch: the run asks for other effects than the recorded ones.
    """
    book = _Book(journal, run, rows, ordered)

    async def handle(call: Call) -> Result:
        book.moves += 1
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
            book.moves += 1
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

    def __init__(self, journal: Journal, run: str, rows: Sequence[Row], ordered: bool) -> None:
        self._run = run
        self._replies = {row.path: row for row in rows if row.lost is None}
        ever_lost = {row.path for row in rows if row.lost is not None}
        self.lost = ever_lost - self._replies.keys()
        self._left = not ordered or bool(ever_lost & self._replies.keys())  # in an earlier attempt
        self._order = list(self._replies)
        self._next = 0
        self._passed: set[str] = set()
        self._turns: dict[str, asyncio.Future[None]] = {}
        self.seq = max((row.seq for row in rows), default=-1) + 1
        self.moves = 0
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
