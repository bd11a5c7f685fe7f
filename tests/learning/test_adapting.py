"""The size of both kinds of model that are trained, and their adapters."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")

from ponder.learning.adapting import adapted, shape
from tests.support.tiny_models import tiny_model, vocabulary

HIDDEN, INSIDE, KEYS, LAYERS = 64, 96, 32, 2


@pytest.mark.parametrize("architecture", ["llama", "qwen2"])
def test_the_size_is_that_of_the_linear_layers_and_of_the_heads(architecture: str) -> None:
    each = HIDDEN * (2 * HIDDEN + 2 * KEYS + 3 * INSIDE)
    found = shape(tiny_model(architecture))
    assert found.parameters == LAYERS * each + HIDDEN * len(vocabulary())
    assert found.attention == LAYERS * HIDDEN


@pytest.mark.parametrize("architecture", ["llama", "qwen2"])
def test_adapters_alone_are_trained_and_the_last_layer_has_none(architecture: str) -> None:
    model = adapted(tiny_model(architecture), rank=4, alpha=8, seed=0)
    trained = [name for name, value in model.named_parameters() if value.requires_grad]
    assert len(trained) == LAYERS * 7 * 2
    assert all("lora_" in name for name in trained)
    assert not any("lm_head" in name for name in trained)
