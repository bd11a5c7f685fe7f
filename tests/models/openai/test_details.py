"""Thinking that OpenRouter signs, sent back in a conversation that goes on; other stays behind."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

import pytest

from ponder.core.thinking import Thinking
from ponder.models.openai.details import Details
from tests.support.vendors.compatible import deepseek, openrouter, qwen, together, vllm, xai
from tests.support.vendors.driving import turn_of
from tests.support.vendors.serving import Book
from tests.support.vendors.wires import STREAMED, after, sent, speaking, told

CLAUDE = "anthropic/claude-sonnet-4.5"
LOW: dict[str, Any] = {"thinking": Thinking("low")}


@STREAMED
async def test_a_conversation_goes_on_with_the_details(stream: bool) -> None:
    book = Book()
    async with speaking(openrouter, CLAUDE, book, stream=stream) as client:
        done = await told(client, **LOW)
        assert (await told(client)).blocks == ""  # no thinking, no need
        await told(client, messages=after(done), **LOW)
    [detail] = turn_of(done)
    assert (detail["text"], detail["signature"]) == (
        done.reasoning,
        openrouter.signed(done.reasoning),
    )
    assert sent(book)["messages"][1] == {
        "role": "assistant",
        "content": done.text,
        "reasoning_details": [detail],
    }
    assert [reply.status for reply in book.replies] == [200] * 3


@STREAMED
async def test_details_that_the_vendor_behind_it_refuses_are_left_out_from_then_on(
    stream: bool,
) -> None:
    book = Book()
    async with speaking(openrouter, CLAUDE, book, stream=stream) as client:
        done = await told(client, **LOW)
        forged = done.blocks.replace("signed:", "forged:")
        for _ in range(2):
            await told(client, messages=after(done, blocks=forged), **LOW)
        assert client.info.remarks == (f"{CLAUDE} does not take signed thinking: left out.",)
    assert [reply.status for reply in book.replies] == [200, 400, 200, 200]
    assert sent(book)["messages"][1] == {"role": "assistant", "content": done.text}


THINKERS = [
    (openrouter, "deepseek/deepseek-r1"), (deepseek, "deepseek-reasoner"), (qwen, "qwen3-8b"),
    (together, "openai/gpt-oss-120b"), (vllm, "Qwen/Qwen3-8B"), (xai, "grok-3-mini"),
]  # fmt: skip


@STREAMED
@pytest.mark.parametrize(("server", "name"), THINKERS)
async def test_thinking_that_nobody_signed_stays_behind(
    server: ModuleType, name: str, stream: bool
) -> None:
    book = Book()
    async with speaking(server, name, book, stream=stream) as client:
        done = await told(client, **LOW)
        await told(client, messages=after(done))
    assert (bool(done.reasoning), done.blocks) == (True, "")
    assert sent(book)["messages"][1] == {"role": "assistant", "content": done.text}


def test_pieces_of_one_detail_are_joined_and_no_others() -> None:
    details = Details()
    text, summary = {"type": "reasoning.text"}, {"type": "reasoning.summary"}
    assert details.add({"reasoning_details": [text | {"index": 0, "text": "Six"}]}) == ""
    assert details.add({"reasoning_details": [text | {"index": 0, "text": " sevens"}]}) == ""
    details.add({"reasoning_details": [text | {"index": 0, "signature": "s", "text": None}]})
    details.add({"reasoning_details": [text | {"index": 0, "text": "Again"}, None, "?"]})
    details.add({"reasoning_details": [summary | {"index": 0, "summary": "So"}]})
    details.add({"reasoning_details": [summary | {"index": 1, "summary": "And"}]})
    details.add({"reasoning_details": "none"})
    hidden = {"type": "reasoning.encrypted", "data": "x", "index": 2}
    details.add({"reasoning_details": [hidden]})
    found = details.add({"reasoning_details": [hidden | {"data": "y"}]})
    assert json.loads(found) == [
        text | {"index": 0, "text": "Six sevens", "signature": "s"},
        text | {"index": 0, "text": "Again"},
        summary | {"index": 0, "summary": "So"},
        summary | {"index": 1, "summary": "And"},
        hidden,
        hidden | {"data": "y"},
    ]
