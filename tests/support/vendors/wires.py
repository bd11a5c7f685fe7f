"""Ponder's own client, pointed at a fixture of OpenAI's APIs or of a server that speaks them."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import partial
from types import ModuleType
from typing import Any

from ponder.core.errors import ModelError
from ponder.core.problem import Message
from ponder.core.trace import Delta
from ponder.models.base import Completion, Request
from ponder.models.config import EndpointConfig, Price
from ponder.models.http.client import HttpModel
from ponder.models.http.endpoint import Endpoint
from ponder.models.http.wire import Wire
from ponder.models.openai.chat import Chat
from ponder.models.openai.responses import Responses
from ponder.models.pricing import pricing
from tests.support.deltas import check
from tests.support.vendors.compatible import (
    deepseek,
    llamacpp,
    lmstudio,
    mistral,
    ollama,
    openrouter,
    qwen,
    sglang,
    together,
    vllm,
    xai,
)
from tests.support.vendors.openai import server as openai_server
from tests.support.vendors.serving import Asked, Billed, Book, Reply, application, serving

ASK = Request((Message("user", "How many is six times seven?"),), 200, watched=True)
KEY = "sk-test-0123456789"
BASES = {
    deepseek: "",
    llamacpp: "/v1",
    lmstudio: "/v1",
    mistral: "/v1",
    ollama: "/v1",
    openrouter: "/api/v1",
    qwen: qwen.BASE,
    sglang: "/v1",
    together: "/v1",
    vllm: "/v1",
    xai: "/v1",
}
"""Paths of the servers that speak Chat Completions."""
PRICE = Price(Decimal(3), Decimal(15), Decimal("0.3"))
ABLE = frozenset({"seed", "stop", "native_thinking"})


def name_of(server: ModuleType) -> str:
    """The name of a fixture, which is that of its dialect."""
    return server.__name__.rpartition(".")[2]


class Pauses(list[float]):
    """Stands in for asyncio.sleep, and keeps what it was asked for."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


class NoJitter(random.Random):
    def uniform(self, a: float, b: float) -> float:
        return 0.0


@asynccontextmanager
async def connected(
    reply_to: Callable[[Asked], Reply],
    book: Book,
    wire: Callable[[Endpoint], Wire] = Chat,
    *,
    base: str = "/v1",
    write: int | None = None,
    **settings: Any,
) -> AsyncIterator[HttpModel]:
    """A client of that server, with these settings of an ``Endpoint``."""
    async with serving(application(reply_to, book, write=write)) as url:
        settings = {"name": "e", "key": KEY, "capabilities": ABLE, **settings}
        endpoint = Endpoint(**{**settings, "base_url": url + base})
        client = HttpModel(endpoint, wire, sleep=Pauses(), rng=NoJitter())
        try:
            yield client
        finally:
            await client.close()


def speaking(server: ModuleType, model: str, book: Book, *, size: int = 1, **settings: Any) -> Any:
    """A client of one of the servers that speak Chat Completions, in its dialect."""
    settings = {"base": BASES[server], "dialect": name_of(server), "model": model, **settings}
    return connected(partial(server.reply, size=size), book, **settings)


def openai(
    model: str, book: Book, wire: Callable[[Endpoint], Wire], *, size: int = 1, **settings: Any
) -> Any:
    """A client of OpenAI's server."""
    api = "responses" if wire is Responses else "chat"
    settings = {"dialect": "openai", "api": api, "model": model, **settings}
    return connected(partial(openai_server.reply, size=size), book, wire, **settings)


async def told(client: HttpModel, **fields: Any) -> Completion:
    """A sample, whose deltas add up to it."""
    seen: list[Delta] = []
    done = await client.generate(dataclasses.replace(ASK, **fields), seen.append)
    check(seen, done)
    return done


async def failed(client: HttpModel, **fields: Any) -> ModelError:
    """The error of a sample."""
    try:
        done = await client.generate(dataclasses.replace(ASK, **fields))
    except ModelError as error:
        return error
    raise AssertionError(f"no error: {done}")


def check_bill(done: Completion | ModelError, billed: Billed, *, thinking: bool = True) -> None:
    """Its tokens are those that were billed, and so are its picodollars.

    With ``thinking`` the server tells how many of them were thinking, else none are known to be.
    """
    if isinstance(done, ModelError):
        assert (done.prompt_tokens, done.completion_tokens) == (billed.prompt, billed.completion)
        return
    counts = done.prompt_tokens, done.cached_tokens, done.completion_tokens, done.reasoning_tokens
    known = billed.thinking if thinking else 0
    assert counts == (billed.prompt, billed.cached, billed.completion, known)
    price, _ = pricing(EndpointConfig("e", "http://127.0.0.1", "m", {}, PRICE))
    assert price
    assert price(*counts[:3]) == (
        3_000_000 * (billed.prompt - billed.cached)
        + 300_000 * billed.cached
        + 15_000_000 * billed.completion
    )


def paid(book: Book) -> int:
    """Number of requests that cost something."""
    return sum(reply.billed != Billed() for reply in book.replies)


def sent(book: Book, place: int = -1) -> dict[str, Any]:
    """The body of a request."""
    body = book.requests[place].body
    assert isinstance(body, dict)
    return body
