"""The examples of the page about the Responses API work, on models of known accuracy."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from openai import DefaultHttpxClient, OpenAI

from tests.support.serving import serving
from tests.support.tooling import agent

TEXT = (Path(__file__).parents[3] / "docs" / "serve-responses.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", TEXT, re.M | re.S)


async def test_the_example_of_a_client() -> None:
    example, _ = EXAMPLES
    async with serving(names=("simulated(accuracy=1)",)) as server:
        example = example.replace("http://127.0.0.1:8000", server.url)
        example = example.replace("qwen2.5-coder-1.5b", "simulated(accuracy=1)")
        said: list[str] = []
        names: dict[str, object] = {"print": lambda *words, end="": said.append(str(words[-1]))}
        await asyncio.to_thread(exec, example, names)
        names["client"].close()  # type: ignore[attr-defined]
    assert said[0].startswith("Searching with self_consistency on simulated")
    assert "\\boxed{42}" in said[-3]
    assert int(said[-2]) > 0
    assert "\\boxed{42}" in said[-1]


async def test_the_example_of_tools() -> None:
    _, example = EXAMPLES
    said: list[tuple[object, ...]] = []
    async with serving(agent()) as server:
        example = example.replace("qwen2.5-coder-1.5b", "scripted")
        bare = DefaultHttpxClient(verify=False)
        with OpenAI(base_url=f"{server.url}/v1", api_key="none", http_client=bare) as client:
            names = {"print": lambda *words: said.append(words), "client": client}
            await asyncio.to_thread(exec, example, names)
    assert said == [("get_weather", {"city": "Paris"}), ("It is 21 degrees, clear sky.",)]
