"""Tiny models of Hugging Face's, made here, and the GGUF files that llama.cpp's converter would
write of them.
"""

from __future__ import annotations

import importlib.util
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf import GGMLQuantizationType as T
from gguf import GGUFWriter, TokenType, quants

needs_train = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("torch", "transformers")),
    reason="the extra 'train' is not installed",
)
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
_JOINED = "aAt12'.,ĠĊčĉ"  # the last: a blank, a line feed, a return, a tab
MERGES = (
    *itertools.product(_JOINED, _JOINED),
    *(("h", "e"), ("l", "l"), ("he", "ll"), ("Ã", "©")),
)
"""Pairs that a text has often, so that each way to split it into words shows in its tokens."""
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_INSIDE = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_OUTSIDE = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}


def vocabulary() -> list[str]:
    from tokenizers.pre_tokenizers import ByteLevel

    return [*SPECIAL, *sorted(ByteLevel.alphabet()), *("".join(pair) for pair in MERGES)]


def tiny_model(architecture: str, *, tied: bool = True, seed: int = 3, **more: Any) -> Any:
    """A model whose weights, biases and norms included, all differ and fit into 16 bits."""
    import torch
    import transformers

    kinds = {
        "llama": (transformers.LlamaConfig, transformers.LlamaForCausalLM),
        "qwen2": (transformers.Qwen2Config, transformers.Qwen2ForCausalLM),
    }
    config, kind = kinds[architecture]
    model = kind(
        config(
            vocab_size=len(vocabulary()),
            hidden_size=64,
            intermediate_size=96,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=512,
            rms_norm_eps=1e-5,
            rope_parameters={"rope_type": "default", "rope_theta": 5000.0},
            tie_word_embeddings=tied,
            **more,
        )
    )
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            drawn = torch.randn(parameter.shape, generator=generator) * 0.15
            parameter.copy_((drawn + (1 if parameter.dim() == 1 else 0)).half().float())
    return model.eval()


def gguf_name(parameter: str) -> str:
    """The name of transformers' parameter in a GGUF file."""
    stem, _, kind = parameter.rpartition(".")
    if stem in _OUTSIDE:
        return f"{_OUTSIDE[stem]}.{kind}"
    _, _, layer, inside = stem.split(".", 3)
    return f"blk.{layer}.{_INSIDE[inside]}.{kind}"


def write_model(path: Path, model: Any, kind: T = T.F16, **more: Any) -> Path:
    """Write the model as llama.cpp's converter does: matrices of this kind, vectors as F32."""
    config, architecture = model.config, model.config.model_type
    writer = GGUFWriter(path, architecture)
    writer.add_name("Tiny")
    writer.add_file_type(1)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    tokens = vocabulary()
    if architecture == "llama":
        writer.add_rope_dimension_count(config.hidden_size // config.num_attention_heads)
        writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(more.pop("pre", "qwen2" if architecture == "qwen2" else "smollm"))
    writer.add_token_list(tokens)
    kinds = [TokenType.CONTROL if t in SPECIAL else TokenType.NORMAL for t in tokens]
    writer.add_token_types(kinds)
    writer.add_token_merges([" ".join(pair) for pair in MERGES])
    writer.add_eos_token_id(2)
    writer.add_bos_token_id(1)
    writer.add_pad_token_id(0)
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)
    for key, value in more.items():
        writer.add_string(key.replace("__", "."), value)
    for name, value in model.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        rows = value.numpy()
        for part, heads in (
            ("q_proj", config.num_attention_heads),
            ("k_proj", config.num_key_value_heads),
        ):
            if architecture == "llama" and part in name:
                half = rows.shape[0] // heads // 2
                order = [
                    h * 2 * half + i + j * half
                    for h in range(heads)
                    for i in range(half)
                    for j in (0, 1)
                ]
                rows = rows[order]
        used = T.F32 if rows.ndim == 1 else kind
        writer.add_tensor(
            gguf_name(name), quants.quantize(np.ascontiguousarray(rows), used), raw_dtype=used
        )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def logits(model: Any, tokens: list[int]) -> Any:
    import torch

    with torch.no_grad():
        return model(input_ids=torch.tensor([tokens])).logits[0].numpy()
