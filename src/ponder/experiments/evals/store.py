"""The results store: one SQLite file with configurations, their outcomes, and the journal of runs.

The run that answers a problem of a configuration is recorded before its first token, so replaying
the journal is enough to resume. The store holds no gold: of a reference it holds only whether an
answer was right, and nothing in inference reads even that.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from ponder import api
from ponder.core.errors import PonderError, UsageError
from ponder.runtime.journal import Journal
from ponder.runtime.records import LATEST, MOST
from ponder.runtime.tables import FORMAT, STORE
from ponder.util import sqlite as database
from ponder.util.decoding import Malformed, decode, parse

if TYPE_CHECKING:
    pass

FIGURE_LIMIT = 1e30
"""Bound of an outcome's numbers, far above any real one."""
T = TypeVar("T")
State = Literal["open", "done", "failed", "refused"]


@dataclass(frozen=True, slots=True)
class Stored:
    """A configuration in the store."""

    id: str
    created: float
    """Seconds since 1970."""
    name: str
    suite: str
    model: str
    parameters: int
    """The model's number of parameters; 0 if unknown."""
    priced: bool
    """True if dollars are known."""
    file_sha256: str
    """Digest of the model's file; '' if it has none."""
    resolved: Mapping[str, Any]
    """Everything that changes the results."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one problem under one configuration."""

    problem_id: str
    position: int
    """Position in the suite."""
    level: str | int | None
    question: str
    """Digest of the question."""
    run: str
    state: State
    """``open`` (its run has not ended), ``done``, ``failed`` (no sample came back) or ``refused``
    (it fits neither context nor budget).
    """
    why: str = ""
    """Reason for ``failed`` or ``refused``."""
    answer: str | None = None
    key: str | None = None
    """The answer's key."""
    stopped_by: str | None = None
    """As in a run's result."""
    confidence: float | None = None
    """As in a run's result."""
    calls: int = 0
    """Number of samples. Tokens, dollars, FLOPs and seconds include verifiers."""
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    wasted_tokens: int = 0
    usd: float = 0.0
    flops: float = 0.0
    seconds: float = 0.0
    correct: bool | None = None
    """None until it is graded; no answer is a wrong answer."""

    @property
    def tokens(self) -> int:
        """All tokens, as a budget counts them."""
        return self.prompt_tokens + self.completion_tokens + self.wasted_tokens


_COLUMNS = tuple(f.name for f in fields(Outcome))
_STORED = tuple(f.name for f in fields(Stored))


def store_path() -> Path:
    """Return the default results store, beside the default journal."""
    return api.journal_path().with_name("results.sqlite")


class Store:
    """One results store. Use from one thread; several processes may have it open.

    Raises:
        UsageError: the file does not exist and is not to be created, or is something else.
    """

    def __init__(self, path: Path, *, make: bool = False) -> None:
        self.path = path
        self._journal: Journal | None = None
        if not make and not path.exists():
            raise UsageError(
                f"there is no results store {path}: 'ponder eval' makes one; or name another with "
                "--store."
            )
        self._db = database.connect(path, STORE, make=make)
        try:
            self._check_format()
        except BaseException:
            self._db.close()
            raise

    def _check_format(self) -> None:
        for (found,) in self._execute("select format from store"):
            if found != FORMAT:
                raise UsageError(
                    f"the results store {self.path} has format {repr(found)[:40]}, this Ponder "
                    f"reads {FORMAT}: name another file."
                )

    def journal(self) -> Journal:
        """Return the journal in the same file, on a connection of its own."""
        if self._journal is None:
            self._journal = Journal(self.path, join=True)
        return self._journal

    def _execute(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(sql, [_storable(value) for value in values]).fetchall()
        except database.ERRORS as error:
            if database.damaged(error):
                raise STORE.refusal(self.path, "it is damaged") from None
            raise PonderError(f"the results store {self.path} cannot be used: {error}.") from None

    def declare(self, new: Stored) -> None:
        """Add a configuration. An existing one keeps its name unless a new one is given.

        Raises:
            UsageError: it was evaluated with another file of the same model.
        """
        fields = {name: getattr(new, name) for name in _STORED}
        fields["resolved"] = json.dumps(new.resolved, allow_nan=False)
        self._insert("insert or ignore", "configurations", fields)
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
        """Return all configurations, newest first."""
        rows = self._execute(
            f"select {', '.join(_STORED)} from configurations order by created desc, id desc"
        )
        return [self._read(_stored, row) for row in rows]

    def _read(self, read: Callable[[tuple[Any, ...]], T], row: tuple[Any, ...]) -> T:
        try:
            return read(row)
        except Malformed as error:
            raise UsageError(
                f"a row of the results store {self.path} is damaged: {error}; name another file."
            ) from None

    def find(self, text: str) -> Stored:
        """Return the configuration with that ID, name or prefix of an ID.

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
        """Return a configuration's outcomes, in the order of the suite."""
        rows = self._execute(
            f"select {', '.join(_COLUMNS)} from outcomes where configuration = ? "
            "order by position, problem_id",
            (configuration,),
        )
        return [self._read(_outcome, row) for row in rows]

    def run_of(self, configuration: str, problem_id: str) -> str:
        """Return the run that answers a problem; '' if none was begun."""
        rows = self._execute(
            "select run from outcomes where configuration = ? and problem_id = ?",
            (configuration, problem_id),
        )
        return str(rows[0][0]) if rows else ""

    def begin(self, configuration: str, opened: Outcome, instead_of: str = "") -> str:
        """Record the run that will answer a problem; returns the recorded one.

        That is another run if another process was faster.
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
        """Write an outcome, replacing the problem's previous one."""
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
        """Record whether an answer to a problem is right, in all configurations that gave it."""
        marks = ", ".join("?" * len(configurations))
        self._execute(
            f"update outcomes set correct = ? where configuration in ({marks}) and problem_id = ? "
            "and answer is ? and state <> 'open'",
            (correct, *configurations, problem_id, answer),
        )

    def remove(self, configuration: str) -> None:
        """Delete a configuration, its outcomes and their runs.

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
        """Close the file."""
        if self._journal is not None:
            self._journal.close()
        self._db.close()


def _storable(value: Any) -> Any:
    """Replace lone surrogates, which a reply may end with: SQLite text cannot hold them."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _stored(row: tuple[Any, ...]) -> Stored:
    values = dict(zip(_STORED, row, strict=True))
    resolved = parse(decode(str, values["resolved"], "a configuration's text"))
    found: Stored = decode(
        Stored, {**values, "priced": _flag(values["priced"]), "resolved": resolved}, "it"
    )
    if not (0 <= found.created <= LATEST and 0 <= found.parameters < MOST):
        raise Malformed("a time or a number of parameters is out of bounds")
    return found


def _outcome(row: tuple[Any, ...]) -> Outcome:
    values = dict(zip(_COLUMNS, row, strict=True))
    right = values["correct"]
    found: Outcome = decode(
        Outcome, {**values, "correct": None if right is None else _flag(right)}, "it"
    )
    figures = (found.position, found.calls, found.usd, found.flops, found.seconds, found.tokens,
               found.prompt_tokens, found.cached_tokens, found.completion_tokens)  # fmt: skip
    if not all(0 <= figure < FIGURE_LIMIT for figure in figures):
        raise Malformed("a figure is out of bounds")
    if found.confidence is not None and not 0 <= found.confidence <= 1:
        raise Malformed("a confidence is not from 0 to 1")
    return found


def _flag(value: Any) -> bool:
    if type(value) is not int or value not in (0, 1):
        raise Malformed("a yes or no is neither 1 nor 0")
    return bool(value)
