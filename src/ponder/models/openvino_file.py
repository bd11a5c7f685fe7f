"""What a GGUF file says of its model, and whether OpenVINO's reader can load it.

Only the header is read. What the reader takes was found in its source (openvino.genai 2026.4,
src/cpp/src/gguf_utils) and by trying it. Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

from ponder.core.errors import UsageError
from ponder.models.base import Shape

ARCHITECTURES = frozenset({"llama", "qwen2", "qwen3"})
MATRICES = frozenset({"F16", "Q4_0", "Q4_1", "Q4_K", "Q6_K", "Q8_0"})
VECTORS = MATRICES | {"F32"}  # norms and biases

_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 10: "Q2_K",
    11: "Q3_K", 12: "Q4_K", 13: "Q5_K", 14: "Q6_K", 30: "BF16",
}  # fmt: skip
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q"}
_SCALARS |= {12: "d"}
_STRING, _ARRAY = 8, 9
_SMALL = 1 << 16  # bytes: longer strings are skipped, except for the chat template
_TEMPLATE = "tokenizer.chat_template"

Value = int | float | str


@dataclass(frozen=True, slots=True)
class Header:
    """Metadata without its arrays, and the tensors as name -> (type, elements, rank).

    ``metadata_end`` is the offset behind the metadata, in bytes.
    """

    fields: Mapping[str, Value]
    tensors: Mapping[str, tuple[str, int, int]]
    metadata_end: int

    @property
    def architecture(self) -> str:
        """Such as ``qwen2``; empty where the file does not say."""
        return str(self.fields.get("general.architecture", ""))

    def number(self, key: str, default: int = 0) -> int:
        """An integer of the architecture, such as ``block_count``."""
        value = self.fields.get(f"{self.architecture}.{key}", default)
        return int(value) if isinstance(value, int | float) else default

    @property
    def head_size(self) -> int:
        """The width of one attention head."""
        heads = max(1, self.number("attention.head_count"))
        return self.number("attention.key_length", self.number("embedding_length") // heads)

    @property
    def lookup(self) -> int:
        """The parameters that are only looked up, never multiplied with."""
        embeddings = self.tensors.get("token_embd.weight")
        return embeddings[1] if embeddings and "output.weight" in self.tensors else 0

    @property
    def shape(self) -> Shape:
        """What FLOPs are computed from: the parameters that a token is multiplied with. Where the
        output has a matrix of its own, that of the input is a table that is looked up.
        """
        return Shape(
            parameters=sum(elements for _, elements, _ in self.tensors.values()) - self.lookup,
            attention=self.number("block_count")
            * self.number("attention.head_count")
            * self.head_size,
        )

    @property
    def context(self) -> int:
        """The most tokens that prompt and completion may have together."""
        return self.number("context_length", 2048)  # the reader's own default

    @property
    def cached_values(self) -> int:
        """Keys and values that one token puts into the cache, over all layers."""
        heads = self.number("attention.head_count_kv", self.number("attention.head_count"))
        return 2 * self.number("block_count") * heads * self.head_size


def read_header(path: Path) -> Header:
    """Read the header of a GGUF file.

    Raises:
        UsageError: the file is absent or not a GGUF file.
    """
    try:
        with path.open("rb") as file:
            return _parse(file)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}.") from error
    except (struct.error, KeyError, ValueError, OverflowError, MemoryError) as error:
        raise UsageError(f"{path} is not a whole GGUF file.") from error


def metadata_only(path: Path, header: Header) -> bytes:
    """The same file without its tensors: all that the tokenizer needs, read in a moment."""
    with path.open("rb") as file:
        start = bytearray(file.read(header.metadata_end))
    struct.pack_into("<Q", start, 8, 0)
    return bytes(start) + bytes(64)


def can_load(path: Path) -> str | None:
    """None if OpenVINO can load the file, else the reason, to follow a comma and no full stop."""
    try:
        header = read_header(path)
    except UsageError as error:
        return str(error).rstrip(".")
    if header.architecture not in ARCHITECTURES:
        return f"OpenVINO's GGUF reader does not know the architecture {header.architecture!r}"
    refused = {
        kind
        for kind, _, rank in header.tensors.values()
        if kind not in (MATRICES if rank > 1 else VECTORS)
    }
    if refused:
        return f"it holds tensors of type {', '.join(sorted(refused))}, which OpenVINO cannot read"
    if header.fields.get("tokenizer.ggml.model") != "gpt2":
        return "OpenVINO's GGUF reader knows byte-pair (gpt2) tokenizers only"
    scaling = header.fields.get(f"{header.architecture}.rope.scaling.type", "none")
    if scaling != "none" or "rope_freqs.weight" in header.tensors:
        # It would load and answer nonsense on longer texts.
        return "it scales its rotary positions, which OpenVINO's GGUF reader ignores"
    if _TEMPLATE not in header.fields:
        return "it has no chat template"
    return None


def _parse(file: BinaryIO) -> Header:
    magic, version, tensor_count, field_count = _unpack(file, "4sIQQ")
    if magic != b"GGUF" or version not in (2, 3):
        raise ValueError
    fields: dict[str, Value] = {}
    for _ in range(field_count):
        key = _string(file).decode()
        (kind,) = _unpack(file, "I")
        value = _value(file, kind, whole=key == _TEMPLATE)
        if value is not None:
            fields[key] = value
    end = file.tell()
    tensors = {}
    for _ in range(tensor_count):
        name = _string(file).decode()
        (rank,) = _unpack(file, "I")
        *dims, kind, _offset = _unpack(file, f"{rank}QIQ")
        tensors[name] = (_TYPES.get(kind, f"number {kind}"), prod(dims), rank)
    return Header(fields, tensors, end)


def _unpack(file: BinaryIO, form: str) -> tuple[Any, ...]:
    form = f"<{form}"
    return struct.unpack(form, file.read(struct.calcsize(form)))


def _string(file: BinaryIO) -> bytes:
    (length,) = _unpack(file, "Q")
    if length > _SMALL:
        raise ValueError
    text = file.read(length)
    if len(text) < length:
        raise ValueError
    return text


def _value(file: BinaryIO, kind: int, whole: bool) -> Value | None:
    """The metadata value that begins here; None for arrays and overlong strings."""
    if kind in _SCALARS:
        number: int | float = _unpack(file, _SCALARS[kind])[0]
        return number
    if kind == _STRING:
        (length,) = _unpack(file, "Q")
        if length > _SMALL and not whole:
            file.seek(length, 1)
            return None
        return file.read(length).decode(errors="replace")
    if kind != _ARRAY:
        raise ValueError
    inner, count = _unpack(file, "IQ")
    if inner in _SCALARS:
        file.seek(count * struct.calcsize(_SCALARS[inner]), 1)
        return None
    for _ in range(count):
        _value(file, inner, whole=False)
    return None
