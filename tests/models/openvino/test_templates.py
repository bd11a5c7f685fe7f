"""Chats as a chat template gets them."""

from __future__ import annotations

from typing import Any

import pytest

from ponder.core.problem import Message
from ponder.core.tools import Tool, ToolCall, Toolset
from ponder.models.openvino.templates import calls_tools, prompt

TOOLS = Toolset((Tool("f"),))
OFFERED = Message("system", "", tools=TOOLS)


class Tokenizer:
    """Stands in for the engine's: its template shows tools, or ignores or refuses them."""

    def __init__(self, kind: str = "shows") -> None:
        self.kind = kind

    def apply_chat_template(self, turns: list[Any], _: bool, tools: Any = None) -> str:
        if tools and self.kind == "refuses":
            raise RuntimeError("no tools")
        shown = f"<tool_call> {[t['function']['name'] for t in tools]} " if tools else ""
        return (shown if self.kind == "shows" else "") + repr(turns)


@pytest.mark.parametrize(
    ("kind", "able"), [("shows", True), ("ignores", False), ("refuses", False)]
)
def test_a_template_that_ignores_tools_cannot_call_them(kind: str, able: bool) -> None:
    assert calls_tools(Tokenizer(kind)) is able


def test_tools_calls_and_results_reach_the_template() -> None:
    asked = Message("user", "?")
    turn = Message("assistant", "", calls=(ToolCall("c", "f", '{"a": 1}'),))
    function = {"name": "f", "arguments": {"a": 1}}
    turns = [
        {"role": "user", "content": "?"},
        {"role": "assistant", "content": "", "tool_calls": [
            {"type": "function", "function": function}]},
        {"role": "tool", "content": "1"},
    ]  # fmt: skip
    chat = (OFFERED, asked, turn, Message("tool", "1", call="c"))
    assert prompt(Tokenizer(), chat) == "<tool_call> ['f'] " + repr(turns)


def test_tools_that_must_not_be_called_are_not_shown() -> None:
    quiet = Message("system", "", tools=Toolset((Tool("f"),), "none"))
    assert prompt(Tokenizer(), (quiet, Message("user", "?"))) == repr(
        [{"role": "user", "content": "?"}]
    )
