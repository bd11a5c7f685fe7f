"""A llama of two layers and its tokenizer, which learn something in a second."""

from __future__ import annotations

import string
from typing import Any

from ponder.learning.sft.data import Example, Row, encode
from ponder.learning.sft.settings import Settings

TEMPLATE = (
    "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}<end>{{ '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
SETTINGS = Settings(rank=4, alpha=8, rate=0.02, epochs=2, batch=120)
WORDS = ["<pad>", "<user>", "<assistant>", "<system>", "<end>", *string.printable]


def tokenizer() -> Any:
    """A token for each character, and for each mark of the template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, "<pad>"))
    made.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    made.decoder = decoders.Fuse()
    made.add_special_tokens(WORDS[:5])
    return PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token="<end>", pad_token="<pad>", chat_template=TEMPLATE
    )


def model(seed: int = 1) -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LlamaForCausalLM(
            LlamaConfig(
                vocab_size=len(WORDS), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
                num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=256,
            )
        )  # fmt: skip


def rows(count: int = 9) -> list[Row]:
    """Sums, each with its answer; their lengths differ."""
    return [
        Row(
            ({"role": "user", "content": f"What is {i} + 1?"},),
            ({"role": "assistant", "content": f"It is {i + 1}" + "!" * (i % 4)},),
            "",
        )
        for i in range(count)
    ]


def examples(count: int = 9) -> list[Example]:
    return encode(rows(count), tokenizer(), 100)[0]
