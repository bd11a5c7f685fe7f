"""``POST /v1/decisions``: a choice about a text, from one look of a model.

No vendor has such an API. Its members have the names that vendors use for the same things, and
those of ``ponder decide --json``.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ponder.core.budget import Budget
from ponder.core.record.events import Event, Subscriber, Weighed
from ponder.core.sessions.run import ignore
from ponder.decision import STRATEGY, Decision, concluded, wish
from ponder.planning.presets import DEFAULT
from ponder.policies.decisions import TEMPERATURES
from ponder.server.asking.asked import Asked, budget_of
from ponder.server.asking.dial import Limits
from ponder.server.body import WHOLE, Form, read
from ponder.server.chat.form import usage
from ponder.server.errors import ApiError
from ponder.server.keys import Key
from ponder.server.telling.answered import Tokens
from ponder.server.telling.conducted import House, conduct
from ponder.server.telling.gone import while_there
from ponder.strategies.deciding.looking import MOST, YES_NO


class DecisionDial(Form):
    """The ``ponder`` object of a decision."""

    budget: Limits = Limits()


class DecisionBody(Form):
    """The body of a request."""

    model: str
    question: Annotated[str, Field(json_schema_extra={"pattern": r"\S"})]
    input: str = ""
    choices: Annotated[list[str], Field(min_length=2, max_length=MOST)] = Field(
        default_factory=lambda: [*YES_NO], json_schema_extra={"uniqueItems": True}
    )
    threshold: Annotated[float, Field(ge=0, le=1)] = 0.0
    labels: Literal["letters", "words"] = "letters"
    permutations: Annotated[int, Field(ge=1, le=MOST), WHOLE] = 4
    calibrate: bool = False
    soften: Annotated[float, Field(ge=TEMPERATURES[0], le=TEMPERATURES[1])] = 1.0
    ponder: DecisionDial = DecisionDial()
    # Inert: they say nothing about the decision.
    user: str | None = None
    metadata: dict[str, str] | None = None


async def answer(request: Request) -> Response:
    """Decide."""
    house: House = request.app.state.house
    body = await read(request, DecisionBody, house.settings.body)
    model, effort = house.served.split(body.model)
    if effort is not None:
        raise ApiError(
            f"a decision is one look, without effort: name the model {model!r} alone.",
            param="model",
        )
    knobs = body.model_dump(include={"threshold", "labels", "permutations", "calibrate", "soften"})
    budget = budget_of(body.ponder.budget.model_dump(exclude_none=True))
    wanted = asked(body.question, body.input, body.choices, model, knobs, budget)
    found = Deciding(house, request.state.key, wanted)
    return JSONResponse(await while_there(request, [found.run], _answered(body.model, found)))


def asked(
    question: str,
    text: str,
    choices: Sequence[str],
    model: str,
    knobs: dict[str, Any],
    budget: Budget,
) -> Asked:
    """Return a decision in the words of all APIs.

    Raises:
        UsageError: a value is invalid.
    """
    made = wish(question, text, choices=choices, model=model, knobs=knobs)
    return Asked(
        made.problem.messages,
        model,
        DEFAULT,
        STRATEGY,
        made.knobs,
        budget=budget,
        answer_type="choice",
        choices=made.problem.choices,
    )


class Deciding:
    """A decision in progress, a run as any other. ``hear`` is called with its events."""

    def __init__(self, house: House, key: Key, asked: Asked, hear: Subscriber = ignore) -> None:
        self._choices, self._hear = asked.choices, hear
        self._weighed: Weighed | None = None
        [self.run] = conduct(house, key, [asked], self._publish)

    def _publish(self, at: int, event: Event) -> None:
        if isinstance(event, Weighed):
            self._weighed = event
        self._hear(event)

    async def decision(self) -> Decision:
        """Return the decision.

        Raises:
            ApiError, PonderError: the run was refused, or has failed.
        """
        await self.run.ready()
        result = await self.run.result()
        return concluded(self._choices, self._weighed, result)


async def _answered(model: str, deciding: Deciding) -> dict[str, Any]:
    made = await deciding.decision()
    told, total = made.to_json(), made.receipt.total
    spent = Tokens(
        total.prompt_tokens,
        total.cached_tokens,
        total.completion_tokens + total.wasted_tokens,
        total.reasoning_tokens,
    )
    return {
        "id": f"decision-{secrets.token_hex(12)}",
        "object": "decision",
        "created": int(time.time()),
        "model": model,
        **{name: told[name] for name in ("choice", "probabilities", "abstained", "mass")},
        "usage": usage([spent]),
        "ponder": {name: told[name] for name in ("run", "model", "stopped_by", "receipt")},
    }
