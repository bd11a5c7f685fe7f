"""Families of OpenAI's models by their names."""

from __future__ import annotations

import pytest

from ponder.models.http.client import HttpModel
from ponder.models.http.endpoint import Endpoint
from ponder.models.openai.families import family_of, preset
from ponder.models.openai.responses import Responses

THREE = ("low", "medium", "high")


@pytest.mark.parametrize(
    ("name", "efforts", "api"),
    [
        ("o1", THREE, "responses"),
        ("o1-2024-12-17", THREE, "responses"),
        ("o3", THREE, "responses"),
        ("o3-mini", THREE, "responses"),
        ("o4-mini-2025-04-16", THREE, "responses"),
        ("gpt-5", ("minimal", *THREE), "responses"),
        ("gpt-5-mini-2025-08-07", ("minimal", *THREE), "responses"),
        ("gpt-5-nano", ("minimal", *THREE), "responses"),
        ("gpt-5-pro", ("high",), "responses"),
        ("gpt-5-codex", THREE, "responses"),
        ("gpt-5.1", ("off", *THREE), "responses"),
        ("gpt-5.1-codex-max", (*THREE, "xhigh"), "responses"),
        ("gpt-5.2", ("off", *THREE, "xhigh"), "responses"),
        ("gpt-5.4-mini", ("off", *THREE, "xhigh"), "responses"),
        ("gpt-5.2-pro", ("medium", "high", "xhigh"), "responses"),
        ("gpt-5-chat-latest", (), "chat"),
        ("gpt-4.1-nano", (), "chat"),
        ("gpt-4o-2024-11-20", (), "chat"),
        ("gpt-3.5-turbo", (), "chat"),
        ("ft:gpt-4.1-mini-2025-04-14:team::abc", (), "chat"),
        ("openai/gpt-oss-120b", THREE, "chat"),
        ("gpt-oss:20b", THREE, "chat"),
        ("gpt-7-nova", (), "responses"),
    ],
)
def test_a_model_is_known_by_its_name(name: str, efforts: tuple[str, ...], api: str) -> None:
    known = preset(name)
    assert (known["efforts"], known["api"]) == (efforts, api)
    assert ("native_thinking" in known["capabilities"]) is family_of(name).thinks


def test_a_preset_is_an_endpoint_whose_abilities_its_api_has() -> None:
    for name in ("o3", "gpt-5", "gpt-4.1", "gpt-oss-20b", "gpt-7-nova"):
        endpoint = Endpoint(name="e", base_url="http://127.0.0.1/v1", model=name, **preset(name))
        assert endpoint.able == endpoint.capabilities
        HttpModel(endpoint, Responses)
