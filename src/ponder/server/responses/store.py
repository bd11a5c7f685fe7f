"""Stored responses: a file beside the journal, so that they survive a restart."""

from __future__ import annotations

import time
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ponder import api
from ponder.core.errors import PonderError, UsageError
from ponder.core.problem import Message
from ponder.core.text import jsontext
from ponder.server.responses.form import FINAL, Status
from ponder.util import sqlite as database
from ponder.util.decoding import decode, parse
from ponder.util.sqlite import Format
from ponder.util.worker import this_one

MEMORY = ":memory:"
MOST = 1000
"""Most responses that are kept without a file."""
VERSION = 2
RESPONSES = Format(
    "store of responses",
    """
create table responses (
    number integer primary key, id text not null unique,
    owner text not null,         -- name of the key that asked; '' without keys
    created real not null,
    worker text not null,        -- the process that works on it; '' once it has ended
    request text not null,       -- its Idempotency-Key; '' without one
    run text not null,           -- ID of its run; '' before that has begun
    attempt integer not null,    -- number of processes that have worked on it before
    body text,                   -- JSON: what was asked; null once it has ended
    response text not null,      -- JSON, as it is retrieved
    conversation text not null,  -- JSON: all messages up to and with its answer
    events text                  -- JSON: its stream; null if it can't be read again
);
create index created on responses (created);
""",
    VERSION,
    "name another journal, since it lies beside that",
)


def place(journal: Path | str | bool) -> Path | str:
    """Return the file of the responses of a server with this journal; memory for one without."""
    if journal is False:
        return MEMORY
    path = api.journal_path() if journal is True else Path(journal)
    return path.with_name(f"{path.stem}-responses.sqlite")


@dataclass(frozen=True, slots=True)
class Stored:
    """One response."""

    id: str
    owner: str
    """The name of the key that asked for it."""
    response: dict[str, Any]
    """The response, as it is retrieved."""
    conversation: Sequence[Message]
    """The messages of its conversation, up to and with its answer."""
    events: Sequence[dict[str, Any]] | None = None
    """Its stream; None if it can't be read again."""
    worker: str = ""
    """The process that works on it; '' once it has ended."""
    request: str = ""
    """The ``Idempotency-Key`` that it was asked with; '' if none."""
    run: str = ""
    """The ID of its run; '' before that has begun."""
    attempt: int = 0
    """Number of processes that have worked on it before this one."""
    body: dict[str, Any] | None = None
    """The body of its request, as long as it is worked on."""

    @property
    def input(self) -> Sequence[Message]:
        """The messages of its conversation without its answer: no input ends with the assistant."""
        ends = bool(self.conversation) and self.conversation[-1].role == "assistant"
        return self.conversation[:-1] if ends else self.conversation

    @property
    def over(self) -> bool:
        """True if it changes no more."""
        return self.response["status"] in FINAL


class Store:
    """All stored responses of one file. Safe to open from several processes.

    Args:
        path: the file, or ``MEMORY``.
        retention: seconds for which a response is kept.

    Raises:
        UsageError: the file cannot be opened, or is of another kind.
    """

    def __init__(self, path: Path | str, retention: float) -> None:
        self._path, self._retention = path, retention
        self._db = database.connect(path, RESPONSES)
        self._end = weakref.finalize(self, self._db.close)  # at the latest at exit

    def close(self) -> None:
        """Close the file."""
        self._end()

    def put(self, one: Stored, *, works: bool = False) -> None:
        """Keep a response, in place of what was kept of it before. ``works``: this process goes on
        with it. Responses that are too old are dropped.
        """
        conversation = [message.describe() for message in one.conversation]
        parts = (one.body, one.response, conversation, one.events)
        texts = [None if part is None else jsontext.dumps(part) for part in parts]
        now = time.time()
        self._execute(
            "insert into responses (id, owner, created, worker, request, run, attempt, body, "
            "response, conversation, events) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
            "on conflict (id) do update set worker=excluded.worker, run=excluded.run, "
            "attempt=excluded.attempt, body=excluded.body, response=excluded.response, "
            "conversation=excluded.conversation, events=excluded.events",
            (
                one.id, one.owner, now, this_one() if works else "", one.request, one.run,
                one.attempt, *texts,
            ),
        )  # fmt: skip
        self._execute("delete from responses where created < ?", (now - self._retention,))
        if self._path == MEMORY:
            last = "(select max(number) from responses)"
            self._execute(f"delete from responses where number <= {last} - ?", (MOST,))

    def get(self, name: str, owner: str) -> Stored | None:
        """Return a response of this owner; None if there is none, or no longer.

        Raises:
            PonderError: it is damaged.
        """
        found = self._execute(
            "select response, conversation, events, worker, request, run, attempt, body "
            "from responses where id = ? and owner = ? and created >= ?",
            (name, owner, time.time() - self._retention),
        )
        if not found:
            return None
        response, conversation, events, worker, request, run, attempt, body = found[0]
        try:
            return Stored(
                name,
                owner,
                _response(parse(response)),
                decode(tuple[Message, ...], parse(conversation), "its conversation"),
                None if events is None else _events(parse(events)),
                decode(str, worker, "its worker"),
                decode(str, request, "its Idempotency-Key"),
                decode(str, run, "its run"),
                decode(int, attempt, "its attempt"),
                None if body is None else decode(dict[str, Any], parse(body), "its body"),
            )
        except (ValueError, UsageError) as error:  # also half of a character
            raise PonderError(f"the stored response {name!r} is damaged: {error}.") from None

    def unfinished(self) -> list[tuple[str, str, str]]:
        """Return the responses that a process works on, or worked on when it ended: ID, owner and
        process.
        """
        rows = self._execute(
            "select id, owner, worker from responses where worker != '' and created >= ?",
            (time.time() - self._retention,),
        )
        return [(str(name), str(owner), str(worker)) for name, owner, worker in rows]

    def take(self, one: Stored) -> bool:
        """Write down that this process works on a response now, in place of another; return False
        if a third one was faster.
        """
        sql = "update responses set worker = ? where id = ? and worker = ? returning id"
        return bool(self._execute(sql, (this_one(), one.id, one.worker)))

    def asked(self, owner: str, request: str, age: float) -> list[str]:
        """Return the responses that were asked for with an ``Idempotency-Key`` within so many
        seconds, the latest first.
        """
        rows = self._execute(
            "select id from responses where owner = ? and request = ? and created >= ? "
            "order by number desc",
            (owner, request, time.time() - min(age, self._retention)),
        )
        return [str(name) for [name] in rows]

    def drop(self, name: str, owner: str) -> bool:
        """Delete a response of this owner; return True if there was one."""
        sql = "delete from responses where id = ? and owner = ? returning id"
        return bool(self._execute(sql, (name, owner)))

    def _execute(self, sql: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(sql, values).fetchall()
        except database.ERRORS as error:
            raise PonderError(f"the store of responses cannot be used: {error}.") from None


def _response(value: Any) -> dict[str, Any]:
    found: dict[str, Any] = decode(dict[str, Any], value, "its response")
    decode(Status, found.get("status"), "its status")
    decode(bool, found.get("background"), "its background")
    decode(int, found.get("created_at"), "its time")
    decode(tuple[dict[str, Any], ...], found.get("output", []), "its output")
    return found


def _events(value: Any) -> list[dict[str, Any]]:
    found = list(decode(tuple[dict[str, Any], ...], value, "its stream"))
    for event in found:
        decode(str, event.get("type"), "the type of an event")
        decode(int, event.get("sequence_number"), "the number of an event")
    return found
