"""Streams of the Messages API, as the vendor's client and the bare wire see them."""

from __future__ import annotations

import anthropic
import pytest
from anthropic.types import ErrorResponse, MessageParam

from ponder.core.errors import ModelError
from ponder.models.base import Completion
from ponder.models.openvino.model import OpenVINO
from ponder.server.settings import Settings
from tests.support.messaging import ADAPTIVE, DISABLED, ask, check, events, joined, request, talking
from tests.support.serving import NUMBER, USER, Gate, answering, scripted, serving

THOUGHTFUL = Completion("Hello.", "stop", 4, 5, reasoning="They greet me.", reasoning_tokens=4)


async def test_a_chat_is_passed_on_as_it_grows() -> None:
    async with serving(answering("  Hello, dear reader.\n")) as server:
        found = await events(server)
        whole = await ask(server)
    assert found[0]["message"]["usage"]["output_tokens"] == 0
    assert found[1]["content_block"] == {"type": "text", "text": "", "citations": None}
    assert joined(found, "text") == whole.content[0].text == "Hello, dear reader."
    last = found[-2]
    assert last["delta"] == {
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "stop_details": None,
    }
    assert last["ponder"]["strategy"] == "direct"
    used = whole.usage.model_dump(exclude_none=True)
    assert {**last["usage"], "service_tier": "standard"} == used


async def test_a_search_is_told_while_it_goes_on_and_then_the_answer() -> None:
    model = answering("it is \\boxed{41}", *["so \\boxed{42}"] * 3)
    async with serving(model) as server:
        found = await events(
            server, messages=NUMBER, thinking=ADAPTIVE, output_config={"effort": "low"}
        )
    assert joined(found, "thinking").splitlines() == [
        "Searching with self_consistency on scripted.",
        "3 samples started.",
        "it is \\boxed{41}",
        "Best so far: 41.",
        "The vote: 41 has 1; 3 may still come.",
        "The vote: 41 has 1, 42 has 1; 2 may still come.",
        "Best so far: 42.",
        "The vote: 42 has 2, 41 has 1; 1 may still come.",
        "1 sample started.",
        "so \\boxed{42}",
        "The vote: 42 has 3, 41 has 1; 0 may still come.",
    ]
    assert joined(found, "text") == "so \\boxed{42}"
    starts = [event["content_block"]["type"] for event in found if "content_block" in event]
    assert starts == ["thinking", "text"]


async def test_the_helpers_of_the_client_put_the_message_together() -> None:
    kinds, thought, text = [], "", ""
    async with (
        serving(scripted(lambda request: THOUGHTFUL, thinks=True)) as server,
        talking(server) as client,
        client.messages.stream(**request(thinking=ADAPTIVE)) as stream,
    ):
        async for event in stream:
            kinds.append(event.type)
            thought += event.thinking if event.type == "thinking" else ""
            text += event.text if event.type == "text" else ""
        done = await stream.get_final_message()
        assert await stream.get_final_text() == text == "Hello."
    first, second = done.content
    assert first.type == "thinking"
    assert first.thinking == thought == "They greet me."
    assert first.signature.startswith("ponder-")
    assert second.type == "text"
    assert (done.stop_reason, done.usage.input_tokens, done.usage.output_tokens) == (
        "end_turn",
        4,
        5,
    )
    assert done.usage.output_tokens_details is not None
    assert done.usage.output_tokens_details.thinking_tokens == 4
    assert kinds == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "thinking",
        "content_block_delta",
        "signature",
        "content_block_stop",
        "content_block_start",
        "content_block_delta",
        "text",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


async def test_thinking_that_was_not_asked_for_is_not_sent() -> None:
    model = scripted(lambda request: THOUGHTFUL, thinks=True)
    async with serving(model) as server:
        for fields in ({}, {"thinking": DISABLED}):
            found = await events(server, **fields)
            assert [e["content_block"]["type"] for e in found if "content_block" in e] == ["text"]
        found = await events(server, thinking={**ADAPTIVE, "display": "omitted"})
    assert [e["content_block"]["type"] for e in found if "content_block" in e] == [
        "thinking",
        "text",
    ]
    assert joined(found, "thinking") == ""
    assert joined(found, "signature").startswith("ponder-")


async def test_a_sample_that_is_withheld_after_its_thinking_has_no_text() -> None:
    lost = Completion("", "refusal", 4, 5, reasoning="They gre", reasoning_tokens=5)
    async with serving(scripted(lambda request: lost, thinks=True)) as server:
        found = await events(server, thinking=ADAPTIVE)
    assert [e["content_block"]["type"] for e in found if "content_block" in e] == ["thinking"]
    assert found[-2]["delta"]["stop_reason"] == "refusal"


async def test_the_events_themselves_if_they_are_asked_for() -> None:
    dial = {"events": True, "strategy": "best_of_n", "knobs": {"n": 2}}
    async with serving(answering("so \\boxed{42}")) as server:
        found = await events(server, messages=NUMBER, ponder=dial)
        async with (
            talking(server) as client,
            client.messages.stream(
                **request(messages=NUMBER), extra_body={"ponder": dial}
            ) as stream,
        ):
            seen: list[str] = [event.type async for event in stream]
            assert await stream.get_final_text() == "so \\boxed{42}"
    kinds = [event["event"]["type"] for event in found if event["type"] == "ponder"]
    assert kinds[0] == "run_started"
    assert kinds[-1] == "ended"
    assert {"sample_started", "grew", "sample_finished", "scored", "proposed", "spent"} <= {*kinds}
    assert seen.count("ponder") == len(kinds)


async def test_the_first_byte_waits_for_nothing_and_silence_is_filled() -> None:
    gate = Gate()
    model = scripted(lambda request: "late", gate=gate)
    found = []
    async with (
        serving(model, Settings(pause=0.001)) as server,
        server.http.stream("POST", "/v1/messages", json=request(stream=True)) as said,
    ):
        async for line in said.aiter_lines():
            found += [line] if line else []
            if line == 'data: {"type": "ping"}':
                gate.set()
    assert found[0] == "event: message_start"
    assert found[2:4] == ["event: ping", 'data: {"type": "ping"}']
    assert found[-2] == "event: message_stop"


async def test_a_refusal_comes_before_the_stream_and_a_failure_within_it() -> None:
    model = scripted(lambda request: ModelError("the wire is cut."))
    async with serving(model) as server, talking(server) as client:
        with pytest.raises(anthropic.BadRequestError, match="too small"):
            await client.messages.create(
                **request(messages=NUMBER, stream=True),
                extra_body={"ponder": {"budget": {"tokens": 5}}},
            )
        with pytest.raises(anthropic.APIStatusError, match="the wire is cut") as caught:
            [event async for event in await client.messages.create(**request(stream=True))]
        found = await events(server)
    assert caught.value.type == "api_error"
    assert [event["type"] for event in found] == ["message_start", "error"]
    ErrorResponse.model_validate(found[-1], strict=True)
    assert found[-1]["request_id"].startswith("req_")
    assert found[-1]["ponder"]["receipt"]["total"]["failed"] == 1


async def test_a_reader_that_hangs_up_ends_the_run_and_its_cost_is_booked() -> None:
    gate = Gate()
    model = scripted(lambda request: "late", gate=gate)
    async with serving(model) as server, talking(server) as client:
        async with client.messages.stream(**request(messages=NUMBER)):
            await gate.reached()
            assert model.running > 1
        await gate.left()
        assert model.running == 0
    words = [m.content.split() for request in model.requests for m in request.messages]
    assert server.engine.spent.tokens == sum(map(len, words))


def test_the_check_of_streams_can_fail() -> None:
    start = {"type": "content_block_start", "index": 1, "content_block": {"type": "text"}}
    with pytest.raises((AssertionError, ValueError)):
        check([start])


async def test_a_real_model(small_engine: OpenVINO) -> None:
    fields = {"model": "smollm2-135m", "max_tokens": 12, "temperature": 0}
    say: list[MessageParam] = [{"role": "user", "content": USER[0]["content"]}]
    async with serving(small_engine) as server:
        found = await events(server, **fields)
        async with talking(server) as client:
            done = await client.messages.create(
                model="smollm2-135m", max_tokens=12, messages=say, extra_body={"temperature": 0}
            )
            counted = await client.messages.count_tokens(model="smollm2-135m", messages=say)
    assert joined(found, "text") == done.content[0].text
    assert 0 < done.usage.output_tokens <= 12
    assert counted.input_tokens == done.usage.input_tokens + (
        done.usage.cache_read_input_tokens or 0
    )
    assert counted.ponder["exact"] is True
