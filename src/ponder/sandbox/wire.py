"""Plain data as bytes, and bytes as frames: what passes between the processes of a sandbox.

Nothing that is unpacked runs anything, whoever packed it. Part of what is sent into a sandbox: the
standard library only, and no more imports than it takes.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # not from `typing`: each import delays every verdict
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

LONGEST_FRAME = 64 * 2**20
"""Bytes. A longer one is none."""


def pack(value: Any, other: Callable[[Any], bytes]) -> bytes:
    """Data as bytes. ``other`` packs what is none; a subclass's instance is what it extends.

    Raises:
        RecursionError: it is nested too deeply, or in itself.
    """
    out: list[bytes] = []
    _pack(value, other, out)
    return b"".join(out)


_CONTAINERS: tuple[tuple[Any, bytes], ...] = (
    (list, b"l"),
    (tuple, b"t"),
    (frozenset, b"z"),
    (set, b"S"),
)


def _pack(value: Any, other: Callable[[Any], bytes], out: list[bytes]) -> None:
    kind = type(value)
    if value is None or kind is bool:
        out.append({None: b"N", True: b"T", False: b"F"}[value])
    elif isinstance(value, int):
        out.append(b"i%x;" % int(value) if value >= 0 else b"j%x;" % -int(value))
    elif isinstance(value, float):
        out.append(b"f%s;" % float.hex(value).encode())
    elif isinstance(value, complex):
        out.append(b"c%s;" % f"{value.real.hex()} {value.imag.hex()}".encode())
    elif isinstance(value, str):
        _pack_bytes(b"s", str.encode(value, "utf-8", "surrogatepass"), out)
    elif isinstance(value, bytes | bytearray):
        _pack_bytes(b"b" if isinstance(value, bytes) else b"a", bytes(value), out)
    elif isinstance(value, dict):
        out.append(b"d%x;" % dict.__len__(value))
        for key, item in dict.items(value):
            _pack(key, other, out)
            _pack(item, other, out)
    elif kind is range:
        out.append(b"r")
        _pack((value.start, value.stop, value.step), other, out)
    elif (kind.__module__, kind.__name__) in (("fractions", "Fraction"), ("decimal", "Decimal")):
        _pack_bytes(b"q" if kind.__name__ == "Fraction" else b"D", str(value).encode(), out)
    else:
        for base, tag in _CONTAINERS:
            if isinstance(value, base):
                out.append(b"%s%x;" % (tag, base.__len__(value)))
                for item in base.__iter__(value):
                    _pack(item, other, out)
                return
        out.append(other(value))


def _pack_bytes(tag: bytes, data: bytes, out: list[bytes]) -> None:
    out.append(b"%s%x;" % (tag, len(data)))
    out.append(data)


def unpack(data: bytes, other: Callable[[int], Any]) -> Any:
    """The inverse; ``other`` is given the number that stands for what is no data.

    Raises:
        ValueError, RecursionError: it is nothing that ``pack`` made.
    """
    value, end = _unpack(data, 0, other)
    if end != len(data):
        raise ValueError("more than one value")
    return value


def _unpack(data: bytes, at: int, other: Callable[[int], Any]) -> tuple[Any, int]:
    tag = data[at : at + 1]
    if tag in (b"N", b"T", b"F"):
        return {b"N": None, b"T": True, b"F": False}[tag], at + 1
    if tag == b"r":
        bounds, at = _unpack(data, at + 1, other)
        return range(*bounds), at
    end = data.index(b";", at)
    text, at = data[at + 1 : end].decode(), end + 1
    if tag == b"f":
        return float.fromhex(text), at
    if tag == b"c":
        real, imaginary = text.split()
        return complex(float.fromhex(real), float.fromhex(imaginary)), at
    number = int(text, 16)
    if tag in (b"i", b"j"):
        return (number if tag == b"i" else -number), at
    if tag == b"h":
        return other(number), at
    if tag in (b"s", b"b", b"a", b"q", b"D", b"m"):
        return _text(tag, data[at : at + number]), at + number
    if tag not in (b"l", b"t", b"z", b"S", b"d"):
        raise ValueError("not data")
    items = []
    for _ in range(number * 2 if tag == b"d" else number):
        item, at = _unpack(data, at, other)
        items.append(item)
    if tag == b"d":
        return dict(zip(items[::2], items[1::2], strict=True)), at
    if tag == b"l":
        return items, at
    return {b"t": tuple, b"z": frozenset, b"S": set}[tag](items), at


def _text(tag: bytes, data: bytes) -> Any:
    if tag in (b"b", b"a"):
        return data if tag == b"b" else bytearray(data)
    text = data.decode("utf-8", "surrogatepass")
    if tag == b"q":
        from fractions import Fraction

        return Fraction(text)
    if tag == b"D":
        from decimal import Decimal

        return Decimal(text)
    if tag == b"m":  # the tests' own copy, not what the program calls so
        if text.partition(".")[0] not in sys.stdlib_module_names:
            raise ValueError(f"{text} is no module of the standard library")
        return __import__(text, fromlist=["*"])
    return text


def write_frame(channel: int, data: bytes) -> None:
    """The length in 8 bytes, then the data."""
    view = memoryview(len(data).to_bytes(8, "big") + data)
    while view:
        view = view[os.write(channel, view) :]


def read_frame(channel: int) -> bytes | None:
    """The next frame, or None at the end of the channel or if it is no frame."""
    head = _read(channel, 8)
    size = int.from_bytes(head, "big")
    if len(head) < 8 or size > LONGEST_FRAME:
        return None
    data = _read(channel, size)
    return data if len(data) == size else None


def _read(channel: int, size: int) -> bytes:
    parts = []
    while size:
        part = os.read(channel, min(size, 2**20))
        if not part:
            break
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def no_other(_: Any) -> Any:
    """Of what passes between the supervisor and the host, all is data."""
    raise ValueError("not data")
