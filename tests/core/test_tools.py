"""Tools, calls and images as parts of a question."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ponder.core.errors import UsageError
from ponder.core.problem import Message, Problem, offered
from ponder.core.record.effects import digest
from ponder.core.tools import Image, Tool, ToolCall, Toolset
from ponder.core.trace import Trace
from ponder.planning.problems import problem
from ponder.planning.wishes import spec

WEATHER = Tool("get_weather", "Weather.", '{"type": "object"}')
TOOLS = Toolset((WEATHER, Tool("get_time")), "get_time")
ASKED = Message("user", "How is Paris?")
CALL = ToolCall("c1", "get_weather", '{"city": "Paris"}')
TURN = Message("assistant", "", calls=(CALL,))
RESULT = Message("tool", "sunny", call="c1")


def test_what_is_not_set_leaves_no_mark() -> None:
    bare = Problem((ASKED,))
    assert repr(ASKED) == "Message(role='user', content='How is Paris?')"
    assert repr(bare) == f"Problem(messages=({ASKED!r},), answer_type='text', " + (
        "choices=(), schema='', tests=None)"
    )
    assert digest(bare) == "19074713e7238ee4"
    asked = [{"role": "user", "content": "How is Paris?"}]
    assert [*bare.describe()["messages"]] == asked
    assert "tools" not in bare.describe()
    assert bare.shown is bare.messages


def test_tools_are_part_of_the_question() -> None:
    bare = Problem((ASKED,))
    asked = replace(bare, tools=TOOLS)
    other = replace(bare, tools=replace(TOOLS, choice="auto"))
    assert len({digest(bare), digest(asked), digest(other)}) == 3
    head, last = asked.shown
    assert (head, last) == (Message("system", "", tools=TOOLS), ASKED)
    assert offered(asked.shown) == TOOLS
    assert asked.asked == (ASKED,)


def test_a_journal_gives_the_question_back() -> None:
    seen = Message("user", "And this?", images=(Image("https://h/a.png", "low"),))
    mapped = replace(RESULT, images=(Image("https://h/map.png"),))
    asked = Problem((ASKED, TURN, mapped, seen), tools=TOOLS)
    written = spec(asked, model="m")
    assert type(written).from_json(written.to_json()).problem == asked


def test_an_instruction_never_ends_a_tools_words() -> None:
    asked = Problem((ASKED, TURN, RESULT), instruction="Be brief.")
    assert asked.shown == (ASKED, TURN, RESULT, Message("user", "Be brief."))
    seen = Message("user", "", images=(Image("https://h/a.png"),))
    assert Problem((seen,), instruction="Be brief.").shown[0].content == "Be brief."


def test_a_systems_message_stays_in_its_place() -> None:
    first, late = Message("system", "One."), Message("system", "Two.")
    chat = (first, ASKED, late, Message("user", "Now?"))
    shot = (Message("user", "a"), Message("assistant", "b"))
    asked = Problem(chat, instruction="Be brief.", examples=shot)
    assert asked.shown == (first, *shot, ASKED, late, Message("user", "Now?\n\nBe brief."))


def test_a_chat_with_tools_goes_on_as_it_is() -> None:
    made = problem([Message("system", "", tools=TOOLS), Message("user", "How many are 2 + 2?")])
    assert (made.answer_type, made.instruction) == ("text", "")


def test_a_trace_goes_on_with_its_calls() -> None:
    trace = Trace(Problem((ASKED,)), calls=(CALL,))
    assert trace.message == TURN
    assert trace.forked("s0", "no").calls == ()


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: Message("tool", "sunny"), "set call to its id"),
        (lambda: Message("user", "?", calls=(CALL,)), "calls belong to .* 'assistant' alone"),
        (
            lambda: Message("system", "", images=(Image("https://h/a.png"),)),
            "images belong to .* 'user' or 'tool' alone",
        ),
        (lambda: Problem((ASKED, RESULT)), "the result of the call 'c1' has no call before it"),
        (lambda: Tool("get weather"), "'get weather' is no name of a tool"),
        (lambda: Tool("f", parameters="[]"), "the parameters of the tool 'f' must be a JSON"),
        (lambda: Tool("f", parameters="{"), "the parameters of the tool 'f' must be a JSON"),
        (lambda: Toolset(()), "at least one, each with a name of its own"),
        (lambda: Toolset((WEATHER, WEATHER)), "at least one, each with a name of its own"),
        (lambda: Toolset((WEATHER,), "get_wether"), "get_weather"),
        (lambda: Image("file:///etc/passwd"), "is no image: expected an address"),
        (lambda: Image("data:text/html;base64,aGk="), "is no image: expected an address"),
        (lambda: Image("https://h/a.png", "tiny"), "detail of an image"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(make: Any, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        make()


def test_arguments_are_an_object_or_nothing() -> None:
    assert CALL.values == {"city": "Paris"}
    assert ToolCall("", "f", " ").values == {}
    assert ToolCall("", "f", "[1]").values is None
    assert ToolCall("", "f", '{"a": ').values is None
