"""GGUF files as models of Hugging Face's: the very numbers of the model that was written."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf import GGMLQuantizationType as T

from ponder.core.errors import MissingExtra, UsageError
from ponder.learning.weights.loading import load
from tests.support.gguf_files import write_gguf
from tests.support.tiny_models import logits, needs_train, tiny_model, write_model

TOKENS = list(range(3, 80, 3))
SHAPES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("llama", {}),
    ("qwen2", {}),
    ("llama", {"attention_bias": True, "mlp_bias": True, "tied": False}),
    ("qwen2", {"tied": False}),
)


@needs_train
@pytest.mark.parametrize("kind", [T.F16, T.F32])
@pytest.mark.parametrize(("architecture", "more"), SHAPES)
def test_it_computes_what_the_original_does(
    tmp_path: Path, architecture: str, more: dict[str, Any], kind: T
) -> None:
    original = tiny_model(architecture, **more)
    model = load(write_model(tmp_path / "tiny.gguf", original, kind)).model
    assert logits(model, TOKENS) == pytest.approx(logits(original, TOKENS), abs=1e-5)
    assert type(model) is type(original)
    assert model.config.tie_word_embeddings is original.config.tie_word_embeddings
    assert (model.config.eos_token_id, model.config.pad_token_id) == (2, 0)
    assert {str(p.dtype) for p in model.parameters()} == {"torch.float32"}
    assert all(p.requires_grad and not p.is_meta for p in model.parameters())
    assert len(list(model.parameters())) == len(list(original.parameters()))


@needs_train
def test_the_order_of_rows_matters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the permutation another model comes of it, so the test above can fail."""
    original = tiny_model("llama")
    path = write_model(tmp_path / "tiny.gguf", original)
    monkeypatch.setattr("ponder.learning.weights.rotary.halved", lambda rows, heads: rows)
    assert np.abs(logits(load(path).model, TOKENS) - logits(original, TOKENS)).max() > 0.1


@needs_train
def test_no_other_architecture(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "a.gguf", fields={"general.architecture": "qwen3"}, kinds=(0, 0))
    path.write_bytes(path.read_bytes() + bytes(4096))
    with pytest.raises(UsageError, match=r"architecture 'qwen3': Ponder trains llama and qwen2"):
        load(path)


@needs_train
@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("block_count", 3, "metadata llama.block_count of .* does not go with its tensors"),
        ("attention.head_count", 5, "metadata llama.* does not go with its tensors"),
        ("attention.head_count", 0, "metadata llama.* does not go with its tensors"),
        ("attention.head_count_kv", 3, "metadata llama.* does not go with its tensors"),
        ("rope.dimension_count", 8, "metadata llama.rope.dimension_count of .* does not go"),
    ],
)
def test_metadata_that_contradicts_the_tensors(
    tmp_path: Path, field: str, value: int, said: str
) -> None:
    path = write_model(tmp_path / "tiny.gguf", tiny_model("llama"))
    key = f"llama.{field}".encode()
    content = path.read_bytes()
    at = content.index(len(key).to_bytes(8, "little") + key) + 8 + len(key) + 4
    path.write_bytes(content[:at] + value.to_bytes(4, "little") + content[at + 4 :])
    with pytest.raises(UsageError, match=said):
        load(path)


@needs_train
def test_a_tensor_that_is_absent(tmp_path: Path) -> None:
    path = write_model(tmp_path / "tiny.gguf", tiny_model("llama"))
    path.write_bytes(path.read_bytes().replace(b"blk.1.ffn_norm", b"blk.1.ffn_xorm"))
    said = "a llama model of its size has no blk.1.ffn_xorm.weight, and the file has"
    with pytest.raises(UsageError, match=re.escape(said)):
        load(path)


@needs_train
def test_scaled_positions_are_refused(tmp_path: Path) -> None:
    path = write_model(tmp_path / "a.gguf", tiny_model("llama"), llama__rope__scaling__type="yarn")
    with pytest.raises(UsageError, match="it scales its rotary positions"):
        load(path)


def test_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    path = write_gguf(tmp_path / "a.gguf", kinds=(0, 0))
    path.write_bytes(path.read_bytes() + bytes(4096))
    with pytest.raises(MissingExtra, match=r"training a model needs the extra 'train'"):
        load(path)
