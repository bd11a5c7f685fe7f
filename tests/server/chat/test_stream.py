"""Streams of Chat Completions, as the official client and the bare wire see them."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionChunk

from ponder.core.errors import ModelError
from ponder.models.base import Completion
from ponder.server.settings import Settings
from tests.support.serving import NUMBER, USER, Gate, answering, scripted, serving

USAGE = {"stream_options": {"include_usage": True}}


async def chunks(stream: Any) -> list[ChatCompletionChunk]:
    return [chunk async for chunk in stream]


def joined(found: list[ChatCompletionChunk], name: str) -> str:
    deltas = [choice.delta.model_dump() for chunk in found for choice in chunk.choices]
    return "".join(delta.get(name) or "" for delta in deltas)


async def test_a_chat_is_passed_on_as_it_grows() -> None:
    async with serving(answering("  Hello, dear reader.\n")) as server:
        found = await chunks(await server.chat(stream=True, **USAGE))
        whole = await server.chat()
    assert found[0].choices[0].delta.role == "assistant"
    assert found[0].choices[0].delta.content == ""
    assert joined(found, "content") == whole.choices[0].message.content == "Hello, dear reader."
    assert joined(found, "reasoning") == ""
    assert [c.choices[0].finish_reason for c in found if c.choices][-1] == "stop"
    assert found[-2].ponder["strategy"] == "direct"
    assert found[-1].choices == []
    assert found[-1].usage == whole.usage
    assert len({chunk.id for chunk in found}) == 1


async def test_a_search_is_told_while_it_goes_on_and_then_the_answer() -> None:
    model = answering("it is \\boxed{41}", *["so \\boxed{42}"] * 3)
    async with serving(model) as server:
        found = await chunks(await server.chat(NUMBER, stream=True, reasoning_effort="low"))
    thought = joined(found, "reasoning")
    assert thought == joined(found, "reasoning_content")
    assert thought.splitlines() == [
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
    assert joined(found, "content") == "so \\boxed{42}"
    kinds = ["reasoning" if chunk.choices[0].delta.model_dump().get("reasoning") else "content"
             for chunk in found if chunk.choices[0].delta.model_dump().get("reasoning")
             or chunk.choices[0].delta.content]  # fmt: skip
    assert kinds == sorted(kinds, reverse=True), "all thinking comes before the answer"


async def test_a_model_that_thinks_is_heard_thinking() -> None:
    thought = Completion("Hello.", "stop", 4, 5, reasoning="They greet me.", reasoning_tokens=4)
    async with serving(scripted(lambda request: thought, thinks=True)) as server:
        found = await chunks(await server.chat(stream=True, **USAGE))
    assert joined(found, "reasoning") == "They greet me."
    assert joined(found, "content") == "Hello."
    assert found[-1].usage is not None
    assert found[-1].usage.completion_tokens_details is not None
    assert found[-1].usage.completion_tokens_details.reasoning_tokens == 4


async def test_json_comes_alone_and_several_choices_side_by_side() -> None:
    form = {"type": "json_object"}
    async with serving(answering('so ```json\n{"n": 3}\n```')) as server:
        found = await chunks(
            await server.chat(stream=True, n=2, response_format=form, reasoning_effort="none")
        )
    for at in (0, 1):
        mine = [c for c in found if c.choices and c.choices[0].index == at]
        assert joined(mine, "content") == '{"n": 3}'
        assert mine[-1].choices[0].finish_reason == "stop"


async def test_the_events_themselves_if_they_are_asked_for() -> None:
    async with serving(answering("so \\boxed{42}")) as server:
        dial = {"ponder": {"events": True, "strategy": "best_of_n", "knobs": {"n": 2}}}
        found = await chunks(await server.chat(NUMBER, stream=True, extra_body=dial))
    extra = [(chunk.model_extra or {}).get("ponder", {}) for chunk in found]
    told = [members.get("event") for members in extra]
    kinds = [event["type"] for event in told if event]
    assert kinds[0] == "run_started"
    assert kinds[-1] == "ended"
    assert {"sample_started", "grew", "sample_finished", "scored", "proposed", "spent"} <= {*kinds}


async def lines(server: Any, gate: Gate | None = None, **body: Any) -> list[str]:
    """The lines of a stream; the gate opens once a comment has come."""
    found = []
    asked = {"model": "scripted", "messages": USER, "stream": True, **body}
    async with server.http.stream("POST", "/v1/chat/completions", json=asked) as said:
        assert said.headers["content-type"].startswith("text/event-stream")
        async for line in said.aiter_lines():
            found += [line] if line else []
            if gate and line.startswith(":"):
                gate.set()
    return found


async def test_the_first_byte_waits_for_nothing_and_silence_is_filled() -> None:
    gate = Gate()
    model = scripted(lambda request: "late", gate=gate)
    async with serving(model, Settings(pause=0.001)) as server:
        found = await lines(server, gate)
    assert json.loads(found[0].removeprefix("data: "))["choices"][0]["delta"]["role"] == "assistant"
    assert found[1] == ": still thinking"
    assert found[-1] == "data: [DONE]"


async def test_a_refusal_comes_before_the_stream_and_a_failure_within_it() -> None:
    model = scripted(lambda request: ModelError("the wire is cut."))
    async with serving(model) as server:
        dial = {"ponder": {"budget": {"tokens": 5}}}
        with pytest.raises(openai.BadRequestError, match="too small"):
            await server.chat(NUMBER, stream=True, extra_body=dial)
        with pytest.raises(openai.APIError, match="the wire is cut") as caught:
            await chunks(await server.chat(stream=True))
    assert caught.value.code == "run_failed"


async def test_a_reader_that_hangs_up_ends_the_run_and_its_cost_is_booked() -> None:
    gate = Gate()
    model = scripted(lambda request: "late", gate=gate)
    async with serving(model) as server:
        stream = await server.chat(NUMBER, stream=True)
        await gate.reached()
        assert model.running > 1
        await stream.close()
        await gate.left()
        assert model.running == 0
    words = [m.content.split() for request in model.requests for m in request.messages]
    assert server.engine.spent.tokens == sum(map(len, words))
