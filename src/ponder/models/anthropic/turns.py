"""The assistant's turn as Anthropic sends it: blocks, whole or in pieces."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ponder.core.problem import Message
from ponder.core.text import jsontext
from ponder.core.tools import Image, ToolCall, Toolset
from ponder.models.base import Request
from ponder.models.http.carried import texts, unchanged

Json = Any  # what json.loads returns; nothing below trusts it

_KEPT = {
    "text": ("text",), "thinking": ("thinking", "signature"), "redacted_thinking": ("data",),
    "tool_use": ("id", "name", "input"),
}  # fmt: skip
"""Fields of the blocks that a conversation is continued with."""


def blank_stops(request: Request) -> tuple[str, ...]:
    """Return the stop strings of white space alone, which the API refuses."""
    return tuple(stop for stop in request.stop if stop and not stop.strip())


def content_of(message: Message) -> Json:
    """Return the content of a turn that has ended: with its thinking, if it has a record of it.

    The API refuses blank text, and a turn that ends with thinking.
    """
    if message.call:
        return [_result(message)]
    blocks = [
        block
        for block in json.loads(message.blocks or "[]")
        if block.get("type") != "text" or texts([block]).strip()
    ]
    text = texts(block for block in blocks if block.get("type") == "text")
    made = [block.get("id") for block in blocks if block.get("type") == "tool_use"]
    if blocks and not text and not made:
        blocks.append({"type": "text", "text": message.content})
    ended = bool(blocks) and blocks[-1].get("type") in ("text", "tool_use")
    same = unchanged(message, text) and made == [call.id for call in message.calls]
    if ended and same:
        return blocks
    rare = [_image(image) for image in message.images] + [_use(call) for call in message.calls]
    if not rare:
        return message.content
    said = [{"type": "text", "text": message.content}] if message.content.strip() else []
    return said + rare if message.calls else rare + said


def turns_of(messages: Sequence[Message]) -> list[dict[str, Json]]:
    """Return the turns of a chat.

    Results of calls are the user's, and stand in one turn with the user's text after them.
    """
    turns: list[dict[str, Json]] = []
    results = False
    for message in messages:
        role = "assistant" if message.role == "assistant" else "user"
        content = content_of(message)
        if results and role == "user":
            text = [{"type": "text", "text": content}] if isinstance(content, str) else content
            turns[-1]["content"] = turns[-1]["content"] + text
        else:
            turns.append({"role": role, "content": content})
        results = message.role == "tool" or (results and role == "user")
    return turns


def tools_of(toolset: Toolset) -> list[Json]:
    """Return the tools of a request."""
    return [
        {"name": tool.name}
        | ({"description": tool.description} if tool.description else {})
        | {"input_schema": {"type": "object"} | tool.schema}
        | ({"strict": True} if tool.strict else {})
        for tool in toolset.tools
    ]


def choice_of(toolset: Toolset) -> dict[str, Json]:
    """Return the field that says which tools are to be called, unless it is as usual."""
    kinds = {"auto": "auto", "none": "none", "required": "any"}
    choice: dict[str, Json] = {"type": kinds.get(toolset.choice, "tool")}
    if toolset.only:
        choice["name"] = toolset.only
    if not toolset.parallel and toolset.choice != "none":
        choice["disable_parallel_tool_use"] = True
    return {} if choice == {"type": "auto"} else {"tool_choice": choice}


def _result(message: Message) -> dict[str, Json]:
    result: dict[str, Json] = {"type": "tool_result", "tool_use_id": message.call}
    text = message.content if message.content.strip() else ""
    if not message.images:
        return result | ({"content": text} if text else {})
    said: list[Json] = [{"type": "text", "text": text}] if text else []
    return result | {"content": said + [_image(image) for image in message.images]}


def _image(image: Image) -> dict[str, Json]:
    source = {"type": "url", "url": image.url}
    if image.data:
        source = {"type": "base64", "media_type": image.media, "data": image.data}
    return {"type": "image", "source": source}


def _use(call: ToolCall) -> dict[str, Json]:
    """Return a call; arguments that are no object are shown as they came."""
    values = {"arguments": call.arguments} if call.values is None else call.values
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": values}


class Joint:
    """Joins the text of a reply to the prefix that it continues, and ends it where it must end.

    The API refuses white space at the end of a prefix, so it is left out there; if the reply
    begins with it, it is left out here. A stop string that the API refuses ends the text here.
    """

    def __init__(self, request: Request) -> None:
        prefix = request.prefix
        self._owed = prefix[len(prefix.rstrip()) :]
        self._stops = blank_stops(request)
        self._reach = max(map(len, self._stops), default=1) - 1
        self._held = ""
        self.stopped_at: str | None = None

    def feed(self, text: str) -> str:
        """Return the text that is certain once ``text`` has arrived."""
        if self.stopped_at is not None:
            return ""
        while self._owed and text:
            same = text[0] == self._owed[0]
            text = text[1:] if same else text
            self._owed = self._owed[1:] if same else ""
        text = self._held + text
        found = [(at + len(stop), at, stop) for stop in self._stops if (at := text.find(stop)) >= 0]
        if found:  # the first that is complete counts, as in a server
            _, end, self.stopped_at = min(found)
        else:  # a stop string may have begun in the white space at the end
            end = max(len(text.rstrip()), len(text) - self._reach)
        self._held = "" if found else text[end:]
        return text[:end]

    def end(self) -> str:
        """Return the rest, at the end of the reply."""
        rest, self._held = self._held, ""
        return rest


class Turn:
    """Collects the blocks of one reply."""

    def __init__(self, request: Request) -> None:
        self.joint = Joint(request)
        self.size = 0
        """Number of characters that were generated, as far as they were shown."""
        self.called = 0
        """Number of those of calls."""
        self._blocks: list[dict[str, Any]] = []
        self._parts: dict[str, list[str]] = {}
        self._thought = False
        self._apart = False

    def start(self, block: Json) -> tuple[str, str]:
        """Begin a block; return the text and the reasoning that it holds already."""
        block = block if isinstance(block, dict) else {}
        kind = block.get("type")
        kind = kind if isinstance(kind, str) else ""
        self._close()
        self._blocks.append({"type": kind})
        self._apart = self._thought
        text = reasoning = ""
        for name in _KEPT.get(kind, ()):
            value = block.get(name)
            if name == "input":  # in a stream it is empty here, and comes in pieces
                name, value = "partial_json", _text(value)
            added = self.add(name, value)
            text, reasoning = text + added[0], reasoning + added[1]
        return text, reasoning

    def add(self, name: str, value: Json) -> tuple[str, str]:
        """Add to a field of the last block; return what that adds to the text and the reasoning."""
        if not isinstance(value, str):
            return "", ""
        self._parts.setdefault(name, []).append(value)
        if name in ("name", "partial_json"):
            self.size += len(value)
            self.called += len(value)
        if name == "text":
            self.size += len(value)
            return self.joint.feed(value), ""
        if name != "thinking" or not value:
            return "", ""
        self.size += len(value)
        between = "\n\n" if self._apart else ""
        self._thought, self._apart = True, False
        return "", between + value

    def calls(self) -> tuple[ToolCall, ...]:
        """Return the calls of tools, with their arguments as they came."""
        self._close()
        return tuple(
            ToolCall(block.get("id", ""), block.get("name", ""), block["partial_json"] or "{}")
            for block in self._blocks
            if block["type"] == "tool_use" and "partial_json" in block
        )

    def blocks(self) -> str:
        """Return the blocks as JSON, if the conversation needs them to go on; else ''."""
        self._close()
        called = iter(self.calls())
        full = [
            block | {"input": next(called).values}
            if block["type"] == "tool_use" and "partial_json" in block
            else block
            for block in self._blocks
        ]
        kept = [
            {name: block[name] for name in ("type", *names)}
            for block in full
            if (names := _KEPT.get(block["type"]))
            and block.keys() > {*names}
            and "" not in (block.get("text"), block.get("signature"))  # cut off within it
            and block.get("input", {}) is not None
        ]
        thought = any(block["type"] not in ("text", "tool_use") for block in kept)
        return json.dumps(kept) if thought and self.joint.stopped_at is None else ""

    def _close(self) -> None:
        if self._blocks:
            self._blocks[-1].update((name, "".join(parts)) for name, parts in self._parts.items())
        self._parts = {}


def _text(value: Json) -> str:
    """Return an input that came whole as JSON text; '' if it is empty."""
    try:
        return jsontext.dumps(value) if value else ""
    except (ValueError, RecursionError):
        return ""
