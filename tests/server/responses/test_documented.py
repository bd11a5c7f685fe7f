"""The example of the page about the Responses API works, on a model of known accuracy."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from tests.support.serving import serving

DOCS = Path(__file__).parents[3] / "docs"


async def test_the_example_of_a_client() -> None:
    text = (DOCS / "serve-responses.md").read_text("utf-8")
    [example] = re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)
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
