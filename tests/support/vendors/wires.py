"""Ponder's own client, pointed at a fixture of OpenAI's APIs or of a server that speaks them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from types import ModuleType
from typing import Any

import pytest

from ponder.core.errors import ModelError
from ponder.core.problem import Message
from ponder.models.base import Request
from ponder.models.http.client import HttpModel
from ponder.models.http.endpoint import Endpoint
from ponder.models.http.wire import Wire
from ponder.models.openai.chat import Chat
from ponder.models.openai.families import preset
from ponder.models.openai.responses import Responses
from tests.support.vendors import driving
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
from tests.support.vendors.openai.table import MODELS
from tests.support.vendors.serving import Asked, Billed, Book, Reply, application

ASK = Request((Message("user", "How many is six times seven?"),), 200, watched=True)
told = partial(driving.told, ask=ASK)
after = partial(driving.after, ask=ASK)
check_bill = driving.check_bill
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
ABLE = frozenset({"seed", "stop", "native_thinking"})


def name_of(server: ModuleType) -> str:
    """The name of a fixture, which is that of its dialect."""
    return server.__name__.rpartition(".")[2]


def connected(
    reply_to: Callable[[Asked], Reply],
    book: Book,
    wire: Callable[[Endpoint], Wire] = Chat,
    *,
    base: str = "/v1",
    write: int | None = None,
    **settings: Any,
) -> AbstractAsyncContextManager[HttpModel]:
    """A client of that server, with these settings of an ``Endpoint``."""
    app = application(reply_to, book, write=write)
    settings = {"key": KEY, "capabilities": ABLE, **settings}
    return driving.connected(app, wire, settings, base=base)


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


STREAMED = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
SPEAKING = [
    name for name, model in MODELS.items() if model.fault is None and not name.endswith("small")
]
"""The scenarios of OpenAI's server that answer."""


def known(name: str, book: Book, wire: Callable[[Endpoint], Wire], **settings: Any) -> Any:
    """A client of OpenAI's server with the settings that Ponder knows for the name."""
    told = {k: v for k, v in preset(name).items() if k != "api"}
    return openai(name, book, wire, **{**told, **settings})


async def failed(client: HttpModel, **fields: Any) -> ModelError:
    """The error of a sample."""
    try:
        done = await client.generate(dataclasses.replace(ASK, **fields))
    except ModelError as error:
        return error
    raise AssertionError(f"no error: {done}")


def paid(book: Book) -> int:
    """Number of requests that cost something."""
    return sum(reply.billed != Billed() for reply in book.replies)


def sent(book: Book, place: int = -1) -> dict[str, Any]:
    """The body of a request."""
    body = book.requests[place].body
    assert isinstance(body, dict)
    return body
