"""``GET /v1/reviews`` and ``POST /v1/reviews/{id}``: a person judges what runs wait for.

The queue is the one that ``ponder review`` works on. An API key sees the items of its own runs that
are in progress here: an item has its question and the very traces of one of them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from ponder.core.record.events import RunStarted, SampleFinished
from ponder.server.body import WHOLE, Form, read
from ponder.server.errors import ApiError
from ponder.server.live.live import Going
from ponder.server.runs.reply import Reply
from ponder.server.telling.conducted import House
from ponder.util.threads import in_thread
from ponder.verifiers.human.verifier import How, Item, Judgement, Queue

Grade = Annotated[int, Field(ge=1, le=5), WHOLE]


class Judged(Form):
    """A judgement: the number of the best candidate, a grade for each, or that none is good."""

    best: Annotated[int, Field(ge=1), WHOLE] | None = None
    grades: list[Grade] | None = None
    none: bool = False
    comment: str = ""


async def waiting(request: Request) -> Response:
    """List what waits for a person."""
    data = [_told(item, run) for item, run in await _waiting(request)]
    return Reply({"object": "list", "data": data})


async def judge(request: Request) -> Response:
    """Store a judgement."""
    house: House = request.app.state.house
    name = request.path_params["item"]
    body = await read(request, Judged, house.settings.body)
    found = next((pair for pair in await _waiting(request) if pair[0].key == name), None)
    if found is None:
        raise ApiError(
            f"nothing waits under {name[:60]!r}: see GET /v1/reviews.", 404, code="review_not_found"
        )
    item, run = found
    said = _said(item, body, request.state.key.name)
    if not await in_thread(lambda: Queue().judge(item.key, said)):
        raise ApiError("somebody else has judged it meanwhile.", 409, code="already_judged")
    told = {"how": said.how, "scores": said.scores, "comment": said.comment, "by": said.who}
    return Reply({"id": item.key, "object": "review.judgement", "run": run, **told}, 201)


async def _waiting(request: Request) -> list[tuple[Item, str]]:
    """Return the items of the caller's runs, and the run of each."""
    house: House = request.app.state.house
    mine = house.live.of(request.state.key.name)
    if not mine:
        return []
    items = await in_thread(lambda: Queue().waiting())
    return [(item, run.run) for item in items for run in _asking(item, mine)]


def _asking(item: Item, runs: list[Going]) -> Iterator[Going]:
    """Yield the first of the runs that asks for an item."""
    wanted = {(candidate.id, candidate.text) for candidate in item.candidates}
    for run in runs if item.waits else ():
        events = run.channel.events
        known = {
            (event.trace.id, event.trace.text)
            for event in events
            if isinstance(event, SampleFinished)
        }
        problem = next(event.problem for event in events if isinstance(event, RunStarted))
        question = "\n\n".join(m.content for m in problem.asked if m.role != "assistant")
        if wanted <= known and question == item.question:
            yield run
            return


def _told(item: Item, run: str) -> dict[str, Any]:
    """Return an item; candidates with the same answer are one."""
    told = []
    for number, group in enumerate(item.groups, 1):
        stands = item.candidates[group[0]]
        told.append({
            "number": number,
            "answer": stands.answer,
            "text": stands.text,
            "tokens": stands.tokens,
            "truncated": stands.cut,
            "count": len(group),
        })  # fmt: skip
    known = {"id": item.key, "object": "review", "run": run, "created": int(item.created)}
    return {
        **known,
        "answer_type": item.answer_type,
        "question": item.question,
        "candidates": told,
    }


def _said(item: Item, body: Judged, who: str) -> Judgement:
    """Return the judgement; every candidate of a group gets the group's value.

    Raises:
        ApiError: it names no candidate of the item, or says more than one thing.
    """
    count = len(item.groups)
    if (body.best is not None) + (body.grades is not None) + body.none != 1:
        raise ApiError("give one of best, grades and none.", code="invalid_value")
    how: How
    if body.best is not None:
        if body.best > count:
            raise ApiError(f"best must be from 1 to {count}.", param="best", code="invalid_value")
        how, values = "choice", [float(at == body.best) for at in range(1, count + 1)]
    elif body.grades is not None:
        if len(body.grades) != count:
            raise ApiError(
                f"grades must have one for each of {count} candidates.",
                param="grades",
                code="invalid_value",
            )
        how, values = "grades", [(grade - 1) / 4 for grade in body.grades]
    else:
        how, values = "none", [0.0] * count
    of = {i: value for group, value in zip(item.groups, values, strict=True) for i in group}
    scores = tuple(of[i] for i in range(len(item.candidates)))
    return Judgement(how, scores, body.comment, who, time.time())
