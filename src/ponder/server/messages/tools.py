"""Tools as the Messages API has them: offered by requests, called by replies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import JsonValue, field_validator, model_validator

from ponder.core.tools import CHOICES, ToolCall, Toolset
from ponder.server.body import Form
from ponder.server.chat import tools as chat
from ponder.server.messages.blocks import Cached

INVALID = "INVALID_JSON"
"""Key of arguments that are no JSON object, as the vendor names it: an input must be one."""


class Offered(Form):
    """A tool of a request."""

    name: str
    input_schema: Mapping[str, JsonValue]
    type: Literal["custom"] | None = None
    description: str | None = None
    strict: bool | None = None
    # Inert: they say nothing about the reply.
    cache_control: Cached | None = None
    eager_input_streaming: bool | None = None
    # At the only value that can be honoured.
    allowed_callers: list[Literal["direct"]] | None = None
    defer_loading: Literal[False] | None = None

    @field_validator("type", mode="before")
    @classmethod
    def _custom(cls, kind: object) -> object:
        if isinstance(kind, str) and kind != "custom":
            raise ValueError(
                f"tools of the type {kind[:40]!r} are the vendor's own, and are not supported: "
                "offer tools with an 'input_schema'"
            )
        return kind


class ToolChoice(Form):
    """The wish about tools."""

    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None

    @model_validator(mode="after")
    def _named(self) -> ToolChoice:
        if (self.type == "tool") != bool(self.name) or self.name in CHOICES:
            raise ValueError(
                "the 'name' of a tool, other than auto, none and required, belongs to the type "
                "'tool', and is needed there"
            )
        return self


def toolset(offered: Sequence[Offered], choice: ToolChoice | None) -> Toolset | None:
    """Return the tools of a request; None if it offers none.

    Raises:
        ApiError: a tool is not valid, or the choice is none of them.
    """
    choice = choice or ToolChoice(type="auto")
    named = chat.Named(type="function", function=chat.Name(name=choice.name or ""))
    wish: dict[str, chat.Choice | chat.Named] = {
        "auto": "auto", "any": "required", "tool": named, "none": "none",
    }  # fmt: skip
    functions = [
        chat.function(tool.name, tool.description, tool.input_schema, tool.strict)
        for tool in offered
    ]
    parallel = not choice.disable_parallel_tool_use
    return chat.toolset(functions, wish[choice.type], parallel=parallel)


def used(call: ToolCall) -> dict[str, Any]:
    """Return the block of a call."""
    values = {INVALID: call.arguments} if call.values is None else call.values
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": values}
