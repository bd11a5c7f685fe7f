"""The examples of ``docs/serve.md`` work, on a model of known accuracy."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import click

from ponder.cli.commands.serve import serve
from tests.support.serving import NUMBER, serving

TEXT = (Path(__file__).parents[2] / "docs" / "serve.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.M | re.S)


async def test_the_example_of_a_client() -> None:
    [example] = blocks("python")
    async with serving(names=("simulated(accuracy=1)",)) as server:
        example = example.replace("http://127.0.0.1:8000", server.url)
        example = example.replace("qwen2.5-coder-1.5b", "simulated(accuracy=1)")
        names: dict[str, object] = {"print": lambda *words: said.append(words)}
        said: list[tuple[object, ...]] = []
        await asyncio.to_thread(exec, example, names)
        names["client"].close()  # type: ignore[attr-defined]
    assert "42" in str(said[0][0])
    assert said[1][0] > 0  # type: ignore[operator]


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
