"""Process reward models by transformers: tiny ones made here, against logits computed by hand."""

from __future__ import annotations

import importlib.util
import json
import math
from pathlib import Path
from typing import Any

import pytest

from ponder.core.errors import MissingExtra, ModelError, UnknownName, UsageError
from ponder.core.problem import Message
from ponder.models.base import Completion, Request
from ponder.models.config import Config
from ponder.models.opening import Teller, open_model
from ponder.models.reward import hf as reward_hf
from ponder.models.reward.formats import QWEN_SYSTEM, sigmoid
from ponder.models.reward.hf import TransformersReward, load

needs_extra = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("transformers", "torch")),
    reason="the extra 'hf' is not installed",
)
ASK = Request((Message("user", "six by seven"), Message("assistant", "one two\n\nthree")), 1)
WORDS = ["[UNK]", "six", "by", "seven", "one", "two", "three", "<extra_0>", "ки", "+", "-", "Step"]
WORDS += ["1:", "2:", "\n", "<s>", "[PAD]"]
TEMPLATE = "{% for m in messages %}{{ m.content }} {% endfor %}"


def tokenizer() -> Any:
    """One token per word; a line break is one of its own."""
    from tokenizers import Regex, Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Split
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.pre_tokenizer = Split(Regex(r"<extra_0>|\n|[^\s<]+|<s>"), "removed", invert=True)
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        unk_token="[UNK]",
        bos_token="<s>",
        pad_token="[PAD]",
        chat_template=TEMPLATE,
    )


def tiny(kind: str, labels: int = 2) -> Any:
    """Of a family that has no tokenizer class of its own, so that the one made here is loaded."""
    import torch
    import transformers

    config = transformers.NemotronConfig(
        vocab_size=len(WORDS),
        hidden_size=8,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=128,
        num_labels=labels,
        pad_token_id=WORDS.index("[PAD]"),
        bos_token_id=None,
        eos_token_id=None,
    )
    torch.manual_seed(0)
    return getattr(transformers, f"NemotronFor{kind}")(config).eval()


def logits(model: Any, words: list[str]) -> list[list[float]]:
    """What the model says about this sequence of words."""
    import torch

    ids = [WORDS.index(word) if word in WORDS else 0 for word in words]
    with torch.no_grad():
        found: list[list[float]] = model(input_ids=torch.tensor([ids])).logits[0].tolist()
    return found


def softmax(values: list[float], label: int) -> float:
    powers = [math.exp(value) for value in values]
    return powers[label] / math.fsum(powers)


async def scored(format: Any, model: Any) -> Completion:
    return await TransformersReward("tiny", format, tokenizer(), model).generate(ASK)


@needs_extra
async def test_qwen_by_hand() -> None:
    model = tiny("TokenClassification")
    done = await scored("qwen", model)
    # The template of the test puts the messages one after the other.
    asked = ["six", "by", "seven", "one", "two", "<extra_0>", "three", "<extra_0>"]
    words = [*QWEN_SYSTEM.split(" "), *asked]
    rows = logits(model, words)
    assert json.loads(done.text) == pytest.approx([softmax(rows[17], 1), softmax(rows[19], 1)])
    assert (done.prompt_tokens, done.completion_tokens, done.finish) == (len(words), 0, "stop")


@needs_extra
async def test_math_shepherd_by_hand() -> None:
    model = tiny("CausalLM")
    done = await scored("math_shepherd", model)
    # The second line's break stands before its 'Step'.
    words = [
        "six",
        "by",
        "seven",
        "Step",
        "1:",
        "one",
        "two",
        "ки",
        "\n",
        "Step",
        "2:",
        "three",
        "ки",
    ]
    rows = logits(model, words)
    plus, minus = WORDS.index("+"), WORDS.index("-")
    by_hand = [softmax([rows[at][plus], rows[at][minus]], 0) for at in (7, 12)]
    assert json.loads(done.text) == pytest.approx(by_hand)


@needs_extra
async def test_skywork_by_hand() -> None:
    model = tiny("TokenClassification", labels=1)
    done = await scored("skywork", model)
    words = ["<s>", "six", "by", "seven", "\n", "one", "two", "\n", "three", "\n"]
    rows = logits(model, words)
    assert json.loads(done.text) == pytest.approx([sigmoid(rows[7][0]), sigmoid(rows[9][0])])


@needs_extra
async def test_a_sequence_classifier_by_hand() -> None:
    model = tiny("SequenceClassification")
    done = await scored("classify", model)
    import torch

    by_hand = []
    for words in (
        ["six", "by", "seven", "\n", "\n", "one", "two"],
        ["six", "by", "seven", "\n", "\n", "one", "two", "\n", "\n", "three"],
    ):
        ids = torch.tensor([[WORDS.index(word) for word in words]])
        with torch.no_grad():
            by_hand.append(softmax(model(input_ids=ids).logits[0].tolist(), 1))
    assert json.loads(done.text) == pytest.approx(by_hand)
    assert done.prompt_tokens == 7 + 10


@needs_extra
async def test_the_bound_is_exact() -> None:
    scorer = TransformersReward("tiny", "qwen", tokenizer(), tiny("TokenClassification"))
    assert scorer.prompt_bound(ASK.messages) == (await scorer.generate(ASK)).prompt_tokens
    assert scorer.info.local
    assert scorer.info.context == 128
    assert scorer.info.shape.parameters == sum(
        p.numel() for p in tiny("TokenClassification").parameters()
    )
    await scorer.close()


@needs_extra
async def test_a_tokenizer_that_does_not_know_the_tag_is_told() -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import PreTrainedTokenizerFast

    blind = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]")),
        unk_token="[UNK]",
        chat_template=TEMPLATE,
    )
    scorer = TransformersReward("tiny", "qwen", blind, tiny("TokenClassification"))
    with pytest.raises(ModelError, match="gave 1 scores for 2 steps: is it of the format 'qwen'"):
        await scorer.generate(ASK)


@needs_extra
async def test_it_is_loaded_from_a_folder_by_its_name(tmp_path: Path) -> None:
    model = tiny("TokenClassification")
    model.save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)
    name = f"transformers(qwen, {tmp_path})"
    opened = await open_model(name, Config(), Teller())
    assert opened.model.info.name == name
    assert opened.notes == ("this machine's own model: no dollars.",)
    expected = (await scored("qwen", model)).text
    assert json.loads((await opened.model.generate(ASK)).text) == pytest.approx(
        json.loads(expected), rel=1e-5
    )


@needs_extra
def test_what_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="transformers cannot load"):
        load("m", reward_hf.Named("qwen", str(tmp_path), False))


def test_names() -> None:
    plain, trusted = (reward_hf.Named("qwen", "a/b", code) for code in (False, True))
    assert reward_hf.named("transformers(qwen, a/b)") == plain
    assert reward_hf.named("transformers(qwen, a/b, code=run)") == trusted
    assert reward_hf.named("qwen2.5-coder-1.5b") is None
    malformed = ("transformers(qwen)", "transformers(qwen, x, code=yes)", "transformers(qwen, x)@m",
                 "transformers:qwen:x", "transformers+code:qwen:x")  # fmt: skip
    for name in malformed:
        with pytest.raises(UsageError, match=r"expected transformers\(FORMAT, PATH\)"):
            reward_hf.named(name)
    with pytest.raises(UnknownName, match="did you mean 'qwen'"):
        load("m", reward_hf.Named("qwn", "x", False))


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"ponder\[hf\]"):
        load("m", reward_hf.Named("qwen", "x", False))
