"""A client of a vendor's API on loopback: what the tests of all vendors' wires share."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

from aiohttp import web

from ponder.core.problem import Message
from ponder.core.trace import Delta
from ponder.models.base import Completion, Request
from ponder.models.config import EndpointConfig, Price
from ponder.models.http.client import HttpModel
from ponder.models.http.endpoint import Endpoint
from ponder.models.http.wire import Wire
from ponder.models.pricing import pricing
from tests.support.deltas import check
from tests.support.vendors.serving import Billed, serving

ASK = Request((Message("user", "What is six times seven?"),), 2000, watched=True)


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
    version: str,
    pauses: Pauses | None = None,
) -> AsyncIterator[HttpModel]:
    """A client of that server, with these settings of an ``Endpoint``."""
    async with serving(app) as url:
        endpoint = Endpoint(name="e", **{**settings, "base_url": f"{url}/{version}"})
        sleep = Pauses() if pauses is None else pauses
        client = HttpModel(endpoint, wire, sleep=sleep, rng=NoJitter())
        try:
            yield client
        finally:
            await client.close()


async def told(client: HttpModel, **fields: Any) -> Completion:
    """A sample, whose deltas add up to it."""
    seen: list[Delta] = []
    done = await client.generate(dataclasses.replace(ASK, **fields), seen.append)
    check(seen, done)
    return done


def check_bill(done: Completion, billed: Billed) -> None:
    """Its tokens are those that were billed, and so are its picodollars."""
    counts = done.prompt_tokens, done.cached_tokens, done.completion_tokens, done.reasoning_tokens
    assert counts == (billed.prompt, billed.cached, billed.completion, billed.thinking)
    table = Price(Decimal(3), Decimal(15), Decimal("0.3"))
    price, _ = pricing(EndpointConfig("e", "http://127.0.0.1", "m", {}, table))
    assert price
    assert price(*counts[:3]) == (
        3_000_000 * (billed.prompt - billed.cached)
        + 300_000 * billed.cached
        + 15_000_000 * billed.completion
    )
