"""Stored responses: a file beside the journal, so that they survive a restart."""

from __future__ import annotations

import time
import weakref
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ponder import api
from ponder.core import jsontext
from ponder.core.errors import PonderError
from ponder.server.responses.form import Status
from ponder.server.responses.items import Item, Kept
from ponder.util import sqlite as database
from ponder.util.decoding import decode, parse
from ponder.util.sqlite import Format
from ponder.util.worker import this_one

MEMORY = ":memory:"
MOST = 1000
"""Most responses that are kept without a file."""
VERSION = 1
RESPONSES = Format(
    "store of responses",
    """
create table responses (
    number integer primary key, id text not null unique,
    owner text not null,         -- name of the key that asked; '' without keys
    created real not null,
    worker text not null,        -- the process that works on it; '' once it has ended
    response text not null,      -- JSON, as it is retrieved
    conversation text not null,  -- JSON: all items up to and with its answer
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
    conversation: Sequence[Item]
    """The items of its conversation, up to and with its answer."""
    events: Sequence[dict[str, Any]] | None = None
    """Its stream; None if it can't be read again."""
    worker: str = ""
    """The process that works on it; '' once it has ended."""


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
        parts = (one.response, one.conversation, one.events)
        texts = [None if part is None else jsontext.dumps(part) for part in parts]
        now = time.time()
        self._execute(
            "insert into responses (id, owner, created, worker, response, conversation, events) "
            "values (?, ?, ?, ?, ?, ?, ?) on conflict (id) do update set worker=excluded.worker, "
            "response=excluded.response, conversation=excluded.conversation, "
            "events=excluded.events",
            (one.id, one.owner, now, this_one() if works else "", *texts),
        )
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
            "select response, conversation, events, worker from responses "
            "where id = ? and owner = ? and created >= ?",
            (name, owner, time.time() - self._retention),
        )
        if not found:
            return None
        response, conversation, events, worker = found[0]
        try:
            return Stored(
                name,
                owner,
                _response(parse(response)),
                _items(parse(conversation)),
                None if events is None else _events(parse(events)),
                decode(str, worker, "its worker"),
            )
        except ValueError as error:  # also half of a character
            raise PonderError(f"the stored response {name!r} is damaged: {error}.") from None

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
    return found


def _items(value: Any) -> list[Item]:
    return [asdict(item) for item in decode(tuple[Kept, ...], value, "its conversation")]


def _events(value: Any) -> list[dict[str, Any]]:
    found = list(decode(tuple[dict[str, Any], ...], value, "its stream"))
    for event in found:
        decode(str, event.get("type"), "the type of an event")
    return found
