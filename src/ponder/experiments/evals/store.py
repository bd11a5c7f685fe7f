"""The results store: one SQLite file with configurations, their outcomes, and the journal of runs.

Which run answers which problem of which configuration is written before the run's first token, so
the journal's replay is all that resuming takes. No gold is in it: of a reference it holds only
whether an answer was right, and nothing in inference reads even that.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ponder import api
from ponder.core.errors import PonderError, UsageError
from ponder.runtime.journal import Journal, shared

if TYPE_CHECKING:
    pass

FORMAT = 1
_SCHEMA = """
create table if not exists store (format integer not null);
create table if not exists configurations (
    id text primary key, created real not null, name text not null, suite text not null,
    model text not null, parameters integer not null, priced integer not null,
    file_sha256 text not null, resolved text not null  -- JSON: all that changes the results
);
create table if not exists outcomes (
    configuration text not null references configurations(id) on delete cascade,
    problem_id text not null, position integer not null, level, question text not null,
    run text not null, state text not null, why text not null default '', answer text, key text,
    stopped_by text, confidence real, calls integer not null default 0,
    prompt_tokens integer not null default 0, cached_tokens integer not null default 0,
    completion_tokens integer not null default 0, wasted_tokens integer not null default 0,
    usd real not null default 0, flops real not null default 0, seconds real not null default 0,
    correct integer,  -- NULL until graded
    primary key (configuration, problem_id)
) without rowid;
"""
State = Literal["open", "done", "failed", "refused"]


@dataclass(frozen=True, slots=True)
class Stored:
    """A configuration as the store has it.

    ``resolved`` is everything that changes its results. ``parameters`` of the model, 0 if unknown;
    ``priced`` if dollars are known; ``file_sha256`` of the model's file, if it has one.
    """

    id: str
    created: float
    name: str
    suite: str
    model: str
    parameters: int
    priced: bool
    file_sha256: str
    resolved: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a configuration made of one problem.

    ``state`` is open (its run has not ended), done, failed (no sample came back; ``why``), or
    refused (it fits neither context nor budget; ``why``). ``position`` is that in the suite,
    ``question`` a digest of what was asked, ``key`` the answer's. ``stopped_by`` and ``confidence``
    are as in a run's result. ``calls`` counts samples; tokens, dollars, FLOPs and seconds are those
    of the whole receipt, verifiers included. ``correct`` is None until it is graded; no answer is a
    wrong answer.
    """

    problem_id: str
    position: int
    level: str | int | None
    question: str
    run: str
    state: State
    why: str = ""
    answer: str | None = None
    key: str | None = None
    stopped_by: str | None = None
    confidence: float | None = None
    calls: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    wasted_tokens: int = 0
    usd: float = 0.0
    flops: float = 0.0
    seconds: float = 0.0
    correct: bool | None = None

    @property
    def tokens(self) -> int:
        """All of them, as a budget counts."""
        return self.prompt_tokens + self.completion_tokens + self.wasted_tokens


_COLUMNS = tuple(f.name for f in fields(Outcome))
_STORED = tuple(f.name for f in fields(Stored))


def store_path() -> Path:
    """Where results are kept unless told otherwise: beside the default journal."""
    return api.journal_path().with_name("results.sqlite")


class Store:
    """One results store. Use from one thread; several processes may have it open.

    Raises:
        UsageError: there is no such file and it is not to be made, or it is something else.
    """

    def __init__(self, path: Path, *, make: bool = False) -> None:
        self.path = path
        if not make and not path.exists():
            raise UsageError(
                f"there is no results store {path}: 'ponder eval' makes one; or name another with "
                "--store."
            )
        try:
            if make:
                path.parent.mkdir(parents=True, exist_ok=True)
                os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # questions are private
            self._db = sqlite3.connect(path, timeout=30, isolation_level=None)
            try:
                self._prepare(make)
            except BaseException:
                self._db.close()
                raise
        except (OSError, sqlite3.Error) as error:
            raise UsageError(
                f"{path} cannot be opened as a results store: {error}; name another file."
            ) from None

    def _prepare(self, make: bool) -> None:
        tables = {name for (name,) in self._db.execute("select name from sqlite_master")}
        if make and not tables:
            self._db.execute("pragma journal_mode=wal")
            self._db.executescript(f"begin immediate; {_SCHEMA} commit;")
            self._db.execute(
                "insert into store select ? where not exists (select * from store)", (FORMAT,)
            )
        elif "store" not in tables:
            raise UsageError(
                f"{self.path} is no results store of 'ponder eval': name another file."
            )
        found = self._db.execute("select format from store").fetchone()
        if found is not None and found[0] != FORMAT:
            raise UsageError(
                f"the results store {self.path} has format {found[0]}, this Ponder reads {FORMAT}: "
                "name another file."
            )
        self._db.execute("pragma synchronous=normal")
        self._db.execute("pragma foreign_keys=on")

    def journal(self) -> Journal:
        """The journal in the same file."""
        return shared(self.path)

    def _execute(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise PonderError(f"the results store {self.path} cannot be used: {error}.") from None

    def declare(self, new: Stored) -> None:
        """Add a configuration. One that is there keeps its name unless a new one is given.

        Raises:
            UsageError: it was evaluated with another file of the same model.
        """
        self._insert("insert or ignore", "configurations", {
            **{name: getattr(new, name) for name in _STORED}, "resolved": json.dumps(new.resolved)
        })  # fmt: skip
        [held] = [one for one in self.configurations() if one.id == new.id]
        if held.file_sha256 != new.file_sha256:
            raise UsageError(
                f"configuration {new.id} was evaluated with another file of {new.model}: name "
                f"another store with --store, or forget it with 'ponder eval rm {new.id}'."
            )

    def rename(self, configuration: str, name: str) -> None:
        """Give a configuration another name."""
        self._execute("update configurations set name = ? where id = ?", (name, configuration))

    def configurations(self) -> list[Stored]:
        """All of them, newest first."""
        rows = self._execute(
            f"select {', '.join(_STORED)} from configurations order by created desc, id desc"
        )
        found = [dict(zip(_STORED, row, strict=True)) for row in rows]
        return [
            Stored(**{**r, "priced": bool(r["priced"]), "resolved": json.loads(r["resolved"])})
            for r in found
        ]

    def find(self, text: str) -> Stored:
        """The configuration of that ID or name, or whose ID begins so.

        Raises:
            UsageError: there is none, or more than one.
        """
        known = self.configurations()
        by_id = [one for one in known if one.id == text]
        by_name = [one for one in known if one.name == text]
        found = by_id or by_name or [one for one in known if text and one.id.startswith(text)]
        if not found:
            raise UsageError(
                f"no configuration has the name {text!r} or an ID that begins so: see 'ponder eval "
                "show'."
            )
        if len(found) > 1:
            ids = ", ".join(one.id for one in found)
            raise UsageError(f"{text!r} is ambiguous: say which of {ids} is meant.")
        return found[0]

    def outcomes(self, configuration: str) -> list[Outcome]:
        """Those of a configuration, in the order of the suite."""
        rows = self._execute(
            f"select {', '.join(_COLUMNS)} from outcomes where configuration = ? "
            "order by position, problem_id",
            (configuration,),
        )
        found = [dict(zip(_COLUMNS, row, strict=True)) for row in rows]
        return [
            Outcome(**{**r, "correct": None if r["correct"] is None else bool(r["correct"])})
            for r in found
        ]

    def run_of(self, configuration: str, problem_id: str) -> str:
        """The run that answers a problem; empty if none was begun."""
        rows = self._execute(
            "select run from outcomes where configuration = ? and problem_id = ?",
            (configuration, problem_id),
        )
        return str(rows[0][0]) if rows else ""

    def begin(self, configuration: str, opened: Outcome, instead_of: str = "") -> str:
        """Write down which run will answer a problem; returns the one that does.

        That is another one if another process was faster.
        """
        self._execute(
            "insert into outcomes (configuration, problem_id, position, level, question, run, "
            "state) values (?, ?, ?, ?, ?, ?, ?) on conflict do update set run = excluded.run, "
            "state = excluded.state where run = ?",
            (configuration, opened.problem_id, opened.position, opened.level, opened.question,
             opened.run, opened.state, instead_of),
        )  # fmt: skip
        return self.run_of(configuration, opened.problem_id)

    def finish(self, configuration: str, outcome: Outcome) -> None:
        """Write an outcome, in place of what is known of that problem."""
        values = {name: getattr(outcome, name) for name in _COLUMNS}
        self._insert("insert or replace", "outcomes", {"configuration": configuration, **values})

    def _insert(self, verb: str, table: str, values: Mapping[str, Any]) -> None:
        marks = ", ".join("?" * len(values))
        self._execute(
            f"{verb} into {table} ({', '.join(values)}) values ({marks})", [*values.values()]
        )

    def grade(
        self, configurations: Collection[str], problem_id: str, answer: str | None, correct: bool
    ) -> None:
        """Write whether an answer to a problem is right, for those that gave it."""
        marks = ", ".join("?" * len(configurations))
        self._execute(
            f"update outcomes set correct = ? where configuration in ({marks}) and problem_id = ? "
            "and answer is ? and state <> 'open'",
            (correct, *configurations, problem_id, answer),
        )

    def remove(self, configuration: str) -> None:
        """Forget a configuration, its outcomes and their runs.

        Raises:
            UsageError: a process is working on one of them.
        """
        journal = self.journal()
        there = {row.id for row in journal.runs()}
        runs = [o.run for o in self.outcomes(configuration) if o.run in there]
        for run in runs:
            journal.claim(run)
        for run in runs:
            journal.remove(run)
        self._execute("delete from configurations where id = ?", (configuration,))

    def close(self) -> None:
        """Close the file; the journal's own connection stays."""
        self._db.close()
