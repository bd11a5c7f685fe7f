"""A client of a vendor's API on loopback: what the tests of all vendors' wires share."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from decimal import Decimal
from typing import Any

from aiohttp import web

from ponder.core.errors import ModelError
from ponder.core.problem import Message
from ponder.core.trace import Delta
from ponder.models.base import Completion, Request
from ponder.models.config import EndpointConfig, Price
from ponder.models.http.client import HttpModel
from ponder.models.http.endpoint import Endpoint
from ponder.models.http.wire import Wire
from ponder.models.pricing import pricing
from tests.support.deltas import check
from tests.support.vendors.serving import Billed, Book, serving

ASK = Request((Message("user", "What is six times seven?"),), 2000, watched=True)

PRICE = Price(Decimal(3), Decimal(15), Decimal("0.3"))


class Pauses(list[float]):
    """Stands in for asyncio.sleep, and keeps what it was asked for."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


class NoJitter(random.Random):
    def uniform(self, a: float, b: float) -> float:
        return 0.0


@asynccontextmanager
async def connected(
    app: web.Application,
    wire: Callable[[Endpoint], Wire],
    settings: Mapping[str, Any],
    *,
    base: str,
    pauses: Pauses | None = None,
) -> AsyncIterator[HttpModel]:
    """A client of that server, with these settings of an ``Endpoint``."""
    async with serving(app) as url:
        endpoint = Endpoint(**{"name": "e", **settings, "base_url": url + base})
        sleep = Pauses() if pauses is None else pauses
        client = HttpModel(endpoint, wire, sleep=sleep, rng=NoJitter())
        try:
            yield client
        finally:
            await client.close()


@dataclasses.dataclass(frozen=True)
class Vendor:
    """A vendor with an API of its own: its fixture, and how Ponder reaches it."""

    server: Callable[..., web.Application]
    wire: Callable[[Endpoint], Wire]
    preset: Callable[[str], dict[str, Any]]
    key: str
    base: str

    def talking(
        self,
        book: Book,
        model: str,
        *,
        delta: int = 7,
        write: int | None = None,
        pauses: Pauses | None = None,
        **settings: Any,
    ) -> AbstractAsyncContextManager[HttpModel]:
        """A client of one model of the fixture's."""
        app = self.server(book, delta=delta, write=write)
        settings = self.preset(model) | {"model": model, "key": self.key, **settings}
        return connected(app, self.wire, settings, base=self.base, pauses=pauses)


async def told(client: HttpModel, *, ask: Request = ASK, **fields: Any) -> Completion:
    """A sample, whose deltas add up to it."""
    seen: list[Delta] = []
    done = await client.generate(dataclasses.replace(ask, **fields), seen.append)
    check(seen, done)
    return done


def turn_of(done: Completion) -> list[dict[str, Any]]:
    """The record of its turn, as the vendor wrote it; [] if it has none."""
    turn: list[dict[str, Any]] = json.loads(done.blocks)["turn"] if done.blocks else []
    return turn


def after(
    done: Completion, *, ask: Request = ASK, blocks: str | None = None
) -> tuple[Message, ...]:
    """The conversation that goes on after a sample, with its record or another."""
    record = done.blocks if blocks is None else blocks
    return (*ask.messages, Message("assistant", done.text, record), Message("user", "Sure?"))


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
