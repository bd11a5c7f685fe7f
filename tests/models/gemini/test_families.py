"""What a model takes, told from its name, and what is asked of it."""

from __future__ import annotations

from typing import Any

import pytest

from ponder.core.problem import Message
from ponder.core.thinking import Thinking
from ponder.models.base import Request
from ponder.models.config import EndpointConfig
from ponder.models.gemini import families
from ponder.models.gemini.families import Family, family_of, preset
from ponder.models.gemini.generate import Generate
from ponder.models.http.client import HttpModel
from ponder.models.http.endpoint import Endpoint
from ponder.models.pricing import pricing

ALL = ("minimal", "low", "medium", "high")
BASE_URL = "https://generativelanguage.googleapis.com/v1beta"
OLDER, NEWER = frozenset[str](), frozenset({"temperature", "topP"})


def endpoint(model: str) -> Endpoint:
    return Endpoint(name="e", base_url=BASE_URL, model=model, **preset(model))


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("gemini-1.5-pro", families.PLAIN),
        ("gemini-2.0-flash", families.PLAIN),
        ("gemini-2.5-pro", families.PRO),
        ("models/gemini-2.5-flash-preview-09-2025", families.FLASH),
        ("gemini-2.5-flash-lite", families.LITE),
        ("gemini-3-pro-preview", Family(OLDER, ("low", "high"))),
        ("gemini-3-flash-preview", Family(OLDER, ALL)),
        ("gemini-3.1-pro-preview", Family(OLDER, ALL[1:])),
        ("gemini-3.1-flash-lite", Family(OLDER, ALL)),
        ("gemini-3.5-flash", Family(OLDER, ALL)),
        ("gemini-3.5-flash-lite", Family(NEWER, ALL)),
        ("gemini-3.6-flash", Family(NEWER, ALL)),
        ("gemini-3.7-flash", Family(NEWER, ALL[1:])),
        ("gemini-3.8-flash", Family(NEWER, ALL[1:])),
        ("gemini-4-argon", Family(NEWER, ALL[1:])),
        ("gemini-flash-latest", Family(NEWER, ALL[1:])),
    ],
)
def test_the_family_is_told_from_the_name(model: str, family: Family) -> None:
    assert family_of(model) == family


SETTINGS: list[tuple[str, str | int | None, int, dict[str, Any], str]] = [
    ("gemini-2.0-flash", None, 2000, {}, ""),
    ("gemini-2.0-flash", "off", 2000, {}, ""),
    ("gemini-2.0-flash", "high", 2000, {}, "has no thinking that could be set"),
    ("gemini-2.5-flash", None, 2000, {"includeThoughts": True}, ""),
    ("gemini-2.5-flash", "off", 2000, {"thinkingBudget": 0}, ""),
    ("gemini-2.5-flash", "auto", 2000, {"includeThoughts": True, "thinkingBudget": -1}, ""),
    ("gemini-2.5-flash", "low", 2000, {"includeThoughts": True, "thinkingBudget": 1024}, ""),
    ("gemini-2.5-flash", "high", 8001, {"includeThoughts": True, "thinkingBudget": 6000},
     "thinking=high is 6,000 of 8,001 tokens"),
    ("gemini-2.5-flash", 30_000, 65_000, {"includeThoughts": True, "thinkingBudget": 24_576},
     "thinking=30000 is 24,576 of 65,000 tokens"),
    ("gemini-2.5-flash", 9000, 8000, {"includeThoughts": True, "thinkingBudget": 7999},
     "thinking=9000 is 7,999 of 8,000 tokens"),
    ("gemini-2.5-flash-lite", 5, 2000, {"includeThoughts": True, "thinkingBudget": 512},
     "thinking=5 is 512 of 2,000 tokens"),
    ("gemini-2.5-pro", "off", 2000, {"includeThoughts": True, "thinkingBudget": 128},
     "thinking=off is 128 of 2,000 tokens"),
    ("gemini-3.5-flash", "auto", 2000, {"includeThoughts": True}, ""),
    ("gemini-3.5-flash", "minimal", 2000,
     {"includeThoughts": True, "thinkingLevel": "MINIMAL"}, ""),
    ("gemini-3.5-flash", "off", 2000, {"includeThoughts": True, "thinkingLevel": "MINIMAL"},
     "does not take thinking=off: minimal is taken"),
    ("gemini-3-pro-preview", "medium", 2000, {"includeThoughts": True, "thinkingLevel": "LOW"},
     "does not take thinking=medium: low is taken"),
    ("gemini-3.1-pro-preview", "max", 2000, {"includeThoughts": True, "thinkingLevel": "HIGH"},
     "does not take thinking=max: high is taken"),
    ("gemini-3.1-pro-preview", 8000, 2000,
     {"includeThoughts": True, "thinkingLevel": "MEDIUM"},
     "does not take thinking=8000: medium is taken"),
]  # fmt: skip


@pytest.mark.parametrize(("model", "thinking", "length", "sent", "remark"), SETTINGS)
def test_thinking_is_asked_for_in_the_words_of_the_model(
    model: str, thinking: str | int | None, length: int, sent: dict[str, Any], remark: str
) -> None:
    wire = Generate(endpoint(model))
    ask = (Message("user", "?"),)
    request = Request(ask, length, temperature=1.0, thinking=Thinking.read(thinking))
    config = wire.fields(request, 1, streamed=False)["generationConfig"]
    assert config.get("thinkingConfig", {}) == sent
    remarks = wire.remarks(request)
    assert len(remarks) == bool(remark)
    assert all(remark in found and model in found for found in remarks)


def test_a_temperature_that_a_model_ignores_is_left_out_and_said() -> None:
    wire = Generate(endpoint("gemini-3.8-flash"))
    request = Request((Message("user", "?"),), 20, top_p=0.9)
    config = wire.fields(request, 1, streamed=False)["generationConfig"]
    assert config.keys() == {"maxOutputTokens", "seed", "thinkingConfig"}
    assert wire.remarks(request) == (
        "gemini-3.8-flash does not take temperature: left out.",
        "gemini-3.8-flash does not take topP: left out.",
    )


def test_the_preset_says_what_a_model_can_do() -> None:
    plain, flash = (
        HttpModel(endpoint(model), Generate).info
        for model in ("gemini-2.0-flash", "gemini-2.5-flash")
    )
    assert plain.capabilities == {"stop", "seed", "tools", "images"}
    assert flash.capabilities == plain.capabilities | {"native_thinking", "schema"}
    price, note = pricing(EndpointConfig("e", BASE_URL, "gemini-2.5-flash", {}))
    assert price, note
