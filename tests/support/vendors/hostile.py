"""Replies of a vendor that went wrong in places, and what comes of them, without a network."""

from __future__ import annotations

import asyncio
import copy
import json
import math
import os
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from ponder.core.errors import ModelError
from ponder.models.base import Completion, Request, silent
from ponder.models.http.callers import Caller
from ponder.models.http.client import HttpModel
from ponder.models.http.endpoint import Endpoint
from ponder.models.http.links import Link
from ponder.models.http.wire import Wire
from ponder.models.sound import MOST_TOKENS
from tests.support.hostile_replies import ANY, Canned
from tests.support.vendors.driving import Pauses

Outcome = Completion | ModelError
LONG = settings(
    max_examples=int(os.environ.get("PONDER_FUZZ", "40")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
"""As many examples as PONDER_FUZZ says."""


@st.composite
def mangled(draw: st.DrawFn, replies: Sequence[Any]) -> Any:
    """One of these JSON values, of which a few parts are missing, or anything else."""
    whole = [copy.deepcopy(draw(st.sampled_from(replies)))]
    for _ in range(draw(st.integers(0, 4))):
        node: Any = whole
        while True:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(node[key], dict | list) and draw(st.integers(0, 5)):
                node = node[key]
                continue
            if isinstance(node, dict) and draw(st.booleans()):
                del node[key]
            else:
                node[key] = draw(ANY)
            break
    return whole[0]


def outcome(
    wire: Callable[[Endpoint], Wire],
    model: str,
    pieces: list[bytes],
    request: Request,
    stream: bool,
) -> Outcome:
    """What a body that arrives in these pieces comes to."""

    async def run() -> Outcome:
        endpoint = Endpoint(name="hostile", base_url="http://h/v1", model=model, stream=stream)
        client = HttpModel(endpoint, wire, sleep=Pauses())
        canned = Canned(pieces, 200, {})
        link = Link(canned, asyncio.Semaphore(1))  # type: ignore[arg-type]
        [(_, found)] = await client._run(link, request, [Caller(silent)])
        return found

    return asyncio.run(run())


def check(found: Outcome, request: Request) -> None:
    """Assert what holds for every outcome, whatever was sent."""
    counts = [found.prompt_tokens, found.completion_tokens]
    if isinstance(found, Completion):
        counts += [found.cached_tokens, found.reasoning_tokens]
        assert found.cached_tokens <= found.prompt_tokens
        assert found.reasoning_tokens <= found.completion_tokens
        assert found.finish in ("stop", "length", "refusal", "error")
        assert found.stopped_at in (None, "", *request.stop)
        assert max(len(found.text), len(found.reasoning)) <= 128 * request.max_tokens
        (found.text + found.reasoning).encode()
        assert all(math.isfinite(value) and value <= 0 for value in found.logprobs or ())
        if found.blocks:
            assert isinstance(json.loads(found.blocks)["turn"], list)
    else:
        assert isinstance(found, ModelError)
        str(found).encode()
        assert len(str(found)) <= 400
    assert all(type(count) is int and 0 <= count <= MOST_TOKENS for count in counts)


def check_whole(wire: Callable[[Endpoint], Wire], model: str, body: Any, request: Request) -> None:
    """Assert what holds for a reply that is not streamed."""
    check(outcome(wire, model, [json.dumps(body).encode()], request, False), request)


def check_stream(
    wire: Callable[[Endpoint], Wire], model: str, events: Any, size: int, request: Request
) -> None:
    """Assert what holds for a stream, which comes to the same in pieces of ``size`` bytes."""
    listed = events if isinstance(events, list) else [events]
    body = b"".join(b"data: %s\n\n" % json.dumps(event).encode() for event in listed)
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    whole = outcome(wire, model, [body], request, True)
    parts = outcome(wire, model, pieces, request, True)
    for found in (whole, parts):
        check(found, request)
    assert type(whole) is type(parts)
