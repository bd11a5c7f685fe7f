"""The metadata of a GGUF file, and a check that OpenVINO's reader can load it.

Only the header is read. The reader's limits were found in its source (openvino.genai 2026.4,
src/cpp/src/gguf_utils) and by experiment.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

from ponder.core.errors import UsageError
from ponder.models.base import Shape
from ponder.models.gguf import tensors as gguf

ARCHITECTURES = frozenset({"llama", "qwen2", "qwen3"})
VECTORS = gguf.READABLE  # norms and biases
MATRICES = VECTORS - {"F32"}


@dataclass(frozen=True, slots=True)
class Header:
    """The metadata and the tensors of a file."""

    fields: Mapping[str, gguf.Value]
    """Metadata without arrays."""
    tensors: Mapping[str, tuple[str, int, int]]
    """Name -> (type, elements, rank)."""
    metadata_end: int
    """Offset of the end of the metadata, in bytes."""

    @property
    def architecture(self) -> str:
        """Its architecture, such as ``qwen2``; '' if the file does not state it."""
        return str(self.fields.get("general.architecture", ""))

    def number(self, key: str, default: int = 0) -> int:
        """Return an integer of the architecture, such as ``block_count``."""
        value = self.fields.get(f"{self.architecture}.{key}", default)
        sound = isinstance(value, int | float) and 0 <= value < 1 << 48  # false for NaN
        return int(value) if sound else default

    @property
    def head_size(self) -> int:
        """The width of one attention head."""
        heads = max(1, self.number("attention.head_count"))
        return self.number("attention.key_length", self.number("embedding_length") // heads)

    @property
    def lookup(self) -> int:
        """Number of parameters that are only looked up, never multiplied with."""
        embeddings = self.tensors.get("token_embd.weight")
        return embeddings[1] if embeddings and "output.weight" in self.tensors else 0

    @property
    def shape(self) -> Shape:
        """Size for FLOPs: the parameters that a token is multiplied with.

        If the output has its own matrix, the input's is a table that is only looked up.
        """
        return Shape(
            parameters=sum(elements for _, elements, _ in self.tensors.values()) - self.lookup,
            attention=self.number("block_count")
            * self.number("attention.head_count")
            * self.head_size,
        )

    @property
    def context(self) -> int:
        """Most tokens of prompt and completion together."""
        return self.number("context_length", 2048)  # the reader's own default

    @property
    def cached_values(self) -> int:
        """Number of keys and values that one token puts into the cache, over all layers."""
        heads = self.number("attention.head_count_kv", self.number("attention.head_count"))
        return 2 * self.number("block_count") * heads * self.head_size


def read_header(path: Path) -> Header:
    """Read the header of a GGUF file.

    Raises:
        UsageError: the file is absent or not a GGUF file.
    """
    try:
        found = gguf.read_header(path)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}.") from error
    except gguf.BROKEN as error:
        raise UsageError(f"{path} is not a whole GGUF file.") from error
    return of(found)


def of(found: gguf.Header) -> Header:
    """Return the metadata of a header that was read."""
    tensors = {t.name: (t.type_name, prod(t.dims), len(t.dims)) for t in found.tensors}
    return Header(found.fields, tensors, len(found.start))


def metadata_only(path: Path, header: Header) -> bytes:
    """Return the same file without its tensors: all that the tokenizer needs, quick to read."""
    with path.open("rb") as file:
        start = bytearray(file.read(header.metadata_end))
    struct.pack_into("<Q", start, 8, 0)
    return bytes(start) + bytes(64)


def can_load(path: Path) -> str | None:
    """Return None if OpenVINO can load the file, else the reason, to follow a comma, without a full
    stop.
    """
    try:
        header = read_header(path)
    except UsageError as error:
        return str(error).rstrip(".")
    refused = {
        kind
        for kind, _, rank in header.tensors.values()
        if kind not in (MATRICES if rank > 1 else VECTORS)
    }
    if header.architecture in ARCHITECTURES and refused:
        return f"it holds tensors of type {', '.join(sorted(refused))}, which OpenVINO cannot read"
    return cannot_run(header)


def cannot_run(header: Header) -> str | None:
    """Return the reason why OpenVINO cannot run the model, whatever the types of its tensors, or
    None if it can.
    """
    if header.architecture not in ARCHITECTURES:
        return f"OpenVINO's GGUF reader does not know the architecture {header.architecture!r}"
    if header.fields.get("tokenizer.ggml.model") != "gpt2":
        return "OpenVINO's GGUF reader knows byte-pair (gpt2) tokenizers only"
    scaling = header.fields.get(f"{header.architecture}.rope.scaling.type", "none")
    if scaling != "none" or "rope_freqs.weight" in header.tensors:
        # It would load and give nonsense on longer texts.
        return "it scales its rotary positions, which OpenVINO's GGUF reader ignores"
    if "tokenizer.chat_template" not in header.fields:
        return "it has no chat template"
    return None
