"""``POST /v1/chat/completions``."""

from __future__ import annotations

import json
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ponder.core.budget import Budget
from ponder.server.asking import dial
from ponder.server.asking.asked import Asked, lowered, shared
from ponder.server.body import read
from ponder.server.chat.body import ChatBody
from ponder.server.chat.form import Head, whole
from ponder.server.chat.stream import streamed
from ponder.server.chat.tools import toolset
from ponder.server.chat.turns import messages
from ponder.server.errors import ApiError
from ponder.server.telling.conducted import House, conduct
from ponder.server.telling.gone import unless_gone


async def complete(request: Request) -> Response:
    """Answer a chat."""
    house: House = request.app.state.house
    body = await read(request, ChatBody, house.settings.body)
    count = body.n or 1
    if count > house.settings.choices:
        raise ApiError(f"n must be at most {house.settings.choices} here.", param="n")
    wanted = several(asked(body, house), count, house.settings.ceiling)
    head, key = Head(body.model), request.state.key
    if body.stream:
        costs = body.stream_options is not None and body.stream_options.include_usage
        return await streamed(house, key, head, wanted, usage=costs, events=body.ponder.events)
    replies = await unless_gone(request, conduct(house, key, wanted))
    return JSONResponse(whole(head, replies, body.alternatives))


def asked(body: ChatBody, house: House) -> Asked:
    """Return the request in the words of all APIs.

    Raises:
        ApiError: members contradict each other, or there is no such model.
    """
    form, schema = body.response_format, None
    if form is not None and form.type != "text":
        schema = json.dumps(form.json_schema.schema_) if form.json_schema else ""
    return dial.asked(
        body.ponder,
        house.served,
        body.model,
        messages(body.messages),
        effort=("reasoning_effort", body.reasoning_effort),
        form=("response_format", schema),
        own={
            "temperature": body.temperature,
            "top_p": body.top_p,
            "length": body.max_completion_tokens or body.max_tokens,
        },
        stop=(body.stop,) if isinstance(body.stop, str) else tuple(body.stop or ()),
        seed=None if body.seed is None else body.seed % 2**31,
        logprobs=body.alternatives,
        tools=toolset(
            body.tools or (), body.tool_choice, parallel=body.parallel_tool_calls is not False
        ),
    )


def several(one: Asked, count: int, ceiling: Budget) -> list[Asked]:
    """Return as many independent requests, with seeds of their own and an equal part each of what
    the request may spend.
    """
    if count == 1:
        return [one]
    part = lowered(shared(one.budget, count), shared(ceiling, count))
    seeds = [None if one.seed is None else (one.seed + at) % 2**31 for at in range(count)]
    return [replace(one, seed=seed, budget=part) for seed in seeds]
