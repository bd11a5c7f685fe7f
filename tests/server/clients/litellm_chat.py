"""LiteLLM as a proxy calls it, on two of the server's APIs: prints what a user sees, as JSON."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else its prices come from the network

import litellm

litellm.suppress_debug_info = True  # else it prints advice among the output

LIMITS = {"max_tokens": 8, "num_retries": 0, "api_key": "none"}


def joined(chunks: list[Any], name: str) -> str:
    """All that the deltas of a stream add under a name."""
    return "".join(chunk.choices[0].delta.get(name) or "" for chunk in chunks)


def told(**asked: Any) -> dict[str, Any]:
    """Ask once for a whole reply and once for a stream, greedily."""
    asked = {**asked, **LIMITS, "temperature": 0}
    whole = litellm.completion(**asked)
    chunks = list(litellm.completion(**asked, stream=True))
    return {
        "answer": whole.choices[0].message.content,
        "finish": whole.choices[0].finish_reason,
        "usage": whole.usage.model_dump(),
        "stream": joined(chunks, "content"),
    }


async def beside(**asked: Any) -> list[str]:
    """Ask for a whole reply and a stream at once."""
    asked = {**asked, **LIMITS, "temperature": 0}

    async def streamed() -> str:
        stream = await litellm.acompletion(**asked, stream=True)
        return joined([chunk async for chunk in stream], "content")

    whole, stream = await asyncio.gather(litellm.acompletion(**asked), streamed())
    return [whole.choices[0].message.content, stream]


def search(**asked: Any) -> dict[str, Any]:
    """Ask for a search: its thinking, and the name of each delta in turn."""
    smallest = {"ponder": {"knobs": {"n": 2}}}
    chunks = list(litellm.completion(**asked, **LIMITS, stream=True, extra_body=smallest))
    names = ("reasoning_content", "content")
    order = [name for chunk in chunks for name in names if chunk.choices[0].delta.get(name)]
    return {"thinking": joined(chunks, names[0]), "order": order}


def main(url: str, model: str, question: str) -> None:
    """Ask in each way."""
    messages = [{"role": "user", "content": question}]
    chat = {"model": f"openai/{model}:none", "api_base": url, "messages": messages}
    anthropic = {**chat, "model": f"anthropic/{model}:none", "api_base": url.removesuffix("/v1")}
    tool = {"type": "function", "function": {"name": "get_weather", "parameters": {}}}
    try:
        litellm.completion(**chat, **LIMITS, tools=[tool])
        refused = ""
    except litellm.BadRequestError as error:
        refused = str(error)
    seen = {
        "chat": told(**chat),
        "anthropic": told(**anthropic),
        "async": asyncio.run(beside(**chat)),
        "search": search(**{**chat, "model": f"openai/{model}:low"}),
        "refused": refused,
    }
    sys.stdout.write(json.dumps(seen))


if __name__ == "__main__":
    main(*sys.argv[1:])
