"""Tools as Chat Completions has them: offered by requests, called by replies, answered by turns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, field_validator

from ponder.core.errors import UsageError
from ponder.core.text import jsontext
from ponder.core.tools import CHOICES, Tool, ToolCall, Toolset
from ponder.server.body import Form
from ponder.server.errors import ApiError

Choice = Literal["none", "auto", "required"]
Mode = Literal["auto", "required"]
"""The wish about the tools that are allowed."""
ALLOWED = "allowed_tools"
"""The type of a choice that allows only some of the tools."""
CUSTOM = (
    "tools of the type 'custom' are not supported, since calls have JSON arguments here: offer a "
    "function with one parameter for the text"
)
PIECE, PIECES = 32, 64
"""Characters of a piece of a call's arguments in a stream; long ones come in about so many pieces.
"""


class Function(Form):
    """A function that the model may ask to have called."""

    name: str
    description: str | None = None
    parameters: Mapping[str, JsonValue] | None = None
    strict: bool | None = None


def check_kind(kind: object) -> object:
    """Return the type of a tool that is a function.

    Raises:
        ValueError: it is another.
    """
    if kind == "custom":
        raise ValueError(CUSTOM)
    if isinstance(kind, str) and kind != "function":
        raise ValueError(f"tools of the type {kind[:40]!r} are not supported: offer functions")
    return kind


class Offered(Form):
    """A tool of a request."""

    type: Literal["function"]
    function: Function

    @field_validator("type", mode="before")
    @classmethod
    def _function(cls, kind: object) -> object:
        return check_kind(kind)


class Name(Form):
    """The name of a function."""

    name: str


class Named(Form):
    """The choice of one function."""

    type: Literal["function"]
    function: Name


class Some(Form):
    """Some of the functions, and the wish about them."""

    mode: Mode
    tools: Annotated[list[Named], Field(min_length=1)]


class Allowed(Form):
    """The choice of some functions."""

    type: Literal["allowed_tools"]
    allowed_tools: Some


class Called(Form):
    """A function, and the arguments that it is called with as JSON text."""

    name: str
    arguments: str


class Call(Form):
    """A call in a turn of the assistant."""

    id: Annotated[str, Field(min_length=1)]
    type: Literal["function"] = "function"
    function: Called
    index: int | None = None  # of a stream's delta, which some clients send back

    @property
    def call(self) -> ToolCall:
        """The call in the words of the house."""
        return ToolCall(self.id, self.function.name, self.function.arguments)


def check_choice(choice: object) -> object:
    """Return a choice of tools that has the right form.

    Raises:
        ValueError: it has another.
    """
    match choice:
        case None | "none" | "auto" | "required":
            return choice
        case {"type": "function", "function": {"name": str(name), **rest}, **more} if not (
            rest or more or name in CHOICES
        ):
            return choice
        case {
            "type": "allowed_tools",
            "allowed_tools": {"mode": "auto" | "required", "tools": [*tools], **rest},
            **more,
        } if tools and all(map(_named, tools)) and not (rest or more):
            return choice
        case {"type": str(kind)} if kind not in ("function", ALLOWED):
            raise unsupported_choice(kind)
    raise ValueError(
        'expected "none", "auto", "required", {"type": "function", "function": {"name": ...}}, or '
        '{"type": "allowed_tools", "allowed_tools": {"mode": "auto" or "required", "tools": [...]}}'
    )


def _named(tool: object) -> bool:
    match tool:
        case {"type": "function", "function": {"name": str(), **rest}, **more}:
            return not (rest or more)
    return False


def unsupported_choice(kind: str) -> ValueError:
    """Return the refusal of a choice of another type."""
    return ValueError(
        f"choices of the type {kind[:40]!r} are not supported: offer functions, and choose among "
        "them"
    )


def function(
    name: str,
    description: str | None,
    parameters: Mapping[str, JsonValue] | None,
    strict: bool | None,
) -> Offered:
    """Return a tool as this API offers it."""
    named = Function(name=name, description=description, parameters=parameters, strict=strict)
    return Offered(type="function", function=named)


def toolset(
    offered: Sequence[Offered], choice: Choice | Named | Allowed | None, *, parallel: bool
) -> Toolset | None:
    """Return the tools of a request; None if it offers none. Of some that are allowed, the model is
    shown no other.

    Raises:
        ApiError: a tool is not valid, or the choice is none of them.
    """
    if isinstance(choice, Allowed):
        names = [tool.function.name for tool in choice.allowed_tools.tools]
        missing = {*names} - {one.function.name for one in offered}
        if missing:
            raise ApiError(
                f"tool_choice allows {min(missing)[:128]!r}, which is none of the tools.",
                param="tool_choice",
            )
        offered = [one for one in offered if one.function.name in names]
        choice = choice.allowed_tools.mode
    named = choice.function.name if isinstance(choice, Named) else ""
    if not offered:
        if named or choice == "required":
            raise ApiError("tool_choice wants a call, and there are no tools.", param="tool_choice")
        return None
    try:
        tools = tuple(
            Tool(
                one.function.name,
                one.function.description or "",
                jsontext.dumps(one.function.parameters) if one.function.parameters else "",
                bool(one.function.strict),
            )
            for one in offered
        )
        found = Toolset(tools, parallel=parallel)
    except UsageError as error:
        raise ApiError(str(error), param="tools") from None
    try:
        return Toolset(found.tools, named or str(choice or "auto"), parallel)
    except UsageError as error:
        raise ApiError(str(error), param="tool_choice") from None


def written(calls: Sequence[ToolCall]) -> list[dict[str, Any]]:
    """Return the calls of a reply."""
    return [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        }
        for call in calls
    ]


def increments(calls: Sequence[ToolCall]) -> list[dict[str, Any]]:
    """Return the deltas of a stream in which the calls grow: the head of each, then its arguments
    in pieces.
    """
    found = []
    for index, (call, whole) in enumerate(zip(calls, written(calls), strict=True)):
        begun = {**whole, "index": index, "function": {"name": call.name, "arguments": ""}}
        found.append({"tool_calls": [begun]})
        for piece in _pieces(call.arguments):
            found.append({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    return found


def _pieces(arguments: str) -> Iterator[str]:
    """Yield a text of JSON in pieces, which end behind a member or a word if they can."""
    size, at = max(PIECE, -(-len(arguments) // PIECES)), 0
    while at < len(arguments):
        window = arguments[at : at + size]
        if at + size < len(arguments):
            window = window[: max(window.rfind(mark) for mark in ",: ") + 1] or window
        yield window
        at += len(window)
