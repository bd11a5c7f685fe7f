"""The append-only record of runs: their effects, results and costs. SQLite, write-ahead log.

One row per call that came back, in the order in which results were delivered; one more per call
that was paid for and lost. A row is committed before the strategy sees its result, so a process
that is killed at any moment loses only what was still in flight. Rows that arrive in one turn of
the event loop share one commit.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sqlite3
import threading
import time
import weakref
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from operator import attrgetter
from pathlib import Path
from typing import Any

from ponder.core.answer import Answer
from ponder.core.effects import Call, Effect, Generate, Result, Steer
from ponder.core.errors import PonderError, UsageError
from ponder.core.ledger import Item
from ponder.core.trace import Score, Trace
from ponder.util.worker import gone, number, this_one

_SCHEMA = """
create table if not exists runs (
    id text primary key, created real not null, spec text not null,
    state text not null, worker text, result text
);
create table if not exists calls (
    run text not null references runs(id) on delete cascade, seq integer not null,
    record text not null,  -- JSON: path, effect, result, why it was lost, what was spent
    primary key (run, seq)
) without rowid;
"""
VERSION = 1
_figures = attrgetter(*(f.name for f in fields(Item)))


@dataclass(frozen=True, slots=True)
class Row:
    """One call as recorded. ``result`` is None if it was lost, and ``lost`` then says why."""

    seq: int
    path: str
    effect: dict[str, Any]
    result: Any
    lost: str | None
    spent: Item | None


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run as recorded. ``state`` is running, done, interrupted, failed, or cut off: its process
    ended before it did. Those that are not done can be resumed.
    """

    id: str
    created: float
    spec: dict[str, Any]
    state: str
    result: dict[str, Any] | None


class Journal:
    """All runs of one file. Safe to open from several processes; use from one thread at a time.

    Raises:
        UsageError: the file cannot be opened, or is no journal of this version.
    """

    def __init__(self, path: Path | str) -> None:
        self._pending: list[tuple[Any, ...]] = []
        self._waiting: list[asyncio.Future[None]] = []
        try:
            if str(path) != ":memory:":
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # questions are private
            self._db = sqlite3.connect(
                path, timeout=30, isolation_level=None, check_same_thread=False
            )
            self._end = weakref.finalize(self, self._db.close)  # at the latest at exit
            self._prepare(path)
        except (OSError, sqlite3.Error) as error:
            raise UsageError(
                f"cannot open the journal {path}: {error}; name another file with --journal."
            ) from None

    def _prepare(self, path: Path | str) -> None:
        version = self._db.execute("pragma user_version").fetchone()[0]
        if version not in (0, VERSION):
            raise UsageError(
                f"the journal {path} has format {version}, this Ponder reads {VERSION}: "
                "name another file with --journal."
            )
        self._db.execute("pragma journal_mode=wal")
        self._db.execute("pragma synchronous=normal")
        self._db.execute("pragma foreign_keys=on")
        self._db.executescript(_SCHEMA)
        self._db.execute(f"pragma user_version={VERSION}")

    def _execute(self, sql: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise PonderError(f"the journal cannot be used: {error}.") from None

    def create(self, spec: dict[str, Any]) -> str:
        """Begin a run; returns its ID."""
        run = time.strftime("%Y%m%d-%H%M%S-") + secrets.token_hex(3)
        self._execute(
            "insert into runs (id, created, spec, state, worker) values (?, ?, ?, 'running', ?)",
            (run, time.time(), json.dumps(spec), this_one()),
        )
        return run

    def run(self, run: str) -> RunRow:
        """One run by its ID, or by an unambiguous beginning of it.

        Raises:
            UsageError: there is none, or more than one.
        """
        found = self._runs("where substr(id, 1, length(?1)) = ?1", (run,)) if run else []
        if len(found) != 1:
            what = "no run" if not found else f"{len(found)} runs"
            raise UsageError(f"{what} with an ID that starts with {run!r}: see 'ponder runs list'.")
        return found[0]

    def runs(self) -> list[RunRow]:
        """All runs, newest first."""
        return self._runs("", ())

    def _runs(self, where: str, values: tuple[Any, ...]) -> list[RunRow]:
        rows = self._execute(
            f"select id, created, spec, state, worker, result from runs {where} "
            "order by created desc, id desc",
            values,
        )
        return [
            RunRow(i, c, json.loads(p), _state(s, w), None if r is None else json.loads(r))
            for i, c, p, s, w, r in rows
        ]

    def claim(self, run: str) -> None:
        """Take up a run that no process works on.

        Raises:
            UsageError: another process on this machine does.
        """
        [(worker,)] = self._execute("select worker from runs where id = ?", (run,))
        if worker and worker != this_one() and not gone(worker):
            raise UsageError(
                f"process {number(worker)} is working on run {run}: wait for it, or end it, and "
                "resume then."
            )
        self._execute(
            "update runs set state = 'running', worker = ? where id = ?", (this_one(), run)
        )

    def finish(self, run: str, state: str, result: dict[str, Any] | None) -> None:
        """Close a run: ``state`` is done, interrupted or failed."""
        self.flush()
        self._execute(
            "update runs set state = ?, result = ?, worker = null where id = ?",
            (state, None if result is None else json.dumps(result), run),
        )

    def remove(self, run: str) -> None:
        """Forget a run."""
        self._execute("delete from runs where id = ?", (run,))

    def calls(self, run: str) -> list[Row]:
        """The calls of a run, in the order of delivery."""
        self.flush()
        rows = self._execute("select seq, record from calls where run = ? order by seq", (run,))
        found = []
        for seq, record in rows:
            path, effect, result, lost, spent = json.loads(record)
            found.append(Row(seq, path, effect, result, lost, Item(*spent) if spent else None))
        return found

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
        spent = None if call.spent is None else _figures(call.spent)
        record = json.dumps((call.path, effect.describe(), packed, lost, spent))
        self._pending.append((run, seq, record))

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
        """Commit what is pending.

        Raises:
            PonderError: the disk does not take it.
        """
        rows, self._pending = self._pending, []
        if not rows:
            return
        try:
            self._db.execute("begin immediate")
            self._db.executemany("insert into calls values (?, ?, ?)", rows)
            self._db.execute("commit")
        except sqlite3.Error as error:
            with suppress(sqlite3.Error):
                self._db.execute("rollback")
            raise PonderError(
                f"the journal cannot be written: {error}; make room for it, and take the run up "
                "again with 'ponder runs resume'."
            ) from None

    def close(self) -> None:
        """Commit and close the file."""
        self.flush()
        self._end()


def _state(state: str, worker: str | None) -> str:
    return "cut off" if state == "running" and worker and gone(worker) else state


def shared(path: Path | str) -> Journal:
    """The journal of this file that this thread has open already, or else opens now.

    Opening and closing a database costs more than a short run. Raises as ``Journal``.
    """
    name = str(Path(path).absolute())
    journals: dict[str, Journal] = _shared.__dict__
    if name not in journals or not Path(path).exists():
        journals[name] = Journal(path)
    return journals[name]


_shared = threading.local()


def pack(result: Result) -> Any:
    """A result as JSON. Problems are left out: they stand in the run's specification."""
    if isinstance(result, Trace):
        answer = result.answer
        top = {} if result.top is None else {"top": [dict(place) for place in result.top]}
        return {
            "text": result.text,
            "tokens": result.tokens,
            "finish": result.finish,
            "answer": None if answer is None else [answer.text, answer.key],
            "logprobs": result.logprobs,
            "id": result.id,
            "parent": result.parent,
            **top,
        }
    return [asdict(r) if isinstance(r, Score) else pack(r) for r in result]


def unpack(packed: Any, effect: Effect) -> Result:
    """The result of ``effect`` from JSON."""
    if isinstance(effect, Generate):
        return _trace(packed, Trace.empty(effect.problem))
    if isinstance(effect, Steer):
        problem = effect.traces[0].problem if effect.traces else None
        return tuple(_trace(t, Trace.empty(problem)) for t in packed) if problem else ()
    return tuple(Score(**score) for score in packed)


def _trace(packed: dict[str, Any], empty: Trace) -> Trace:
    answer, logprobs, top = packed["answer"], packed["logprobs"], packed.get("top")
    return replace(
        empty,
        **{
            **packed,
            "answer": None if answer is None else Answer(*answer),
            "logprobs": None if logprobs is None else tuple(logprobs),
            "top": None if top is None else tuple(top),
        },
    )
