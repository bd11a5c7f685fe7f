"""Gemini's turns with calls: ids, signatures and results."""

from __future__ import annotations

import json
from typing import Any

from ponder.core.problem import Message
from ponder.core.tools import ToolCall
from ponder.models.calls import MADE
from ponder.models.gemini.turns import UNSIGNED, Turn, turn_of, turns_of

PART: dict[str, Any] = {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "c2ln"}
CALL = ToolCall(MADE + "1", "f", "{}")


def candidate(*parts: Any) -> dict[str, Any]:
    return {"content": {"parts": [*parts]}}


def test_a_signed_call_is_kept_as_it_came() -> None:
    turn = Turn()
    assert turn.add(candidate({"text": "So"})) == ("So", "")
    turn.add(candidate(PART, {"functionCall": {"name": "g", "args": {"a": 1}, "id": "x"}}))
    turn.add(candidate({"text": "!"}, {"functionCall": "no object"}, 3))
    assert turn.calls() == (ToolCall("", "f", "{}"), ToolCall("x", "g", '{"a": 1}'))
    [said, first, second, more] = json.loads(turn.parts())
    assert (said["text"], first, more["text"]) == ("So", PART, "!")
    assert second == {"functionCall": {"name": "g", "args": {"a": 1}, "id": "x"}}


def test_a_record_counts_for_its_own_calls_alone() -> None:
    record = json.dumps([PART])
    same = Message("assistant", "", record, (CALL,))
    assert turn_of(same, {}, signed=True)["parts"] == [PART]
    other = Message("assistant", "", record, (ToolCall("y", "g"),))
    called = {"functionCall": {"name": "g", "args": {}, "id": "y"}}
    assert turn_of(other, {}, signed=False)["parts"] == [called]
    assert turn_of(other, {}, signed=True)["parts"] == [called | {"thoughtSignature": UNSIGNED}]


def test_a_result_is_an_object_under_the_name_of_its_tool() -> None:
    turn = Message("assistant", "", calls=(CALL,))
    results = [Message("tool", text, call=CALL.id) for text in ('{"a": 1}', "[1]", "sunny")]
    turns = turns_of([turn, *results], signed=False)
    assert [part["functionResponse"] for part in turns[1]["parts"]] == [
        {"name": "f", "response": {"a": 1}},
        {"name": "f", "response": {"result": [1]}},
        {"name": "f", "response": {"result": "sunny"}},
    ]
