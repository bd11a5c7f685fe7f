"""Rows of a file, each with its position, so that an error can point to the broken one."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ponder.answers.numerals import plain_number
from ponder.core.collecting.collect import collect
from ponder.core.errors import UnknownName, UsageError
from ponder.util.files import rows, text_of

SUFFIXES = (".jsonl", ".jsonl.gz", ".json", ".csv")


@dataclass(frozen=True, slots=True)
class Row:
    """One row."""

    index: int
    """Position, from 0."""
    values: Mapping[str, Any]
    """Values by column."""
    place: str
    """Position in words, for errors."""
    stem: str = ""
    """The file's name without its suffix."""

    def __getitem__(self, column: str) -> Any:
        """Return the value of a column.

        Raises:
            UsageError: the column does not exist; names the nearest.
        """
        if column not in self.values:
            raise UsageError(f"{self.place}: {UnknownName('column', column, self.values)}")
        return self.values[column]

    def text(self, column: str) -> str:
        """Return the text of a column.

        Raises:
            UsageError: it is not a text, or empty.
        """
        value = self[column]
        if isinstance(value, int | float) and not isinstance(value, bool):
            return _digits(value)
        if not isinstance(value, str) or not value.strip():
            raise self.refusal(column, "a text")
        return value

    def number(self, column: str) -> str:
        """Return the number of a column, as digits: 27.0 is '27'.

        Raises:
            UsageError: it is not a number.
        """
        text = self.text(column)
        if plain_number(text) is None:
            raise self.refusal(column, "a number")
        return text.strip()

    def tests(self, code: str, entry_point: str) -> str:
        """Return the tests in the row.

        Raises:
            UsageError: no program could fail them, or they need a framework that is not supported.
        """
        try:
            collect(code, entry_point)
        except UsageError as error:
            raise UsageError(f"{self.place}: {error}") from None
        return code

    def refusal(self, column: str, expected: str) -> UsageError:
        """Return the error for a value that is not as ``expected``."""
        shown = json.dumps(self.values.get(column), default=str)
        shown = shown if len(shown) <= 40 else f"{shown[:37]}..."
        return UsageError(
            f"{self.place}: column {column!r} must be {expected}, not {shown}; repair the row."
        )


def _digits(value: float) -> str:
    return str(int(value)) if value == value // 1 else str(value)


def read(path: Path, under: str = "") -> Iterator[Row]:
    """Yield the rows of a JSON Lines (also gzipped), JSON or CSV file.

    JSON is an array of objects, or has one in its field ``under``. CSV has its columns' names in
    the first line.

    Raises:
        UsageError: the file cannot be read, or a row is broken; names the line.
    """
    if not path.name.endswith(SUFFIXES):
        raise UsageError(f"cannot read {path}: expected a file of {', '.join(SUFFIXES)}.")
    stem = path.name.split(".")[0]
    try:
        raw = path.read_bytes()
        content = gzip.decompress(raw) if path.suffix == ".gz" else raw
    except (OSError, EOFError) as error:
        raise UsageError(
            f"cannot read {path}: {getattr(error, 'strerror', '') or error}."
        ) from None
    text = text_of(content, path)
    if ".jsonl" in path.suffixes:
        found = _lines(path, text)
    else:
        found = _csv(path, text) if path.suffix == ".csv" else _json(path, text, under)
    for index, (place, value) in enumerate(found):
        if not isinstance(value, dict):
            raise UsageError(f"{place}: not a JSON object; each row must be one.")
        yield Row(index, value, place, stem)


def _lines(path: Path, text: str) -> Iterator[tuple[str, Any]]:
    for number, row in rows(text):
        place = f"{path}, line {number}"
        yield place, _loads(row, place)


def _json(path: Path, text: str, under: str) -> Iterator[tuple[str, Any]]:
    value = _loads(text, str(path))
    found = value.get(under) if under and isinstance(value, dict) else value
    if not isinstance(found, list):
        what = f"an array in the field {under!r}" if under else "an array of objects"
        raise UsageError(f"{path}: expected {what}.")
    for number, row in enumerate(found, 1):
        yield f"{path}, row {number}", row


def _loads(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{place}: not JSON ({error}); repair or remove it.") from None


def _csv(path: Path, text: str) -> Iterator[tuple[str, Any]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        for row in reader:
            place = f"{path}, line {reader.line_num}"
            if None in row or None in row.values():
                columns = len(reader.fieldnames or ())
                raise UsageError(f"{place}: expected {columns} columns; repair the row.")
            yield place, row
    except csv.Error as error:
        raise UsageError(f"{path}, line {reader.line_num}: not CSV ({error}).") from None
