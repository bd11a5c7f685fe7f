"""Calls in the pieces in which servers of Chat Completions send them."""

from __future__ import annotations

from typing import Any

import pytest

from ponder.core.tools import ToolCall
from ponder.models.openai.tooling import Calls, form_of


def piece(index: Any = None, id: Any = None, name: Any = None, arguments: Any = None) -> Any:
    return {"index": index, "id": id, "function": {"name": name, "arguments": arguments}}


PIECES: list[tuple[list[Any], tuple[ToolCall, ...]]] = [
    ([[piece(0, "a", "f", "")], [piece(0, None, None, '{"x"')], [piece(0, None, None, ": 1}")]],
     (ToolCall("a", "f", '{"x": 1}'),)),
    ([[piece(0, "a", "f"), piece(1, "b", "g")], [piece(1, None, None, "{}")],
      [piece(0, None, None, "{ }")]], (ToolCall("a", "f", "{ }"), ToolCall("b", "g", "{}"))),
    # all numbered 0, or not at all, told apart by their ids
    ([[piece(0, "a", "f", "{}")], [piece(0, "b", "g", "{}")]],
     (ToolCall("a", "f", "{}"), ToolCall("b", "g", "{}"))),
    ([[piece(None, "a", "f", "{}"), piece(None, "b", "g", "{}")]],
     (ToolCall("a", "f", "{}"), ToolCall("b", "g", "{}"))),
    # the id and the name again in every piece
    ([[piece(0, "a", "f", "{")], [piece(0, "a", "f", "}")]], (ToolCall("a", "f", "{}"),)),
    # no id, an object for the arguments, or what is no JSON: as it came
    ([[piece(0, None, "f", {"x": 1})]], (ToolCall("", "f", '{"x": 1}'),)),
    ([[piece(0, "a", "f", '{"x": ')]], (ToolCall("a", "f", '{"x": '),)),
    ([["no object", {"function": 3}]], (ToolCall("", "", "{}"),)),
]  # fmt: skip


@pytest.mark.parametrize(("pieces", "calls"), PIECES)
def test_pieces_are_joined(pieces: list[Any], calls: tuple[ToolCall, ...]) -> None:
    collected = Calls()
    for tool_calls in pieces:
        collected.add({"tool_calls": tool_calls})
    assert collected.all() == calls


def test_the_older_field_is_read_too() -> None:
    collected = Calls()
    assert collected.add({"function_call": {"name": "f", "arguments": "{"}}) == 2
    assert collected.add({"function_call": {"arguments": "}"}}) == 1
    assert collected.all() == (ToolCall("", "f", "{}"),)


OPEN: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "string"}}}
CLOSED = {**OPEN, "required": ["a"], "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (CLOSED, True), (OPEN, False), ({**CLOSED, "required": []}, False), ({}, True),
        ({"type": "array", "items": CLOSED}, True), ({"type": "array", "items": OPEN}, False),
        ({"properties": 3}, False), ({**CLOSED, "required": [{}]}, False),
    ],
)  # fmt: skip
def test_a_form_is_strict_where_it_may_be(schema: dict[str, Any], strict: bool) -> None:
    assert form_of(schema) == {"name": "answer", "schema": schema, "strict": strict}
