"""JSON that somebody else may have written, as values of the types that it must have.

``parse`` takes text to plain values that everything after it can rely on: numbers are finite and
fit into a float, and nesting is bounded. ``decode`` takes those to frozen dataclasses, by the types
of their fields.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import types
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

DEPTH = 100
"""Levels of lists and objects within each other."""
DIGITS = 300
"""Digits of an integer; more do not fit into a float."""


class Malformed(ValueError):
    """The reason why a value is not as it must be, to follow a colon and no full stop."""


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
    """An upper bound of the nesting, which is cheap to find."""
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
    raise Malformed(f"more than {DEPTH} lists and objects are within each other")


# To types -----------------------------------------------------------------------------------------


def decode(kind: Any, value: Any, where: str = "it") -> Any:
    """Return ``value`` as ``kind``: a dataclass, ``str``, ``int``, ``float``, ``bool``, ``None``, a
    ``Literal``, ``tuple[T, ...]``, a union of these, a mapping from texts, or ``Any``.

    Lists become tuples. A dataclass is an object whose fields are exactly named; those that have a
    default may be left out. ``where`` names the value in the complaint.

    Raises:
        Malformed: the value is not that.
    """
    if kind is Any:
        return value
    if dataclasses.is_dataclass(kind):
        return _object(cast(type, kind), value, where)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        if isinstance(value, str) and value in arguments:
            return value
        raise Malformed(f"{where} must be one of {', '.join(map(str, arguments))}")
    if origin in (Union, types.UnionType):
        return _union(arguments, value, where)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise Malformed(f"{where} must be a list")
        return tuple([decode(arguments[0], v, where) for v in value])
    if origin in (dict, Mapping) or (isinstance(origin, type) and issubclass(origin, Mapping)):
        if not isinstance(value, dict):
            raise Malformed(f"{where} must be an object")
        return {name: decode(arguments[1], v, f"{where}.{name}") for name, v in value.items()}
    return _plain(kind, value, where)


def _plain(kind: Any, value: Any, where: str) -> Any:
    if kind in (None, types.NoneType):
        if value is None:
            return None
        raise Malformed(f"{where} must be null")
    if kind is float and type(value) is int and abs(value) < 10**DIGITS:
        return value
    if type(value) is not kind or (kind is float and not math.isfinite(value)):
        raise Malformed(f"{where} must be {_WORDS[kind]}")
    return value


_WORDS = {str: "a text", int: "a whole number", float: "a finite number", bool: "true or false"}


def _union(kinds: Sequence[Any], value: Any, where: str) -> Any:
    complaint = Malformed(f"{where} is of the wrong type")
    for kind in kinds:
        try:
            return decode(kind, value, where)
        except Malformed as error:
            if kind not in (None, types.NoneType):
                complaint = error
    raise complaint


def _object(kind: type, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise Malformed(f"{where} must be an object")
    expected = _fields(kind)
    for name in value:
        if name not in expected:
            raise Malformed(f"{where} has the unknown field {name[:40]!r}")
    found = {}
    for name, (hint, optional) in expected.items():
        if name in value:
            found[name] = decode(hint, value[name], f"{where}.{name}" if where != "it" else name)
        elif not optional:
            raise Malformed(f"{where} has no {name!r}")
    return kind(**found)


@functools.cache
def _fields(kind: type) -> dict[str, tuple[Any, bool]]:
    """The type of each field, and True if it may be left out."""
    hints = get_type_hints(kind)
    absent = dataclasses.MISSING
    return {
        f.name: (hints[f.name], f.default is not absent or f.default_factory is not absent)
        for f in dataclasses.fields(kind)
    }
