"""Errors in the form of the Messages API."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import anthropic
import pytest
from anthropic.types import ErrorResponse
from starlette.requests import Request

from ponder.core.errors import CapabilityError, ModelError, RateLimited, RunFailed
from ponder.server import keys
from ponder.server.errors import ApiError, of_api
from ponder.server.messages.errors import in_its_form
from ponder.server.settings import Settings
from tests.support.messaging import request, talking
from tests.support.serving import Gate, Served, answering, scripted, serving


async def failing(server: Served, kind: type[anthropic.APIStatusError]) -> anthropic.APIStatusError:
    """The error that the client raises."""
    async with talking(server) as client:
        with pytest.raises(kind) as caught:
            await client.messages.create(**request())
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["request_id"] == caught.value.request_id
    return caught.value


async def test_a_wrong_key_is_told_in_this_form_and_another_address_in_its_own(
    tmp_path: Path,
) -> None:
    key, lines = keys.new("team")
    (tmp_path / "keys.toml").write_text(lines)
    settings = Settings(keys=keys.load(tmp_path / "keys.toml"))
    async with serving(answering("hi"), settings) as server:
        error = await failing(server, anthropic.AuthenticationError)
        assert error.type == "authentication_error"
        other = await server.post(model="scripted", messages=[])
        assert other.json()["error"]["code"] == "invalid_api_key"
        for header in ({"x-api-key": key}, {"authorization": f"Bearer {key}"}):
            said = await server.http.post("/v1/messages", json=request(), headers=header)
            assert said.json()["content"][0]["text"] == "hi"
        async with talking(server, auth_token=key, api_key=None) as client:
            counted = await client.messages.count_tokens(
                model="scripted", messages=request()["messages"]
            )
    assert counted.input_tokens == 5


async def test_a_failed_run_says_what_it_cost_and_is_not_repeated() -> None:
    async with serving(scripted(lambda request: ModelError("the wire is cut."))) as server:
        error = await failing(server, anthropic.InternalServerError)
    assert error.type == "api_error"
    assert error.body["ponder"]["receipt"]["total"]["failed"] == 1
    assert error.response.headers["x-should-retry"] == "false"


async def test_a_full_queue_is_told_as_a_limit() -> None:
    gate = Gate()
    model = scripted(lambda request: "late", gate=gate)
    settings = Settings(at_once=1, queue=0)
    async with (
        serving(model, settings) as server,
        talking(server) as client,
        client.messages.stream(**request()),
    ):
        await gate.reached()
        error = await failing(server, anthropic.RateLimitError)
    assert error.type == "rate_limit_error"
    assert int(error.response.headers["retry-after"]) >= 1


async def test_a_limit_of_the_models_endpoint_is_told_as_one() -> None:
    async with serving(scripted(lambda request: RateLimited("slow down."))) as server:
        error = await failing(server, anthropic.RateLimitError)
    assert error.type == "rate_limit_error"
    assert error.response.headers["retry-after"] == "5"


async def test_a_key_in_the_address_is_refused_in_this_form() -> None:
    async with serving(answering("hi")) as server:
        said = await server.http.post("/v1/messages?api_key=SECRET", json=request())
        version = {"anthropic-version": "2023-06-01"}
        listed = await server.http.get("/v1/models?api_key=SECRET", headers=version)
        other = await server.http.get("/v1/models?api_key=SECRET")
    for one in (said, listed):
        assert one.status_code == 401
        ErrorResponse.model_validate(one.json(), strict=True)
        assert one.json()["error"]["type"] == "authentication_error"
        assert one.headers["request-id"] == one.json()["request_id"]
        assert "SECRET" not in one.text
    assert other.json()["error"]["code"] == "invalid_api_key"


async def test_a_body_that_comes_too_slowly_is_refused_in_this_form() -> None:
    async with serving(answering("hi"), Settings(upload=0.01)) as server:
        host, _, port = server.url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        head = "host: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n"
        writer.write(f"POST /v1/messages HTTP/1.1\r\n{head}".encode())
        said = await reader.read()  # the rest never comes
        writer.close()
    assert said.startswith(b"HTTP/1.1 408")
    ErrorResponse.model_validate_json(said.partition(b"\r\n\r\n")[2], strict=True)


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (ApiError("too late.", 503), 529, "overloaded_error"),
        (ApiError("not yours.", 403), 403, "permission_error"),
        (CapabilityError("it cannot."), 400, "invalid_request_error"),
        (RunFailed("nothing came."), 502, "api_error"),
        (ZeroDivisionError("a secret"), 500, "api_error"),
    ],
)
async def test_every_failure_has_a_type(error: Exception, status: int, kind: str) -> None:
    scope = {"type": "http", "path": "/v1/messages", "headers": [], "method": "POST"}
    found = await in_its_form({Exception: of_api})[Exception](Request(scope), error)
    told = json.loads(bytes(found.body))
    assert (found.status_code, told["error"]["type"]) == (status, kind)
    assert found.headers["request-id"] == told["request_id"]
    assert "secret" not in told["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/v1/messages", 405, "invalid_request_error"),
        ("POST", "/v1/messages/batches", 404, "not_found_error"),
        ("POST", "/v1/messages", 415, "invalid_request_error"),
    ],
)
async def test_addresses(method: str, path: str, status: int, kind: str) -> None:
    async with serving(answering("hi")) as server:
        said = await server.http.request(method, path)
        ordinary = await server.http.get("/v1/messages_of_another")
    assert said.status_code == status
    assert said.json()["error"]["type"] == kind
    ErrorResponse.model_validate(said.json(), strict=True)
    assert said.headers["request-id"] == said.json()["request_id"]
    assert "request_id" not in ordinary.json()


async def test_no_such_model_and_a_body_that_is_too_large() -> None:
    async with serving(answering("hi"), Settings(body=500)) as server, talking(server) as client:
        with pytest.raises(anthropic.NotFoundError, match="did you mean 'scripted'"):
            await client.messages.create(**request(model="scriptd"))
        with pytest.raises(anthropic.RequestTooLargeError) as caught:
            await client.messages.create(**request(system="x" * 600))
    assert str(caught.value.type) == "request_too_large"
