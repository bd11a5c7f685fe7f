"""The runs of a server by their IDs: those in progress, those that ended lately, and whose."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ponder.api import journal_path
from ponder.core.record.events import Event, RunStarted, Subscriber
from ponder.planning.spec import Spec
from ponder.runtime.engine import Engine
from ponder.runtime.journal import Journal
from ponder.runtime.records import RunRow
from ponder.server.asking.asked import Planned
from ponder.server.errors import ApiError
from ponder.server.live.channel import Channel
from ponder.server.live.kept import Records, Repeatable
from ponder.server.live.recording import Recording
from ponder.util.threads import in_thread

T = TypeVar("T")
REMEMBERED = 20_000
"""Most events of ended runs that are kept in memory, for readers who come back."""


class Work(Protocol):
    """A run in progress."""

    def ended(self, tell: Callable[[], None]) -> None:
        """Call ``tell`` once it has ended."""

    async def stop(self) -> None:
        """End it with its best answer so far."""


class Claim:
    """The request with an ``Idempotency-Key`` that is being answered, and its runs."""

    def __init__(self, asked: Repeatable) -> None:
        self.asked = asked
        self.final = False
        """True if the reply stays as it is although its run may go on."""
        self._places = 0

    def next(self) -> tuple[int, str]:
        """Return the place of the next run, and its ID in an earlier attempt or ''."""
        place = self._places
        self._places += 1
        return place, self.asked.runs[place] if place < len(self.asked.runs) else ""


CLAIM: ContextVar[Claim | None] = ContextVar("claim", default=None)
"""The request that the current task answers, if it may be repeated."""


@contextmanager
def going_on(key: str, run: str) -> Generator[None, None, None]:
    """Have the next run go on with a recorded one of this API key, unless ``run`` is ''."""
    token = CLAIM.set(Claim(Repeatable(key, "", "", "", (run,)))) if run else None
    try:
        yield
    finally:
        if token is not None:
            CLAIM.reset(token)


class Going:
    """One run from its plan to its end, heard by whoever asked and by its channel."""

    def __init__(self, live: Live, key: str, work: Work, publish: Subscriber) -> None:
        self.channel, self.work = Channel(key), work
        self.run = ""
        """Its ID, once it has begun."""
        self._live, self._publish = live, publish
        self.claim = CLAIM.get()
        """The request that it belongs to, if that may be repeated."""
        self.place, self.recorded = self.claim.next() if self.claim else (0, "")
        """ID of the recorded run that it goes on with; '' for a new one."""

    def settled(self, planned: Planned) -> Planned:
        """Return the plan of the recorded run that it goes on with, or else the given one.

        Raises:
            ApiError: that run is in progress already.
            UsageError: another version of Ponder has recorded it.
        """
        row = self._live.journal.known(self.recorded) if self.recorded else None
        if row is None:
            self.recorded = ""
            return planned
        if self._live.going(row.id) is not None:
            raise ApiError(
                f"run {row.id} of this request was resumed and is in progress: see its events.",
                409,
                code="in_progress",
            )
        return replace(planned, spec=Spec.from_json(row.spec))

    def hear(self, event: Event) -> None:
        """Pass an event on."""
        if isinstance(event, RunStarted) and event.run:
            self.run = event.run
            self._live.began(self)
        self.channel.add(event)
        self._publish(event)


class Live:
    """All that a server knows of its runs besides the journal."""

    def __init__(self, engine: Engine, journal: Path | str | bool) -> None:
        self._engine = engine
        self.path = journal_path() if journal is True else Path(journal) if journal else None
        self._going: dict[str, Going] = {}
        self._over: dict[str, Going] = {}
        self._remembered = 0  # events of those that are over
        self._reading = asyncio.Lock()
        self.replies: dict[tuple[str, str], Recording] = {}
        """Replies to requests with an ``Idempotency-Key`` that are being made, by both keys."""

    @cached_property
    def records(self) -> Records:
        """The record beside the journal."""
        path = self._path()
        return Records(path.with_name(f"{path.stem}.served.sqlite"))

    @property
    def journal(self) -> Journal:
        """The journal that the runs in progress are written to."""
        return self._engine.journal(self._path())

    def _path(self) -> Path:
        if self.path is None:
            raise ApiError(
                "this server records no runs: start it without --no-journal.",
                404,
                code="no_journal",
            )
        return self.path

    @cached_property
    def _reader(self) -> Journal:
        """A connection of its own: runs take actions that another connection has written, and it
        may be used beside the event loop.
        """
        return Journal(self._path())

    async def read(self, use: Callable[..., T], *arguments: Any) -> T:
        """Call ``use`` with a journal and the arguments, beside the event loop."""
        self.journal.flush()
        async with self._reading:
            return await in_thread(use, self._reader, *arguments)

    # Runs

    def start(self, key: str, work: Work, publish: Subscriber) -> Going:
        """Return a run that is about to begin."""
        return Going(self, key, work, publish)

    def began(self, run: Going) -> None:
        """Note that a run has an ID now; nothing was spent before."""
        self.records.own(run.run, run.channel.key)
        if run.claim is not None and run.recorded != run.run:
            run.claim.asked = self.records.started(run.claim.asked, run.place, run.run)
        if (before := self._over.pop(run.run, None)) is not None:
            self._remembered -= len(before.channel.events)
        self._going[run.run] = run
        run.work.ended(lambda: self._ended(run))

    def _ended(self, run: Going) -> None:
        del self._going[run.run]
        self._over[run.run] = run
        run.channel.end()
        self._remembered += len(run.channel.events)
        while self._remembered > REMEMBERED and len(self._over) > 1:
            oldest = self._over.pop(next(iter(self._over)))
            self._remembered -= len(oldest.channel.events)

    def going(self, run: str) -> Going | None:
        """Return a run in progress here."""
        return self._going.get(run)

    def of(self, key: str) -> list[Going]:
        """Return the runs of an API key that are in progress here."""
        return [run for run in self._going.values() if run.channel.key == key]

    def heard(self, run: str) -> Channel | None:
        """Return the events of a run that is in progress here, or ended lately."""
        found = self._going.get(run) or self._over.get(run)
        return found.channel if found else None

    async def owned(self, run: str, key: str) -> RunRow:
        """Return a recorded run.

        Raises:
            ApiError: there is none, or it belongs to another API key, which is all the same.
        """
        row = None
        if self.records.owner(run) == key:
            row = await self.read(Journal.known, run)
        if row is None:
            raise ApiError(
                f"there is no run {run[:60]!r}: see GET /v1/runs.", 404, code="run_not_found"
            )
        return row
