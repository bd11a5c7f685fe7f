"""Exports the outcomes of a results store.

As one table with a row per problem of each configuration (CSV, Parquet), or as a store of their
own without the journal (SQLite), small enough to be kept beside a document.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from ponder.core.errors import MissingExtra, UsageError
from ponder.experiments.evals.store import Outcome, Store, Stored

_OF_CONFIGURATION = ("configuration", "name", "suite", "model", "parameters", "resolved")
COLUMNS = (*_OF_CONFIGURATION, *(f.name for f in fields(Outcome)))
SUFFIXES = (".csv", ".parquet", ".sqlite")


def export(path: Path, held: Sequence[tuple[Stored, Sequence[Outcome]]]) -> int:
    """Write the outcomes of these configurations, completely or not at all; returns their number.

    Raises:
        UsageError: the file's name has another ending, or it cannot be written.
        MissingExtra: Parquet needs pyarrow.
    """
    if path.suffix not in SUFFIXES:
        raise UsageError(f"cannot write {path}: expected a file of {' or '.join(SUFFIXES)}.")
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if path.suffix == ".sqlite":
            _store(beside, held)
        else:
            rows = [_row(one, outcome) for one, outcomes in held for outcome in outcomes]
            beside.write_bytes(_csv(rows) if path.suffix == ".csv" else _parquet(rows))
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise UsageError(f"cannot write {path}: {error.strerror}.") from None
    return sum(len(outcomes) for _, outcomes in held)


def _row(one: Stored, outcome: Outcome) -> dict[str, Any]:
    resolved = json.dumps(one.resolved, sort_keys=True)
    of = (one.id, one.name, one.suite, one.model, one.parameters, resolved)
    found = {f.name: getattr(outcome, f.name) for f in fields(Outcome)}
    found["level"] = None if outcome.level is None else str(outcome.level)  # one type per column
    return dict(zip(_OF_CONFIGURATION, of, strict=True)) | found


def _store(path: Path, held: Sequence[tuple[Stored, Sequence[Outcome]]]) -> None:
    made = Store(path, make=True)
    try:
        for one, outcomes in held:
            made.declare(one)
            for outcome in outcomes:
                made.finish(one.id, outcome)
    finally:
        made.close()


def _csv(rows: Sequence[dict[str, Any]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        right = row["correct"]
        writer.writerow({**row, "correct": None if right is None else int(right)})
    return text.getvalue().encode()


_TYPES = {"str": "string", "int": "int64", "float": "float64", "bool": "bool_"}


def _parquet(rows: Sequence[dict[str, Any]]) -> bytes:
    try:
        import pyarrow
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != "pyarrow":
            raise
        raise MissingExtra("parquet", "writing Parquet") from None
    hints = {**dict.fromkeys(_OF_CONFIGURATION, "str"), "parameters": "int", "level": "str"}
    for f in fields(Outcome):
        kind = str(f.type).removesuffix(" | None")
        hints.setdefault(f.name, kind if kind in _TYPES else "str")
    schema = pyarrow.schema([(name, getattr(pyarrow, _TYPES[hints[name]])()) for name in COLUMNS])
    sink = pyarrow.BufferOutputStream()
    parquet.write_table(pyarrow.Table.from_pylist(rows, schema=schema), sink)
    content: bytes = sink.getvalue().to_pybytes()
    return content
