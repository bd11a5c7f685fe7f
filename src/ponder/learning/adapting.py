"""Adapters (Hu 2021, 'LoRA') in a model of Hugging Face's, and that model's size."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from peft import LoraConfig, get_peft_model

from ponder.models.base import Shape


def adapted(model: Any, rank: int, alpha: int, seed: int) -> Any:
    """Return the model with adapters in all linear layers but the last; no other weight is trained.

    Args:
        model: a ``PreTrainedModel``.
        rank: rank of the adapters.
        alpha: their output is multiplied by ``alpha / rank``.
        seed: of their first weights.
    """
    config = LoraConfig(
        r=rank, lora_alpha=alpha, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of transformers, to PEFT
        torch.manual_seed(seed)
        return get_peft_model(model, config)


def shape(model: Any) -> Shape:
    """Return the size of a ``LlamaForCausalLM`` or ``Qwen2ForCausalLM``, its last layer included,
    for FLOPs.
    """
    linear = [part for part in model.modules() if isinstance(part, torch.nn.Linear)]
    layers = model.model.layers
    width = int(layers[0].self_attn.o_proj.in_features)
    return Shape(sum(layer.weight.numel() for layer in linear), len(layers) * width)
