"""What of a growing text is certain."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.problem import Message
from ponder.core.tools import Tool, Toolset
from ponder.models.base import Request
from ponder.models.openvino.told import Spoken, Told

TEXTS = st.text("ab\n", max_size=12)


@given(st.lists(TEXTS), st.lists(TEXTS, max_size=3))
def test_nothing_is_told_that_a_stop_string_takes_back(pieces: list[str], stops: list[str]) -> None:
    told, text, said = Told(stops), "", ""
    for piece in pieces:
        text += piece
        said += told.add(piece)
        ends = [at for stop in stops if stop and (at := text.find(stop)) >= 0]
        whole = text[: min(ends, default=len(text))]
        assert whole.startswith(said)
        if ends:  # the engine ends there
            break
    else:
        whole = text
    assert said + told.rest(whole) == whole


def test_only_what_may_be_the_beginning_of_a_stop_string_is_held_back() -> None:
    told = Told(["\n\n", "END"])
    assert [told.add(piece) for piece in ("so\n", "E", "Nx", "EN", "D more")] == [
        "so", "\n", "ENx", "", "",
    ]  # fmt: skip


CALLED = '<tool_call>{"name": "f", "arguments": {}}</tool_call>'
SPOKEN = [
    ("I look. " + CALLED, "auto", ("I look. ", "", ["f"])),
    ("<think>use <tool_call>?</think>" + CALLED, "auto", ("", "use <tool_call>?", ["f"])),
    ('{"name": "f", "arguments": {}}', "auto", ("", "", ["f"])),
    ('\n```json\n{"name": "f", "arguments": {}}\n```', "auto", ("", "", ["f"])),
    ('{"no": "call"} at all', "auto", ('{"no": "call"} at all', "", [])),
    ("no <tool_call> at all", "auto", ("no <tool_call> at all", "", [])),
    ("{}}</tool_call>", "required", ("", "", ["f"])),
    ("{}}</tool_call>", "f", ("", "", ["f"])),
    (CALLED, "none", (CALLED, "", [])),
]


@pytest.mark.parametrize("size", [1, 5, 100])
@pytest.mark.parametrize(("text", "choice", "said"), SPOKEN)
def test_calls_are_apart_from_the_text_however_it_grows(
    text: str, choice: str, said: tuple[str, str, list[str]], size: int
) -> None:
    tools = Message("system", "", tools=Toolset((Tool("f"),), choice))
    spoken = Spoken(Request((tools, Message("user", "?")), 99), opened=False)
    pieces = [spoken.add(text[at : at + size]) for at in range(0, len(text), size)]
    whole, reasoning, calls = spoken.whole(text)
    pieces.append(spoken.rest(whole, reasoning))
    assert (whole, reasoning, [call.name for call in calls]) == said
    assert tuple(map("".join, zip(*pieces, strict=True))) == (whole, reasoning)
