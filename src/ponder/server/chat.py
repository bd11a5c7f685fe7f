"""``POST /v1/chat/completions``."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ponder.core.budget import Budget
from ponder.server.answered import Reply, Tokens
from ponder.server.asked import Asked, budget_of, lowered
from ponder.server.body import read
from ponder.server.chat_body import ChatBody
from ponder.server.conducted import Conducted, House
from ponder.server.errors import ApiError
from ponder.server.gone import unless_gone
from ponder.server.turns import messages

FINISH = {"stop": "stop", "length": "length", "refusal": "content_filter"}


@dataclass(frozen=True, slots=True)
class Head:
    """The members that a completion and each of its chunks share."""

    model: str
    """The model as the request named it."""
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))

    def over(self, kind: str, choices: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        """Return an object with these members and choices."""
        head = {"id": self.id, "object": kind, "created": self.created, "model": self.model}
        return {**head, "choices": choices, **more}


async def complete(request: Request) -> Response:
    """Answer a chat."""
    house: House = request.app.state.house
    body = await read(request, ChatBody, house.settings.body)
    wanted = [asked(body, house)]
    count = body.n or 1
    if count > house.settings.choices:
        raise ApiError(f"n must be at most {house.settings.choices} here.", param="n")
    if count > 1:
        wanted = several(wanted[0], count, house.settings.ceiling)
    replies = await unless_gone(request, [Conducted(house, one) for one in wanted])
    return JSONResponse(whole(Head(body.model), replies))


def asked(body: ChatBody, house: House) -> Asked:
    """Return the request in the words of all APIs.

    Raises:
        ApiError: members contradict each other, or there is no such model.
    """
    dial = body.ponder
    model, effort = house.served.split(body.model)
    if effort and body.reasoning_effort and effort != body.reasoning_effort:
        raise ApiError(
            f"the model {body.model!r} names the effort {effort}, and reasoning_effort "
            f"{body.reasoning_effort}: give one of them.",
            param="reasoning_effort",
        )
    own = {
        "temperature": body.temperature,
        "top_p": body.top_p,
        "length": body.max_completion_tokens or body.max_tokens,
    }
    given = {name: value for name, value in own.items() if value is not None}
    if twice := sorted(given.keys() & dial.knobs.keys()):
        raise ApiError(
            f"{twice[0]} is given twice: leave one out.", param=f"ponder.knobs.{twice[0]}"
        )
    form, kind, schema = body.response_format, dial.answer_type, ""
    if form is not None and form.type != "text":
        if kind not in ("auto", "json"):
            raise ApiError(
                f"response_format asks for JSON, and ponder.answer_type for {kind}: give one.",
                param="response_format",
            )
        kind = "json"
        schema = json.dumps(form.json_schema.schema_) if form.json_schema else ""
    stop = (body.stop,) if isinstance(body.stop, str) else tuple(body.stop or ())
    return Asked(
        messages(body.messages),
        model,
        effort or body.reasoning_effort,
        dial.strategy,
        {**given, **dial.knobs},
        dial.verifier,
        budget_of(dial.budget.model_dump(exclude_none=True)),
        dial.worth,
        kind,
        tuple(dial.choices),
        schema,
        stop,
        None if body.seed is None else body.seed % 2**31,
    )


def several(one: Asked, count: int, ceiling: Budget) -> list[Asked]:
    """Return as many independent requests, with seeds of their own and an equal part each of what
    the request may spend.
    """
    found = []
    for at in range(count):
        limits = [
            replace(
                budget,
                **{
                    unit: value // count if unit == "tokens" else value / count
                    for unit, value in asdict(budget).items()
                    if value is not None and unit != "seconds"
                },
            )
            for budget in (one.budget, ceiling)
        ]
        seed = None if one.seed is None else (one.seed + at) % 2**31
        found.append(replace(one, seed=seed, budget=lowered(*limits)))
    return found


def whole(head: Head, replies: Sequence[Reply]) -> dict[str, Any]:
    """Return a completion."""
    choices = [
        {
            "index": at,
            "message": _message(one),
            "logprobs": None,
            "finish_reason": FINISH[one.ending],
        }
        for at, one in enumerate(replies)
    ]
    spent = usage([one.tokens for one in replies])
    return head.over("chat.completion", choices, usage=spent, ponder=ponder(replies))


def _message(one: Reply) -> dict[str, str | None]:
    message = {"role": "assistant", "content": one.content, "refusal": None}
    if one.reasoning:
        message |= {"reasoning": one.reasoning, "reasoning_content": one.reasoning}
    return message


def ponder(replies: Sequence[Reply]) -> dict[str, Any]:
    """Return the ``ponder`` object: that of the run, or of several in ``runs``."""
    return replies[0].ponder if len(replies) == 1 else {"runs": [one.ponder for one in replies]}


def usage(spent: Sequence[Tokens]) -> dict[str, Any]:
    """Return the sum of all that was spent."""
    total = Tokens()
    for one in spent:
        total = total.plus(one)
    return {
        "prompt_tokens": total.prompt,
        "completion_tokens": total.completion,
        "total_tokens": total.prompt + total.completion,
        "prompt_tokens_details": {"cached_tokens": total.cached},
        "completion_tokens_details": {"reasoning_tokens": total.reasoning},
    }
