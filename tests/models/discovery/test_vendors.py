"""What hosted vendors' lists of models tell."""

import asyncio

import pytest

from ponder.models.base import Api
from ponder.models.discovery.facts import Facts
from ponder.models.discovery.vendors import TELLERS
from ponder.models.http.asking import asking
from ponder.models.http.endpoint import Endpoint
from tests.support.telling import Json, Server, telling

VALUES = [None, 7, -1, "x", True, [], {}, [7], {"supported": "x"}]


def told(vendor: str, path: str, reply: Json, api: Api = "chat") -> tuple[Facts, Server]:
    async def go(url: str) -> Facts:
        endpoint = Endpoint(name="x", base_url=f"{url}/v1", model="m", api=api, key="secret")
        async with asking(endpoint) as ask:
            return await TELLERS[vendor](ask, "m")

    with telling(lambda method, where, body: reply if where == path else None) as server:
        return asyncio.run(go(server.url)), server


def values(facts: Facts) -> dict[str, Json]:
    return {name: fact.value for name, fact in facts.found.items()}


def test_openrouter_tells_parameters_levels_and_price() -> None:
    row = {
        "id": "m",
        "context_length": 163840,
        "supported_parameters": [
            "seed",
            "stop",
            "logprobs",
            "tools",
            "include_reasoning",
            "reasoning",
        ],
        "reasoning": {"mandatory": True, "supported_efforts": ["high", "low", "medium"]},
        "architecture": {"input_modalities": ["text", "image"]},
        "pricing": {"prompt": "0.0000004", "completion": "0.00000175", "image": "0"},
    }
    facts, _ = told("openrouter", "/v1/models", {"data": [{"id": "other"}, row]})
    assert facts.models == ("other", "m")
    assert values(facts) == {
        "seed": True, "stop": True, "logprobs": True, "top_logprobs": False,
        "native_thinking": True, "tools": True, "schema": False, "images": True,
        "efforts": ("low", "medium", "high"), "context": 163840,
        "price": {"input": "0.4000000", "output": "1.75000000"},
    }  # fmt: skip


@pytest.mark.parametrize("price", ["-1", "NaN", "1e400", "x", None, 7])
def test_a_price_that_varies_or_is_no_number_is_none(price: Json) -> None:
    row = {"id": "m", "pricing": {"prompt": price, "completion": "0.1"}}
    facts, _ = told("openrouter", "/v1/models", {"data": [row]})
    assert facts.value("price") is None


def test_anthropic_tells_levels_and_context() -> None:
    effort = {"supported": True, "low": {"supported": True}, "high": {"supported": True},
              "max": {"supported": False}}  # fmt: skip
    able = {"effort": effort, "thinking": {"supported": True, "types": {}}}
    body = {"id": "m", "max_input_tokens": 200000, "capabilities": able}
    facts, server = told("anthropic", "/v1/models/m", body, "messages")
    assert values(facts) == {
        "context": 200000, "efforts": ("low", "high"), "native_thinking": True,
    }  # fmt: skip
    [headers] = server.headers
    assert (headers["x-api-key"], headers["anthropic-version"]) == ("secret", "2023-06-01")


def test_gemini_tells_its_longest_prompt_and_if_it_thinks() -> None:
    facts, server = told(
        "gemini", "/v1/models/m", {"inputTokenLimit": 1048576, "thinking": True}, "gemini"
    )
    assert values(facts) == {"context": 1048576, "native_thinking": True}
    assert server.headers[0]["x-goog-api-key"] == "secret"
    facts, _ = told("gemini", "/v1/models/m", {"inputTokenLimit": 8192}, "gemini")
    assert values(facts) == {"context": 8192, "native_thinking": False}


def test_together_and_mistral_tell_the_context() -> None:
    facts, _ = told("together", "/v1/models", [{"id": "m", "context_length": 131072}])
    assert values(facts) == {"context": 131072}
    row = {"id": "m", "max_context_length": 40960}
    facts, _ = told("mistral", "/v1/models", {"object": "list", "data": [row]})
    assert values(facts) == {"context": 40960}


@pytest.mark.parametrize("vendor", sorted(TELLERS))
@pytest.mark.parametrize("value", VALUES)
def test_values_of_any_type_are_no_error(vendor: str, value: Json) -> None:
    row = dict.fromkeys(
        ("context_length", "max_context_length", "supported_parameters", "reasoning", "pricing",
         "max_input_tokens", "capabilities", "inputTokenLimit", "thinking"), value,
    ) | {"id": "m"}  # fmt: skip
    for body in ({"data": [row], **row}, [row], value):
        for path in ("/v1/models", "/v1/models/m"):
            facts, _ = told(vendor, path, body)
            assert facts.value("price") is None


@pytest.mark.parametrize("vendor", sorted(TELLERS))
@pytest.mark.parametrize("reply", [(401, {"error": "no"}), (500, None), (200, b"<html>")])
def test_a_vendor_that_says_nothing_leaves_nothing_known(vendor: str, reply: Json) -> None:
    assert told(vendor, "/v1/models", reply)[0].found == {}
