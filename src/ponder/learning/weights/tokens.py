"""The tokenizer in a GGUF file, as one of Hugging Face's: the same tokens as the embedded engine's.

A byte-pair tokenizer is its tokens, its merges, and a rule that splits a text into words before any
merge. Of the rule the file has only the name. The rules here are those of the models' publishers,
except that no text is normalised first, since the engine normalises none. The engine knows these
two as well (``benchmarks/roundtrip.py`` compares them on texts) and splits for every other name by
a rule of its own, which is not the model's: a model trained on the right tokens would then be run
on wrong ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ponder.core.errors import MissingExtra, UsageError
from ponder.learning.weights.architectures import Described
from ponder.models.gguf import tensors as gguf

_CONTROL, _USER_DEFINED = 3, 4  # types of tokens (llama.h)
_QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def tokenizer(described: Described) -> Any:
    """Return the ``PreTrainedTokenizerFast`` that the file describes.

    Raises:
        MissingExtra: transformers is absent.
        UsageError: its rule for words is unknown, or its parts contradict each other.
    """
    try:
        import tokenizers
        import transformers
    except ImportError as error:
        raise MissingExtra("train", "training a model") from error
    header = described.header
    rule = str(header.fields.get("tokenizer.ggml.pre", ""))
    if rule not in _RULES:
        raise UsageError(
            f"the tokenizer of {described.path} splits words by the rule {rule!r}, which the "
            f"embedded engine does not know: Ponder trains models with {' or '.join(_RULES)}."
        )
    tokens, merges, kinds = (_texts(described, key) for key in ("tokens", "merges", "token_type"))
    if len(tokens) != described.dims["token_embd.weight"][0] or len(kinds) not in (0, len(tokens)):
        raise UsageError(
            f"{described.path} has {len(tokens):,} tokens and embeddings for "
            f"{described.dims['token_embd.weight'][0]:,}: choose a file that is whole."
        )
    pairs: Any = [tuple(str(merge).split(" ")) for merge in merges]  # one may be no pair
    names = {str(token): number for number, token in enumerate(tokens)}
    try:
        made = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=names, merges=pairs))
    except Exception as error:  # the library raises nothing more special
        raise UsageError(
            f"the merges of {described.path} do not go with its tokens: choose another file."
        ) from error
    made.pre_tokenizer = _RULES[rule](tokenizers.pre_tokenizers)
    made.decoder = tokenizers.decoders.ByteLevel()
    for kind, add in ((_CONTROL, made.add_special_tokens), (_USER_DEFINED, made.add_tokens)):
        add(
            [
                tokenizers.AddedToken(str(token), special=kind == _CONTROL, normalized=False)
                for token, found in zip(tokens, kinds, strict=False)
                if found == kind
            ]
        )
    special = {
        f"{role}_token": str(tokens[number])
        for role, key in (("bos", "bos"), ("eos", "eos"), ("unk", "unknown"), ("pad", "padding"))
        if isinstance(number := header.fields.get(f"tokenizer.ggml.{key}_token_id"), int)
        and 0 <= number < len(tokens)
    }
    if header.fields.get("tokenizer.ggml.add_bos_token") and "bos_token" in special:
        bos = special["bos_token"]
        made.post_processor = tokenizers.processors.TemplateProcessing(
            single=f"{bos} $A", pair=f"{bos} $A {bos} $B", special_tokens=[(bos, names[bos])]
        )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made,
        chat_template=str(header.fields["tokenizer.chat_template"]),
        model_max_length=described.facts.context,
        clean_up_tokenization_spaces=False,
        **special,
    )


def _texts(described: Described, key: str) -> list[gguf.Value]:
    try:
        return gguf.array(described.header, f"tokenizer.ggml.{key}")
    except gguf.BROKEN as error:
        raise UsageError(
            f"the tokenizer of {described.path} is broken ({error}): choose another file."
        ) from error


def _smollm(library: Any) -> Any:
    return library.Sequence(
        [
            library.Digits(individual_digits=True),
            library.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )


def _qwen2(library: Any) -> Any:
    from tokenizers import Regex

    return library.Sequence(
        [
            library.Split(Regex(_QWEN2), "isolated"),
            library.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


_RULES: dict[str, Callable[[Any], Any]] = {"qwen2": _qwen2, "smollm": _smollm}
