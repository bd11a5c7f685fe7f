"""Spending of each key: budgets per day and rates, in a file that outlives the server.

What a run may cost at most is held before it begins, and exchanged for what it did cost when it has
ended. What a process held that was killed counts as spent. Days are those of UTC.
"""

from __future__ import annotations

import math
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ponder.core.costs.cost import PICO, Cost
from ponder.core.errors import PonderError
from ponder.server.errors import ApiError
from ponder.server.keys import Key
from ponder.util import sqlite as database
from ponder.util.worker import gone, this_one

FORMAT = database.Format(
    "record of spending",
    """
create table spent (
    day text not null, key text not null, tokens integer not null, picousd integer not null,
    primary key (day, key)
) without rowid;
create table held (
    id integer primary key, day text not null, key text not null, tokens integer not null,
    picousd integer not null, worker text not null
);
create table rates (
    key text primary key, due real not null  -- the moment when all it asked for is worked off
) without rowid;
""",
    1,
    "move it away to begin another one",
)
KEPT = 40
"""Days after which what was spent is forgotten."""
_MINUTE = 60.0
_DAY = 86400
_MOST = 2**62
"""The largest figure that the file can hold a sum of two of."""


@dataclass(frozen=True, slots=True)
class Hold:
    """The highest cost that a run may have."""

    id: int
    day: str
    key: str
    cost: Cost


class Spending:
    """The record of all keys. Safe to open from several processes.

    Raises:
        UsageError: the file cannot be used.
    """

    def __init__(self, path: Path | str, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._db = database.connect(path, FORMAT)
        self.close = weakref.finalize(self, self._db.close)
        with self._changing():
            for id, day, key, worker in self._all("select id, day, key, worker from held", ()):
                if worker == this_one() or gone(str(worker)):  # this one has held nothing yet
                    self._book(day, key, self._sum("held", day, key, id))
                    self._all("delete from held where id = ?", (id,))
            self._all("delete from spent where day < ?", (self._day(-KEPT),))

    def _day(self, later: int = 0) -> str:
        return time.strftime("%Y-%m-%d", time.gmtime(self._clock() + later * _DAY))

    def _all(self, sql: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        return self._db.execute(sql, values).fetchall()

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Commit all changes, or none if there is an error.

        Raises:
            PonderError: the disk refuses the write.
        """
        try:
            self._db.execute("begin immediate")
            try:
                yield
            except BaseException:
                self._db.execute("rollback")
                raise
            self._db.execute("commit")
        except database.ERRORS as error:
            raise PonderError(f"the record of spending cannot be written: {error}.") from None

    def _book(self, day: str, key: str, cost: Cost) -> None:
        known = self._sum("spent", day, key)
        tokens, picousd = (min(_MOST, n) for n in _both(known + cost))
        self._all("insert or replace into spent values (?, ?, ?, ?)", (day, key, tokens, picousd))

    def _sum(self, table: str, day: str, key: str, id: int | None = None) -> Cost:
        """Return the sum of a key's rows, or of one of them. A file may hold other values than
        those that its columns name.
        """
        figures = ", ".join(
            f"coalesce(sum(max(0, cast({unit} as integer))), 0)" for unit in ("tokens", "picousd")
        )
        one = "" if id is None else " and id = ?"
        sql = f"select {figures} from {table} where day = ? and key = ?{one}"
        [row] = self._all(sql, (day, key) if id is None else (day, key, id))
        return Cost(*row)

    def spent(self, key: str) -> Cost:
        """Return what a key has spent today, without what is held."""
        return self._sum("spent", self._day(), key)

    def admit(self, key: Key) -> None:
        """Count a request.

        Raises:
            ApiError: the key has asked too often within a minute; says when to come back.
        """
        if key.per_minute is None:
            return
        with self._changing():
            now = self._clock()
            [due] = next(
                iter(self._all("select cast(due as real) from rates where key = ?", (key.name,))),
                (now,),
            )
            due = max(now, min(due, now + _MINUTE)) + _MINUTE / key.per_minute
            early = due - now - _MINUTE
            if early <= 1e-6:
                self._all("insert or replace into rates values (?, ?)", (key.name, due))
        if early > 1e-6:
            seconds = math.ceil(early)
            raise ApiError(
                f"the key {key.name!r} may ask {key.per_minute} times a minute: try again in "
                f"{seconds} s.",
                429,
                "rate_limit_error",
                code="rate_limit_exceeded",
                headers={"retry-after": str(seconds)},
            )

    def hold(self, key: Key, most: Callable[[Cost], Cost]) -> tuple[Hold, Cost]:
        """Hold what a run may cost at most; ``most`` returns it, given what is left of the day.

        Returns what is held, and what was left. A limit that the key does not have is as good as
        endless.

        Raises:
            ApiError: nothing is left.
        """
        day = self._day()
        with self._changing():
            spent, held = self._sum("spent", day, key.name), self._sum("held", day, key.name)
            limit = Cost(
                _MOST if key.day_tokens is None else key.day_tokens,
                _MOST if key.day_usd is None else round(key.day_usd * PICO),
            )
            left = limit - spent - held
            if min(_both(left)) <= 0:
                raise self._exhausted(key, waits=min(_both(limit - spent)) > 0)
            cost = most(left)
            [[id]] = self._all(
                "insert into held (day, key, tokens, picousd, worker) values (?, ?, ?, ?, ?) "
                "returning id",
                (day, key.name, cost.tokens, cost.picousd, this_one()),
            )
        return Hold(id, day, key.name, cost), left

    def settle(self, hold: Hold, cost: Cost) -> None:
        """Exchange what was held for what was spent."""
        with self._changing():
            self._all("delete from held where id = ?", (hold.id,))
            self._book(hold.day, hold.key, cost)

    def book(self, key: Key, cost: Cost) -> None:
        """Add what was spent without being held."""
        with self._changing():
            self._book(self._day(), key.name, cost)

    def _exhausted(self, key: Key, *, waits: bool) -> ApiError:
        if waits:
            return ApiError(
                f"the rest of today's budget of the key {key.name!r} is held by its runs in "
                "progress: try again when one has ended.",
                429,
                "rate_limit_error",
                code="rate_limit_exceeded",
                headers={"retry-after": "1"},
            )
        return self.exhausted(key)

    def exhausted(self, key: Key) -> ApiError:
        """Return the refusal for a key whose budget of the day cannot pay for a run."""
        seconds = _DAY - int(self._clock()) % _DAY
        return ApiError(
            f"today's budget of the key {key.name!r} is used up, or too small for this request: a "
            f"new day begins in {seconds} s.",
            429,
            "insufficient_quota",
            code="insufficient_quota",
            headers={"retry-after": str(seconds), "x-should-retry": "false"},
        )


def _both(cost: Cost) -> tuple[int, int]:
    return cost.tokens, cost.picousd
