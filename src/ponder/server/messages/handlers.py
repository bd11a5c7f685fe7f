"""``POST /v1/messages`` and ``POST /v1/messages/count_tokens``."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ponder.core.thinking import Thinking
from ponder.models.thinking import level_of
from ponder.server.asking import dial
from ponder.server.asking.asked import Asked
from ponder.server.body import read
from ponder.server.messages.body import CountBody, MessagesBody
from ponder.server.messages.errors import id_of
from ponder.server.messages.form import Head, Shown, whole
from ponder.server.messages.signatures import Signatures
from ponder.server.messages.stream import streamed
from ponder.server.messages.tools import toolset
from ponder.server.messages.turns import messages
from ponder.server.telling.answered import Reply
from ponder.server.telling.conducted import House, conduct
from ponder.server.telling.gone import unless_gone


async def create(request: Request) -> Response:
    """Answer a chat."""
    house: House = request.app.state.house
    signatures: Signatures = request.app.state.signatures
    key = request.state.key
    body = await read(request, MessagesBody, house.settings.body)
    wanted = asked(body, house, signatures, key.name)
    head = Head(body.model, shown(body))

    def keep(reply: Reply) -> None:
        shown = [head.signature] if head.shown != "none" else []
        for name in [*shown, *(call.id for call in reply.trace.calls[:1])]:
            signatures.keep(key.name, name, reply.trace.blocks)

    if body.stream:
        events, request_id = body.ponder.events, id_of(request)
        return await streamed(
            house, key, head, wanted, events=events, request_id=request_id, keep=keep
        )
    [reply] = await unless_gone(request, conduct(house, key, [wanted]))
    keep(reply)
    return JSONResponse(whole(head, reply), headers={"request-id": id_of(request)})


async def count(request: Request) -> Response:
    """Count the tokens of a chat, as far as the model can before it is asked."""
    house: House = request.app.state.house
    body = await read(request, CountBody, house.settings.body)
    name, _ = house.served.split(body.model)
    record = partial(request.app.state.signatures.record, request.state.key.name)
    tools = toolset(body.tools or (), body.tool_choice)
    chat = Asked(messages(body, record), name, tools=tools).chat
    async with house.served.open(name) as used:
        most, least = used.model.prompt_bound(chat), used.model.prompt_least(chat)
    told = {"input_tokens": most, "ponder": {"exact": most == least, "least": least}}
    return JSONResponse(told, headers={"request-id": id_of(request)})


def asked(body: MessagesBody, house: House, signatures: Signatures, key: str) -> Asked:
    """Return the request in the words of all APIs.

    Raises:
        ApiError: members contradict each other, or there is no such model.
    """
    output, thinking, schema = body.output_config, _thinking(body), None
    if output is not None and output.format is not None:
        schema = json.dumps(output.format.schema_)
    found = dial.asked(
        body.ponder,
        house.served,
        body.model,
        messages(body, partial(signatures.record, key)),
        effort=("output_config.effort", output.effort if output else None),
        form=("output_config.format", schema),
        own={"temperature": body.temperature, "top_p": body.top_p, "length": body.max_tokens},
        taken=("thinking",) if thinking else (),
        stop=tuple(body.stop_sequences or ()),
        thinking=thinking,
        tools=toolset(body.tools or (), body.tool_choice),
    )
    return replace(found, effort=found.effort or _effort(thinking))


def shown(body: MessagesBody) -> Shown:
    """Return the part of the thinking that a request wants to see: none unless it asks."""
    thinking = body.thinking
    if thinking is None or thinking.type == "disabled":
        return "none"
    return "omitted" if thinking.display == "omitted" else "whole"


def _thinking(body: MessagesBody) -> Thinking | None:
    """Return the model's own thinking that is asked for; None to leave it to the server."""
    thinking = body.thinking
    if thinking is None or thinking.type == "adaptive":
        return None
    return Thinking(tokens=thinking.budget_tokens) if thinking.budget_tokens else Thinking("off")


def _effort(thinking: Thinking | None) -> str | None:
    """Return the effort that a request means which names only its thinking."""
    if thinking is None:
        return None
    level = level_of(thinking)
    return "none" if level == "off" else level
