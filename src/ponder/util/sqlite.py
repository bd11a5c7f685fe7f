"""SQLite files of Ponder: verified before anything is written, and refused if they are foreign.

A file is first examined read-only. It must be a regular file, undamaged (SQLite's own
``quick_check``, which reads every page once and so also terminates if pages refer to each other in
a cycle), and its tables must be exactly those of its kind: no others, no views, no triggers, which
would run on every statement. A refused file stays unchanged, byte for byte.
"""

from __future__ import annotations

import functools
import os
import re
import sqlite3
import stat
import urllib.parse
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ponder.core.errors import UsageError

WAIT = 30.0
"""Seconds to wait for a file that another process has locked."""
VALUE_LIMIT = 128 << 20
"""Maximum bytes of one value of a row."""
_MAGIC = b"SQLite format 3\x00"
_SIDES = ("-wal", "-shm", "-journal")

ERRORS = (sqlite3.Error, ValueError, OverflowError)
"""All exceptions that SQLite raises, also for a value that it cannot hold, such as half of a
character.
"""

Objects = dict[str, str]
"""The normalised SQL of each table, view, trigger or index of a file, by its name."""


class Foreign(Exception):
    """The reason why a file does not belong to Ponder, written to follow a colon, without a full
    stop.
    """


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file."""

    name: str
    """Its name in errors, such as ``journal``."""
    schema: str
    """The statements that create its tables."""
    version: int
    """The file's ``user_version``; 0 if the tables themselves hold the version."""
    advice: str
    """Advice for errors, written to follow a semicolon, without a full stop."""
    beside: str = ""
    """The statements that create the tables of another kind that may be in the same file."""
    joins: bool = False
    """True if its tables may be added to a file that has only those of the other kind."""

    @property
    def own(self) -> Objects:
        """Return its tables."""
        return _made_by(self.schema)

    def refusal(self, path: Path | str, why: object) -> UsageError:
        """Return the error for a file that cannot be used."""
        return UsageError(f"cannot open the {self.name} {path}: {why}; {self.advice}.")


def connect(path: Path | str, kind: Format, *, make: bool = True) -> sqlite3.Connection:
    """Open a file of this kind; with ``make``, an absent or empty one gets its tables.

    Raises:
        UsageError: the file is absent, damaged, locked, or of another kind or version.
    """
    if str(path) == ":memory:":
        db = _opened(":memory:")
        _create(db, kind)
        db.execute("pragma foreign_keys=on")
        return db
    try:
        if make:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        _look(path, kind, make)
        db = _opened(_uri(path, "rw"))
        try:
            if _missing(db, kind, make):  # the file may have been created since
                db.execute("pragma journal_mode=wal")
                _create(db, kind)
            db.execute("pragma synchronous=normal")
            db.execute("pragma foreign_keys=on")
        except BaseException:
            db.close()
            raise
    except (OSError, ValueError, sqlite3.Error, Foreign) as error:
        raise kind.refusal(path, _reason(error)) from None
    return db


def reopen(path: Path | str) -> sqlite3.Connection:
    """Open another connection to a file that ``connect`` has opened before."""
    return _opened(_uri(path, "rw"))


def _look(path: Path | str, kind: Format, make: bool) -> None:
    """Refuse a file that is not of this kind, without changing anything."""
    flags = os.O_RDWR | os.O_CREAT if make else os.O_RDONLY
    # Questions are private; and without O_NONBLOCK, opening a pipe waits for its writer.
    handle = os.open(path, flags | getattr(os, "O_NONBLOCK", 0), 0o600)
    try:
        before = os.fstat(handle)
        if not stat.S_ISREG(before.st_mode):
            raise Foreign("it is not a regular file")
        if not before.st_size:
            if not make:
                raise Foreign(f"it is not a {kind.name}, but empty")
            return
        if os.read(handle, len(_MAGIC)) != _MAGIC:
            raise Foreign("it is not a SQLite file")
        in_use = False
        for beside in (Path(f"{path}{side}") for side in _SIDES):
            if beside.is_symlink() or (beside.exists() and not beside.is_file()):
                raise Foreign(f"{beside.name} beside it is not a regular file")
            in_use |= beside.exists()
        try:
            # Without side files no process has it open, and none need be created to examine it.
            _examine(path, kind, make, "ro" if in_use else "ro&immutable=1")
        except (Foreign, sqlite3.Error):
            after = os.fstat(handle)
            if (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size):
                raise
            _examine(path, kind, make, "ro")  # another process has written meanwhile
    finally:
        os.close(handle)


def _examine(path: Path | str, kind: Format, make: bool, mode: str) -> None:
    with closing(_opened(_uri(path, mode))) as db:
        _missing(db, kind, make)
        if db.execute("pragma quick_check(1)").fetchone() != ("ok",):
            raise Foreign("it is damaged")


def _missing(db: sqlite3.Connection, kind: Format, make: bool) -> bool:
    """True if the tables have yet to be created."""
    found, own = _objects(db.execute("select name, sql from sqlite_master")), kind.own
    [[version]] = db.execute("pragma user_version")
    [[owner]] = db.execute("pragma application_id")
    if kind.version and version not in (0, kind.version):
        raise Foreign(
            f"it is another program's, or has format {version}, this Ponder reads {kind.version}"
        )
    beside = _made_by(kind.beside) if kind.beside else {}
    if owner or any(sql != (own | beside).get(name) for name, sql in found.items()):
        raise Foreign(f"it is not a {kind.name}, or is damaged")
    if own.keys() <= found.keys():
        return False
    if own.keys() & found.keys():
        raise Foreign("it lacks a table")
    if not make or (found and not kind.joins):
        raise Foreign(f"it is not a {kind.name}")
    return True


def _create(db: sqlite3.Connection, kind: Format) -> None:
    version = f"pragma user_version={kind.version};" if kind.version else ""
    schema = kind.schema.replace("create table", "create table if not exists")
    db.executescript(f"begin immediate; {schema} {version} commit;")


def _opened(where: str) -> sqlite3.Connection:
    db = sqlite3.connect(
        where, timeout=WAIT, isolation_level=None, check_same_thread=False, uri=where != ":memory:"
    )
    db.text_factory = lambda raw: raw.decode(errors="replace")
    db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, VALUE_LIMIT)
    return db


def _uri(path: Path | str, mode: str) -> str:
    return f"file:{urllib.parse.quote(str(Path(path).absolute()))}?mode={mode}"


@functools.cache
def _made_by(schema: str) -> Objects:
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(schema)
        return _objects(db.execute("select name, sql from sqlite_master"))


def _objects(rows: Iterable[tuple[object, object]]) -> Objects:
    """Return the objects without those that SQLite creates by itself."""
    return {
        str(name): " ".join(re.sub(r"--[^\n]*", "", str(sql)).lower().split())
        for name, sql in rows
        if sql is not None and not str(name).startswith("sqlite_")
    }


def damaged(error: Exception) -> bool:
    """True if SQLite's error is about the file's content, not about its use."""
    return isinstance(error, sqlite3.DatabaseError) and (
        type(error) is sqlite3.DatabaseError or isinstance(error, sqlite3.DataError)
    )


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return "it is damaged" if damaged(error) else str(error)
