"""``POST /v1/runs/{id}/steer``, and the state of what was sent."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Annotated, Any

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from ponder.core.errors import UsageError
from ponder.core.record.steering import KINDS, Action
from ponder.runtime import history
from ponder.runtime.journal import Journal
from ponder.runtime.records import RunRow
from ponder.server.body import WHOLE, Form, read
from ponder.server.errors import ApiError
from ponder.server.runs import shown
from ponder.server.runs.reply import Reply
from ponder.server.telling.conducted import House
from ponder.strategies import registry


class Steer(Form):
    """An action."""

    action: Annotated[str, Field(json_schema_extra={"enum": [*KINDS]})]
    node: str = ""
    text: str = ""
    count: Annotated[int, WHOLE] = 0


async def steer(request: Request) -> Response:
    """Accept an action on a run in progress."""
    house: House = request.app.state.house
    row = await house.live.owned(request.path_params["run"], request.state.key.name)
    body = await read(request, Steer, house.settings.body)
    kind = next((one for one in KINDS if one == body.action), None)
    if kind is None:
        raise ApiError(
            f"action must be one of {', '.join(KINDS)}.", param="action", code="unknown_action"
        )
    try:
        wanted = Action(kind, body.node, body.text, body.count, request.state.key.name)
    except UsageError as error:
        raise ApiError(str(error), code="invalid_action") from None
    number = await house.live.read(_send, row, wanted)
    return Reply(_told(row.id, number, "accepted", "", wanted), 202)


def _send(journal: Journal, row: RunRow, wanted: Action) -> int:
    """Leave an action for the run; return its number.

    Raises:
        ApiError: the run has ended, or has no such node.
    """
    if not shown.going_on(row):
        raise ApiError(
            f"run {row.id} is {shown.state(row)}: only a run in progress can be steered.",
            409,
            code="not_in_progress",
        )
    asked = shown.spec(row)
    if wanted.node:
        found = history.tree(asked.problem, journal.calls(row.id), journal.decisions(row.id))
        if wanted.node not in found:
            raise ApiError(
                f"run {row.id} has no node {wanted.node[:60]!r}: give an id of its tree.",
                param="node",
                code="unknown_node",
            )
    elif wanted.kind == "more" and registry.choose(asked.strategy, asked.knobs).stepwise:
        raise ApiError(
            "more needs a node of a search over steps.", param="node", code="invalid_action"
        )
    return journal.send(row.id, wanted)


async def action(request: Request) -> Response:
    """Tell the state of an action: pending, applied, or failed with a code."""
    house: House = request.app.state.house
    row = await house.live.owned(request.path_params["run"], request.state.key.name)
    told, found = request.path_params["number"], None
    if re.fullmatch("[0-9]{1,18}", told):
        found = await house.live.read(Journal.sent, row.id, int(told))
    if found is None:
        raise ApiError(f"run {row.id} has no such action.", 404, code="action_not_found")
    wanted, state, why = found
    return Reply(_told(row.id, int(told), state, why, wanted))


def _told(run: str, number: int, state: str, why: str, wanted: Action) -> dict[str, Any]:
    failed = {"code": "run_ended", "why": why} if state == "failed" else {}
    told = {"id": number, "object": "run.action", "run": run, "state": state, **failed}
    return {**told, "action": asdict(wanted)}
