"""Calls that a model writes into its text, and calls without ids."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ponder.core.problem import Message
from ponder.core.tools import Tool, ToolCall, Toolset
from ponder.models.base import Request
from ponder.models.calls import MADE, begun, declared, named, read

TOOLS = Toolset((Tool("f", "Does f."), Tool("g")))
F, G = ToolCall("", "f", '{"a": 1}'), ToolCall("", "g", "{}")
TAGGED = '<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>'


@pytest.mark.parametrize(
    ("text", "rest", "calls"),
    [
        ("no call", "no call", ()),
        (TAGGED, "", (F,)),
        (f"I look.\n{TAGGED}", "I look.\n", (F,)),
        (TAGGED + '\n<tool_call>{"name": "g", "parameters": {}}</tool_call>', "", (F, G)),
        ('<tool_call>{"name": "g"}', "", (G,)),  # cut off before the closing mark
        ('<tool_call>{"name": "g", </tool_call>', '<tool_call>{"name": "g", </tool_call>', ()),
        ('{"name": "f", "arguments": {"a": 1}}', "", (F,)),
        ('```json\n[{"name": "f", "arguments": {"a": 1}}, {"name": "g"}]\n```', "", (F, G)),
        ('{"name": "Ann", "arguments": {}}', '{"name": "Ann", "arguments": {}}', ()),
        ('{"name": "f"} is it', '{"name": "f"} is it', ()),
        ('<tool_call>{"name": "h"}</tool_call>', "", (ToolCall("", "h", "{}"),)),
        ('{"name": "f", "arguments": {"a": NaN}}', '{"name": "f", "arguments": {"a": NaN}}', ()),
        ("[" * 100_000, "[" * 100_000, ()),
    ],
)  # fmt: skip
def test_calls_are_read_from_text(text: str, rest: str, calls: tuple[ToolCall, ...]) -> None:
    assert read(text, TOOLS) == (rest, calls)


def test_one_at_a_time_is_the_first() -> None:
    assert read(TAGGED + TAGGED, replace(TOOLS, parallel=False)) == ("", (F,))


def test_a_missing_id_is_made_and_is_the_same_again() -> None:
    request = Request((Message("user", "?"),), 9, seed=3)
    kept = ToolCall("x", "f")
    made = named((F, F, kept), request)
    assert made == named((F, F, kept), request)
    assert [call.id.startswith(MADE) for call in made] == [True, True, False]
    assert made[2] == kept
    longer = replace(request, messages=(*request.messages, Message("user", "?")))
    ids = {call.id for chat in (request, longer) for call in named((F, F), chat)}
    assert len(ids) == 4


def test_a_call_that_must_be_made_is_begun() -> None:
    assert begun(None) == begun(TOOLS) == begun(replace(TOOLS, choice="none")) == ""
    head = begun(replace(TOOLS, choice="required"))
    assert read(head + 'g", "arguments": {}}\n</tool_call>', TOOLS) == ("", (G,))
    only = begun(replace(TOOLS, choice="f"))
    assert only == begun(Toolset(TOOLS.tools[:1], "required"))
    assert read(only + '{"a": 1}}\n</tool_call>', TOOLS) == ("", (F,))


def test_a_tool_as_templates_read_it() -> None:
    assert declared(Tool("f", "Does f.")) == {
        "type": "function",
        "function": {
            "name": "f",
            "description": "Does f.",
            "parameters": {"type": "object", "properties": {}},
        },
    }
