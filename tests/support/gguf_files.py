"""GGUF files without weights, for what reads only their headers."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def write_gguf(
    path: Path, *, fields: dict[str, Any] | None = None, kinds: Sequence[int] = (8, 0)
) -> Path:
    """Write a file with one matrix and one vector, without their data."""
    values = {
        "general.architecture": "llama",
        "llama.context_length": 4096,
        "llama.block_count": 2,
        "llama.embedding_length": 64,
        "llama.attention.head_count": 4,
        "llama.attention.head_count_kv": 2,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.tokens": ["a", "b"],
        "tokenizer.chat_template": "{{ messages }}",
        **(fields or {}),
    }

    def string(text: str) -> bytes:
        return struct.pack("<Q", len(text.encode())) + text.encode()

    data = b"GGUF" + struct.pack("<IQQ", 3, 2, len(values))
    for key, value in values.items():
        data += string(key)
        if isinstance(value, str):
            data += struct.pack("<I", 8) + string(value)
        elif isinstance(value, list):
            data += struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(string, value))
        else:
            data += struct.pack("<II", 4, value)
    for name, dims, kind in (("m", (64, 10), kinds[0]), ("v", (7,), kinds[1])):
        data += string(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, kind, 0)
    path.write_bytes(data)
    return path
