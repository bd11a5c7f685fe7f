"""Plain data as bytes, and bytes as frames: what passes between the processes of a sandbox.

Nothing that is unpacked runs or imports anything, whoever packed it: an unpacked value is of
builtin types, or a number of a class that the process holds already. Part of what is sent into a
sandbox: the standard library only, and no more imports than it takes.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # not from `typing`: each import delays every verdict
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

LONGEST_FRAME = 64 * 2**20
"""Most bytes of a frame."""
_LONGEST_FLOAT = 32  # '-0x1.fffffffffffffp+1023' has 24
_CONTAINERS: tuple[tuple[Any, bytes], ...] = (
    (list, b"l"),
    (tuple, b"t"),
    (frozenset, b"z"),
    (set, b"S"),
)
_MADE_OF = {b"l": list, b"t": tuple, b"z": frozenset, b"S": set}
_NUMBERS = {b"q": ("fractions", "Fraction"), b"D": ("decimal", "Decimal")}


def held(tag: bytes) -> Any:
    """Return the class of a fraction (``q``) or decimal (``D``), or None if it is not imported."""
    module, name = _NUMBERS[tag]
    return getattr(sys.modules.get(module), name, None)


def imported(tag: bytes) -> Any:
    """Return the class of a fraction (``q``) or decimal (``D``), imported if need be."""
    __import__(_NUMBERS[tag][0])
    return held(tag)


def pack(value: Any, other: Callable[[Any], bytes]) -> bytes:
    """Pack data as bytes. ``other`` packs the rest; a subclass's instance counts as its base.

    Raises:
        RecursionError: it is nested too deeply, or in itself.
    """
    out: list[bytes] = []
    _pack(value, other, out)
    return b"".join(out)


def _pack(value: Any, other: Callable[[Any], bytes], out: list[bytes]) -> None:
    # By the type and its bases, never by `isinstance`, which believes an object's `__class__`; and
    # by the base's own methods, never by those of the object.
    kind = type(value)
    if value is None or kind is bool:
        out.append({None: b"N", True: b"T", False: b"F"}[value])
    elif issubclass(kind, int):
        number = int.__pos__(value)
        out.append(b"i%x;" % number if number >= 0 else b"j%x;" % -number)
    elif issubclass(kind, float):
        out.append(b"f%s;" % float.hex(value).encode())
    elif issubclass(kind, complex):
        both = complex.__pos__(value)
        out.append(b"c%s %s;" % (both.real.hex().encode(), both.imag.hex().encode()))
    elif issubclass(kind, str):
        _pack_bytes(b"s", str.encode(value, "utf-8", "surrogatepass"), out)
    elif issubclass(kind, bytes):
        _pack_bytes(b"b", bytes.__getitem__(value, slice(None)), out)
    elif issubclass(kind, bytearray):
        _pack_bytes(b"a", bytearray.__getitem__(value, slice(None)), out)
    elif issubclass(kind, dict):
        out.append(b"d%x;" % dict.__len__(value))
        for key, item in dict.items(value):
            _pack(key, other, out)
            _pack(item, other, out)
    elif kind is range:
        out.append(b"r")
        _pack((value.start, value.stop, value.step), other, out)
    else:
        for base, tag in _CONTAINERS:
            if issubclass(kind, base):
                out.append(b"%s%x;" % (tag, base.__len__(value)))
                for item in base.__iter__(value):
                    _pack(item, other, out)
                return
        if kind is held(b"q"):
            out.append(b"q")
            _pack((value.numerator, value.denominator), other, out)
        elif kind is held(b"D"):
            _pack_bytes(b"D", str(value).encode(), out)
        else:
            out.append(other(value))


def _pack_bytes(tag: bytes, data: bytes | bytearray, out: list[bytes]) -> None:
    out.append(b"%s%x;" % (tag, len(data)))
    out.append(bytes(data))


def unpack(
    data: bytes, other: Callable[[int], Any], number_class: Callable[[bytes], Any] = held
) -> Any:
    """Return the packed value; ``other`` gets the number that stands for an object.

    ``number_class`` gives the class of fractions and of decimals.

    Raises:
        ValueError, RecursionError: ``pack`` did not make these bytes.
    """
    value, end = _Reader(data, other, number_class).value(0)
    if end != len(data):
        raise ValueError("more than one value")
    return value


class _Reader:
    """Reads values from untrusted bytes."""

    def __init__(
        self, data: bytes, other: Callable[[int], Any], number_class: Callable[[bytes], Any]
    ) -> None:
        self.data, self.other, self.number_class = data, other, number_class

    def value(self, at: int) -> tuple[Any, int]:
        """Return the value that begins there, and its end."""
        tag = self.data[at : at + 1]
        if tag in (b"N", b"T", b"F"):
            return {b"N": None, b"T": True, b"F": False}[tag], at + 1
        if tag in (b"r", b"q"):
            return self.of_integers(tag, at + 1)
        end = self.data.index(b";", at)
        text, at = self.data[at + 1 : end], end + 1
        if tag == b"f":
            return _float(text), at
        if tag == b"c":
            real, _, imaginary = text.partition(b" ")
            return complex(_float(real), _float(imaginary)), at
        number = int(text, 16)
        if b"%x" % number != text or number < (tag == b"j"):
            raise ValueError("a number is spelt in another way")  # ' 1', '0x1', '1_0', '-1', '٣'
        if tag in (b"i", b"j"):
            return (number if tag == b"i" else -number), at
        if tag == b"h":
            return self.other(number), at
        if number > len(self.data) - at:
            raise ValueError("longer than its frame")
        if tag in (b"s", b"b", b"a", b"D"):
            return self.text(tag, self.data[at : at + number]), at + number
        return self.container(tag, number, at)

    def container(self, tag: bytes, count: int, at: int) -> tuple[Any, int]:
        """Return a list or the like of so many items."""
        if tag != b"d" and tag not in _MADE_OF:
            raise ValueError("not data")
        items = []
        for _ in range(count * 2 if tag == b"d" else count):
            item, at = self.value(at)
            items.append(item)
        try:
            if tag == b"d":
                return dict(zip(items[::2], items[1::2], strict=True)), at
            return _MADE_OF[tag](items), at
        except TypeError:
            raise ValueError("a key or an element that has no hash") from None

    def of_integers(self, tag: bytes, at: int) -> tuple[Any, int]:
        """Return a range or a fraction."""
        parts, at = self.value(at)
        if type(parts) is not tuple or any(type(part) is not int for part in parts):
            raise ValueError("not integers")
        if tag == b"r" and len(parts) == 3:
            return range(*parts), at
        if tag == b"q" and len(parts) == 2 and parts[1] > 0:
            made = self.class_of(tag)(*parts)
            if made.denominator == parts[1]:
                return made, at
        raise ValueError("not data")

    def text(self, tag: bytes, data: bytes) -> Any:
        """Return a text, bytes or a decimal."""
        if tag in (b"b", b"a"):
            return data if tag == b"b" else bytearray(data)
        text = data.decode("utf-8", "surrogatepass")
        if tag == b"s":
            return text
        try:
            made = self.class_of(tag)(text)
        except ArithmeticError:
            raise ValueError("not a decimal") from None
        if str(made) != text:
            raise ValueError("a decimal is spelt in another way")
        return made

    def class_of(self, tag: bytes) -> Any:
        """Return the class of a number that is not builtin."""
        found = self.number_class(tag)
        if found is None:
            raise ValueError(f"the tests do not import {_NUMBERS[tag][0]}")
        return found


def _float(text: bytes) -> float:
    if len(text) > _LONGEST_FLOAT:
        raise ValueError("not a float")
    try:
        value = float.fromhex(text.decode())
    except OverflowError:
        raise ValueError("not a float") from None
    if value.hex().encode() != text:
        raise ValueError("a float is spelt in another way")
    return value


def write_frame(channel: int, data: bytes) -> None:
    """Write the length in 8 bytes, then the data."""
    view = memoryview(len(data).to_bytes(8, "big") + data)
    while view:
        view = view[os.write(channel, view) :]


def read_frame(channel: int) -> bytes | None:
    """Return the next frame, or None at the end of the channel or if it is malformed."""
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
    """Refuse objects: supervisor and host exchange data alone."""
    raise ValueError("not data")
