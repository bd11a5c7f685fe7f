"""A small GGUF file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from gguf import GGML_QUANT_SIZES, GGUFValueType, GGUFWriter, quants
from gguf import GGMLQuantizationType as T


def tiny_gguf(
    path: Path, types: tuple[T, ...] = (T.Q5_0, T.Q4_0), rows: int = 3, alignment: int = 64
) -> Path:
    """A GGUF file with one two-dimensional tensor per type, and all kinds of metadata."""
    rng = np.random.default_rng(7)
    writer = GGUFWriter(path, "llama")
    writer.add_custom_alignment(alignment)
    writer.add_name("tïny")
    writer.add_key_value("empty", "", GGUFValueType.STRING)
    writer.add_array("tokenizer.ggml.tokens", ["a", "", "ß", "<|im_end|>"])
    writer.add_array("scores", [0.5, -1.0])
    writer.add_array("flags", [True, False])
    writer.add_uint64("large", 2**40)
    for kind in types:
        weights = rng.normal(size=(rows, 512)).astype(np.float32)
        if kind in (T.Q5_K, T.IQ4_NL):  # the package reads these and cannot write them
            block, size = GGML_QUANT_SIZES[kind]
            blocks = rng.integers(0, 256, (rows * 512 // block, size), dtype=np.uint8)
            blocks[:, :2] = np.frombuffer(np.float16(0.02).tobytes(), np.uint8)
            if kind == T.Q5_K:
                blocks[:, 2:4] = blocks[:, :2]
            data = blocks.reshape(rows, -1)
        else:
            data = quants.quantize(weights, kind)
        writer.add_tensor(f"{kind.name}.weight", data, raw_dtype=kind)
    writer.add_tensor("norm.weight", rng.normal(size=40).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
