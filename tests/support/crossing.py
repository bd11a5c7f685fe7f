"""Plain data, for the tests of the channel between a program and its tests."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

PLAIN = (
    type(None), bool, int, float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset,
    range, Fraction, Decimal,
)  # fmt: skip


def all_parts(value: Any) -> Iterator[Any]:
    """The value and what it holds."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        yield part
        if type(part) is dict:
            waiting += [*part, *part.values()]
        elif type(part) in (list, tuple, set, frozenset):
            waiting += part


def is_plain(value: Any, *others: type) -> bool:
    return all(type(part) in (*PLAIN, *others) for part in all_parts(value))


DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9)
    | st.binary(max_size=9) | st.binary(max_size=9).map(bytearray)
    | st.complex_numbers(allow_nan=False) | st.builds(range, st.integers(), st.integers())
    | st.builds(Fraction, st.integers(), st.integers(1, 99))
    | st.builds(lambda n, at: Decimal(n).scaleb(at), st.integers(-999, 999), st.integers(-9, 9))
    | st.sampled_from(["\ud800", "a\x00b", "\x1b[2J", Decimal("-0"), Decimal("inf"), -0.0, 1e400]),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner)
    | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    | st.frozensets(st.integers(), max_size=3) | st.sets(st.text(max_size=3), max_size=3),
    max_leaves=8,
)  # fmt: skip
KINDS = sorted(
    name
    for name, kind in vars(builtins).items()
    if isinstance(kind, type) and issubclass(kind, BaseException)
)
