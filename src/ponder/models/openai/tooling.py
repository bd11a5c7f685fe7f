"""Tools, calls and images as Chat Completions has them, in requests and in replies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ponder.core.problem import Message
from ponder.core.text import jsontext
from ponder.core.tools import Image, ToolCall, Toolset

Json = Any  # what json.loads returns; nothing below trusts it


def apart(messages: Sequence[Message]) -> list[Message]:
    """Return the chat with the images of results in a turn of the user's after all results of the
    turn: in this API, results are text.
    """
    found: list[Message] = []
    images: tuple[Image, ...] = ()
    for message in messages:
        if message.role == "tool":
            images += message.images
            found.append(replace(message, images=()))
            continue
        if images and message.role == "user":
            message = replace(message, images=images + message.images)
        elif images:
            found.append(Message("user", "", images=images))
        images = ()
        found.append(message)
    return [*found, Message("user", "", images=images)] if images else found


def turn_of(message: Message) -> dict[str, Json]:
    """Return a turn of a chat."""
    turn: dict[str, Json] = {"role": message.role, "content": message.content}
    if message.images:
        images: list[Json] = [
            {"url": image.url} | ({"detail": image.detail} if image.detail else {})
            for image in message.images
        ]
        parts = [{"type": "image_url", "image_url": image} for image in images]
        text = [{"type": "text", "text": message.content}] if message.content else []
        turn["content"] = parts + text
    if message.call:
        turn["tool_call_id"] = message.call
    if message.calls:
        turn["content"] = message.content or None
        turn["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments or "{}"},
            }
            for call in message.calls
        ]
    return turn


def tools_of(toolset: Toolset) -> list[Json]:
    """Return the tools of a request."""
    return [
        {
            "type": "function",
            "function": {"name": tool.name}
            | ({"description": tool.description} if tool.description else {})
            | {"parameters": tool.schema}
            | ({"strict": True} if tool.strict else {}),
        }
        for tool in toolset.tools
    ]


def choice_of(toolset: Toolset) -> dict[str, Json]:
    """Return the fields that say which tools are to be called, as far as they are not usual."""
    fields: dict[str, Json] = {}
    if toolset.only:
        fields["tool_choice"] = {"type": "function", "function": {"name": toolset.only}}
    elif toolset.choice != "auto":
        fields["tool_choice"] = toolset.choice
    return fields if toolset.parallel else fields | {"parallel_tool_calls": False}


def form_of(schema: dict[str, Json]) -> dict[str, Json]:
    """Return a JSON Schema as the form of a text: strict, if it is of the kind that may be."""
    return {"name": "answer", "schema": schema, "strict": _strict(schema)}


def _strict(part: Json) -> bool:
    """Return True if all objects of a schema are closed and need all their properties."""
    if isinstance(part, list):
        return all(map(_strict, part))
    if not isinstance(part, dict):
        return True
    if part.get("type") == "object" or "properties" in part:
        has, needs = part.get("properties", {}), part.get("required", [])
        lists = isinstance(has, dict) and isinstance(needs, list)
        if not lists or sorted(map(str, has)) != sorted(map(str, needs)):
            return False
        if part.get("additionalProperties") is not False:
            return False
    return all(map(_strict, part.values()))


class Calls:
    """Collects the calls of one sample, whole or in pieces."""

    def __init__(self) -> None:
        self._calls: list[ToolCall] = []
        self._pieces: list[list[str]] = []
        self._places: dict[int, int] = {}  # by the server's number of a call

    def add(self, message: dict[str, Json]) -> int:
        """Add the calls of a message or of a delta of one; return their number of characters.

        Some servers number every call 0, or none: another id then begins another call.
        """
        found = message.get("tool_calls")
        size = 0
        for number, piece in enumerate(found if isinstance(found, list) else []):
            if isinstance(piece, dict):
                index, name = piece.get("index"), piece.get("id")
                index = index if type(index) is int else number
                size += self._put(index, name if isinstance(name, str) else "", piece)
        if isinstance(older := message.get("function_call"), dict):
            size += self._put(-1, "", {"function": older})
        return size

    def all(self) -> tuple[ToolCall, ...]:
        """Return the calls so far."""
        return tuple(
            ToolCall(call.id, call.name, "".join(pieces) or "{}")
            for call, pieces in zip(self._calls, self._pieces, strict=True)
        )

    def _put(self, index: int, name: str, piece: dict[str, Json]) -> int:
        """Add a piece of the call of that number and id; return its number of characters."""
        function = piece.get("function")
        function = function if isinstance(function, dict) else {}
        said, arguments = function.get("name"), function.get("arguments")
        said = said if isinstance(said, str) else ""
        if isinstance(arguments, dict):
            arguments = _text(arguments)
        arguments = arguments if isinstance(arguments, str) else ""
        at = self._places.get(index)
        if at is None or (name and self._calls[at].id and name != self._calls[at].id):
            at = self._places[index] = len(self._calls)
            self._calls.append(ToolCall(name, said))
            self._pieces.append([])
        else:
            own = self._calls[at]
            self._calls[at] = ToolCall(own.id or name, own.name or said)
        self._pieces[at].append(arguments)
        return len(said) + len(arguments)


def _text(arguments: dict[str, Json]) -> str:
    try:
        return jsontext.dumps(arguments)
    except (ValueError, RecursionError):
        return ""


def calls_of(message: dict[str, Json]) -> tuple[ToolCall, ...]:
    """Return the calls of a whole message."""
    if not (message.get("tool_calls") or message.get("function_call")):
        return ()
    calls = Calls()
    calls.add(message)
    return calls.all()


def said(messages: Sequence[Message]) -> list[Message]:
    """Return the messages that have something to say: one that only offers tools has not."""
    return [message for message in messages if message.content or not message.tools]
