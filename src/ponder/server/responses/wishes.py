"""From the body of a response to the request in the words of all APIs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ponder.core.problem import Message
from ponder.planning.presets import PRESETS
from ponder.server.asked import Asked, budget_of, kind_of
from ponder.server.errors import ApiError
from ponder.server.responses.body import ResponseBody
from ponder.server.served import Served
from ponder.server.settings import Settings

FEWEST = 8
"""Fewest samples of a vote in the mode ``pro``."""
WRITERS = 4
"""Number of drafts in the mode ``pro`` of a text, which cannot be voted on."""


def asked(
    body: ResponseBody, messages: tuple[Message, ...], served: Served, settings: Settings
) -> Asked:
    """Return the request.

    Raises:
        ApiError: members contradict each other, or there is no such model.
    """
    dial = body.ponder
    model, effort = served.split(body.model)
    if effort and body.reasoning.effort and effort != body.reasoning.effort:
        raise ApiError(
            f"the model {body.model!r} names the effort {effort}, and reasoning.effort "
            f"{body.reasoning.effort}: give one of them.",
            param="reasoning.effort",
        )
    effort = effort or body.reasoning.effort
    own = {
        "temperature": body.temperature,
        "top_p": body.top_p,
        "length": body.max_output_tokens,
    }
    given = {name: value for name, value in own.items() if value is not None}
    if twice := sorted(given.keys() & dial.knobs.keys()):
        raise ApiError(
            f"{twice[0]} is given twice: leave one out.", param=f"ponder.knobs.{twice[0]}"
        )
    form, kind, schema = body.text.format, dial.answer_type, ""
    if form.type != "text":
        if kind not in ("auto", "json"):
            raise ApiError(
                f"text.format asks for JSON, and ponder.answer_type for {kind}: give one.",
                param="text.format",
            )
        kind = "json"
        schema = json.dumps(form.schema_) if form.schema_ is not None else ""
    found = Asked(
        messages,
        model,
        effort,
        dial.strategy,
        {**given, **dial.knobs},
        dial.verifier,
        budget_of(dial.budget.model_dump(exclude_none=True)),
        dial.worth,
        kind,
        tuple(dial.choices),
        schema,
    )
    return pro(found, settings) if body.reasoning.mode == "pro" else found


def pro(one: Asked, settings: Settings) -> Asked:
    """Return the request as a parallel search: twice the samples of its effort vote; of a text,
    which cannot be voted on, several drafts are written, and each then anew in view of the others.
    """
    effort = one.effort or settings.effort
    text = one.answer_type == "text" or (
        one.answer_type == "auto" and kind_of(one.messages[-1].content, one) == "text"
    )
    knobs: Mapping[str, Any] = {"n": WRITERS, "k": WRITERS, "rounds": 1}
    if not text:
        knobs = {"n": max(FEWEST, 2 * int(PRESETS[effort].knobs.get("n", 1)))}
    return replace(
        one,
        effort=effort,
        strategy="aggregate" if text else "self_consistency",
        knobs={**knobs, **one.knobs},
    )
