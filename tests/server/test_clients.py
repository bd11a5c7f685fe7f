"""Bodies and headers that programs send by default, recorded from the real ones, are answered.

Each file of ``clients/`` is a client: its name and version, its headers, and its requests by what a
user of it did.
"""

from __future__ import annotations

import asyncio
import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from tests.support.serving import answering, serving

REPLIES = {True: '{"n": 42}', False: "so \\boxed{42}"}
CLIENTS = [
    (file.stem, what, held["headers"], body)
    for file in sorted((Path(__file__).parent / "clients").glob("*.json"))
    for held in [json.loads(file.read_text("utf-8"))]
    for what, body in held["requests"].items()
]


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        pytest.param(
            headers,
            body,
            id=f"{client}: {what}",
        )
        for client, what, headers, body in CLIENTS
    ],
)
async def test_what_a_client_sends_is_answered(
    headers: dict[str, str], body: dict[str, Any]
) -> None:
    reply = REPLIES["response_format" in body]
    async with serving(answering(reply)) as server:
        said = await server.http.post("/v1/chat/completions", json=body, headers=headers)
    assert said.status_code == 200, said.text
    found = streamed(said) if body.get("stream") else whole(said)
    assert found == [reply] * body.get("n", 1)


def whole(said: httpx.Response) -> list[str | None]:
    done = ChatCompletion.model_validate_json(said.content, strict=True)
    assert done.usage is not None
    assert done.usage.completion_tokens > 0
    return [choice.message.content for choice in done.choices]


def streamed(said: httpx.Response) -> list[str]:
    *events, last = [line for line in said.text.split("\n\n") if line]
    assert last == "data: [DONE]"
    chunks = [
        ChatCompletionChunk.model_validate_json(event.removeprefix("data: "), strict=True)
        for event in events
    ]
    parts = [choice.delta.content or "" for chunk in chunks for choice in chunk.choices]
    return ["".join(parts)]


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
async def test_the_examples_of_curl() -> None:
    text = (Path(__file__).parents[2] / "docs" / "clients.md").read_text("utf-8")
    commands = [line for line in text.splitlines() if line.startswith("curl ")]
    async with serving(answering("so \\boxed{25}")) as server:
        for command in commands:
            command = command.replace("http://127.0.0.1:8000", server.url)
            process = await asyncio.create_subprocess_exec(
                *shlex.split(command.replace("qwen2.5-coder-1.5b", "scripted")),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
            said, _ = await process.communicate()
            assert process.returncode == 0
            assert said.startswith((b"data: {", b'{"object":"list"')), said
    assert len(commands) == 2
