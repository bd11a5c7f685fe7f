"""Hostile inputs of any format: damaged ones, and well-formed ones that say what nobody expects."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

WORDS = (
    "",
    "a",
    "\x1b[2J\x1b]52;c;QUFB\x07",
    "\u202e\u2069",
    "\ud800",
    "[red]a[/]",
    "\x00",
    "\x7f",
    "é" * 300,
    "1e400",
    "-1",
    "NaN",
    "../../etc/passwd",
    "script:x.py:f",
    "judge",
    "\\boxed{1e999999999}",
    "9" * 5000,
)
NUMBERS = (0, -1, 1, 2**31, 2**63, -(2**63), 10**400, 0.5, -0.0, 1e308, 5e-324)
RAW = (  # pieces of JSON that json.dumps does not write
    "NaN",
    "Infinity",
    "-Infinity",
    "1e400",
    "-1e400",
    "1E-400",
    "9" * 5000,
    "[" * 5000,
    '{"a":' * 5000,
    '"\\ud800"',
    "nul",
    '{"a":1,"a":2}',
    "0x10",
    "1_0",
    "\ufeff{}",
)
BYTES = (
    b"\x00",
    b"\xff",
    b"\x80",
    b"\n",
    b'"',
    b"\\",
    b"{",
    b"]",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\x00" * 64,
)

words = st.one_of(
    st.sampled_from(WORDS), st.text(st.characters(exclude_categories=()), max_size=20)
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(NUMBERS),
    st.integers(),
    st.floats(),
    words,
)
values: SearchStrategy[Any] = st.recursive(
    scalars,
    lambda of: st.one_of(st.lists(of, max_size=4), st.dictionaries(words, of, max_size=4)),
    max_leaves=8,
)


def paths(value: Any) -> list[tuple[Any, ...]]:
    """Where the parts of a JSON value are, the value itself among them."""
    found: list[tuple[Any, ...]] = [()]
    parts = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, part in parts:
        found += [(key, *path) for path in paths(part)]
    return found


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    changed = copy.copy(value)
    changed[path[0]] = replaced(value[path[0]], path[1:], new)
    return changed


def _dropped(value: Any, path: tuple[Any, ...]) -> Any:
    changed = copy.copy(value)
    if len(path) == 1:
        del changed[path[0]]
    else:
        changed[path[0]] = _dropped(value[path[0]], path[1:])
    return changed


@st.composite
def changed(draw: st.DrawFn, valid: Any) -> Any:
    """A JSON value like a valid one, in which some parts are others, or are gone."""
    value = valid
    for _ in range(draw(st.integers(0, 3))):
        path = draw(st.sampled_from(paths(value)))
        if path and draw(st.booleans()) and draw(st.booleans()):
            value = _dropped(value, path)
        else:
            value = replaced(value, path, draw(values))
    return value


_MARK = "@here@"


@st.composite
def json_text(draw: st.DrawFn, valid: Any) -> bytes:
    """A changed value as JSON, at times with a piece in it that JSON knows no value for."""
    value = draw(changed(valid))
    if not draw(st.integers(0, 3)):
        path = draw(st.sampled_from(paths(value)))
        text = json.dumps(replaced(value, path, _MARK))
        return text.replace(f'"{_MARK}"', draw(st.sampled_from(RAW))).encode()
    return json.dumps(value, ensure_ascii=draw(st.booleans())).encode(errors="surrogatepass")


@st.composite
def damaged(draw: st.DrawFn, valid: SearchStrategy[bytes]) -> bytes:
    """Bytes with flipped bits, cut, spliced, doubled, or with foreign pieces in them."""
    data = bytearray(draw(valid))
    rng = random.Random(draw(st.integers(0, 2**32)))
    for _ in range(draw(st.integers(0, 6))):
        at = rng.randrange(len(data) + 1)
        to = min(len(data), at + 1 + int(rng.expovariate(1 / 16)))
        match draw(st.integers(0, 6)):
            case 0 if at < len(data):
                data[at] ^= 1 << rng.randrange(8)
            case 1:
                del data[at:]
            case 2:
                del data[at:to]
            case 3:
                data[at:at] = rng.choice(BYTES)
            case 4:
                data[at:to] = rng.randbytes(to - at)
            case 5:
                data[at:at] = data[at:to] * rng.randrange(1, 4)
            case 6 if data:
                start = rng.randrange(len(data))
                data[at:to] = data[start : start + to - at]
    return bytes(data)


def hostile(*valid: bytes, more: SearchStrategy[bytes] | None = None) -> SearchStrategy[bytes]:
    """Damaged valid inputs, ``more`` (as it is, and damaged), and noise."""
    whole = st.sampled_from(valid)
    ways = [damaged(whole), st.binary(max_size=200), whole]
    if more is not None:
        ways += [more, more, damaged(more)]
    return st.one_of(*ways)


def lines(*of: SearchStrategy[bytes]) -> SearchStrategy[bytes]:
    """Some lines, each of one of the strategies."""
    return st.lists(st.one_of(*of), max_size=5).map(b"\n".join)
