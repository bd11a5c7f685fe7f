"""``/v1/responses`` and the addresses below it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ponder.server.body import read
from ponder.server.errors import ApiError
from ponder.server.keys import guarded
from ponder.server.live.live import CLAIM
from ponder.server.responses.body import INCLUDABLE, ResponseBody
from ponder.server.responses.items import messages
from ponder.server.responses.listing import listed, page
from ponder.server.responses.live import Live
from ponder.server.responses.office import Office
from ponder.server.responses.store import Stored
from ponder.server.responses.wishes import asked
from ponder.server.runs.once import once
from ponder.server.telling.conducted import House
from ponder.server.telling.gone import hung_up
from ponder.server.telling.sse import EventStream, frame

ASKED = ("stream", "starting_after", "include", "include[]", "include_obfuscation")
"""Fields of the query of a retrieval."""
LISTED = ("limit", "order", "after", "include", "include[]")
"""Fields of the query of a list of items."""


async def create(request: Request) -> Response:
    """Make a response."""
    house: House = request.app.state.house
    office: Office = request.app.state.responses
    body, key = await read(request, ResponseBody, house.settings.body), request.state.key
    claim = CLAIM.get() if body.background else None
    name = claim.asked.name if claim else ""
    if claim is not None:
        if (before := office.repeated(key, name)) is not None:
            return _shown(before, streams=bool(body.stream))
        claim.final = not body.stream  # the reply is its ID, and whoever has that comes back
    conversation = office.conversation(body, key)
    chat = messages(body.instructions, conversation)
    wanted = asked(body, chat, house.served, house.settings)
    live = office.begin(body, key, conversation, wanted, name)
    if not (body.background or body.stream):
        return JSONResponse(await _whole(request, live))
    try:
        if house.served.ready(wanted.model) and not live.queued:
            await live.ready()  # else a refusal is told later: no reader waits for its first byte
        office.reveal(live)
    except BaseException:
        await live.cancel()
        raise
    if not body.stream:
        return JSONResponse(live.response)
    return EventStream(live.follow(), _nothing if body.background else live.stop)


def _shown(one: Live | Stored, *, streams: bool, after: int = -1) -> Response:
    """Return a response, or its stream from the event after that number on.

    Raises:
        ApiError: its stream cannot be read again.
    """
    if not streams:
        return JSONResponse(one.response)
    if isinstance(one, Live) and one.start.head.body.stream:
        return EventStream(one.follow(after), _nothing)
    if isinstance(one, Live) or one.events is None:
        raise ApiError(
            "the stream of a response can be read again if it was created in the background, with "
            '"stream": true.',
            param="stream",
        )
    return EventStream(_again(one.events, after), _nothing)


async def _whole(request: Request, live: Live) -> dict[str, Any]:
    """Return a response once it has ended; a client that hangs up ends it."""
    watch = asyncio.ensure_future(hung_up(request.receive))
    work = asyncio.ensure_future(live.whole())
    try:
        await asyncio.wait((watch, work), return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise ClientDisconnect
        if live.error is not None:
            raise live.error
        return work.result()
    finally:
        watch.cancel()
        work.cancel()
        await live.cancel()


async def _nothing() -> None:
    """Leave a response in the background to itself."""


async def retrieve(request: Request) -> Response:
    """Return a response, or its stream from any of its events on."""
    office: Office = request.app.state.responses
    streams, after = _wanted(request)
    one = office.found(request.path_params["name"], request.state.key)
    return _shown(one, streams=streams, after=after)


def _wanted(request: Request) -> tuple[bool, int]:
    """Return True if the stream is asked for, and the number of the event before its first.

    Raises:
        ApiError: a field of the query is unknown or invalid.
    """
    query = _query(request, ASKED)
    for field in ("stream", "include_obfuscation"):
        if query.get(field, "false") not in ("true", "false"):
            raise ApiError(f"{field} must be true or false.", param=field)
    if query.get("include_obfuscation") == "true":
        raise ApiError("events are not obfuscated here.", param="include_obfuscation")
    after = query.get("starting_after", "-1")
    if not (after == "-1" or (after.isascii() and after.isdigit() and len(after) < 10)):
        raise ApiError("starting_after must be the number of an event.", param="starting_after")
    streams = query.get("stream") == "true"
    if after != "-1" and not streams:
        raise ApiError(
            "starting_after belongs to a stream: say stream=true.", param="starting_after"
        )
    return streams, int(after)


def _query(request: Request, known: Sequence[str]) -> QueryParams:
    """Return the query.

    Raises:
        ApiError: a field is not one of those, or what it includes is not known.
    """
    query = request.query_params
    if unknown := sorted(query.keys() - {*known}):
        raise ApiError(f"the field {unknown[0][:60]!r} is not supported here.", param=unknown[0])
    wished = {*query.getlist("include"), *query.getlist("include[]")}
    if wished - INCLUDABLE:
        raise ApiError("there is no such thing to include: leave it out.", param="include")
    return query


async def items(request: Request) -> Response:
    """List the items that a response goes on from."""
    office: Office = request.app.state.responses
    asked = page(_query(request, LISTED))
    one = office.found(request.path_params["name"], request.state.key)
    return JSONResponse(listed(one.id, one.input, asked))


async def _again(events: Sequence[dict[str, Any]], after: int) -> AsyncGenerator[bytes, None]:
    for event in events:
        if event["sequence_number"] <= after:
            continue
        yield frame(event, event["type"])
        await asyncio.sleep(0)  # so that many events at once hold up nobody else


async def cancel(request: Request) -> Response:
    """Cancel a response in the background."""
    office: Office = request.app.state.responses
    return JSONResponse(await office.cancel(request.path_params["name"], request.state.key))


async def drop(request: Request) -> Response:
    """Delete a response."""
    office: Office = request.app.state.responses
    name: str = request.path_params["name"]
    await office.drop(name, request.state.key)
    return JSONResponse({"id": name, "object": "response", "deleted": True})


ROUTES = (
    Route("/v1/responses", guarded(once(create)), methods=["POST"]),
    Route("/v1/responses/{name}", guarded(retrieve), methods=["GET"]),
    Route("/v1/responses/{name}", guarded(drop), methods=["DELETE"]),
    Route("/v1/responses/{name}/input_items", guarded(items), methods=["GET"]),
    Route("/v1/responses/{name}/cancel", guarded(cancel), methods=["POST"]),
)
"""The addresses."""
