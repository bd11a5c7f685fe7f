"""Models that call tools, by a script."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ponder.core.tools import ToolCall
from ponder.models.base import Completion, Request
from ponder.models.fakes.scripted import Scripted
from tests.support.serving import scripted

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
PARIS, LYON = '{"city": "Paris"}', '{"city": "Lyon"}'
FAR = "https://images.example/cat.png?size=9&x=%20y"
PNG = "data:image/png;base64,iVBORw0KGgo="


def call(arguments: str, *, id: str = "call_1", name: str = "get_weather") -> ToolCall:
    return ToolCall(id, name, arguments)


def calls(*made: ToolCall, text: str = "", **more: Any) -> Completion:
    fields: dict[str, Any] = {"finish": "stop", "calls": made} | more
    return Completion(text, prompt_tokens=5, completion_tokens=4, **fields)


def replying(*replies: Completion | str) -> Scripted:
    """A model that gives the replies in turn, once."""
    script: Iterator[Completion | str] = iter(replies)
    return scripted(lambda request: next(script))


def agent() -> Scripted:
    """A model that calls a tool, and answers once it has the result."""

    def reply(request: Request) -> Completion | str:
        last = request.messages[-1]
        return f"It is {last.content}." if last.call else calls(call(PARIS), text="I look.")

    return scripted(reply)
