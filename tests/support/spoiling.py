"""Ways to spoil a request: its values, its text, its headers, its method and its path."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

HOSTILE: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    2**63,
    10**299,
    -(10**299),
    1e308,
    5e-324,
    "",
    " ",
    "\x00\x1b[31m",
    "\ud800",
    "\u202e\ufeff",
    "x" * 70_000,
    "[[[[",
    "../../etc/passwd",
    "http://169.254.169.254/",
    "<think>{{7*7}}</think>",
    [],
    {},
    [[]],
    {"": None},
    [None] * 50,
    {"type": "object", "$ref": "#"},
)
"""Values that stand where others are expected."""


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every container within a value, with each of its keys."""
    found: list[tuple[Any, Any]] = []
    level = [value]
    while level:
        one = level.pop()
        keys = [*one] if isinstance(one, dict) else range(len(one)) if isinstance(one, list) else ()
        for key in keys:
            found.append((one, key))
            level.append(one[key])
    return found


def _wrong_value(body: Any, rng: random.Random) -> Any:
    places = _places(body)
    if not places or rng.random() < 0.05:
        return deepcopy(rng.choice(HOSTILE))
    where, key = rng.choice(places)
    where[key] = deepcopy(rng.choice(HOSTILE))
    return body


def _missing(body: Any, rng: random.Random) -> Any:
    places = _places(body)
    if places:
        where, key = rng.choice(places)
        del where[key]
    return body


def _unknown(body: Any, rng: random.Random) -> Any:
    inner = [where[key] for where, key in _places(body) if isinstance(where[key], dict)]
    where = rng.choice([body, *inner])
    if isinstance(where, dict):
        where[rng.choice(("x", "", "base_url", "__proto__", "\ud800", "k" * 5000))] = 1
    return body


def _deep(body: Any, rng: random.Random) -> Any:
    places = _places(body)
    deep: Any = 1
    for _ in range(rng.choice((50, 99, 101, 400))):
        deep = [deep] if rng.random() < 0.5 else {"a": deep}
    if places:
        where, key = rng.choice(places)
        where[key] = deep
    return body


VALUES: Mapping[str, Callable[[Any, random.Random], Any]] = {
    "value": _wrong_value,
    "missing": _missing,
    "unknown": _unknown,
    "deep": _deep,
}


def _twice(text: str, rng: random.Random) -> bytes:
    return text.replace("{", '{"model": 7, "model": "scripted", ', 1).encode()


def _number(text: str, rng: random.Random) -> bytes:
    huge = rng.choice(("1" * 400, "1e999", "-1e999", "NaN", "Infinity", "0x1", "1" * 6000))
    at = text.find(":") + 1
    return f"{text[:at]} {huge}{text[at:]}".encode() if rng.random() < 0.3 else huge.encode()


def _bytes(text: str, rng: random.Random) -> bytes:
    data = bytearray(text.encode())
    for _ in range(rng.randint(1, 5)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)


TEXTS: Mapping[str, Callable[[str, random.Random], bytes]] = {
    "truncated": lambda text, rng: text[: rng.randrange(len(text))].encode(),
    "doubled": lambda text, rng: (text + text).encode(),
    "twice": _twice,
    "number": _number,
    "bytes": _bytes,
    "utf-16": lambda text, rng: text.encode("utf-16"),
    "utf-32": lambda text, rng: text.encode("utf-32-be"),
    "latin-1": lambda text, rng: text.replace("x", "\xe9").encode("latin-1", "replace"),
    "mark": lambda text, rng: b"\xef\xbb\xbf" + text.encode(),
    "brackets": lambda text, rng: b"[" * rng.choice((10, 1000, 100_000)),
    "braces": lambda text, rng: b'{"a":' * rng.choice((10, 1000, 100_000)),
    "noise": lambda text, rng: rng.randbytes(rng.choice((0, 1, 100, 10_000))),
    "large": lambda text, rng: b" " * 300_000 + text.encode(),
}

HEADERS: tuple[Mapping[str, str], ...] = (
    {"content-type": ""},
    {"content-type": "text/plain"},
    {"content-type": "application/json; charset=utf-16"},
    {"content-type": "multipart/form-data; boundary=x"},
    {"content-type": "x" * 5000},
    {"content-encoding": "gzip"},
    {"accept": "image/png"},
    {"accept": "application/json, text/event-stream"},
    {"authorization": "Bearer " + "x" * 20_000},
    {"authorization": "Bearer \xff\x00"},
    {"x-large": "x" * 100_000},
    {"cookie": "a=b; " * 3000},
    {"idempotency-key": "x" * 3000},
    {"last-event-id": "-1"},
    {"mcp-session-id": "none"},
    {"mcp-protocol-version": "2026-07-28"},
    {"mcp-protocol-version": "never"},
    {"transfer-encoding": "chunked", "content-length": ""},
    {"transfer-encoding": "chunked, gzip"},
    {"content-length": "-1"},
    {"content-length": "1" * 30},
    {"expect": "100-continue"},
    {"host": "evil.example"},
    {"x y": "z"},
    {"range": "bytes=0-"},
    {"anthropic-version": "never"},
)
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE", "BREW")
PATHS = ("%00", "%ff", "..%2f..%2fetc", "x" * 3000, "%ed%a0%80", "?limit=-1&after=%00", ":high")
