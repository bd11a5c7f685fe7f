"""The texts of ``ponder decide --lines``: a text in each line, or a JSON object with one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ponder.core.errors import UsageError
from ponder.util.decoding import Malformed, parse
from ponder.util.files import read_text, rows

LABEL = "label"
"""Field of the right choice."""


@dataclass(frozen=True, slots=True)
class Line:
    """A text to decide on."""

    number: int
    """Its line, from 1."""
    text: str
    fields: Mapping[str, Any]
    """The other fields of the line's object; none reaches a model."""

    def to_json(self, found: Mapping[str, Any]) -> dict[str, Any]:
        """Return a decision on it, with its own fields; a field of the decision's name is left
        out.
        """
        return {"line": self.number, **self.fields, **found}


def read_lines(file: Path, choices: Sequence[str] = ()) -> list[Line]:
    """Read the lines of a file that are not blank.

    ``choices`` are those of which each line's label must be one; none if no label is needed.

    Raises:
        UsageError: a line is no text and no such object, or there is none.
    """
    found = [_line(f"{file}, line {number}", number, row) for number, row in rows(read_text(file))]
    if not found:
        raise UsageError(f"{file} has no line to decide on: give a text in each line.")
    for line in found:
        label = line.fields.get(LABEL)
        if choices and label not in choices:
            raise UsageError(
                f"{file}, line {line.number}: {LABEL} must be one of {', '.join(choices)}, "
                f"not {label!r}."
            )
    return found


def _line(place: str, number: int, row: str) -> Line:
    if not row.startswith("{"):
        return Line(number, row, {})
    try:
        value = parse(row)
    except Malformed as error:
        raise UsageError(f"{place} begins with a brace but is no JSON object: {error}.") from None
    text = value.pop("text", None)
    if not isinstance(text, str) or not text.strip():
        raise UsageError(f'{place}: expected an object such as {{"text": "..."}}.')
    return Line(number, text, value)
