"""Where a fuzzed file lies while it is read."""

from __future__ import annotations

import contextlib
import io
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from ponder.cli.root import run
from ponder.core.text.visible import visible


@contextmanager
def file_of(data: bytes, name: str) -> Iterator[Path]:
    """A file with these bytes, in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="ponder-fuzz-") as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        yield path


def commands(*lines: Sequence[str | Path]) -> list[int]:
    """Run command lines in this process: each ends with 0, 1 or 2, and prints nothing hostile.
    Returns how they ended.
    """
    codes = []
    for line in lines:
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            code = run([str(word) for word in line])
        said = out.getvalue()
        codes.append(code)
        assert code in (0, 1, 2), f"{line}: exit code {code}"
        assert visible(said) == said, f"{line}: a control character is printed"
    return codes


def database(schema: str, fill: Callable[[sqlite3.Connection], object]) -> bytes:
    """The bytes of an SQLite file."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        db.executescript(schema)
        fill(db)
        return db.serialize()


def row(db: sqlite3.Connection, table: str, values: Sequence[Any]) -> None:
    """Insert a row, if it is one that the table takes."""
    marks = ", ".join("?" * len(values))
    with contextlib.suppress(sqlite3.Error, OverflowError, UnicodeEncodeError):
        db.execute(f"insert into {table} values ({marks})", values)
