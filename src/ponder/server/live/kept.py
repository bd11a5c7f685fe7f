"""A record beside the journal: the owner of each run, and requests that may be repeated.

A request with an ``Idempotency-Key`` is written down before it begins, with the runs that it starts
as they start, and at its end its reply. A file of SQLite, so that a process that is killed at any
moment loses nothing of it.
"""

from __future__ import annotations

import json
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ponder.core.errors import PonderError, UsageError
from ponder.util import sqlite as database
from ponder.util.decoding import Malformed, decode, parse
from ponder.util.sqlite import Format
from ponder.util.worker import this_one

RETENTION = 86_400.0
"""Seconds after which a request is forgotten, so that its key means a new one."""
LARGEST = 8 << 20
"""Most bytes of a reply that is kept. A larger one is made again from its recorded runs."""
KEPT = Format(
    "record of requests",
    """
create table owners (
    run text primary key,
    key text not null,      -- the name of the API key; '' where there are none
    created real not null
);
create table requests (
    key text not null, name text not null,  -- whose it is, and its Idempotency-Key
    digest text not null,   -- of its method, address and body
    created real not null,
    worker text not null,   -- the process that answers it
    runs text not null,     -- JSON: the IDs of its runs, by place
    reply text, body blob,  -- JSON: status and headers; null until it is answered
    primary key (key, name)
);
""",
    1,
    "move it away",
)


@dataclass(frozen=True, slots=True)
class Kept:
    """A reply as it was sent."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Repeatable:
    """A request that may be repeated."""

    key: str
    """The name of the API key that it came with."""
    name: str
    """Its ``Idempotency-Key``."""
    digest: str
    """Identifies its method, address and body."""
    worker: str = ""
    """The process that answers it."""
    runs: tuple[str, ...] = ()
    """Its runs by their places in it; '' for one that has not begun."""
    reply: Kept | None = None
    """Its reply, once there is one."""


class Records:
    """The record of one server. Safe to use from several processes and threads; ``clock`` gives
    seconds since 1970.

    Raises:
        UsageError: the file cannot be opened, or is not such a record of this version.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path, self._clock = path, clock
        self._db = database.connect(path, KEPT)  # kept open: the last one to close waits for a disk
        self._one = threading.Lock()
        weakref.finalize(self, self._db.close)

    def _execute(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        try:
            with self._one:
                return self._db.execute(sql, values).fetchall()
        except database.ERRORS as error:
            if database.damaged(error):
                raise KEPT.refusal(self._path, "it is damaged") from None
            raise PonderError(f"the {KEPT.name} {self._path} cannot be used: {error}.") from None

    # Owners

    def own(self, run: str, key: str) -> None:
        """Write down that a run belongs to an API key."""
        self._execute("insert or ignore into owners values (?, ?, ?)", run, key, self._clock())

    def owner(self, run: str) -> str | None:
        """Return the name of the API key that a run belongs to; None if nobody's here."""
        found = self._execute("select key from owners where run = ?", run)
        return str(found[0][0]) if found else None

    def owned(self, key: str, after: str, count: int) -> list[str]:
        """Return at most so many runs of an API key, newest first; those after the run ``after``,
        unless it is ''.
        """
        rows = self._execute(
            "select run from owners where key = ?1 and (?2 = '' or (created, run) < "
            "(select created, run from owners where run = ?2)) order by created desc, run desc "
            "limit ?3",
            key, after, count,
        )  # fmt: skip
        return [str(run) for [run] in rows]

    # Requests

    def request(self, key: str, name: str) -> Repeatable | None:
        """Return a request by its ``Idempotency-Key``; None if there is none, or not any more."""
        rows = self._execute(
            "select digest, worker, runs, reply, body from requests where key = ? and name = ? "
            "and created >= ?",
            key, name, self._clock() - RETENTION,
        )  # fmt: skip
        try:
            return next((_request(key, name, *row) for row in rows), None)
        except Malformed as error:
            raise UsageError(f"a row of {self._path} is damaged: {error}; move it away.") from None

    def claim(self, asked: Repeatable) -> None:
        """Write down that this process answers a request, from its beginning or after a failure.
        Those of more than a day ago are deleted.
        """
        self._execute("delete from requests where created < ?", self._clock() - RETENTION)
        self._execute(
            "insert into requests values (?, ?, ?, ?, ?, ?, null, null) on conflict (key, name) "
            "do update set worker = excluded.worker",
            asked.key, asked.name, asked.digest, self._clock(), this_one(), "[]",
        )  # fmt: skip

    def started(self, asked: Repeatable, place: int, run: str) -> Repeatable:
        """Write down the run at a place of a request; return the request with it."""
        runs = dict(enumerate(asked.runs)) | {place: run}
        found = replace(asked, runs=tuple(runs.get(at, "") for at in range(max(runs) + 1)))
        self._execute(
            "update requests set runs = ? where key = ? and name = ?",
            json.dumps(found.runs), asked.key, asked.name,
        )  # fmt: skip
        return found

    def answered(self, asked: Repeatable, reply: Kept) -> None:
        """Keep the reply to a request, unless it is too large."""
        if len(reply.body) <= LARGEST:
            self._execute(
                "update requests set reply = ?, body = ? where key = ? and name = ?",
                json.dumps([reply.status, reply.headers]), reply.body, asked.key, asked.name,
            )  # fmt: skip

    def forget(self, asked: Repeatable) -> None:
        """Forget a request: nothing of it was begun."""
        self._execute("delete from requests where key = ? and name = ?", asked.key, asked.name)


def _request(
    key: str, name: str, digest: object, worker: object, runs: object, reply: object, body: object
) -> Repeatable:
    known: tuple[str, ...] = decode(
        tuple[str, ...], parse(decode(str, runs, "its runs")), "its runs"
    )
    kept = None
    if reply is not None:
        status, headers = decode(
            tuple[int, tuple[tuple[str, str], ...]],
            parse(decode(str, reply, "its reply")),
            "its reply",
        )
        if not isinstance(body, bytes) or not 200 <= status < 600:
            raise Malformed("its reply is none")
        kept = Kept(status, headers, body)
    who, digits = decode(str, worker, "its process"), decode(str, digest, "its digest")
    return Repeatable(key, name, digits, who, known, kept)
