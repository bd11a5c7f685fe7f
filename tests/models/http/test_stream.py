"""A stream that falls silent: its server is asked if it is still there."""

from __future__ import annotations

import asyncio
import json

import pytest

from ponder.core.errors import ModelUnreachable
from ponder.core.problem import Message
from ponder.models.base import Request
from ponder.models.http import stream
from ponder.models.http.endpoint import Endpoint
from ponder.models.openai.client import OpenAICompat

ASK = Request((Message("user", "What is 6 x 7?"),), 20)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


def chunk(text: str, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


class Silent:
    """A server that falls silent after one chunk.

    With ``stops`` it takes no more connections; else it goes on once somebody has asked for it.
    """

    def __init__(self, *, stops: bool) -> None:
        self.stops, self.asked = stops, asyncio.Event()
        self.ended: list[asyncio.Event] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, ended = not self.ended, asyncio.Event()
        self.ended.append(ended)
        if first:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(HEAD + chunk("4"))
            if self.stops:
                self.server.close()
            else:
                await self.asked.wait()
                writer.write(chunk("2", "stop") + b"data: [DONE]\n\n")
        self.asked.set()
        await reader.read()
        writer.close()
        ended.set()

    async def ask(self) -> str:
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        port = self.server.sockets[0].getsockname()[1]
        client = OpenAICompat(
            Endpoint(name="e", base_url=f"http://127.0.0.1:{port}/v1", model="m", stream=True)
        )
        try:
            return (await client.generate(ASK)).text
        finally:
            await client.close()
            self.server.close()
            await asyncio.gather(*(ended.wait() for ended in self.ended))


async def test_a_server_that_has_stopped_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "QUIET", 0.01)
    with pytest.raises(ModelUnreachable, match="cut the connection") as caught:
        await Silent(stops=True).ask()
    assert caught.value.completion_tokens == 1


async def test_one_that_is_slow_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "QUIET", 0.01)
    assert await Silent(stops=False).ask() == "42"
