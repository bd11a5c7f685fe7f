"""``GET /v1/runs/{id}/events``: what a run does, as server-sent events, from its start or from an
id.

The id of an event is ``EPOCH-NUMBER``: the number counts the events of one telling of the run, and
the epoch names that telling. A run in progress, and one that ended lately, is told as it was
published, with each piece of text; any other one from the journal, sample by sample. A reader whose
id is of another telling is sent ``restarted``, and then everything from the start.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ponder.core.record.events import Event
from ponder.core.text import jsontext
from ponder.runtime.journal import Journal
from ponder.runtime.records import RunRow
from ponder.server.errors import ApiError
from ponder.server.live.channel import Channel
from ponder.server.runs import shown
from ponder.server.telling.conducted import House
from ponder.server.telling.facts import fact
from ponder.server.telling.sse import KEEP_ALIVE, EventStream

_STRANGE = "the id of an event must be one that was sent here."


async def told(request: Request) -> Response:
    """Stream the events of a run; 204 if the reader has had them all."""
    house: House = request.app.state.house
    row = await house.live.owned(request.path_params["run"], request.state.key.name)
    after = request.headers.get("last-event-id") or request.query_params.get("after", "")
    channel = house.live.heard(row.id)
    if channel is None:
        channel = _recorded(request.state.key.name, await house.live.read(_events, row))
    seen = _seen(after, channel)
    if seen is not None and channel.over and seen > len(channel.events):
        return Response(status_code=204)  # tells an EventSource not to come back

    async def state() -> dict[str, Any]:
        return shown.summary(await house.live.owned(row.id, request.state.key.name))

    frames = _frames(channel, seen, house.settings.pause, state)
    return EventStream(frames, _nothing)


async def _nothing() -> None:
    """Leave the run alone: a reader who goes away does not end it."""


def _events(journal: Journal, row: RunRow) -> list[Event]:
    return list(shown.events(journal, row))


def _recorded(key: str, events: Sequence[Event]) -> Channel:
    """Return the telling of a run from its journal: another one whenever the record has grown."""
    channel = Channel(key)
    channel.epoch = f"record{len(events)}"
    channel.events.extend(events)
    channel.end()
    return channel


def _seen(after: str, channel: Channel) -> int | None:
    """Return the number of events that a reader has had; None if they are of another telling.

    Raises:
        ApiError: the id has another form.
    """
    if not after:
        return 0
    epoch, _, number = after.rpartition("-")
    if not (epoch and number.isascii() and number.isdecimal() and len(number) < 12):
        raise ApiError(_STRANGE, param="after")
    if epoch != channel.epoch:
        return None
    if int(number) > len(channel.events) + channel.over:
        raise ApiError(_STRANGE, param="after")
    return int(number)


async def _frames(
    channel: Channel, seen: int | None, pause: float, state: Callable[[], Any]
) -> AsyncGenerator[bytes, None]:
    if seen is None:
        why = "the numbers that you have are of another telling of this run: forget its events"
        yield _frame("", {"type": "restarted", "why": why})
        seen = 0
    while True:
        while seen < len(channel.events):
            seen += 1
            yield _frame(f"{channel.epoch}-{seen}", fact(channel.events[seen - 1]))
        if channel.over:
            break
        if not await channel.more(seen, pause):
            yield KEEP_ALIVE
    yield _frame(f"{channel.epoch}-{seen + 1}", {"type": "end", "run": await state()})


def _frame(name: str, data: dict[str, Any]) -> bytes:
    head = f"id: {name}\n" if name else ""
    return f"{head}event: {data['type']}\ndata: {jsontext.dumps(data)}\n\n".encode()
