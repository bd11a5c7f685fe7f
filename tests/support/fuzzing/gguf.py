"""The header of a model's file."""

from __future__ import annotations

import contextlib
import struct
from typing import Any

from hypothesis import strategies as st

from ponder.core.errors import PonderError
from ponder.models.gguf import metadata as openvino_file
from ponder.models.gguf import tensors as gguf
from tests.support.fuzzing import Reader
from tests.support.fuzzing.hostile import hostile
from tests.support.fuzzing.places import file_of

HUGE = [0, 1, 2, 7, 31, 32, 33, 2**16, 2**31, 2**32 - 1]
HUGER = [*HUGE, 2**40, 2**62, 2**63, 2**64 - 1]


def string(text: bytes, length: int | None = None) -> bytes:
    return struct.pack("<Q", len(text) if length is None else length) + text


def header(
    fields: list[bytes], tensors: list[bytes], counts: tuple[int, int] | None = None
) -> bytes:
    tensor_count, field_count = counts or (len(tensors), len(fields))
    start = struct.pack("<4sIQQ", b"GGUF", 3, tensor_count, field_count)
    return b"".join([start, *fields, *tensors]).ljust(2048, b"\0")


def field(key: bytes, kind: int, value: bytes) -> bytes:
    return string(key) + struct.pack("<I", kind) + value


def tensor(name: bytes, dims: list[int], kind: int, offset: int) -> bytes:
    shape = struct.pack(f"<I{len(dims)}Q", len(dims), *dims)
    return string(name) + shape + struct.pack("<IQ", kind, offset)


def nested(depth: int) -> bytes:
    return struct.pack("<IQ", 9, 1) * depth + struct.pack("<IQ", 4, 0)


VALID = header(
    [
        field(b"general.architecture", 8, string(b"llama")),
        field(b"general.alignment", 4, struct.pack("<I", 32)),
        field(b"tokenizer.ggml.tokens", 9, struct.pack("<IQ", 8, 2) + string(b"a") + string(b"b")),
        field(b"llama.context_length", 4, struct.pack("<I", 2048)),
    ],
    [tensor(b"token_embd.weight", [32, 2], 0, 0), tensor(b"output.weight", [32, 2], 8, 256)],
)
names = st.sampled_from(
    [
        b"general.architecture",
        b"general.alignment",
        b"llama.context_length",
        b"token_embd.weight",
        b"\x1b[2J",
        b"\xff",
        b"",
        b"x" * 300,
        b"tokenizer.chat_template",
        b"llama.block_count",
    ]
)
value: st.SearchStrategy[Any] = st.one_of(
    st.tuples(st.just(4), st.sampled_from(HUGE).map(lambda n: struct.pack("<I", n))),
    st.tuples(st.just(10), st.sampled_from(HUGER).map(lambda n: struct.pack("<Q", n))),
    st.tuples(st.just(8), st.builds(string, names, st.none() | st.sampled_from(HUGER))),
    st.tuples(
        st.just(9),
        st.builds(
            lambda k, n: struct.pack("<IQ", k, n), st.integers(0, 14), st.sampled_from(HUGER)
        ),
    ),
    st.tuples(st.just(9), st.sampled_from([1, 10, 900, 1100, 5000]).map(nested)),
    st.tuples(st.integers(0, 2**32 - 1), st.binary(max_size=8)),
)
fields = st.builds(lambda key, both: field(key, *both), names, value)
tensors = st.builds(
    tensor,
    names,
    st.lists(st.sampled_from(HUGER), max_size=5),
    st.integers(0, 45) | st.sampled_from(HUGE),
    st.sampled_from(HUGER),
)
filled = st.builds(
    header,
    st.lists(fields, max_size=4),
    st.lists(tensors, max_size=4),
    st.none() | st.tuples(st.sampled_from(HUGER), st.sampled_from(HUGER)),
)


def read(data: bytes) -> None:
    """As the catalog and the engine read it."""
    with file_of(data, "model.gguf") as path:
        openvino_file.can_load(path)
        with contextlib.suppress(PonderError):
            gguf.needs_rewrite(path)
        openvino_file.metadata_only(path, openvino_file.read_header(path))


READER = Reader(hostile(VALID, more=filled), read, (VALID,), (PonderError,))
