"""Calls of tools on their way between a chat and a model: sizes, ids, and calls written as text."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any

from ponder.core.problem import Message
from ponder.core.text import jsontext
from ponder.core.tools import Tool, ToolCall, Toolset
from ponder.models.base import Request

MADE = "call_ponder_"
"""Beginning of the ids that are made here, for calls that a model has given none."""
PER_IMAGE = 5_000
"""Most tokens that models in common use take for an image."""
PER_TOOLSET = 1_024
"""Most tokens of the words that vendors and chat templates put around tools."""
OPEN, CLOSE = "<tool_call>", "</tool_call>"
_BLOCK = re.compile(rf"{OPEN}(.*?)(?:{CLOSE}\s*|\Z)", re.S)
_FENCE = re.compile(r"\s*```(?:json)?\s*(.*?)\s*```\s*", re.S)
_LONGEST = 1_000_000
"""Most characters of a text that is searched for calls."""


def named(calls: Sequence[ToolCall], request: Request) -> tuple[ToolCall, ...]:
    """Return the calls, each with an id: the same for the same calls of the same sample."""
    if not calls:
        return ()

    def made(at: int, call: ToolCall) -> str:
        seen = f"{request.seed} {len(request.messages)} {at} {call.name} {call.arguments}"
        return MADE + hashlib.blake2b(seen.encode(errors="replace"), digest_size=9).hexdigest()

    return tuple(c if c.id else replace(c, id=made(at, c)) for at, c in enumerate(calls))


def length(calls: Sequence[ToolCall]) -> int:
    """Return the number of characters that a model wrote for its calls."""
    if not calls:
        return 0
    return sum(len(call.name) + len(call.arguments) for call in calls)


def beside(message: Message) -> int:
    """Return the most tokens that a message takes beside its text and its record."""
    if not (message.calls or message.images or message.tools or message.call):
        return 0
    size = PER_IMAGE * len(message.images)
    if message.tools:
        size += PER_TOOLSET + len(jsontext.dumps([asdict(t) for t in message.tools.tools]))
    called = [asdict(call) for call in message.calls]
    return size + len(jsontext.dumps([message.call, called]).encode())


def declared(tool: Tool) -> dict[str, Any]:
    """Return a tool as chat templates read it."""
    function = {"name": tool.name, "description": tool.description, "parameters": tool.schema}
    return {"type": "function", "function": function}


def begun(tools: Toolset | None) -> str:
    """Return the text with which a turn begins that must call a tool; '' if it need not."""
    if tools is None or not tools.forced:
        return ""
    head = f'{OPEN}\n{{"name": "'
    only = tools.only or (tools.tools[0].name if len(tools.tools) == 1 else "")
    return f'{head}{only}", "arguments": ' if only else head


def read(text: str, tools: Toolset) -> tuple[str, tuple[ToolCall, ...]]:
    """Return a model's text without the calls that it has written into it, and those calls.

    They stand in ``<tool_call>`` elements (Hermes, Qwen). A text that is nothing else may also be
    the bare JSON of calls of these tools, in a block of code or not. Ids are missing.
    """
    if len(text) > _LONGEST:
        return text, ()
    calls: list[ToolCall] = []

    def taken(block: re.Match[str]) -> str:
        found = _calls(block[1], ())
        calls.extend(found)
        return "" if found else block[0]

    rest = _BLOCK.sub(taken, text) if OPEN in text else text
    if not calls:
        fenced = _FENCE.fullmatch(text)
        calls = _calls(fenced[1] if fenced else text, {tool.name for tool in tools.tools})
        rest = "" if calls else text
    return rest, tuple(calls if tools.parallel else calls[:1])


def _calls(text: str, names: Iterable[str]) -> list[ToolCall]:
    """Return the calls that a JSON text is; none if it is anything else.

    ``names`` are those that count; all do if there are none.
    """
    try:
        found: Any = json.loads(text)
        calls = [_call(one) for one in (found if isinstance(found, list) else [found])]
    except (ValueError, RecursionError):
        return []
    known = {*names}
    right = [call for call in calls if call and (not known or call.name in known)]
    return right if len(right) == len(calls) else []


def _call(value: Any) -> ToolCall | None:
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        return None
    arguments = value.get("arguments", value.get("parameters", {}))
    text = arguments if isinstance(arguments, str) else jsontext.dumps(arguments)
    return ToolCall("", value["name"], text)
