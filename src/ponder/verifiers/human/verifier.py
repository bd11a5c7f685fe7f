"""A person as a verifier: the run waits until somebody has judged its candidates.

Each request becomes an item in a queue, a SQLite file beside the journal. ``ponder review`` shows
the items and writes the judgements back. The run looks every half second. An item is identified by
the problem and the candidates' texts and places in the run, so a resumed run finds a judgement
given in the meantime, and nobody is asked the same thing twice. The judgement goes into the
journal as any verifier's scores do, with the comment as detail.

For open-ended tasks no other verifier is reliable.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import platformdirs

from ponder.core.errors import PonderError, UsageError
from ponder.core.problem import AnswerType, Problem
from ponder.core.sessions.session import Session
from ponder.core.text.refs import Ref
from ponder.core.text.refs import parse as parse_ref
from ponder.core.trace import Score, Trace, Verdict
from ponder.util import sqlite as database
from ponder.util.decoding import Malformed, decode, parse
from ponder.util.sqlite import Format
from ponder.util.worker import gone, this_one
from ponder.verifiers.base import Facts, Verifier
from ponder.verifiers.confidence import mean_logprob
from ponder.verifiers.naming import Arguments

KIND = "human"
POLL = 0.5
"""Seconds between two looks into the queue."""
VERSION = 2
QUEUE = Format(
    "queue",
    """
create table items (
    key text primary key, created real not null,
    left real,             -- when the last run stopped waiting for it; null: one did not say so
    worker text not null,  -- the process of that run
    item text not null     -- JSON: question, answer type, candidates
);
create table judgements (
    key text primary key references items(key),
    judgement text not null  -- JSON: how, scores, comment, who, when
);
""",
    VERSION,
    "name another file",
)
LATEST = 253_402_300_799
"""The last second of the year 9999, in seconds since 1970."""

T = TypeVar("T")
How = Literal["choice", "grades", "none"]


def queue_path() -> Path:
    """Return the queue's file: ``reviews.sqlite`` in Ponder's home, beside the default journal."""
    home = os.environ.get("PONDER_HOME") or platformdirs.user_data_dir("ponder", appauthor=False)
    return Path(home).expanduser() / "reviews.sqlite"


# What is judged, and what is said of it -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Candidate:
    """One trace, as a person sees it."""

    id: str
    text: str
    answer: str | None = None
    key: str | None = None
    """Identifies the answer: equal answers share a key. None if the trace has no answer."""
    tokens: int = 0
    cut: bool = False
    """True if the text was truncated at the token limit."""
    scores: dict[str, float] = field(default_factory=dict)
    """Scores that can be read off the trace, kept for training on the judgement later."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """One person's judgement of an item."""

    how: How
    scores: tuple[float, ...]
    """One score from 0 to 1 per candidate."""
    comment: str = ""
    who: str = ""
    at: float = 0.0
    """Seconds since 1970."""

    def verdict(self, value: float) -> Verdict:
        """Return the verdict that one of the scores stands for."""
        if self.how == "grades":
            return "scored"
        return "pass" if value else "fail"

    @property
    def detail(self) -> str:
        """The judgement in one line."""
        said = {"choice": "chosen", "grades": "graded", "none": "none found good"}[self.how]
        by = f" by {self.who}" if self.who else ""
        return f"{said}{by}" + (f": {self.comment}" if self.comment else "")


@dataclass(frozen=True, slots=True)
class Item:
    """One set of candidates to judge."""

    key: str
    question: str
    answer_type: str
    candidates: tuple[Candidate, ...]
    created: float = 0.0
    """Seconds since 1970."""
    waits: bool = True
    """True if a run that is still alive waits for it."""

    @property
    def groups(self) -> list[list[int]]:
        """Positions of candidates with the same answer, in the order of each group's first member.

        A candidate without an answer forms a group of its own.
        """
        found: dict[object, list[int]] = {}
        for i, candidate in enumerate(self.candidates):
            found.setdefault(i if candidate.key is None else candidate.key, []).append(i)
        return list(found.values())


def item(problem: Problem, traces: Sequence[Trace]) -> Item:
    """Return the item that asks a person about these traces."""
    candidates = tuple(_candidate(trace) for trace in traces)
    question = "\n\n".join(m.content for m in problem.asked if m.role != "assistant")
    told = [problem.answer_type, [[m.role, m.content] for m in problem.asked]]
    known = json.dumps([*told, [[c.id, c.text] for c in candidates]])
    key = hashlib.blake2b(known.encode(errors="replace"), digest_size=8).hexdigest()
    return Item(key, question, problem.answer_type, candidates)


def _candidate(trace: Trace) -> Candidate:
    answer, sure = trace.answer, mean_logprob(trace.logprobs or ())
    return Candidate(
        trace.id,
        trace.text,
        answer.text if answer else None,
        answer.key if answer else None,
        trace.tokens,
        trace.cut,
        {} if sure is None else {"mean_logprob": round(sure, 6)},
    )


# The queue ----------------------------------------------------------------------------------------


class Queue:
    """The queue of items that wait for a person, with the judgements. Safe across processes.

    Raises:
        UsageError: the file cannot be opened, or is not a queue of this version.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or queue_path()
        database.connect(self.path, QUEUE).close()

    def _execute(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        # A connection for each statement: some per second, and nothing to close when a run ends.
        try:
            with closing(database.reopen(self.path)) as db:
                return db.execute(sql, values).fetchall()
        except database.ERRORS as error:
            if database.damaged(error):
                raise QUEUE.refusal(self.path, "it is damaged") from None
            raise PonderError(f"the queue {self.path} cannot be used: {error}.") from None

    def _read(self, read: Callable[..., T], *values: Any) -> T:
        try:
            return read(*values)
        except Malformed as error:
            raise UsageError(
                f"a row of the queue {self.path} is damaged: {error}; name another file."
            ) from None

    def ask(self, asked: Item) -> None:
        """Add an item, or mark it as awaited again."""
        packed = json.dumps(
            [asked.question, asked.answer_type, [asdict(c) for c in asked.candidates]]
        )
        self._execute(
            "insert into items values (?, ?, null, ?, ?) on conflict (key) do update set "
            "left = null, worker = excluded.worker",
            asked.key, time.time(), this_one(), packed,
        )  # fmt: skip

    def leave(self, key: str) -> None:
        """Mark an item as no longer awaited."""
        self._execute("update items set left = ? where key = ?", time.time(), key)

    def judgement(self, key: str) -> Judgement | None:
        """Return the judgement of an item, if there is one."""
        rows = self._execute("select judgement from judgements where key = ?", key)
        return self._read(_judgement, rows[0][0]) if rows else None

    def judge(self, key: str, said: Judgement) -> bool:
        """Store a judgement; returns False if the item was judged already."""
        packed = json.dumps(asdict(said), allow_nan=False)
        sql = "insert or ignore into judgements values (?, ?) returning 1"
        return bool(self._execute(sql, key, packed))

    def waiting(self) -> list[Item]:
        """Return the items without a judgement: those that a run waits for first, then the
        oldest.
        """
        rows = self._execute(
            "select key, created, left, worker, item from items where key not in "
            "(select key from judgements) order by created, key"
        )
        found = [self._read(_item, *row) for row in rows]
        return sorted(found, key=lambda item: not item.waits)

    def drop(self) -> int:
        """Delete items that are not judged and that no run waits for; returns their number.

        A run that is resumed asks again.
        """
        left = self._execute("select key, left, worker from items")
        dropped = [
            self._execute(
                "delete from items where key = ? and left is ? and worker = ? and key not in "
                "(select key from judgements) returning 1",
                *row,
            )
            for row in left
            if row[1] is not None or gone(row[2])
        ]
        return sum(map(len, dropped))

    def judged(self) -> list[tuple[Item, Judgement]]:
        """Return all judged items with their judgements, in the order in which they were asked."""
        rows = self._execute(
            "select i.key, created, left, worker, item, judgement from items i join judgements j "
            "on i.key = j.key order by created, i.key"
        )
        return [self._read(_pair, *row) for row in rows]


def _item(key: object, created: object, left: object, worker: object, packed: object) -> Item:
    decode(str, key, "a key")
    decode(float | None, left, "a time")
    value = parse(decode(str, packed, "an item"))
    if not isinstance(value, list) or len(value) != 3:
        raise Malformed("an item must be a question, an answer type and candidates")
    question, kind, candidates = value
    waits = left is None and not gone(decode(str, worker, "a process"))
    read = decode(tuple[Candidate, ...], candidates, "a candidate")
    if not all(0 <= one.tokens < 1 << 62 for one in read):
        raise Malformed("a candidate's tokens are out of bounds")
    return Item(
        str(key),
        decode(str, question, "a question"),
        decode(AnswerType, kind, "an answer type"),
        read,
        _time(created),
        waits,
    )


def _time(value: object) -> float:
    found: float = decode(float, value, "a time")
    if not 0 <= found <= LATEST:
        raise Malformed("a time is in no calendar")
    return found


def _judgement(packed: object) -> Judgement:
    found: Judgement = decode(Judgement, parse(decode(str, packed, "a judgement")), "a judgement")
    _time(found.at)
    if not all(0 <= score <= 1 for score in found.scores):
        raise Malformed("a score must be from 0 to 1")
    return found


def _pair(*row: object) -> tuple[Item, Judgement]:
    item, said = _item(*row[:5]), _judgement(row[5])
    if len(item.candidates) != len(said.scores):
        raise Malformed("a judgement has not one score for each candidate")
    return item, said


# The verifier -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Human(Facts):
    """Waits for a person; after ``seconds``, asks the fallback through the session or abstains."""

    name: str = KIND
    seconds: float | None = None
    """Longest wait; None waits without a limit."""
    fallback: str = ""
    """Name of the verifier to ask when nobody answers in time; '' abstains."""
    parts: tuple[Verifier, ...] = ()
    """The fallback verifier itself, if there is one."""
    queue: Path | None = None
    """The queue's file."""
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    """Sleeps between two looks into the queue."""
    listwise: bool = True

    @property
    def asks(self) -> tuple[str, ...]:
        """The name of the fallback."""
        return (self.fallback,) if self.fallback else ()

    async def score(
        self, problem: Problem, traces: Sequence[Trace], session: Session
    ) -> list[Score]:
        """Return the person's score for each trace."""
        said = await self._judgement(Queue(self.queue), item(problem, traces))
        if said is not None and len(said.scores) != len(traces):
            raise UsageError("the queue's judgement has not one score for each candidate.")
        if said is not None:
            return [
                Score(value, self.name, said.detail, said.verdict(value)) for value in said.scores
            ]
        why = f"nobody judged it within {self.seconds:g} s"
        if not self.fallback:
            return [Score(None, self.name, why) for _ in traces]
        scores = await session.score(traces, self.fallback)
        return [replace(s, detail="; ".join(filter(None, [why, s.detail]))) for s in scores]

    async def _judgement(self, queue: Queue, asked: Item) -> Judgement | None:
        loop = asyncio.get_running_loop()
        end = math.inf if self.seconds is None else loop.time() + self.seconds
        queue.ask(asked)
        try:
            while (said := queue.judgement(asked.key)) is None:
                left = end - loop.time()
                if left <= 0:
                    return None
                await self.pause(min(POLL, left))
            return said
        finally:
            queue.leave(asked.key)


def human(find: Callable[[Ref], Verifier]) -> Callable[[Arguments], Human]:
    """Return a factory of ``human(SECONDS, FALLBACK)``; ``find`` looks up the fallback.

    Raises (when called):
        UsageError: the seconds are not a number above zero, or the fallback does not exist.
    """

    def make(given: Arguments) -> Human:
        told, fallback = given.text(0), given.at(1)
        if told is None:
            return Human()
        try:
            seconds = float(told)
        except ValueError:
            seconds = math.nan
        if not 0 < seconds < math.inf:
            raise UsageError(
                f"verifier {KIND!r}: expected the seconds to wait, such as {KIND}(600), not "
                f"{told!r}."
            )
        if fallback is None:
            return Human(given.name, seconds)
        part = find(fallback)
        name = Ref(KIND, (Ref(told), parse_ref(part.name)))
        return Human(str(name), seconds, part.name, (part,))

    return make
