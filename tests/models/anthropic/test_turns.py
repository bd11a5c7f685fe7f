"""The text of a turn: joined to the prefix before it, and ended where it must end."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from ponder.core.problem import Message
from ponder.core.tools import ToolCall
from ponder.models.anthropic.turns import Joint, Turn
from ponder.models.base import Request


@given(st.data())
def test_a_text_is_joined_alike_in_whatever_pieces_it_comes(data: st.DataObject) -> None:
    letters = st.text("a \n", max_size=12)
    prefix, text = data.draw(letters), data.draw(letters)
    stops = tuple(data.draw(st.lists(st.text(" \n", min_size=1, max_size=3), max_size=2)))
    request = Request((), 1, prefix, stop=stops)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=4)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    whole, parts = Joint(request), Joint(request)
    joined = whole.feed(text) + whole.end()
    assert "".join([*map(parts.feed, pieces), parts.end()]) == joined
    assert whole.stopped_at == parts.stopped_at

    blank = prefix[len(prefix.rstrip()) :]
    shared = next(n for n in range(len(blank), -1, -1) if text.startswith(blank[:n]))
    rest = text[shared:]
    ends = [(at + len(stop), at) for stop in stops if (at := rest.find(stop)) >= 0]
    assert joined == (rest[: min(ends)[1]] if ends else rest)


def test_blocks_that_cannot_be_sent_back_are_left_out() -> None:
    turn = Turn(Request((), 1))
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "x"}
    for block in (
        thought,
        {"type": "text", "text": ""},
        {"type": "thinking", "thinking": "unsigned"},
        {"type": "thinking", "thinking": "cut off", "signature": ""},
        {"type": "tool_use", "text": "no"},
        {"type": [], "text": "no"},
        None,
        {"type": "text", "text": "42", "citations": None},
    ):
        turn.start(block)
    assert json.loads(turn.blocks()) == [thought, {"type": "text", "text": "42"}]


def test_a_call_that_was_cut_off_is_kept_as_it_came_and_leaves_no_record() -> None:
    turn = Turn(Request((Message("user", "?"),), 9))
    turn.start({"type": "thinking", "thinking": "Hm.", "signature": "c2ln"})
    turn.start({"type": "tool_use", "id": "c", "name": "f", "input": {}})
    turn.add("partial_json", '{"a": ')
    assert turn.calls() == (ToolCall("c", "f", '{"a": '),)
    assert "tool_use" not in turn.blocks()
