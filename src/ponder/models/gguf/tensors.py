"""GGUF files: their headers, and the same file with tensors that the embedded engine can read.

The OpenVINO reader takes a handful of tensor types; files from the hub mix in others. Such tensors
are rewritten as Q8_0, which loses nothing that can be measured (Q4_0 would be faster and ruin the
model). Everything else, metadata and alignment included, is copied byte for byte, so the result
depends on the source alone and can be pinned by its sha256.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import hashlib
import mmap
import os
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

from ponder.core.errors import MissingExtra, UsageError
from ponder.util.files import open_regular

Bytes = Callable[[int, int], None]
"""Called with (bytes done, bytes in all)."""

# Tensor types by number: name, weights per block, bytes per block (ggml.h).
_TYPES = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22), 7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 9: ("Q8_1", 32, 40),
    10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110), 12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292), 16: ("IQ2_XXS", 256, 66),
    17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82),
    23: ("IQ4_XS", 256, 136), 24: ("I8", 1, 1), 25: ("I16", 1, 2), 26: ("I32", 1, 4),
    27: ("I64", 1, 8), 28: ("F64", 1, 8), 29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2),
    34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66), 39: ("MXFP4", 32, 17), 40: ("NVFP4", 64, 36),
}  # fmt: skip
_F32, _Q8_0 = 0, 8
READABLE = frozenset({"F32", "F16", "Q4_0", "Q4_1", "Q8_0", "Q4_K", "Q6_K"})
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q"}
_SCALARS |= {12: "d"}
_STRING, _ARRAY = 8, 9
BROKEN = (struct.error, KeyError, ValueError, OverflowError, RecursionError)
"""Exceptions of ``read_header`` for an invalid file."""
HEADER_LIMIT = 256 << 20
"""Maximum bytes of a header; those of models have some ten million."""
STEPS = 4_000_000
"""Maximum fields, tensors and array texts of a header; a vocabulary has a few hundred thousand."""
_DIMENSIONS, _ALIGNMENT = 8, 1 << 20
_CHUNK = 1 << 18  # weights converted at once: as many as stay in a core's cache

Value = int | float | str


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of the file."""

    name: str
    dims: tuple[int, ...]
    """Dimensions, the row length first."""
    kind: int
    offset: int
    """Offset from the start of the tensor data."""

    @property
    def type_name(self) -> str:
        """Name of its type, such as ``Q4_K``."""
        return _TYPES[self.kind][0] if self.kind in _TYPES else f"number {self.kind}"

    @property
    def nbytes(self) -> int:
        """Its size, if the type is known."""
        _, weights, size = _TYPES[self.kind]
        return prod(self.dims) // weights * size


@dataclass(frozen=True, slots=True)
class Header:
    """The header of a file."""

    fields: Mapping[str, Value]
    """Metadata without arrays."""
    spans: Mapping[str, tuple[int, int]]
    """Offsets in ``start`` of each field with its name, from the first byte to the last."""
    start: bytes
    """Bytes of magic, version, counts and all metadata."""
    tensors: tuple[Tensor, ...]
    end: int
    """Offset of the header's end."""

    @property
    def alignment(self) -> int:
        """Alignment of each tensor's data, in bytes."""
        found = self.fields.get("general.alignment", 32)
        return found if isinstance(found, int) else 32

    @property
    def data_offset(self) -> int:
        """Offset of the tensors' data."""
        return padded(self.end, self.alignment)


def needs_rewrite(path: Path) -> list[str]:
    """Return the tensor types in the file that the embedded engine cannot read; reads only the
    header.

    Raises:
        UsageError: the file is absent or not a complete GGUF file.
    """
    return sorted({t.type_name for t in whole(path).tensors} - READABLE)


def requantise(src: Path, dst: Path, progress: Bytes = lambda done, total: None) -> str:
    """Write ``src`` to ``dst`` with every unreadable tensor as Q8_0; return the sha256 of ``dst``.

    One-dimensional tensors, and rows whose length is not a multiple of 32 weights, become F32
    instead. ``progress`` counts bytes of ``dst``. Memory stays at a few MB. ``dst`` appears
    complete or not at all, and the same source always gives the same bytes.

    Raises:
        MissingExtra: the packages ``gguf`` and ``numpy`` are absent.
        UsageError: ``src`` is not a complete GGUF file, or has a type that cannot be converted.
    """
    to_f32, to_q8_0 = converters()
    header = whole(src)
    targets, size = [], 0
    for tensor in header.tensors:
        kind = tensor.kind
        if tensor.type_name not in READABLE:
            kind = _Q8_0 if len(tensor.dims) > 1 and tensor.dims[0] % 32 == 0 else _F32
        targets.append(replace(tensor, kind=kind, offset=size))
        size = padded(size + targets[-1].nbytes, header.alignment)
    infos = header.start + b"".join(map(pack_info, targets))
    infos = infos.ljust(padded(len(infos), header.alignment), b"\0")
    total, done, digest = len(infos) + size, 0, hashlib.sha256()

    def write(data: bytes) -> None:
        nonlocal done
        out.write(data)
        digest.update(data)
        done += len(data)
        progress(done, total)

    temporary = dst.with_name(dst.name + ".tmp")
    try:
        with src.open("rb") as source, temporary.open("wb") as out:
            write(infos)
            for tensor, target in zip(header.tensors, targets, strict=True):
                for chunk in chunks(source, header.data_offset, tensor):
                    if target.kind == tensor.kind:
                        write(chunk)
                    elif target.kind == _Q8_0:
                        write(to_q8_0(chunk, tensor.type_name))
                    else:
                        write(to_f32(chunk, tensor.type_name))
                write(bytes(-target.nbytes % header.alignment))
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(dst)
    finally:
        temporary.unlink(missing_ok=True)
    return digest.hexdigest()


def require_converters() -> None:
    """Raise MissingExtra if ``requantise`` would."""
    converters()


Convert = Callable[[bytes, str], bytes]


def converters() -> tuple[Convert, Convert]:
    """Return the converters (to F32, to Q8_0): each takes whole blocks and their type's name."""
    try:
        import numpy as np
        from gguf import GGMLQuantizationType, quants
    except ImportError as error:
        why = "rewriting a GGUF file for the embedded engine"
        raise MissingExtra("local", why) from error

    def to_f32(chunk: bytes, type_name: str) -> bytes:
        try:
            # One row: the package works on sixteen rows at a time, and is very slow on narrow ones.
            values = quants.dequantize(
                np.frombuffer(chunk, np.uint8), GGMLQuantizationType[type_name]
            )
        except (KeyError, NotImplementedError) as error:
            raise UsageError(
                f"tensors of type {type_name} cannot be rewritten for the embedded engine: "
                "choose a file in Q8_0, Q4_K_M or F16, or the llamacpp backend."
            ) from error
        return bytes(values.tobytes())

    def to_q8_0(chunk: bytes, type_name: str) -> bytes:
        values = np.frombuffer(to_f32(chunk, type_name), np.float32)
        return bytes(quants.quantize(values, GGMLQuantizationType.Q8_0).tobytes())

    return to_f32, to_q8_0


def chunks(source: BinaryIO, data_offset: int, tensor: Tensor) -> Iterator[bytes]:
    """Yield the tensor's bytes, in whole blocks, about ``_CHUNK`` weights at a time."""
    _, weights, size = _TYPES[tensor.kind]
    step = _CHUNK // weights * size
    source.seek(data_offset + tensor.offset)
    for done in range(0, tensor.nbytes, step):
        yield source.read(min(step, tensor.nbytes - done))


def pack_info(tensor: Tensor) -> bytes:
    """Return the tensor's part of a header."""
    name, rank = tensor.name.encode(), len(tensor.dims)
    return (
        struct.pack("<Q", len(name))
        + name
        + struct.pack(f"<I{rank}QIQ", rank, *tensor.dims, tensor.kind, tensor.offset)
    )


def padded(size: int, alignment: int) -> int:
    """Return the next multiple of ``alignment``."""
    return size + -size % alignment


# Reading ------------------------------------------------------------------------------------------


def read_header(path: Path) -> Header:
    """Return the header alone, unchecked; its tensors may be of unknown types, or absent.

    Raises:
        UsageError: the file cannot be read, or is a pipe or a device.
        One of ``BROKEN``: it is not a GGUF file, or ends within its header.
    """
    with open_regular(path, "the model") as file:
        size = min(os.fstat(file.fileno()).st_size, HEADER_LIMIT)
        with mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) as data:
            return _header(_Reader(data))


def array(header: Header, key: str) -> list[Value]:
    """Return the array of texts or numbers in this field; empty if there is none.

    Raises:
        One of ``BROKEN``: it is no array of texts or numbers.
    """
    if key not in header.spans:
        return []
    reader = _Reader(header.start, header.spans[key][0])
    reader.skip_text()
    if reader.unpack("<I") != (_ARRAY,):
        raise ValueError(f"{key} is not an array")
    inner, count = reader.unpack("<IQ")
    if count > STEPS:
        raise ValueError(f"{key} has more than {STEPS:,} values")
    if inner in _SCALARS:
        return list(reader.unpack(f"<{count}{_SCALARS[inner]}"))
    if inner != _STRING:
        raise ValueError(f"{key} is an array of arrays")
    return [reader.text().decode(errors="replace") for _ in range(count)]


def _header(reader: _Reader) -> Header:
    magic, version, tensor_count, field_count = reader.unpack("<4sIQQ")
    if magic != b"GGUF" or version not in (2, 3):
        raise ValueError("it does not begin with 'GGUF' and version 2 or 3, little-endian")
    fields, spans, tensors = dict[str, Value](), dict[str, tuple[int, int]](), []
    for _ in range(min(field_count, STEPS + 1)):
        begin = reader.at
        key = reader.text().decode()
        value = reader.value(*reader.unpack("<I"))
        spans[key] = begin, reader.at
        if value is not None:
            fields[key] = value
    start = reader.data[: reader.at]
    for _ in range(min(tensor_count, STEPS + 1)):
        name = reader.text().decode()
        (rank,) = reader.unpack("<I")
        if rank > _DIMENSIONS:
            raise ValueError(f"a tensor has {rank} dimensions")
        *dims, kind, offset = reader.unpack(f"<{rank}QIQ")
        tensors.append(Tensor(name, tuple(dims), kind, offset))
    return Header(fields, spans, start, tuple(tensors), reader.at)


@dataclass(slots=True)
class _Reader:
    """Reads a header from its start; ``steps`` counts the remaining steps."""

    data: mmap.mmap | bytes
    at: int = 0
    steps: int = STEPS

    def unpack(self, form: str) -> tuple[Any, ...]:
        found = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return found

    def text(self) -> bytes:
        start = self.skip_text()
        return self.data[start : self.at]

    def skip_text(self) -> int:
        """Skip a text; return its start."""
        self.step()
        (length,) = self.unpack("<Q")
        self.skip(length)
        return self.at - int(length)

    def skip(self, size: int) -> None:
        if size > len(self.data) - self.at:
            raise ValueError("it is truncated in its header")
        self.at += size

    def step(self) -> None:
        self.steps -= 1
        if self.steps < 0:
            raise ValueError(f"its header has more than {STEPS:,} parts")

    def value(self, kind: int) -> Value | None:
        """Return the metadata value of this type that begins here; None for an array."""
        if kind == _STRING:
            return self.text().decode(errors="replace")
        if kind != _ARRAY:
            found: Value = self.unpack(f"<{_SCALARS[kind]}")[0]
            return found
        inner, count = self.unpack("<IQ")
        if inner in _SCALARS:
            self.skip(count * struct.calcsize(f"<{_SCALARS[inner]}"))
            return None
        for _ in range(min(count, STEPS + 1)):
            if inner == _STRING:
                self.skip_text()
            else:
                self.step()
                self.value(inner)
        return None


def whole(path: Path) -> Header:
    """Return the header of a file with all its tensors, all of known types.

    Raises:
        UsageError: the file is absent or not a complete GGUF file.
    """
    try:
        header, size = read_header(path), path.stat().st_size
        alignment = header.alignment
        if not 1 <= alignment <= _ALIGNMENT or alignment & (alignment - 1):
            raise ValueError(f"its alignment, {alignment}, is not a power of two up to a megabyte")
        for tensor in header.tensors:
            if tensor.kind not in _TYPES:
                raise ValueError(f"a tensor is of the unknown type {tensor.kind}")
            if not tensor.dims or tensor.dims[0] % _TYPES[tensor.kind][1]:
                raise ValueError(f"a tensor's rows are not whole blocks of {tensor.type_name}")
            if header.data_offset + tensor.offset + tensor.nbytes > size:
                raise ValueError("it is truncated before the end of its tensors")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}.") from error
    except BROKEN as error:
        raise UsageError(
            f"{path} is not a whole GGUF file ({error}): download it again, or name another file."
        ) from error
    return header
