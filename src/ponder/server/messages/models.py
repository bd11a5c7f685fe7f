"""``GET /v1/models`` for clients of the Messages API, who are known by their version header."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ponder.server.errors import ApiError
from ponder.server.keys import Handler
from ponder.server.messages.errors import VERSION, id_of
from ponder.server.telling.conducted import House

PAGE, MOST = 20, 1000
"""Number of models on a page, and the most that a request may ask for."""
FIELDS = {"limit", "after_id", "before_id"}


def by_version(usual: Handler, own: Handler) -> Handler:
    """Return the handler that lets ``own`` answer requests with the version header."""

    async def either(request: Request) -> Response:
        return await (own if VERSION in request.headers else usual)(request)

    return either


async def listed(request: Request) -> Response:
    """List the models, each also with every effort, a page at a time."""
    house: House = request.app.state.house
    asked, names = request.query_params, house.served.listed
    if unknown := sorted(asked.keys() - FIELDS):
        raise ApiError(f"the field {unknown[0][:60]!r} is not supported here: leave it out.")
    limit = _limit(asked.get("limit", str(PAGE)))
    if "before_id" in asked:
        before = names[: _place(names, asked["before_id"])]
        page, more = before[-limit:], len(before) > limit
    else:
        after = names[_place(names, asked["after_id"]) + 1 :] if "after_id" in asked else names
        page, more = after[:limit], len(after) > limit
    told = {
        "data": [_described(request, name) for name in page],
        "has_more": more,
        "first_id": page[0] if page else None,
        "last_id": page[-1] if page else None,
    }
    return JSONResponse(told, headers={"request-id": id_of(request)})


async def one(request: Request) -> Response:
    """Describe one model."""
    house: House = request.app.state.house
    name: str = request.path_params["name"]
    house.served.split(name)
    return JSONResponse(_described(request, name), headers={"request-id": id_of(request)})


def _limit(given: str) -> int:
    if given.isascii() and given.isdigit() and len(given) < 5 and 1 <= int(given) <= MOST:
        return int(given)
    raise ApiError(f"the field 'limit' must be a whole number from 1 to {MOST}.")


def _place(names: list[str], name: str) -> int:
    if name not in names:
        raise ApiError(f"there is no model {name[:100]!r} here to go on from.")
    return names.index(name)


def _described(request: Request, name: str) -> dict[str, Any]:
    since = datetime.fromtimestamp(request.app.state.since, UTC)
    return {
        "type": "model",
        "id": name,
        "display_name": name,
        "created_at": since.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "lifecycle": "active",
    }
