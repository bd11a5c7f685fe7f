"""The addresses of a server, and its models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import openai
import pytest

from ponder.models.config import Config, EndpointConfig
from ponder.models.openvino.model import OpenVINO
from tests.support.serving import NUMBER, answering, serving


def endpoint(name: str) -> EndpointConfig:
    return EndpointConfig(name, "http://127.0.0.1:1/v1", "m", {})


async def test_the_models_are_those_that_its_owner_named_each_with_every_effort() -> None:
    mine = endpoint("mine")
    config = Config(
        endpoints={
            "mine": mine,
            "project": replace(endpoint("project"), trusted=False),
            "reward": replace(endpoint("reward"), reward="vllm"),
            "bad": replace(endpoint("bad"), refusal="no."),
        }
    )
    async with serving(answering("x"), config=config, names=("simulated",)) as server:
        listed = [model.id async for model in server.openai.models.list()]
        assert [name for name in listed if ":" not in name] == ["simulated", "scripted", "mine"]
        assert "mine:xhigh" in listed
        assert (await server.openai.models.retrieve("mine:high")).id == "mine:high"
        with pytest.raises(openai.NotFoundError, match="did you mean 'mine'"):
            await server.openai.models.retrieve("mime")
        with pytest.raises(
            openai.NotFoundError, match="'gpt-4o' here: expected simulated, scripted"
        ):
            await server.openai.models.retrieve("gpt-4o")
        with pytest.raises(openai.NotFoundError, match="there is no model 'project'"):
            await server.chat(model="project")


async def test_addresses_that_are_not_there() -> None:
    async with serving(answering("x")) as server:
        assert (await server.http.get("/healthz")).json() == {"status": "ok"}
        assert (await server.http.get("/readyz")).status_code == 200
        missing = await server.http.get("/v1/nothing")
        wrong = await server.http.get("/v1/chat/completions")
    assert (missing.status_code, wrong.status_code) == (404, 405)
    assert "there is no /v1/nothing" in missing.json()["error"]["message"]
    assert "GET is not a method" in wrong.json()["error"]["message"]


async def test_a_model_of_the_configuration_is_opened_when_it_is_asked() -> None:
    async with serving(names=("simulated(accuracy=1)",)) as server:
        done = await server.chat(NUMBER, model="simulated(accuracy=1):low")
    assert done.ponder["answer"] == "42"


async def test_a_real_model(small_engine: OpenVINO, tmp_path: Path) -> None:
    async with serving(small_engine, journal=tmp_path / "runs.sqlite") as server:
        done = await server.chat(
            [{"role": "user", "content": "Say hello."}],
            model="smollm2-135m",
            max_tokens=12,
            temperature=0,
        )
        assert done.choices[0].message.content
        assert 0 < done.usage.completion_tokens <= 12
        assert done.ponder["run"]
        stream = await server.chat(
            [{"role": "user", "content": "Say hello."}],
            model="smollm2-135m",
            max_tokens=12,
            temperature=0,
            stream=True,
        )
        parts = [chunk.choices[0].delta.content or "" async for chunk in stream]
        assert "".join(parts) == done.choices[0].message.content


async def test_a_body_that_is_not_called_json_is_told_how_to_be() -> None:
    async with serving(answering("x")) as server:
        said = await server.http.post("/v1/chat/completions", data={"model": "scripted"})
    assert said.status_code == 415
    assert "send it as 'Content-Type: application/json'" in said.json()["error"]["message"]


async def test_a_compressed_body_is_refused_and_long_addresses_are_not_repeated() -> None:
    async with serving(answering("x")) as server:
        packed = {"content-type": "application/json", "content-encoding": "gzip"}
        said = await server.http.post("/v1/chat/completions", content=b"\x1f\x8b", headers=packed)
        far = [await server.http.get(f"{at}/{'a' * 9000}") for at in ("", "/v1/messages")]
    assert said.status_code == 415
    assert "encoded as 'gzip'" in said.json()["error"]["message"]
    assert [one.status_code for one in far] == [404, 404]
    assert max(len(one.text) for one in far) < 400
