"""``GET /v1/runs`` and ``GET``, ``DELETE`` and ``POST`` of one of them."""

from __future__ import annotations

import re
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ponder.runtime.journal import Journal
from ponder.runtime.records import RunRow
from ponder.server.errors import ApiError
from ponder.server.keys import Key
from ponder.server.runs import shown
from ponder.server.runs.reply import Reply
from ponder.server.runs.resumed import resume
from ponder.server.telling.conducted import House

MOST = 100
"""Most runs of one page."""


async def listed(request: Request) -> Response:
    """List the runs of an API key, newest first."""
    house, key = _asking(request)
    asked = request.query_params
    unknown = sorted({*asked} - {"limit", "after", "state"})
    if unknown:
        raise ApiError(
            f"there is no {unknown[0][:40]!r} here: expected limit, after or state.",
            param=unknown[0][:40],
            code="unsupported_parameter",
        )
    limit, after, state = asked.get("limit", "20"), asked.get("after", ""), asked.get("state")
    if not (re.fullmatch("[0-9]{1,3}", limit) and 1 <= int(limit) <= MOST):
        raise ApiError(f"limit must be a number from 1 to {MOST}.", param="limit")
    if state is not None and state not in shown.STATES:
        raise ApiError(f"state must be one of {', '.join(shown.STATES)}.", param="state")
    if after and house.live.records.owner(after) != key.name:
        raise ApiError("after must be the ID of a run, such as last_id.", param="after")
    rows = await house.live.read(_page, house.live.records, key.name, after, state, int(limit))
    data = [shown.summary(row) for row in rows[: int(limit)]]
    more = len(rows) > len(data)
    ends = {"first_id": data[0]["id"], "last_id": data[-1]["id"]} if data else {}
    return Reply(
        {
            "object": "list",
            "data": data,
            "first_id": None,
            "last_id": None,
            **ends,
            "has_more": more,
        }
    )


def _page(
    journal: Journal, records: Any, key: str, after: str, state: str | None, limit: int
) -> list[RunRow]:
    """Return one page of runs, and the first one beyond it."""
    found: list[RunRow] = []
    while len(found) <= limit:
        names = records.owned(key, after, MOST)
        if not names:
            break
        after = names[-1]
        rows = filter(None, map(journal.known, names))  # others were removed from the journal
        found += [row for row in rows if state is None or shown.state(row) == state]
    return found[: limit + 1]


async def show(request: Request) -> Response:
    """Show one run, with its candidates and its tree."""
    house, key = _asking(request)
    row = await house.live.owned(request.path_params["run"], key.name)
    return Reply(await house.live.read(shown.whole, row))


async def cancel(request: Request) -> Response:
    """End a run, with its best answer so far. One that has ended stays as it is."""
    house, key = _asking(request)
    row = await house.live.owned(request.path_params["run"], key.name)
    going = house.live.going(row.id)
    if going is not None:
        going.channel.cancelled = True
        await going.work.stop()
    elif shown.going_on(row):
        raise ApiError(
            f"run {row.id} is in progress in another process: ask the server that began it.",
            409,
            code="elsewhere",
        )
    return Reply(shown.summary(await house.live.owned(row.id, key.name)))


async def again(request: Request) -> Response:
    """Go on with a run that was cut off, interrupted, or has lost samples."""
    house, key = _asking(request)
    row = await house.live.owned(request.path_params["run"], key.name)
    await resume(house, key, row)
    return Reply(shown.summary(await house.live.owned(row.id, key.name)), 202)


def _asking(request: Request) -> tuple[House, Key]:
    return request.app.state.house, request.state.key
