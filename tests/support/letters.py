"""A tiny language model with a vocabulary of its own, made afresh from a seed."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

WORDS = (*"abcdefgh", "0", "1", "2", " ")
END = "</s>"
TEMPLATE = (
    "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    "{% if add_generation_prompt %} {% endif %}"
)


def tiny(seed: int = 0, *, layers: int = 2, hidden: int = 32) -> tuple[Any, Any]:
    """Return a Llama of two layers and its tokenizer of one token per letter."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    units = [END, *("Ġ" if word == " " else word for word in WORDS)]
    made = Tokenizer(models.BPE(vocab={unit: i for i, unit in enumerate(units)}, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token=END, pad_token=END, chat_template=TEMPLATE
    )
    config = LlamaConfig(
        vocab_size=len(units),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=256,
        eos_token_id=0,
        bos_token_id=None,
        pad_token_id=0,
        tie_word_embeddings=False,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return LlamaForCausalLM(config).eval(), tokenizer


class Loading:
    """Stands for ``ponder.learning.weights.loading``."""

    @staticmethod
    def load(path: Path) -> Any:
        """Return the tiny model, whatever the file."""
        model, tokenizer = tiny()
        return SimpleNamespace(model=model, tokenizer=tokenizer)


class Saving:
    """Stands for ``ponder.learning.weights.saving``."""

    @staticmethod
    def save(model: Any, base: Path, output: Path) -> None:
        """Write the numbers of all weights."""
        weights = (weight.detach().numpy().tobytes() for weight in model.state_dict().values())
        output.write_bytes(b"".join(weights))


def stand_in() -> dict[str, Any]:
    """Return the modules that read and write GGUF files, by name, for the tiny model."""
    return {"ponder.learning.weights.loading": Loading, "ponder.learning.weights.saving": Saving}
