"""The dial of a request: the ``ponder`` object, which all APIs take, beside the words of each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from ponder.core.problem import Message
from ponder.planning.presets import PRESETS
from ponder.server.asking.asked import Asked, budget_of
from ponder.server.asking.served import Served
from ponder.server.body import WHOLE, Form
from ponder.server.errors import ApiError


def _effort(effort: str) -> str:
    if effort not in PRESETS:
        raise ValueError(f"expected one of {', '.join(PRESETS)}, not {effort[:40]!r}")
    return effort


Effort = Annotated[
    str, AfterValidator(_effort), WithJsonSchema({"type": "string", "enum": [*PRESETS]})
]
"""The name of an effort."""


class Limits(Form):
    """A request's own budget."""

    tokens: Annotated[int, Field(ge=1, le=10**15), WHOLE] | None = None
    usd: Annotated[float, Field(gt=0)] | None = None
    seconds: Annotated[float, Field(gt=0)] | None = None


class Dial(Form):
    """The ``ponder`` object: the dial, with all its settings."""

    strategy: str | None = None
    knobs: dict[str, str | int | float | bool | None] = Field(default_factory=dict)
    verifier: str | None = None
    budget: Limits = Limits()
    worth: float | int | str | None = None
    answer_type: Literal["auto", "number", "math", "choice", "code", "text", "json"] = "auto"
    choices: list[str] = Field(default_factory=list)
    events: bool = False


def asked(
    dial: Dial,
    served: Served,
    name: str,
    messages: tuple[Message, ...],
    *,
    effort: tuple[str, str | None],
    form: tuple[str, str | None],
    own: Mapping[str, Any],
    taken: Collection[str] = (),
    **more: Any,
) -> Asked:
    """Return a request in the words of all APIs.

    ``effort`` and ``form`` are a field of the API's own and what it says: an effort, and the JSON
    Schema of the answer ('' for any JSON), or None. ``own`` are knobs that have fields of their
    own there, and ``taken`` the names of further ones; ``more`` are fields of ``Asked``.

    Raises:
        ApiError: members contradict each other, or there is no such model.
    """
    model, named = served.split(name)
    field, said = effort
    if named and said and named != said:
        raise ApiError(
            f"the model {name!r} names the effort {named}, and {field} {said}: give one of them.",
            param=field,
        )
    given = {knob: value for knob, value in own.items() if value is not None}
    if twice := sorted({*given, *taken} & dial.knobs.keys()):
        raise ApiError(
            f"{twice[0]} is given twice: leave one out.", param=f"ponder.knobs.{twice[0]}"
        )
    (field, schema), kind = form, dial.answer_type
    if schema is not None and kind not in ("auto", "json"):
        raise ApiError(
            f"{field} asks for JSON, and ponder.answer_type for {kind}: give one.", param=field
        )
    return Asked(
        messages,
        model,
        named or said,
        dial.strategy,
        {**given, **dial.knobs},
        dial.verifier,
        budget_of(dial.budget.model_dump(exclude_none=True)),
        dial.worth,
        kind if schema is None else "json",
        tuple(dial.choices),
        schema or "",
        **more,
    )
