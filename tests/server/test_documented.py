"""The examples of ``docs/serve.md`` work, on a model of known accuracy."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import click
from openai import OpenAI

from ponder.cli.commands.serve import serve
from ponder.core.tools import ToolCall
from ponder.models.base import Completion, Request
from tests.support.serving import NUMBER, scripted, serving

PARIS = ToolCall("c", "get_weather", '{"city": "Paris"}')
TEXT = (Path(__file__).parents[2] / "docs" / "serve.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.M | re.S)


async def test_the_example_of_a_client() -> None:
    example, _, _ = blocks("python")
    async with serving(names=("simulated(accuracy=1)",)) as server:
        example = example.replace("http://127.0.0.1:8000", server.url)
        example = example.replace("qwen2.5-coder-1.5b", "simulated(accuracy=1)")
        names: dict[str, object] = {"print": lambda *words: said.append(words)}
        said: list[tuple[object, ...]] = []
        await asyncio.to_thread(exec, example, names)
        names["client"].close()  # type: ignore[attr-defined]
    assert "42" in str(said[0][0])
    assert said[1][0] > 0  # type: ignore[operator]


async def test_the_example_of_tools() -> None:
    def reply(request: Request) -> Completion | str:
        last = request.messages[-1]
        call = ToolCall("c", "get_weather", '{"city": "Paris"}')
        return (
            f"It is {last.content}." if last.call else Completion("", "stop", 5, 4, calls=(call,))
        )

    _, example, _ = blocks("python")
    said: list[tuple[object, ...]] = []
    async with serving(scripted(reply)) as server:
        example = example.replace("qwen2.5-coder-1.5b", "scripted")
        with OpenAI(base_url=f"{server.url}/v1", api_key="none") as client:
            names = {"print": lambda *words: said.append(words), "client": client}
            await asyncio.to_thread(exec, example, names)
    assert said == [("get_weather", {"city": "Paris"}), ("It is 21 degrees, clear sky.",)]


async def test_the_example_of_log_probabilities() -> None:
    _, _, example = blocks("python")
    said: list[str] = []
    async with serving(scripted(lambda request: "No, 7 times 13.")) as server:
        example = example.replace("qwen2.5-coder-1.5b", "scripted")
        with OpenAI(base_url=f"{server.url}/v1", api_key="none") as client:
            await asyncio.to_thread(exec, example, {"print": said.append, "client": client})
    assert said == [f" -0.10 {word!r}" for word in ("No,", " 7", " times", " 13.")]


async def test_the_example_of_the_dial() -> None:
    [example] = blocks("json")
    dial = {"model": "simulated(accuracy=1)", "messages": NUMBER, **json.loads(example)}
    del dial["ponder"]["budget"]["usd"]  # a model without a price
    async with serving(names=("simulated(accuracy=1)",)) as server:
        said = await server.post(**dial)
    assert said.json()["ponder"]["strategy"] == "best_of_n", said.text


def test_every_option_of_an_example_exists() -> None:
    options = {name for param in serve.params for name in param.opts}
    for line in "".join(blocks("bash")).splitlines():
        if line.startswith("ponder serve"):
            assert {word for word in line.split() if word.startswith("--")} <= options
    assert isinstance(serve, click.Command)
