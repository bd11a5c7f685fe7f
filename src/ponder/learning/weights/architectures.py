"""The architectures whose weights are read and written: their tensors' names, and their settings.

A file says in its metadata what its tensors do not show: the heads, the rotary base, the epsilon of
the norms. All else is read off the tensors, so a file that contradicts itself is refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ponder.core.errors import MissingExtra, UsageError
from ponder.models.gguf import metadata
from ponder.models.gguf import tensors as gguf

ROTATED = re.compile(r"blk\.\d+\.attn_(q|k)\.(weight|bias)")
_OUTSIDE = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
}
_INSIDE = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_NAME = re.compile(r"(?:blk\.(?P<layer>\d+)\.)?(?P<part>\w+)\.(?P<kind>weight|bias)")
ARCHITECTURES = ("llama", "qwen2")
INTERLEAVED = frozenset({"llama"})
"""Those whose queries and keys stand in another order in a GGUF file (``rotary``)."""


@dataclass(frozen=True, slots=True)
class Described:
    """A file that can be trained from: its header, and the meaning of its metadata."""

    path: Path
    header: gguf.Header
    facts: metadata.Header

    @property
    def architecture(self) -> str:
        """Its architecture, one of ``ARCHITECTURES``."""
        return self.facts.architecture

    @property
    def dims(self) -> Mapping[str, tuple[int, ...]]:
        """Shape of each tensor, with the rows first, as NumPy and PyTorch write it."""
        return {tensor.name: tensor.dims[::-1] for tensor in self.header.tensors}

    def heads(self, tensor: str) -> int:
        """Number of heads in a tensor whose rows stand in the file's own order; 0 if they do not
        (``rotary``).
        """
        found = ROTATED.fullmatch(tensor)
        if found is None or self.architecture not in INTERLEAVED:
            return 0
        heads = self.facts.number("attention.head_count")
        return heads if found[1] == "q" else self.facts.number("attention.head_count_kv", heads)


def describe(path: Path) -> Described:
    """Return the description of a file that holds all that the embedded engine needs.

    Raises:
        UsageError: it is absent, no whole GGUF file, or of another architecture.
    """
    header = gguf.whole(path)
    facts = metadata.of(header)
    if facts.architecture not in ARCHITECTURES:
        raise UsageError(
            f"{path} is of the architecture {facts.architecture!r}: Ponder trains "
            f"{' and '.join(ARCHITECTURES)} models."
        )
    if reason := metadata.cannot_run(facts):
        raise UsageError(f"{path} cannot be trained from: {reason}.")
    return Described(path, header, facts)


def parameter(tensor: str) -> str | None:
    """Return the name that transformers has for a GGUF file's tensor; None if it has none."""
    found = _NAME.fullmatch(tensor)
    if found is None:
        return None
    if found["layer"] is None:
        outside = _OUTSIDE.get(found["part"])
        return outside and f"{outside}.{found['kind']}"
    inside = _INSIDE.get(found["part"])
    return inside and f"model.layers.{found['layer']}.{inside}.{found['kind']}"


def config(described: Described) -> Any:
    """Return the configuration of transformers' that the file describes.

    Raises:
        MissingExtra: transformers is absent.
        UsageError: the metadata and the tensors contradict each other.
    """
    try:
        import transformers
    except ImportError as error:
        raise MissingExtra("train", "training a model") from error
    facts, dims = described.facts, described.dims
    layers = facts.number("block_count")
    heads = facts.number("attention.head_count")
    groups = facts.number("attention.head_count_kv", heads)
    embedding = _shape(described, "token_embd.weight", 2)
    sizes = {
        "vocab_size": embedding[0],
        "hidden_size": embedding[1],
        "intermediate_size": _shape(described, "blk.0.ffn_up.weight", 2)[0],
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": groups,
        "max_position_embeddings": facts.context,
        "rms_norm_eps": _positive(described, "attention.layer_norm_rms_epsilon", 1e-6),
        "tie_word_embeddings": "output.weight" not in dims,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": _positive(described, "rope.freq_base", 10_000.0),
        },
        **{f"{name}_token_id": _token(described, name) for name in ("bos", "eos")},
        "pad_token_id": _token(described, "padding"),
    }
    blocks = {found["layer"] for name in dims if (found := _NAME.fullmatch(name))} - {None}
    _agree(described, "block_count", layers, len(blocks))
    head = facts.head_size
    _agree(described, "rope.dimension_count", facts.number("rope.dimension_count", head), head)
    for part, count in (("q", heads), ("k", groups)):
        rows = _shape(described, f"blk.0.attn_{part}.weight", 2)[0]
        _agree(described, "attention.head_count", rows, count * head)
    if not (groups and heads % groups == 0 and head % 2 == 0):
        raise _contradiction(described, "attention.head_count_kv")
    if described.architecture == "qwen2":
        _agree(described, "attention.key_length", head * heads, embedding[1])
        return transformers.Qwen2Config(**sizes)
    biases = {
        "attention_bias": "blk.0.attn_q.bias" in dims,
        "mlp_bias": "blk.0.ffn_up.bias" in dims,
    }
    return transformers.LlamaConfig(**sizes, **biases, head_dim=head)


def _shape(described: Described, tensor: str, rank: int) -> tuple[int, ...]:
    shape = described.dims.get(tensor, ())
    if len(shape) != rank:
        raise UsageError(
            f"{described.path} has no {'matrix' if rank == 2 else 'vector'} {tensor}, which a "
            f"{described.architecture} model needs: choose another file."
        )
    return shape


def _positive(described: Described, key: str, default: float) -> float:
    value = described.header.fields.get(f"{described.architecture}.{key}", default)
    if not isinstance(value, int | float) or not 0 < value < math.inf:
        raise _contradiction(described, key)
    return float(value)


def _token(described: Described, name: str) -> int | None:
    """Return the number of a special token; None if the file names none in its vocabulary."""
    value = described.header.fields.get(f"tokenizer.ggml.{name}_token_id")
    known = isinstance(value, int) and 0 <= value < described.dims["token_embd.weight"][0]
    return int(value) if known and value is not None else None


def _agree(described: Described, key: str, stated: int, shown: int) -> None:
    if stated != shown:
        raise _contradiction(described, key)


def _contradiction(described: Described, key: str) -> UsageError:
    return UsageError(
        f"the metadata {described.architecture}.{key} of {described.path} does not go with its "
        "tensors: download the file again, or choose another one."
    )
