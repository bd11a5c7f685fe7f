"""What a model takes, told from its name."""

from __future__ import annotations

import pytest

from ponder.models.anthropic import families
from ponder.models.anthropic.families import family_of, preset
from ponder.models.anthropic.messages import Messages
from ponder.models.config import EndpointConfig
from ponder.models.http.client import HttpModel
from ponder.models.http.endpoint import Endpoint
from ponder.models.pricing import pricing


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("claude-2.1", families.PLAIN),
        ("claude-3-opus-20240229", families.PLAIN),
        ("claude-3-5-sonnet-20241022", families.PLAIN),
        ("claude-3-7-sonnet-20250219", families.BUDGETS),
        ("claude-sonnet-4-20250514", families.BUDGETS),
        ("claude-opus-4-1-20250805", families.BUDGETS),
        ("claude-haiku-4-5", families.BUDGETS),
        ("anthropic/claude-sonnet-4.5", families.BUDGETS),
        ("claude-opus-4-6", families.BOTH),
        ("claude-opus-4-8", families.LEVELS),
        ("claude-sonnet-5", families.LEVELS),
        ("claude-opus-5", families.LEVELS),
        ("claude-haiku-5-5", families.LEVELS),
        ("claude-opus-5-5", families.ALWAYS),
        ("claude-fable-5-2", families.ALWAYS),
        ("claude-mythos-preview", families.ALWAYS),
        ("claude-latest", families.UNKNOWN),
    ],
)
def test_the_family_is_told_from_the_name(model: str, family: families.Family) -> None:
    assert family_of(model) == family


def test_the_preset_says_what_a_model_can_do() -> None:
    for model, able in (
        ("claude-opus-4-7", {"stop", "native_thinking", "schema"}),
        ("claude-sonnet-4-5", {"stop", "native_thinking", "prefill", "schema"}),
        ("claude-sonnet-4-20250514", {"stop", "native_thinking", "prefill"}),
        ("claude-3-5-haiku", {"stop", "prefill"}),
    ):
        where = "http://127.0.0.1/v1"
        endpoint = Endpoint(name="claude", base_url=where, model=model, **preset(model))
        info = HttpModel(endpoint, Messages).info
        assert info.capabilities == able | {"tools", "images"}
    price, note = pricing(
        EndpointConfig("e", "https://api.anthropic.com/v1", "claude-sonnet-4-5", {})
    )
    assert price, note
