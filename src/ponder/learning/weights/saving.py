"""A trained model written as a GGUF file that the embedded engine loads.

What training does not change, it takes from the file that the model came from: the metadata with
the tokenizer and the chat template, and the order of the tensors. Matrices become Q8_0, whose
weights the engine multiplies in eight bits, and vectors F32. A weight that came from Q8_0 and was
not trained is written as it was.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ponder.core.errors import PonderError, UsageError
from ponder.learning.weights import rotary
from ponder.learning.weights.architectures import Described, describe, parameter
from ponder.models.gguf import tensors as gguf

_F32, _F16, _Q8_0 = 0, 1, 8  # tensor types (ggml.h)
_MOSTLY_Q8_0 = 7  # general.file_type (llama.h)
_UINT32, _STRING = 4, 8  # types of metadata (gguf.md)
_CHUNK = 1 << 18  # weights converted at once
_WRAPPERS = ("base_model.", "_orig_mod.", "module.")


def save(model: Any, base: Path, output: Path) -> None:
    """Write the weights of ``model`` as ``output``, with all else of the file ``base``.

    ``model`` is what ``load(base)`` gave, trained, with adapters merged. ``output`` appears
    complete or not at all; its name without ``.gguf`` is the model's name in its metadata. Beyond
    the model, memory holds one matrix at a time.

    Raises:
        UsageError: the model is not of the base's architecture and shapes.
        PonderError: the file cannot be written, such as on a full disk.
    """
    described = describe(base)
    values = _matched(model, described)
    header = described.header
    targets, size = [], 0
    for tensor in header.tensors:
        kind = _F32 if len(tensor.dims) == 1 else _Q8_0 if tensor.dims[0] % 32 == 0 else _F16
        targets.append(replace(tensor, kind=kind, offset=size))
        size = gguf.padded(size + targets[-1].nbytes, header.alignment)
    start = _start(header, output.name.removesuffix(".gguf"))
    start += b"".join(map(gguf.pack_info, targets))
    temporary = output.with_name(output.name + ".tmp")
    try:
        try:
            with temporary.open("wb") as file:
                file.write(start.ljust(gguf.padded(len(start), header.alignment), b"\0"))
                for target in targets:
                    for chunk in _chunks(values[target.name], target, described):
                        file.write(chunk)
                    file.write(bytes(-target.nbytes % header.alignment))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(output)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise PonderError(
            f"cannot write {output}: {error.strerror or error}; {size / 1e6:,.0f} MB are needed."
        ) from error


def _matched(model: Any, described: Described) -> dict[str, Any]:
    """Return the model's value for each tensor of the base.

    Raises:
        UsageError: the model is of another architecture or has other shapes.
    """
    base, architecture = described.path, described.architecture
    state = model.state_dict()
    if any(name.startswith(_WRAPPERS) or ".lora_" in name for name in state):
        raise UsageError(
            "the model to save still has adapters or a wrapper: merge them first, with "
            "merge_and_unload()."
        )
    if model.config.model_type != architecture:
        raise UsageError(
            f"the model to save is of the architecture {model.config.model_type!r}, and {base} of "
            f"{architecture!r}: name the file that it was loaded from."
        )
    names = {tensor.name: parameter(tensor.name) or "" for tensor in described.header.tensors}
    if "output.weight" not in names:
        head = state.pop("lm_head.weight", None)
        if head is not None and not bool((head == state["model.embed_tokens.weight"]).all()):
            raise UsageError(
                f"the model to save has an output of its own, and {base} shares it with the "
                "embeddings: train them tied, as they were loaded."
            )
    for name in sorted(state.keys() - set(names.values())):
        raise UsageError(
            f"the model to save has {name}, which {base} has not: name the file that it was loaded "
            "from."
        )
    for name, shape in described.dims.items():
        found = tuple(state[names[name]].shape) if names[name] in state else None
        if found != shape:
            raise UsageError(
                f"the model to save has {names[name] or name} of shape {found}, and {base} of "
                f"{shape}: name the file that it was loaded from."
            )
    return {name: state[names[name]] for name in names}


def _chunks(value: Any, target: gguf.Tensor, described: Described) -> Iterator[bytes]:
    """Yield the bytes of a tensor as the file holds them."""
    import numpy as np
    import torch

    _, to_q8_0 = gguf.converters()
    rows = value.detach().to("cpu", torch.float32).numpy()
    if heads := described.heads(target.name):
        rows = rotary.neighboured(rows, heads)
    flat = np.ascontiguousarray(rows).reshape(-1)
    for at in range(0, len(flat), _CHUNK):
        part = flat[at : at + _CHUNK]
        if not np.isfinite(part).all():
            raise UsageError(
                f"the model to save has weights in {parameter(target.name)} that are not finite: "
                "its training diverged; train again with a lower learning rate."
            )
        if target.kind == _Q8_0:
            yield to_q8_0(part.tobytes(), "F32")
        else:
            yield part.astype(np.float32 if target.kind == _F32 else np.float16).tobytes()


def _start(header: gguf.Header, name: str) -> bytes:
    """Return magic, version, counts and metadata, with another name and type of file."""
    encoded = name.encode()
    changed = {
        "general.name": struct.pack("<IQ", _STRING, len(encoded)) + encoded,
        "general.file_type": struct.pack("<II", _UINT32, _MOSTLY_Q8_0),
        "general.quantization_version": struct.pack("<II", _UINT32, 2),
    }
    fields = {key: header.start[first:last] for key, (first, last) in header.spans.items()}
    for key, value in changed.items():
        fields[key] = struct.pack("<Q", len(key)) + key.encode() + value
    counts = struct.pack("<QQ", len(header.tensors), len(fields))
    return header.start[:8] + counts + b"".join(fields.values())
