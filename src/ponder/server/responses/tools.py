"""Tools as the Responses API has them: offered by requests, repeated by responses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, field_validator

from ponder.core.tools import CHOICES, Toolset
from ponder.server.body import Form
from ponder.server.chat import tools as chat

LEVELS = 64
"""Most levels of a schema, which a response repeats within an object of its own."""


def check_levels(
    schema: Mapping[str, JsonValue] | None,
) -> Mapping[str, JsonValue] | None:
    """Return a schema that is not nested too deeply.

    Raises:
        ValueError: it is.
    """
    if _levels(schema) > LEVELS:
        raise ValueError(f"the schema has more than {LEVELS} levels")
    return schema


def _levels(value: object) -> int:
    inner = value.values() if isinstance(value, Mapping) else value
    if not isinstance(inner, Iterable) or isinstance(inner, str):
        return 0
    return 1 + max(map(_levels, inner), default=0)


class Offered(Form):
    """A tool of a request."""

    type: Literal["function"]
    name: str
    description: str | None = None
    parameters: Mapping[str, JsonValue] | None = None
    strict: bool | None = None
    # At the only value that can be honoured.
    allowed_callers: list[Literal["direct"]] | None = None
    defer_loading: Literal[False] | None = None

    @field_validator("type", mode="before")
    @classmethod
    def _function(cls, kind: object) -> object:
        return chat.check_kind(kind)

    @field_validator("parameters")
    @classmethod
    def _flat(cls, schema: Mapping[str, JsonValue] | None) -> Mapping[str, JsonValue] | None:
        return check_levels(schema)

    @property
    def shown(self) -> dict[str, Any]:
        """The tool as a response repeats it."""
        return {
            "type": "function",
            "name": self.name,
            "description": self.description,
            "parameters": self.parameters,
            "strict": bool(self.strict),
        }


class Named(Form):
    """The choice of one function."""

    type: Literal["function"]
    name: str


class Allowed(Form):
    """The choice of some functions, and the wish about them."""

    type: Literal["allowed_tools"]
    mode: chat.Mode
    tools: Annotated[list[Named], Field(min_length=1)]


Choice = chat.Choice | Named | Allowed
"""The wish about tools."""


def check_choice(choice: object) -> object:
    """Return a choice of tools that has the right form.

    Raises:
        ValueError: it has another.
    """
    match choice:
        case None | "none" | "auto" | "required":
            return choice
        case {"type": "function", "name": str(name), **more} if not (more or name in CHOICES):
            return choice
        case {
            "type": "allowed_tools",
            "mode": "auto" | "required",
            "tools": [*tools],
            **more,
        } if tools and all(map(_named, tools)) and not more:
            return choice
        case {"type": str(kind)} if kind not in ("function", chat.ALLOWED):
            raise chat.unsupported_choice(kind)
    raise ValueError(
        'expected "none", "auto", "required", {"type": "function", "name": ...}, or {"type": '
        '"allowed_tools", "mode": "auto" or "required", "tools": [...]}'
    )


def _named(tool: object) -> bool:
    match tool:
        case {"type": "function", "name": str(), **more}:
            return not more
    return False


def toolset(offered: Sequence[Offered], choice: Choice | None, *, parallel: bool) -> Toolset | None:
    """Return the tools of a request; None if it offers none.

    Raises:
        ApiError: a tool is not valid, or the choice is none of them.
    """
    functions = [
        chat.function(tool.name, tool.description, tool.parameters, tool.strict) for tool in offered
    ]
    return chat.toolset(functions, _chosen(choice), parallel=parallel)


def _named_in_chat(choice: Named) -> chat.Named:
    return chat.Named(type="function", function=chat.Name(name=choice.name))


def _chosen(choice: Choice | None) -> chat.Choice | chat.Named | chat.Allowed | None:
    """Return a choice as Chat Completions has it."""
    match choice:
        case Named():
            return _named_in_chat(choice)
        case Allowed():
            names = [_named_in_chat(one) for one in choice.tools]
            some = chat.Some(mode=choice.mode, tools=names)
            return chat.Allowed(type="allowed_tools", allowed_tools=some)
    return choice
