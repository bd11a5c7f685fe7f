"""A GGUF file as a model and a tokenizer of Hugging Face's, for training.

Transformers has a reader of its own. For a model of 135 million parameters it took 22 seconds where
this one takes two, it splits numbers differently from the engine where the file's tokenizer is
``smollm``, and it leaves a configuration that says that the model is quantised.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ponder.core.errors import MissingExtra, UsageError
from ponder.learning.weights import rotary
from ponder.learning.weights.architectures import Described, config, describe, parameter
from ponder.learning.weights.tokens import tokenizer
from ponder.models.gguf import tensors as gguf


@dataclass(frozen=True, slots=True)
class Weights:
    """A model that can be trained, and its tokenizer."""

    model: Any
    """``LlamaForCausalLM`` or ``Qwen2ForCausalLM`` of transformers, in float32."""
    tokenizer: Any
    """``PreTrainedTokenizerFast``, with the file's chat template."""


def load(path: Path) -> Weights:
    """Return the model in this file. It needs four bytes of memory per parameter.

    Raises:
        MissingExtra: the extra ``train`` is not installed.
        UsageError: the file cannot be trained from; the message gives the reason.
    """
    described = describe(path)
    try:
        import torch
        import transformers
    except ImportError as error:
        raise MissingExtra("train", "training a model") from error
    settings = config(described)
    kinds = {"llama": transformers.LlamaForCausalLM, "qwen2": transformers.Qwen2ForCausalLM}
    with torch.device("meta"):
        model = kinds[described.architecture](settings)
    _check(described, {name: tuple(value.shape) for name, value in model.state_dict().items()})
    values = {parameter(name): torch.from_numpy(rows) for name, rows in _values(described)}
    if settings.tie_word_embeddings:
        values["lm_head.weight"] = values["model.embed_tokens.weight"]
    model.load_state_dict(values, assign=True)
    model.tie_weights()
    # Its frequencies belong to no state: they are computed where the model is made.
    model.model.rotary_emb = type(model.model.rotary_emb)(config=settings)
    return Weights(model.eval(), tokenizer(described))


def _check(described: Described, expected: dict[str, tuple[int, ...]]) -> None:
    """Raise UsageError if the file's tensors are not those of the model."""
    shapes = described.dims
    found = {parameter(name) or name: shape for name, shape in shapes.items()}
    if "lm_head.weight" not in found:
        found["lm_head.weight"] = found["model.embed_tokens.weight"]
    for name in sorted(expected.keys() | found.keys()):
        if found.get(name) != expected.get(name):
            raise UsageError(
                f"{described.path} cannot be trained from: a {described.architecture} model of its "
                f"size has {_shown(name, expected)}, and the file has {_shown(name, found)}."
            )


def _shown(name: str, shapes: dict[str, tuple[int, ...]]) -> str:
    shape = shapes.get(name)
    return f"{name} of {' x '.join(map(str, shape))}" if shape else f"no {name}"


def _values(described: Described) -> Any:
    """Yield (name, values in float32) of each tensor, its rows in the order of transformers."""
    import numpy as np

    to_f32, _ = gguf.converters()
    with described.path.open("rb") as file:
        for tensor in described.header.tensors:
            values = np.empty(int(np.prod(tensor.dims)), np.float32)
            done = 0
            for chunk in gguf.chunks(file, described.header.data_offset, tensor):
                part = np.frombuffer(to_f32(chunk, tensor.type_name), np.float32)
                values[done : done + len(part)] = part
                done += len(part)
            rows = values.reshape(tensor.dims[::-1])
            if heads := described.heads(tensor.name):
                rows = rotary.halved(rows, heads)
            yield tensor.name, np.ascontiguousarray(rows)
