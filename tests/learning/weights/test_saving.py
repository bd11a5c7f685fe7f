"""Trained models as GGUF files."""

from __future__ import annotations

import asyncio
import errno
import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf import GGMLQuantizationType as T
from gguf import GGUFReader, quants

from ponder.core.errors import PonderError, UsageError
from ponder.core.problem import Message
from ponder.learning.weights.loading import load
from ponder.learning.weights.saving import save
from ponder.models import learned
from ponder.models.base import Completion, Request
from ponder.models.config import Config
from ponder.models.home import models_dir
from ponder.models.opening import Teller, open_model
from ponder.models.openvino import converted
from tests.support.tiny_models import logits, needs_train, tiny_model, write_model

pytestmark = needs_train
TOKENS = list(range(3, 80, 3))


def rounded(model: Any) -> Any:
    """The model with its matrices as Q8_0 has them, computed with the package's own functions."""
    import torch

    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 2:
                packed = quants.quantize(parameter.numpy(), T.Q8_0)
                parameter.copy_(torch.from_numpy(quants.dequantize(packed, T.Q8_0)))
    return model


@pytest.mark.parametrize(
    ("architecture", "more"),
    [
        ("llama", {}),
        ("qwen2", {"tied": False}),
        ("llama", {"attention_bias": True, "mlp_bias": True}),
    ],
)
def test_loaded_again_it_differs_by_the_rounding_to_eight_bits_alone(
    tmp_path: Path, architecture: str, more: dict[str, Any]
) -> None:
    base = write_model(tmp_path / "base.gguf", tiny_model(architecture, **more))
    trained = tiny_model(architecture, seed=4, **more)
    save(trained, base, tmp_path / "learned.gguf")
    again = load(tmp_path / "learned.gguf").model
    before = {name: value.numpy().copy() for name, value in trained.state_dict().items()}
    for name, value in again.state_dict().items():
        blocks, found = before[name].reshape(-1, 32), value.numpy().reshape(-1, 32)
        # Half a step of 1/127 of the block's largest weight, and the scale's rounding to F16.
        bound = np.abs(blocks).max(axis=1, keepdims=True) * (0.5 / 127 + 2**-10)
        assert np.all(np.abs(found - blocks) <= (0 if value.dim() == 1 else bound))
    assert logits(again, TOKENS) == pytest.approx(logits(rounded(trained), TOKENS), abs=1e-5)


def test_the_rest_is_the_base_s(tmp_path: Path) -> None:
    base = write_model(tmp_path / "base.gguf", tiny_model("llama"))
    save(load(base).model, base, tmp_path / "base+puzzles.gguf")
    one, other = GGUFReader(base), GGUFReader(tmp_path / "base+puzzles.gguf")
    changed = {"general.name": "base+puzzles", "general.file_type": 7}
    added = {"general.quantization_version": 2}
    contents = {key: field.contents() for key, field in one.fields.items()}
    assert contents["general.name"] == "Tiny"
    contents |= changed | added | {"GGUF.kv_count": contents["GGUF.kv_count"] + 1}
    assert {key: field.contents() for key, field in other.fields.items()} == contents
    assert [t.name for t in other.tensors] == [t.name for t in one.tensors]
    kinds = {len(t.shape): t.tensor_type for t in other.tensors}
    assert kinds == {1: T.F32, 2: T.Q8_0}


def test_what_was_not_trained_is_written_as_it_was(tmp_path: Path) -> None:
    base = write_model(tmp_path / "base.gguf", tiny_model("llama"), T.Q8_0)
    save(load(base).model, base, tmp_path / "same.gguf")
    one, other = GGUFReader(base), GGUFReader(tmp_path / "same.gguf")
    for before, after in zip(one.tensors, other.tensors, strict=True):
        assert (before.data == after.data).all()


def test_other_models_are_refused(tmp_path: Path) -> None:
    llama, output = write_model(tmp_path / "llama.gguf", tiny_model("llama")), tmp_path / "o.gguf"
    for model, said in (
        (tiny_model("qwen2"), "is of the architecture 'qwen2', and .*llama.gguf of 'llama'"),
        (tiny_model("llama", attention_bias=True), "has model.layers.0.self_attn.k_proj.bias, whi"),
        (tiny_model("llama", tied=False), "has an output of its own"),
    ):
        with pytest.raises(UsageError, match=said):
            save(model, llama, output)
    wider = tiny_model("llama")
    wider.resize_token_embeddings(300)
    said = r"has model.embed_tokens.weight of shape \(300, 64\), and .* of \(\d+, 64\)"
    with pytest.raises(UsageError, match=said):
        save(wider, llama, output)
    assert not output.exists()


def test_adapters_have_to_be_merged(tmp_path: Path) -> None:
    import torch

    base = write_model(tmp_path / "base.gguf", tiny_model("llama"))
    wrapped = torch.nn.ModuleDict({"base_model": tiny_model("llama")})
    with pytest.raises(UsageError, match=r"merge them first, with merge_and_unload\(\)"):
        save(wrapped, base, tmp_path / "o.gguf")


def test_weights_that_diverged(tmp_path: Path) -> None:
    base = write_model(tmp_path / "base.gguf", tiny_model("llama"))
    model = load(base).model
    model.state_dict()["model.layers.1.mlp.up_proj.weight"][3, 4] = float("nan")
    said = "weights in model.layers.1.mlp.up_proj.weight that are not finite: its training diverged"
    with pytest.raises(UsageError, match=re.escape(said)):
        save(model, base, tmp_path / "o.gguf")
    assert not list(tmp_path.glob("o.gguf*"))


def test_a_full_disk_leaves_the_file_that_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = write_model(tmp_path / "base.gguf", tiny_model("llama"))
    output = tmp_path / "o.gguf"
    output.write_bytes(b"before")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    said = r"cannot write .*o.gguf: No space left on device; 0 MB are needed\."
    with pytest.raises(PonderError, match=said):
        save(load(base).model, base, output)
    assert output.read_bytes() == b"before"
    assert list(tmp_path.glob("o.gguf*")) == [output]


@pytest.mark.skipif(
    importlib.util.find_spec("openvino_genai") is None, reason="needs the extra 'local'"
)
def test_a_real_model_answers_in_the_engine_as_the_trainer_s_does(
    small_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a file to a learned model that is named to the engine: each token of its greedy answer
    is the trainer's own best, or one that rounding can put in its place.
    """
    import torch

    weights = load(small_model)
    models_dir().mkdir(parents=True)
    (models_dir() / "smollm2-135m.json").write_text(json.dumps({"sha256": "00"}))
    made = learned.add(
        "smollm2-135m", "same", lambda path: save(weights.model, small_model, path), {}
    )
    # Its conversion, for the next start, takes as long as all the rest.
    monkeypatch.setattr(converted, "prepare", lambda path, name, tell: None)

    async def asked() -> Completion:
        exact = {"precision": "f32", "kv_precision": "f32"}  # the same on every processor
        opened = await open_model(made.full_name, Config(engine=exact), Teller())
        assert opened.model.info.name == "smollm2-135m+same"
        assert opened.model.info.shape.parameters == 134_515_008
        try:
            message = Message("user", "Name the colours of the rainbow.")
            return await opened.model.generate(Request((message,), 24, temperature=0.0))
        finally:
            await opened.model.close()

    answer = asyncio.run(asked()).text
    chat = [{"role": "user", "content": "Name the colours of the rainbow."}]
    prompt = weights.tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    before = len(weights.tokenizer(prompt).input_ids)
    tokens = weights.tokenizer(prompt + answer).input_ids
    with torch.no_grad():
        rows = weights.model(input_ids=torch.tensor([tokens])).logits[0, before - 1 : -1]
    lost = rows.max(-1).values - rows.gather(-1, torch.tensor(tokens[before:])[:, None])[:, 0]
    assert len(lost) > 10
    assert float(lost.max()) < 1.0
