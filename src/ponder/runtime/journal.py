"""The append-only record of runs: their effects, results and costs. SQLite, write-ahead log.

There is one row per call that returned, in order of delivery, and one per call that was paid for
and lost. A row is committed before the strategy sees its result, so a process that is killed at any
moment loses only the calls in flight. Rows that arrive in one turn of the event loop share one
commit.
"""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
import time
import weakref
from contextlib import suppress
from dataclasses import asdict, fields, replace
from operator import attrgetter
from pathlib import Path
from typing import Any

from ponder.core.costs.ledger import Item
from ponder.core.errors import PonderError, UsageError
from ponder.core.record.effects import Call, Effect, Result
from ponder.core.record.events import Decision
from ponder.core.record.steering import Action
from ponder.core.text import jsontext
from ponder.runtime.records import (
    Row,
    RunRow,
    pack,
    pack_decision,
    read_action,
    read_decisions,
    read_rows,
    read_run,
)
from ponder.runtime.tables import JOURNAL
from ponder.util import sqlite as database
from ponder.util.decoding import Malformed
from ponder.util.encoding import encode
from ponder.util.worker import gone, number, this_one

_figures = attrgetter(*(f.name for f in fields(Item)))


def _costs(spent: Item) -> tuple[Any, ...]:
    """Return the figures in their order, without zeros of thinking at their end."""
    figures: tuple[Any, ...] = _figures(spent)
    return figures if spent.estimated_tokens else figures[: -1 if spent.reasoning_tokens else -2]


class Journal:
    """All runs of one file. Safe to open from several processes; use from one thread at a time.

    Raises:
        UsageError: the file cannot be opened, or is not a journal of this version.
    """

    def __init__(self, path: Path | str, *, join: bool = False) -> None:
        self.path = path
        self._pending: list[tuple[Any, ...]] = []
        self._decided: list[tuple[Any, ...]] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._db = database.connect(path, replace(JOURNAL, joins=join))
        self._end = weakref.finalize(self, self._db.close)  # at the latest at exit

    def _execute(self, sql: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(sql, values).fetchall()
        except database.ERRORS as error:
            raise self._error("used", error) from None

    def _error(self, done: str, error: Exception, then: str = "") -> PonderError:
        if database.damaged(error):
            return JOURNAL.refusal(self.path, "it is damaged")
        return PonderError(f"the journal cannot be {done}: {error}{then}.")

    def _damaged(self, run: object, error: Malformed) -> UsageError:
        return UsageError(
            f"run {str(run)[:40]!r} of the journal {self.path} is damaged: {error}; name another "
            "file with --journal, or move this one away."
        )

    def create(self, spec: dict[str, Any]) -> str:
        """Begin a run; return its ID."""
        text = jsontext.dumps(spec)
        while True:
            run = time.strftime("%Y%m%d-%H%M%S-") + secrets.token_hex(3)
            if self._execute(  # nothing, if another run of this second has that ID
                "insert or ignore into runs (id, created, spec, state, worker) "
                "values (?, ?, ?, 'running', ?) returning id",
                (run, time.time(), text, this_one()),
            ):
                return run

    def run(self, run: str) -> RunRow:
        """Return one run by its ID, or by an unambiguous prefix of it.

        Raises:
            UsageError: there is none, or more than one.
        """
        found = self._runs("where substr(id, 1, length(?1)) = ?1", (run,)) if run else []
        if len(found) != 1:
            what = "no run" if not found else f"{len(found)} runs"
            raise UsageError(f"{what} with an ID that starts with {run!r}: see 'ponder runs list'.")
        return found[0]

    def known(self, run: str) -> RunRow | None:
        """Return the run with exactly this ID; None if there is none."""
        return next(iter(self._runs("where id = ?", (run,))), None)

    def runs(self) -> list[RunRow]:
        """Return all runs, newest first."""
        return self._runs("", ())

    def _runs(self, where: str, values: tuple[Any, ...]) -> list[RunRow]:
        rows = self._execute(
            f"select id, created, spec, state, worker, result from runs {where} "
            "order by created desc, id desc",
            values,
        )
        return [self._run(row) for row in rows]

    def _run(self, row: tuple[Any, ...]) -> RunRow:
        try:
            return read_run(*row)
        except Malformed as error:
            raise self._damaged(row[0], error) from None

    def claim(self, run: str) -> None:
        """Claim a run for this process.

        Raises:
            UsageError: another process on this machine works on it.
        """
        worker = next(iter(self._execute("select worker from runs where id = ?", (run,))), (None,))[
            0
        ]
        if isinstance(worker, str) and worker and worker != this_one() and not gone(worker):
            raise UsageError(
                f"process {number(worker)} is working on run {run}: wait for it, or end it, and "
                "resume then."
            )
        self._execute(
            "update runs set state = 'running', worker = ? where id = ?", (this_one(), run)
        )

    def pause(self, run: str, paused: bool) -> None:
        """Record that a run in progress is paused, or continues."""
        state = "paused" if paused else "running"
        self._execute("update runs set state = ? where id = ?", (state, run))

    def finish(self, run: str, state: str, result: dict[str, Any] | None) -> None:
        """Close a run: ``state`` is done, incomplete (samples were lost), interrupted or failed."""
        ended = None if result is None else jsontext.dumps(result)
        self._commit(
            (
                "update actions set state = 'failed', why = 'the run has ended' "
                "where run = ? and state = 'pending'",
                (run,),
            ),
            (
                "update runs set state = ?, result = ?, worker = null where id = ?",
                (state, ended, run),
            ),
        )

    def send(self, run: str, action: Action) -> int:
        """Leave an action for the process that works on the run; return its number."""
        record = jsontext.dumps(asdict(action))
        [(number,)] = self._execute(
            "insert into actions (run, record, state) values (?, ?, 'pending') returning id",
            (run, record),
        )
        return int(number)

    def pending(self, run: str) -> list[tuple[int, Action]]:
        """Return the actions that were not taken yet, by number."""
        rows = self._execute(
            "select id, record from actions where run = ? and state = 'pending' order by id",
            (run,),
        )
        try:
            return [(number, read_action(record)) for number, record in rows]
        except Malformed as error:
            raise self._damaged(run, error) from None

    def applied(self, number: int) -> None:
        """Mark an action as taken."""
        self._execute("update actions set state = 'applied' where id = ?", (number,))

    def action(self, number: int) -> tuple[str, str]:
        """Return the state of an action (pending, applied or failed), and the reason of
        a failure.
        """
        [(state, why)] = self._execute("select state, why from actions where id = ?", (number,))
        return str(state), str(why)

    def sent(self, run: str, number: int) -> tuple[Action, str, str] | None:
        """Return one of a run's actions, its state, and the reason of a failure; None if the run
        has no such action.
        """
        rows = self._execute(
            "select record, state, why from actions where run = ? and id = ?", (run, number)
        )
        try:
            return next(((read_action(r), str(state), str(why)) for r, state, why in rows), None)
        except Malformed as error:
            raise self._damaged(run, error) from None

    @property
    def changes(self) -> int:
        """Return a number that grows whenever another connection has changed the file."""
        [(version,)] = self._execute("pragma data_version", ())
        return int(version)

    def remove(self, run: str) -> None:
        """Delete a run."""
        self._execute("delete from runs where id = ?", (run,))

    def forget(self, before: float) -> int:
        """Delete the runs that began before a time, except those that a process works on; return
        their number.
        """
        old = self._execute("select id, worker from runs where created < ?", (before,))
        found = [run for run, worker in old if not worker or gone(str(worker))]
        for run in found:
            self.remove(run)
        return len(found)

    def calls(self, run: str) -> list[Row]:
        """Return the calls of a run, in order of delivery."""
        if any(row[0] == run for row in self._pending):  # those of other runs can wait
            self.flush()
        rows = self._execute("select seq, record from calls where run = ? order by seq", (run,))
        try:
            return read_rows(rows)
        except Malformed as error:
            raise self._damaged(run, error) from None

    def note(
        self,
        run: str,
        seq: int,
        call: Call,
        effect: Effect,
        result: Result | None,
        lost: str | None,
    ) -> None:
        """Add a row; it is durable once ``settled`` or ``flush`` returns."""
        packed = None if result is None else pack(result)
        spent = None if call.spent is None else _costs(call.spent)
        record = encode((call.path, effect.describe(), packed, lost, spent))
        self._pending.append((run, seq, record.decode()))

    def decide(self, run: str, follows: int, place: int, decision: Decision) -> None:
        """Add a decision, the ``place``-th of those that follow so many calls.

        A decision already recorded in an earlier attempt at the run is not added again.
        """
        record = jsontext.dumps(pack_decision(decision))
        self._decided.append((run, follows, place, record))

    def decisions(self, run: str) -> list[tuple[int, Decision]]:
        """Return the decisions of a run in their order, each with the number of calls before it."""
        self.flush()
        rows = self._execute(
            "select follows, record from decisions where run = ? order by follows, place", (run,)
        )
        try:
            return read_decisions(rows)
        except Malformed as error:
            raise self._damaged(run, error) from None

    async def settled(self) -> None:
        """Wait until all rows noted so far are committed; one commit per turn of the loop."""
        loop = asyncio.get_running_loop()
        committed = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._settle)
        self._waiting.append(committed)
        await committed

    def _settle(self) -> None:
        waiting, self._waiting = self._waiting, []
        failure = None
        try:
            self.flush()
        except PonderError as error:
            failure = error
        for committed in waiting:
            if committed.done():
                continue
            if failure is None:
                committed.set_result(None)
            else:
                committed.set_exception(failure)

    def flush(self) -> None:
        """Commit pending rows.

        Raises:
            PonderError: the disk refuses the write.
        """
        self._commit()

    def _commit(self, *more: tuple[str, tuple[Any, ...]]) -> None:
        """Commit pending rows, and further statements after them."""
        rows, self._pending = self._pending, []
        decided, self._decided = self._decided, []
        if not (rows or decided or more):
            return
        try:
            self._db.execute("begin immediate")
            self._db.executemany("insert into calls values (?, ?, ?)", rows)
            self._db.executemany("insert or replace into decisions values (?, ?, ?, ?)", decided)
            for sql, values in more:
                self._db.execute(sql, values)
            self._db.execute("commit")
        except database.ERRORS as error:
            with suppress(sqlite3.Error):
                self._db.execute("rollback")
            then = "; make room for it, and take the run up again with 'ponder runs resume'"
            raise self._error("written", error, then) from None

    def close(self) -> None:
        """Commit and close the file."""
        self.flush()
        self._end()
