"""Decoding of untrusted JSON into values of required types.

``parse`` takes text to plain values with guarantees: numbers are finite and fit into a float, and
nesting is bounded. ``decode`` takes those to frozen dataclasses, by the types of their fields.
"""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import msgspec

DEPTH = 100
"""Maximum nesting of lists and objects."""
DIGITS = 300
"""Maximum digits of an integer; more do not fit into a float."""


class Malformed(ValueError):
    """The reason why a value is invalid, written to follow a colon, without a full stop."""


def parse(text: str | bytes) -> Any:
    """Return the value of a JSON text.

    Raises:
        Malformed: it is not JSON, or it has numbers or nesting beyond the limits.
    """
    try:
        value = json.loads(text, parse_constant=_constant, parse_float=_finite, parse_int=_whole)
    except Malformed:
        raise
    except (ValueError, RecursionError) as error:
        why = "too deeply nested" if isinstance(error, RecursionError) else str(error)
        raise Malformed(f"not JSON ({why})") from None
    if _brackets(text) > DEPTH:
        _check_depth(value)
    return value


def _constant(name: str) -> object:
    raise Malformed(f"not JSON ({name} is not JSON)")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise Malformed("a number does not fit into a float")
    return value


def _whole(text: str) -> int:
    if len(text) > DIGITS:
        raise Malformed(f"a number has more than {DIGITS} digits")
    return int(text)


def _brackets(text: str | bytes) -> int:
    """Return a cheap upper bound of the nesting."""
    if isinstance(text, str):
        return text.count("[") + text.count("{")
    return text.count(b"[") + text.count(b"{")


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEPTH + 1):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return
    raise Malformed(f"more than {DEPTH} levels of lists and objects")


# To types -----------------------------------------------------------------------------------------


def decode(kind: Any, value: Any, where: str = "it") -> Any:
    """Return ``value`` as ``kind``: a dataclass, ``str``, ``int``, ``float``, ``bool``, ``None``, a
    ``Literal``, ``tuple[T, ...]``, a union of these, a mapping with text keys, or ``Any``.

    Lists become tuples. A dataclass is an object with exactly its field names; fields with a
    default may be omitted. A union may contain at most one dataclass. ``where`` names the value in
    the error.

    Raises:
        Malformed: the value has another type.
    """
    try:
        made = msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as error:
        raise Malformed(_complaint(str(error), where)) from None
    except UnicodeEncodeError:  # msgspec reads texts as UTF-8, except where any text will do
        raise Malformed(f"{where} has half of a character (a lone surrogate)") from None
    _check(made, value, where)
    return made


def _check(made: Any, value: Any, where: str) -> None:
    """Refuse what msgspec accepts: unknown fields, and numbers that are not finite."""
    if isinstance(made, float) and not math.isfinite(made):
        raise Malformed(f"{where} must be a finite number")
    if isinstance(made, tuple):
        for i, (one, of) in enumerate(zip(made, value, strict=True)):
            _check(one, of, f"{where}[{i}]")
    elif isinstance(made, dict):
        for name, one in made.items():
            _check(one, value[name], f"{where}.{name}")
    elif dataclasses.is_dataclass(made):
        known = {field.name for field in dataclasses.fields(made)}
        for name, of in value.items():
            if name not in known:
                raise Malformed(f"{where} has the unknown field {name[:40]!r}")
            _check(getattr(made, name), of, f"{where}.{name}".removeprefix("it."))


_WORDS = {"str": "a text", "int": "a whole number", "float": "a finite number", "array": "a list",
          "bool": "true or false", "object": "an object"}  # fmt: skip


def _complaint(said: str, where: str) -> str:
    """Return msgspec's complaint in our words."""
    what, _, path = said.partition(" - at `$")
    place = (where + path.rstrip("`")).removeprefix("it.")
    quoted = what.partition("`")[2].rpartition("`")[0]
    if what.startswith("Object missing"):
        return f"{place} has no {quoted!r}"
    if what.startswith("Invalid enum value"):
        return f"{place} must be one of those that are known, not {what.split(' ', 3)[3][:40]}"
    kinds = quoted.partition("`")[0].split(" | ")
    return f"{place} must be {' or '.join(_WORDS.get(kind, kind) for kind in kinds)}"
