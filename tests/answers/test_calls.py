"""Calls as answers: what is one vote, and what is none."""

from __future__ import annotations

import pytest

from ponder.answers.calls import called
from ponder.core.tools import Tool, ToolCall, Toolset

TOOLS = Toolset((Tool("f"), Tool("g")))


def key(*calls: tuple[str, str], start: int = 0) -> str:
    made = [ToolCall(f"c{start + at}", *call) for at, call in enumerate(calls)]
    answer = called(made, TOOLS)
    assert answer is not None
    return answer.key


SAME = [
    (("f", '{"a": 1, "b": [2]}'), ("f", '{ "b":[2.0],"a":1e0 }')),
    (("f", ""), ("f", " {} ")),
    (("f", '{"a": "\\u00e9"}'), ("f", '{"a": "é"}')),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_equal_arguments_are_one_vote(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert key(one) == key(other, start=7)


def test_the_order_of_calls_side_by_side_means_nothing() -> None:
    one, other = ("f", '{"a": 1}'), ("g", "{}")
    assert key(one, other) == key(other, one)
    assert len({key(one, other), key(one), key(other), key(one, one)}) == 4


@pytest.mark.parametrize(
    "other", [("g", '{"a": 1}'), ("f", '{"a": 2}'), ("f", '{"a": "1"}'), ("f", '{"b": 1}')]
)
def test_other_calls_are_another_vote(other: tuple[str, str]) -> None:
    assert key(("f", '{"a": 1}')) != key(other)


@pytest.mark.parametrize("call", [("h", "{}"), ("f", '{"a": '), ("f", "[1]"), ("f", "null")])
def test_calls_that_cannot_be_made_are_no_answer(call: tuple[str, str]) -> None:
    made = [ToolCall("c1", "f", "{}"), ToolCall("c2", *call)]
    assert called(made, TOOLS) is None


def test_the_answer_is_readable() -> None:
    made = [ToolCall("c1", "f", '{"a": 1}'), ToolCall("c2", "g", "")]
    answer = called(made, TOOLS)
    assert answer is not None
    assert answer.text == 'f({"a": 1}); g({})'
