"""Tokenizers made from GGUF files, against those that the embedded engine makes of the same."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.errors import UsageError
from ponder.learning.weights.architectures import describe
from ponder.learning.weights.tokens import tokenizer
from ponder.models.gguf.metadata import metadata_only, read_header
from ponder.models.openvino.engine import import_genai
from ponder.models.openvino.model import OpenVINO
from tests.support.tiny_models import needs_train, tiny_model, write_model

pytestmark = needs_train
needs_engine = pytest.mark.skipif(
    importlib.util.find_spec("openvino_genai") is None, reason="needs the extra 'local'"
)
PARTS = ["a", "A", "t", "1", "2", "12", "'", "'t", "'T", ".", ",", " ", "  ", "\n", "\r\n", "\t"]
PARTS += ["é", "e\u0301", "²", "Ⅷ", "٣", "日本", "👩‍👧", "\u00a0", "<|im_start|>", "<|im_end|>"]
TEXTS = (
    "Tom has 3 boxes with 12,345.67 apples.\n\nHow many? It's I'LL don’t",
    "def f(x):\n\treturn {'a': x ** 2}  # naïve café e\u0301 ﬁ\r\n",
    "日本語 한국어 मानक हिन्दी ไทย Ω≈ç 🎉👩‍👩‍👧 ½ Ⅷ ٣٤٥\u200b\u00a0",
    "<|im_start|>user\nHi<|im_end|>\n<|endoftext|><repo_name><tool_call> <|im_end",
    "  \n  a   b \n\n\n c  ",
)


def engine_tokens(engine: Any, text: str) -> list[int]:
    ids: list[int] = engine.encode(text, add_special_tokens=False).input_ids.data[0].tolist()
    return ids


@pytest.fixture(scope="module", params=["smollm", "qwen2"])
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The tokenizer made here and the engine's, of one small vocabulary."""
    genai = import_genai()

    folder = tmp_path_factory.mktemp("tokens")
    path = write_model(folder / "tiny.gguf", tiny_model("llama"), pre=request.param)
    alone = folder / "alone.gguf"
    alone.write_bytes(metadata_only(path, read_header(path)))
    return tokenizer(describe(path)), genai.Tokenizer(str(alone))


@needs_engine
@given(parts=st.lists(st.sampled_from(PARTS), min_size=1, max_size=9))
def test_texts_have_the_engine_s_tokens_and_tokens_its_text(both: Any, parts: list[str]) -> None:
    made, engine = both
    text = "".join(parts)
    tokens = engine_tokens(engine, text)
    assert made(text).input_ids == tokens
    assert made.decode(tokens, skip_special_tokens=True) == engine.decode(tokens)


@needs_engine
@pytest.mark.parametrize("text", TEXTS)
def test_a_real_tokenizer(small_model: Path, small_engine: OpenVINO, text: str) -> None:
    made = real(small_model)
    assert made(text).input_ids == engine_tokens(small_engine._loaded.tokenizer, text)


@needs_engine
def test_a_real_chat_template(small_model: Path, small_engine: OpenVINO) -> None:
    chat = [{"role": "user", "content": "6 x 7?"}, {"role": "assistant", "content": "42"}]
    made = real(small_model).apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    assert made == small_engine._loaded.tokenizer.apply_chat_template(chat, True)


_real: dict[Path, Any] = {}


def real(path: Path) -> Any:
    if path not in _real:
        _real[path] = tokenizer(describe(path))
    return _real[path]


def test_special_tokens_and_the_end_of_a_turn(tmp_path: Path) -> None:
    made = tokenizer(describe(write_model(tmp_path / "tiny.gguf", tiny_model("qwen2"))))
    assert (made.eos_token, made.eos_token_id) == ("<|im_end|>", 2)
    assert (made.bos_token, made.pad_token) == ("<|im_start|>", "<|endoftext|>")
    assert made("<|im_end|>").input_ids == [2]
    assert made.model_max_length == 512
    chat = [{"role": "user", "content": "hé 12"}]
    text = "<|im_start|>user\nhé 12<|im_end|>\n<|im_start|>assistant\n"
    assert made.apply_chat_template(chat, add_generation_prompt=True, tokenize=False) == text
    assert made.decode(made(text).input_ids) == text


def test_a_rule_that_is_not_known(tmp_path: Path) -> None:
    path = write_model(tmp_path / "tiny.gguf", tiny_model("llama"), pre="llama-bpe")
    said = "splits words by the rule 'llama-bpe', which the embedded engine does not know"
    with pytest.raises(UsageError, match=said):
        tokenizer(describe(path))


def test_broken_tokenizers(tmp_path: Path) -> None:
    path = write_model(tmp_path / "tiny.gguf", tiny_model("llama"))
    content = path.read_bytes()
    for before, after, said in (
        (b"he ll", b"he xx", "the merges of .* do not go with its tokens"),
        (b"tokenizer.ggml.merges", b"tokenizer.ggml.mergos", ""),
        (b"tokenizer.ggml.tokens", b"tokenizer.ggml.tokons", "has 0 tokens and embeddings for"),
    ):
        path.write_bytes(content.replace(before, after))
        if said:
            with pytest.raises(UsageError, match=said):
                tokenizer(describe(path))
        else:
            assert len(tokenizer(describe(path))("he").input_ids) == 2
