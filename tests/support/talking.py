"""A chat server on loopback that does as it is asked: seeds, stop strings, lengths, streams."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

WORDS = ("so", "then", "ünïcode", "🙂", "add", "six", "and", "seven")
ENDLESS = 1000
"""From so many tokens on, a reply never ends."""


class Talking:
    """``running`` requests are being answered. A reply has 12 words, each of one token, and before
    them two of reasoning."""

    def __init__(self) -> None:
        self.running = 0
        self.url = ""
        self._changed = asyncio.Condition()

    async def idle(self) -> None:
        """Wait until nothing is being answered."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.running == 0)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        asked = await request.json()
        await self._count(1)
        try:
            return await self._answer(request, asked)
        finally:
            await self._count(-1)

    async def _count(self, change: int) -> None:
        async with self._changed:
            self.running += change
            self._changed.notify_all()

    async def _answer(self, request: web.Request, asked: dict[str, Any]) -> web.StreamResponse:
        rng = random.Random(asked["seed"] if asked["temperature"] else 0)
        thoughts, words = ["let ", "me "], [f"{rng.choice(WORDS)} " for _ in range(12)]
        text = "".join(words[: max(0, asked["max_tokens"] - len(thoughts))])
        thoughts = thoughts[: asked["max_tokens"]]
        finish = "stop" if len(text.split()) == 12 else "length"
        if found := [at for stop in asked.get("stop", ()) if (at := text.find(stop)) >= 0]:
            text, finish = text[: min(found)], "stop"
        words = [f"{word} " for word in text.split()] if text.endswith(" ") else [*_split(text)]
        usage = {
            "prompt_tokens": 40,
            "completion_tokens": len(thoughts) + len(words),
            "completion_tokens_details": {"reasoning_tokens": len(thoughts)},
        }
        if not asked.get("stream"):
            if asked["max_tokens"] >= ENDLESS:
                await asyncio.Event().wait()
            message = {"content": text, "reasoning_content": "".join(thoughts)}
            choice = {"index": 0, "message": message, "finish_reason": finish}
            return web.json_response({"choices": [choice], "usage": usage})
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        pieces = [{"reasoning": word} for word in thoughts] + [{"content": word} for word in words]
        for piece in pieces:
            await _send(response, {"choices": [{"index": 0, "delta": piece}]})
        if asked["max_tokens"] >= ENDLESS:
            await asyncio.Event().wait()
        end = {"choices": [{"index": 0, "delta": {}, "finish_reason": finish}], "usage": usage}
        await _send(response, end)
        await response.write(b"data: [DONE]\n\n")
        return response


def _split(text: str) -> list[str]:
    *words, last = text.split(" ")
    return [*(f"{word} " for word in words), *([last] if last else [])]


async def _send(response: web.StreamResponse, event: dict[str, Any]) -> None:
    await response.write(b"data: " + json.dumps(event).encode() + b"\n\n")


@asynccontextmanager
async def talking_server() -> AsyncIterator[Talking]:
    """Serve until the block ends."""
    talking, app = Talking(), web.Application()
    app.router.add_post("/v1/chat/completions", talking.answer)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        talking.url = f"http://{host}:{port}/v1"
        yield talking
    finally:
        await runner.cleanup()
