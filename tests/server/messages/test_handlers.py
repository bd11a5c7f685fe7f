"""Messages, as the vendor's client sees them."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import anthropic
import pytest
from anthropic.types import MessageParam
from pydantic import BaseModel

from ponder.core.budget import Budget
from ponder.core.problem import Message
from ponder.core.thinking import Thinking
from ponder.core.tools import ToolCall
from ponder.models.anthropic.families import preset
from ponder.models.anthropic.messages import Messages
from ponder.models.base import Completion, Request
from ponder.models.thinking import TOKENS
from ponder.server.settings import Settings
from tests.support.messaging import ADAPTIVE, DISABLED, ask, request, talking, thinking
from tests.support.serving import NUMBER, USER, Gate, answering, scripted, serving
from tests.support.vendors.anthropic import KEY, TEXT, THOUGHT, signed
from tests.support.vendors.anthropic import server as vendors
from tests.support.vendors.driving import Vendor
from tests.support.vendors.serving import Book

THOUGHTFUL = Completion(
    "Hello.", "stop", 4, 5, reasoning="They greet me.", reasoning_tokens=4, cached_tokens=3
)


async def test_a_chat_is_shown_as_it_is_and_costs_one_sample() -> None:
    model = answering("Hello, reader.")
    async with serving(model) as server:
        done = await ask(
            server,
            system=[
                {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}},
                {"type": "text", "text": "Be kind."},
            ],
            messages=[
                {"role": "user", "content": "Hi"},
                {"role": "user", "content": [{"type": "text", "text": "there"}]},
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": "Hm.", "signature": "unknown"},
                        {"type": "redacted_thinking", "data": "aGlkZGVu"},
                        {"type": "text", "text": "Yes?", "citations": None},
                    ],
                },
                {"role": "system", "content": "Now in French."},
                {"role": "assistant", "content": []},
                {"role": "user", "content": "Say 2 words."},
            ],
            metadata={"user_id": "me"},
            service_tier="auto",
        )
    assert [(block.type, block.text) for block in done.content] == [("text", "Hello, reader.")]
    assert done.id.startswith("msg_")
    assert done._request_id.startswith("req_")
    assert (done.model, done.stop_reason, done.stop_sequence) == ("scripted", "end_turn", None)
    [asked] = model.requests
    assert asked.messages == (
        Message("system", "Be brief.\n\nBe kind."),
        Message("user", "Hi\n\nthere"),
        Message("assistant", "Yes?"),
        Message("system", "Now in French."),
        Message("user", "Say 2 words."),
    )
    assert asked.max_tokens == 2000
    assert done.usage.output_tokens == 2
    assert done.ponder["strategy"] == "direct"


async def test_a_question_with_a_comparable_answer_is_searched() -> None:
    model = answering("it is \\boxed{41}", *["so \\boxed{42}"] * 3)
    async with serving(model) as server:
        done = await ask(server, messages=NUMBER, output_config={"effort": "low"})
        other = await ask(server, messages=NUMBER, model="scripted:low")
        same = await ask(
            server, messages=NUMBER, model="scripted:low", output_config={"effort": "low"}
        )
    assert [block.text for block in done.content] == ["so \\boxed{42}"]
    assert done.ponder["effort"] == other.ponder["effort"] == same.ponder["effort"] == "low"
    spent = done.ponder["receipt"]["total"]
    made = spent["completion_tokens"] + spent["wasted_tokens"]
    assert (done.usage.input_tokens, done.usage.output_tokens) == (spent["prompt_tokens"], made)
    assert done.usage.output_tokens_details.thinking_tokens == made - 2


async def test_every_setting_reaches_the_model() -> None:
    model = answering("one two three END four")
    async with serving(model) as server:
        sampling = {"temperature": 0.3, "top_p": 0.9}
        done = await ask(server, max_tokens=7, stop_sequences=["END"], extra_body=sampling)
        short = await ask(server, max_tokens=2)
    asked = model.requests[0]
    assert (asked.temperature, asked.top_p, asked.max_tokens) == (0.3, 0.9, 7)
    assert asked.stop == ("END",)
    assert done.content[0].text == "one two three"
    assert (done.stop_reason, done.stop_sequence) == ("stop_sequence", "END")
    assert (short.content[0].text, short.stop_reason) == ("one two", "max_tokens")


async def test_a_refusal_is_no_failure() -> None:
    model = scripted(lambda request: Completion("", "refusal", 4, 1))
    async with serving(model) as server:
        done = await ask(server)
    assert done.content == []
    assert (done.stop_reason, done.stop_details.type) == ("refusal", "refusal")


async def test_thinking_is_shown_to_those_who_ask_for_it() -> None:
    async with serving(scripted(lambda request: THOUGHTFUL, thinks=True)) as server:
        plain = await ask(server)
        whole = await ask(server, thinking=ADAPTIVE)
        omitted = await ask(server, thinking={**ADAPTIVE, "display": "omitted"})
        disabled = await ask(server, thinking=DISABLED)
    for done in (plain, disabled):
        assert [block.type for block in done.content] == ["text"]
    assert [block.type for block in whole.content] == ["thinking", "text"]
    assert whole.content[0].thinking == "They greet me."
    assert omitted.content[0].thinking == ""
    assert whole.content[0].signature != omitted.content[0].signature
    used = plain.usage
    assert (used.input_tokens, used.cache_read_input_tokens, used.output_tokens) == (1, 3, 5)
    assert used.output_tokens_details.thinking_tokens == 4


@pytest.mark.parametrize(
    ("fields", "asked", "effort"),
    [
        ({}, None, None),
        ({"thinking": ADAPTIVE}, None, None),
        ({"thinking": DISABLED}, "off", "none"),
        ({"thinking": thinking(1024)}, "1024", "low"),
        ({"thinking": thinking(1500)}, "1500", "medium"),
        ({"thinking": ADAPTIVE, "output_config": {"effort": "high"}}, "high", "high"),
        ({"thinking": thinking(1500), "output_config": {"effort": "high"}}, "1500", "high"),
        ({"thinking": DISABLED, "output_config": {"effort": "high"}}, "off", "high"),
    ],
)
async def test_the_model_s_own_thinking_is_set_by_the_request(
    fields: dict[str, Any], asked: str | None, effort: str | None
) -> None:
    model = scripted(lambda request: THOUGHTFUL, thinks=True)
    async with serving(model) as server:
        done = await ask(server, **fields)
    [sample] = model.requests
    assert sample.thinking == Thinking.read(asked)
    assert done.ponder["effort"] == effort


async def test_a_search_without_thinking_spends_its_effort_on_samples() -> None:
    for thinks in (True, False):
        model = scripted(lambda request: "so \\boxed{42}", thinks=thinks)
        async with serving(model) as server:
            done = await ask(
                server, messages=NUMBER, thinking=DISABLED, output_config={"effort": "low"}
            )
        assert done.ponder["strategy"] == "self_consistency"
        off = Thinking("off") if thinks else None
        assert [request.thinking for request in model.requests] == [off] * 3


async def test_a_schema_gives_json_alone() -> None:
    model = answering('thus ```json\n{"n": 3}\n```')
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    output = {"format": {"type": "json_schema", "schema": schema}, "effort": "none"}
    async with serving(model) as server:
        done = await ask(server, output_config=output)
        assert json.loads(done.content[0].text) == {"n": 3}
        model._reply = lambda request: '```json\n{"n": "three"}\n```'
        with pytest.raises(anthropic.InternalServerError, match="no sample gave JSON") as caught:
            await ask(server, output_config=output)
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["ponder"]["receipt"]["total"]["calls"] == 1


class Counted(BaseModel):
    n: int


async def test_structured_output_and_the_address_of_betas() -> None:
    say: list[MessageParam] = [{"role": "user", "content": "How many?"}]
    async with serving(answering('thus {"n": 3}')) as server, talking(server) as client:
        done = await client.messages.parse(
            model="scripted:none", max_tokens=50, messages=say, output_format=Counted
        )
        async with client.messages.stream(
            model="scripted:none", max_tokens=50, messages=say, output_format=Counted
        ) as stream:
            same = await stream.get_final_message()
        beta = await client.beta.messages.create(
            model="scripted",
            max_tokens=50,
            messages=[{"role": "user", "content": "How many?"}],
            betas=["interleaved-thinking-2025-05-14"],
        )
    assert done.parsed_output == same.parsed_output == Counted(n=3)
    assert [block.type for block in beta.content] == ["text"]


async def test_the_ponder_object_sets_the_search_within_the_ceiling() -> None:
    model = answering("so \\boxed{42}")
    async with serving(model, Settings(ceiling=Budget(tokens=9_000))) as server:
        dial = {"strategy": "best_of_n", "knobs": {"n": 2}, "budget": {"tokens": 90_000}}
        done = await ask(server, messages=NUMBER, extra_body={"ponder": dial})
    assert done.ponder["strategy"] == "best_of_n"
    assert len(model.requests) == 2


async def test_a_turn_is_carried_back_to_the_vendor_that_signed_it() -> None:
    book = Book()
    vendor = Vendor(vendors, Messages, preset, KEY, "/v1")
    async with vendor.talking(book, "claude-bridge") as model, serving(model) as served:
        name = model.info.name
        done = await ask(served, model=name, thinking=thinking(1024), messages=USER)
        assert [block.type for block in done.content] == ["thinking", "text"]
        assert signed(THOUGHT) not in done.model_dump_json()
        chat = [*USER, done.to_param(), {"role": "user", "content": "Sure?"}]
        await ask(served, model=name, messages=chat)
        forged = json.loads(json.dumps(chat[1]["content"], default=lambda block: block.to_dict()))
        forged[0]["signature"] = "ponder-forged"
        await ask(
            served, model=name, messages=[*USER, {"role": "assistant", "content": forged}, chat[2]]
        )
    told = [asked.body["messages"][1]["content"] for asked in book.requests[1:]]
    thought = {"type": "thinking", "thinking": THOUGHT, "signature": signed(THOUGHT)}
    assert told == [[thought, {"type": "text", "text": TEXT}], TEXT]
    used = done.usage
    assert (used.output_tokens, used.output_tokens_details.thinking_tokens) == (
        book.replies[0].billed.completion,
        book.replies[0].billed.thinking,
    )


async def test_the_client_without_async_and_both_ways_of_a_key() -> None:
    async with serving(answering("Hello.")) as server:

        def talk() -> list[str]:
            found = []
            ways: tuple[dict[str, Any], ...] = ({"api_key": "none"}, {"auth_token": "none"})
            for options in ways:
                with anthropic.Anthropic(base_url=server.url, max_retries=0, **options) as client:
                    found.append(client.messages.create(**request()).content[0].text)
                    with client.messages.stream(**request()) as stream:
                        found.append("".join(stream.text_stream))
            return found

        assert await asyncio.to_thread(talk) == ["Hello."] * 4


async def test_tokens_are_counted_exactly_where_the_model_can() -> None:
    async with serving(answering("x")) as server, talking(server) as client:
        counted = await client.messages.count_tokens(
            model="scripted:high",
            messages=[{"role": "user", "content": "one two"}],
            system="three",
            thinking={"type": "adaptive"},
        )
    assert counted.input_tokens == 3
    assert counted.model_extra == {"ponder": {"exact": True, "least": 3}}
    vendor = Vendor(vendors, Messages, preset, KEY, "/v1")
    async with (
        vendor.talking(Book(), "claude-new") as model,
        serving(model) as server,
        talking(server) as client,
    ):
        counted = await client.messages.count_tokens(
            model=model.info.name, messages=[{"role": "user", "content": USER[0]["content"]}]
        )
    said = counted.ponder
    assert said["exact"] is False
    assert said["least"] <= 5 <= counted.input_tokens


async def test_a_client_that_hangs_up_ends_the_run() -> None:
    gate = Gate()
    model = scripted(lambda request: "late", gate=gate)
    async with serving(model) as server, talking(server) as client:
        task = asyncio.create_task(client.messages.create(**request(messages=NUMBER)))
        await gate.reached()
        task.cancel()
        await gate.left()
        assert model.running == 0


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"max_tokens": 0}, "'max_tokens' is not valid.*greater than or equal to 1"),
    ({"max_tokens": None}, "'max_tokens' is not valid"),
    ({"messages": []}, "'messages' is not valid"),
    ({"messages": [{"role": "assistant", "content": "Well"}]}, "last message must be the user"),
    ({"messages": [{"role": "user", "content": " "}]}, "last message must be the user"),
    ({"messages": [{"role": "tool", "content": "x"}]}, r"'messages\[0\].role' is not valid"),
    (
        {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
        r"'messages\[0\].content\[0\]' is not valid: a block of the type 'text' has 'text'",
    ),
    (
        {
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "thinking", "thinking": "x", "signature": "y"}],
                }
            ]
        },
        r"'messages\[0\]' is not valid: blocks of the type 'thinking' belong to turns of the a",
    ),
    ({"system": [{"type": "redacted_thinking", "data": ""}]}, "'system'.*text alone"),
    ({"thinking": {"type": "enabled"}}, "'thinking' is not valid: 'budget_tokens' belongs"),
    ({"thinking": thinking(1000)}, "'thinking.budget_tokens'.*equal to 1024"),
    ({"thinking": thinking(2000)}, "must be less than 'max_tokens'"),
    ({"thinking": {**DISABLED, "display": "omitted"}}, "'display' belongs to thinking"),
    ({"output_config": {"effort": "vast"}}, "'output_config.effort'.*expected one of none"),
    (
        {"output_config": {"effort": "low"}, "model": "scripted:high"},
        "names the effort high, and output_config.effort low",
    ),
    ({"temperature": 1.1}, "'temperature'.*less than or equal to 1"),
    ({"top_k": 5}, "'top_k' is not valid: no model here takes it"),
    ({"stop_sequences": [""]}, "'stop_sequences'.*end every reply at once"),
    ({"thread": {"type": "create"}}, "'thread' is not valid: no chats are kept here"),
    ({"mcp_servers": []}, "'mcp_servers' is not supported here: leave it out"),
    ({"ponder": {"url": "http://x"}}, "'ponder.url' is not supported here"),
    ({"ponder": {"knobs": {"length": 5}}}, "length is given twice"),
    ({"thinking": DISABLED, "ponder": {"knobs": {"thinking": "low"}}}, "thinking is given twi"),
    (
        {
            "output_config": {"format": {"type": "json_schema", "schema": {}}},
            "ponder": {"answer_type": "number"},
        },
        "output_config.format asks for JSON",
    ),
]


async def test_what_cannot_be_honoured_is_refused_with_a_sentence() -> None:
    model = answering("x")
    async with serving(model) as server, talking(server) as client:
        for fields, told in REFUSED:
            with pytest.raises(anthropic.BadRequestError, match=told) as caught:
                await client.messages.create(**request(), extra_body=fields)
            assert caught.value.type == "invalid_request_error"
    assert not model.requests


async def test_the_documented_examples() -> None:
    text = (Path(__file__).parents[3] / "docs" / "serve-messages.md").read_text("utf-8")
    example, tools = re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)
    said: list[object] = []
    names: dict[str, Any] = {"print": lambda *words, end="": said.extend(words)}
    async with serving(names=("simulated(accuracy=1)",)) as server:
        example = example.replace("http://127.0.0.1:8000", server.url)
        example = example.replace("qwen2.5-coder-1.5b", "simulated(accuracy=1)")
        await asyncio.to_thread(exec, example, names)
        names["client"].close()
    assert str(said[0]).startswith("Searching with self_consistency")
    assert names["done"].content[1].text
    assert said[-2] > 0  # type: ignore[operator]

    def reply(request: Request) -> Completion | str:
        last = request.messages[-1]
        call = ToolCall("c", "get_weather", '{"city": "Paris"}')
        return (
            f"It is {last.content}." if last.call else Completion("", "stop", 5, 4, calls=(call,))
        )

    async with serving(scripted(reply)) as server:
        with anthropic.Anthropic(base_url=server.url, api_key="none") as client:
            names["client"] = client
            await asyncio.to_thread(exec, tools.replace("qwen2.5-coder-1.5b", "scripted"), names)
    assert said[-1] == "It is 21 degrees, clear sky."


def test_the_documented_budgets_are_those_of_the_levels() -> None:
    text = (Path(__file__).parents[3] / "docs" / "serve-messages.md").read_text("utf-8")
    levels = re.findall(r"([\d,]{5,}) `(\w+)`", text)
    assert [(TOKENS[level], level) for _, level in levels] == [
        (int(tokens.replace(",", "")), level) for tokens, level in levels
    ]
    assert [level for _, level in levels] == ["low", "medium", "high", "xhigh"]
