"""Turns as Gemini has them, in requests and in replies: lists of parts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ponder.core.problem import Message
from ponder.core.text import jsontext
from ponder.core.tools import ToolCall, Toolset
from ponder.models.calls import MADE
from ponder.models.http.carried import texts, unchanged

Json = Any  # what json.loads returns; nothing below trusts it

_KEPT = ("text", "thought", "thoughtSignature", "functionCall")
"""Fields of the parts that a conversation is continued with."""
UNSIGNED = "skip_thought_signature_validator"
"""Stands for the signature of a call that another model has made, or that was lost on the way."""


class Turn:
    """Collects the parts of one candidate."""

    def __init__(self) -> None:
        self.called = 0
        """Number of characters of its calls."""
        self._parts: list[dict[str, Json]] = []
        self._texts: list[list[str]] = []
        self._calls: list[ToolCall] = []

    def add(self, candidate: dict[str, Json]) -> tuple[str, str]:
        """Add the parts of a candidate or of a chunk of it; return its text and its thoughts."""
        content = candidate.get("content")
        parts = content.get("parts") if isinstance(content, dict) else None
        said: tuple[list[str], list[str]] = ([], [])
        for part in parts if isinstance(parts, list) else ():
            text = part.get("text") if isinstance(part, dict) else None
            if isinstance(text, str):
                said[part.get("thought") is True].append(text)
                self._keep({name: part[name] for name in _KEPT if name in part}, text)
            elif isinstance(part, dict) and (call := _call(part.get("functionCall"))):
                self._calls.append(call)
                self.called += len(call.name) + len(call.arguments)
                self._parts.append({name: part[name] for name in _KEPT if name in part})
                self._texts.append([])
        return "".join(said[0]), "".join(said[1])

    def calls(self) -> tuple[ToolCall, ...]:
        """Return the calls of tools so far."""
        return tuple(self._calls)

    def parts(self) -> str:
        """Return the parts as JSON, if the conversation needs them to go on; else ''."""
        if not any("thoughtSignature" in part for part in self._parts):
            return ""
        pairs = zip(self._parts, self._texts, strict=True)
        return json.dumps(
            [part | {"text": "".join(pieces)} if "text" in part else part for part, pieces in pairs]
        )

    def _keep(self, part: dict[str, Json], text: str) -> None:
        last = self._parts[-1] if self._parts else part
        apart = "thoughtSignature" in last or "thoughtSignature" in part or "text" not in last
        if last is part or apart or last.get("thought") != part.get("thought"):
            self._parts.append(part)
            self._texts.append([text])
        else:  # it goes on; a part with a signature stays as it is
            self._texts[-1].append(text)


def _call(value: Json) -> ToolCall | None:
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        return None
    name, arguments = value.get("id"), value.get("args", {})
    try:
        text = jsontext.dumps(arguments)
    except (ValueError, RecursionError):
        text = "null"
    return ToolCall(name if isinstance(name, str) else "", value["name"], text)


def turns_of(messages: Sequence[Message], *, signed: bool) -> list[dict[str, Json]]:
    """Return the turns of a chat; ``signed`` if the model refuses calls without a signature.

    The results of the calls of one turn stand in one turn, each with the name of its tool.
    """
    turns: list[dict[str, Json]] = []
    names: dict[str, str] = {}
    results = False
    for message in messages:
        names |= {call.id: call.name for call in message.calls}
        turn = turn_of(message, names, signed=signed)
        if results and turn["role"] == "user":
            turns[-1]["parts"] += turn["parts"]
        else:
            turns.append(turn)
        results = message.role == "tool" or (results and turn["role"] == "user")
    return turns


def turn_of(message: Message, names: dict[str, str], *, signed: bool) -> dict[str, Json]:
    """Return a turn: with its signatures, if there is a record of it.

    ``names`` are the tools of the calls before it, by id.
    """
    if message.call:
        answered = {"name": names.get(message.call, ""), "response": _result(message.content)}
        # Only some models take images within a result; all of them do in the same turn.
        images = [_image(image.url, image.media, image.data) for image in message.images]
        result = {"functionResponse": answered | _id(message.call)}
        return {"role": "user", "parts": [result, *images]}
    parts = json.loads(message.blocks or "[]")
    text = texts(part for part in parts if not part.get("thought"))
    made = [call for part in parts if (call := _call(part.get("functionCall")))]
    same = [(c.name, c.id) for c in made] == [(c.name, c.id and own_id(c)) for c in message.calls]
    if not parts or not unchanged(message, text) or not same:
        parts, text, made = [], "", []
        parts += [_image(image.url, image.media, image.data) for image in message.images]
    if not text and (message.content or not (parts or message.calls)):
        parts.append({"text": message.content})
    if not made:
        for at, call in enumerate(message.calls):
            part: dict[str, Json] = {"functionCall": _written(call)}
            parts.append(part | ({"thoughtSignature": UNSIGNED} if signed and not at else {}))
    return {"role": "model" if message.role == "assistant" else "user", "parts": parts}


def own_id(call: ToolCall) -> str:
    """Return the id that the model itself gave a call; '' if it gave none."""
    return "" if call.id.startswith(MADE) else call.id


def _id(name: str) -> dict[str, str]:
    return {} if name.startswith(MADE) else {"id": name}


def _written(call: ToolCall) -> dict[str, Json]:
    values = {"arguments": call.arguments} if call.values is None else call.values
    return {"name": call.name, "args": values} | _id(call.id)


def _result(text: str) -> dict[str, Json]:
    """Return the result of a call as an object, which the API demands."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = text
    return found if isinstance(found, dict) else {"result": found}


def _image(url: str, media: str, data: str) -> dict[str, Json]:
    if data:
        return {"inlineData": {"mimeType": media, "data": data}}
    return {"fileData": {"fileUri": url}}


def tools_of(toolset: Toolset) -> list[Json]:
    """Return the tools of a request."""
    return [
        {
            "functionDeclarations": [
                {"name": tool.name}
                | ({"description": tool.description} if tool.description else {})
                | ({"parametersJsonSchema": tool.schema} if tool.parameters else {})
                for tool in toolset.tools
            ]
        }
    ]


def choice_of(toolset: Toolset) -> dict[str, Json]:
    """Return the field that says which tools are to be called, unless it is as usual."""
    modes = {"auto": "AUTO", "none": "NONE"}
    calling: dict[str, Json] = {"mode": modes.get(toolset.choice, "ANY")}
    if toolset.only:
        calling["allowedFunctionNames"] = [toolset.only]
    if toolset.choice == "auto":
        return {}
    return {"toolConfig": {"functionCallingConfig": calling}}
