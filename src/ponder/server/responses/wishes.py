"""From the body of a response to the request in the words of all APIs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ponder.core.problem import Message
from ponder.planning.presets import PRESETS
from ponder.server.asking import dial
from ponder.server.asking.asked import Asked, kind_of
from ponder.server.asking.served import Served
from ponder.server.responses.body import ResponseBody
from ponder.server.responses.tools import toolset
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
    form, schema = body.text.format, None
    if form.type != "text":
        schema = json.dumps(form.schema_) if form.schema_ is not None else ""
    found = dial.asked(
        body.ponder,
        served,
        body.model,
        messages,
        effort=("reasoning.effort", body.reasoning.effort),
        form=("text.format", schema),
        own={
            "temperature": body.temperature,
            "top_p": body.top_p,
            "length": body.max_output_tokens,
        },
        logprobs=body.alternatives,
        tools=toolset(
            body.tools or (), body.tool_choice, parallel=body.parallel_tool_calls is not False
        ),
    )
    return pro(found, settings) if body.reasoning.mode == "pro" else found


def pro(one: Asked, settings: Settings) -> Asked:
    """Return the request as a parallel search: twice the samples of its effort vote; of a text,
    which cannot be voted on, several drafts are written, and each then anew in view of the others.
    Steps of an agent vote, since calls can.
    """
    effort = one.effort or settings.effort
    text = not one.agent and (
        one.answer_type == "text"
        or (one.answer_type == "auto" and kind_of(one.messages[-1].content, one) == "text")
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
