"""Tools and images in Chat Completions, as the official client sees them."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from ponder.core.problem import Message
from ponder.core.tools import Tool, Toolset
from ponder.models.base import Completion
from ponder.models.config import Config, EndpointConfig
from ponder.models.openvino.model import OpenVINO, load
from ponder.server.chat.tools import PIECE, PIECES, increments
from tests.support.serving import NUMBER, USER, answering, scripted, serving
from tests.support.tooling import CITY, LYON, PARIS, PNG, agent, call, calls, replying
from tests.support.vendors import calling
from tests.support.vendors.serving import Asked, Book, Reply, application
from tests.support.vendors.serving import serving as upstream

WEATHER = {
    "type": "function",
    "function": {"name": "get_weather", "description": "Weather of a city.", "parameters": CITY},
}
TIME = {"type": "function", "function": {"name": "get_time", "strict": True}}
TOOLS = [WEATHER, TIME]
ASK = [{"role": "user", "content": "How is Paris?"}]


def allowed(*names: str, mode: str = "auto") -> dict[str, Any]:
    tools = [{"type": "function", "function": {"name": name}} for name in names]
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}}


def turn(message: Any) -> dict[str, Any]:
    """A reply's message, as clients send it back."""
    return dict(message.model_dump(exclude_none=True))


async def test_a_tool_is_called_and_its_result_answered() -> None:
    model = agent()
    async with serving(model) as server:
        first = await server.chat(ASK, tools=TOOLS)
        choice = first.choices[0]
        [made] = choice.message.tool_calls
        result = {
            "role": "tool",
            "tool_call_id": made.id,
            "name": "get_weather",
            "content": "sunny",
        }
        second = await server.chat([*ASK, turn(choice.message), result], tools=TOOLS)
    ChatCompletion.model_validate(first.model_dump(), strict=True)
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", "I look.")
    assert made.to_dict() == {
        "id": "call_1",
        "type": "function",
        "function": {"name": "get_weather", "arguments": PARIS},
    }
    assert first.ponder["decided"] == ["direct: a step with tools: one sample"]
    assert second.choices[0].finish_reason == "stop"
    assert second.choices[0].message.content == "It is sunny."
    assert second.choices[0].message.tool_calls is None
    tools = Toolset(
        (Tool("get_weather", "Weather of a city.", json.dumps(CITY)),
         Tool("get_time", strict=True))
    )  # fmt: skip
    assert [request.messages for request in model.requests] == [
        (Message("system", "", tools=tools), Message("user", "How is Paris?")),
        (
            Message("system", "", tools=tools),
            Message("user", "How is Paris?"),
            Message("assistant", "I look.", calls=(call(PARIS),)),
            Message("tool", "sunny", call="call_1"),
        ),
    ]


async def test_several_calls_of_one_turn_whole_and_in_a_stream() -> None:
    both = calls(call(PARIS, id="a"), call("{}", id="b", name="get_time"))
    async with serving(scripted(lambda request: both)) as server:
        whole = await server.chat(ASK, tools=TOOLS)
        stream = await server.chat(
            ASK, tools=TOOLS, stream=True, stream_options={"include_usage": True}
        )
        found = [chunk async for chunk in stream]
    message = whole.choices[0].message
    assert message.content is None
    assert [(made.id, made.function.name) for made in message.tool_calls] == [
        ("a", "get_weather"),
        ("b", "get_time"),
    ]
    state = ChatCompletionStreamState()
    for chunk in found:
        ChatCompletionChunk.model_validate(chunk.model_dump(), strict=True)
        state.handle_chunk(chunk)
    joined = state.get_final_completion().choices[0]
    assert joined.finish_reason == whole.choices[0].finish_reason == "tool_calls"
    grown = [made.model_dump(include={"id", "type", "function"}) for made in
             joined.message.tool_calls or ()]  # fmt: skip
    for made in grown:
        made["function"].pop("parsed_arguments", None)
    assert grown == [made.model_dump() for made in message.tool_calls]
    deltas = [d for c in found for choice in c.choices for d in choice.delta.tool_calls or ()]
    assert [(d.index, d.id, d.type) for d in deltas] == [
        (0, "a", "function"), (0, None, None), (1, "b", "function"), (1, None, None),
    ]  # fmt: skip
    assert deltas[1].function is not None
    assert (deltas[1].function.name, deltas[1].function.arguments) == (None, PARIS)


async def test_arguments_are_streamed_in_pieces_that_the_clients_helper_puts_together() -> None:
    texts = [f'sentence {at}, with "quotes" and é' for at in range(6)]
    long = json.dumps({"city": "Paris", "notes": texts}, ensure_ascii=False)
    both = calls(call(long, id="a"), call(PARIS, id="b"))
    grown: list[Any] = []
    async with serving(scripted(lambda request: both)) as server:
        manager = server.openai.chat.completions.stream(
            model="scripted", messages=cast(Any, ASK), tools=cast(Any, TOOLS)
        )
        async with manager as stream:
            async for event in stream:
                if event.type == "tool_calls.function.arguments.delta":
                    grown.append((event.index, event.arguments_delta))
            done = await stream.get_final_completion()
    made = done.choices[0].message.tool_calls or []
    assert [(one.id, one.function.arguments) for one in made] == [("a", long), ("b", PARIS)]
    assert [index for index, _ in grown] == sorted(index for index, _ in grown)
    assert len(grown) > 8
    assert "".join(piece for index, piece in grown if index == 0) == long


@given(st.text(max_size=300), st.integers(0, 40))
def test_pieces_of_arguments_join_to_them_and_are_not_many(text: str, times: int) -> None:
    whole = text * times
    [begun, *rest] = increments([call(whole)])
    assert begun["tool_calls"][0]["function"] == {"name": "get_weather", "arguments": ""}
    pieces = [delta["tool_calls"][0]["function"]["arguments"] for delta in rest]
    assert "".join(pieces) == whole
    assert all(pieces)
    assert max(map(len, pieces), default=0) <= max(PIECE, len(whole) // PIECES + 1)


async def test_a_text_before_the_calls_is_streamed_before_them() -> None:
    async with serving(agent()) as server:
        stream = await server.chat(ASK, tools=TOOLS, stream=True)
        deltas = [chunk.choices[0].delta async for chunk in stream]
    kinds = ["calls" if d.tool_calls else "text" for d in deltas if d.tool_calls or d.content]
    assert kinds == ["text", "calls", "calls"]
    assert "".join(delta.content or "" for delta in deltas) == "I look."


async def test_equal_calls_are_one_vote_where_an_effort_is_named() -> None:
    spaced = '{ "city":"Paris" }'
    replies: list[Completion | str] = [
        calls(call(LYON, id="x")),
        calls(call(PARIS, id="y")),
        "Sunny, I think.",
        calls(call(spaced, id="z")),
        calls(call(PARIS, id="w")),
    ]
    for streamed in (False, True):
        model = replying(*replies)
        async with serving(model) as server:
            asked: dict[str, Any] = {"tools": TOOLS, "reasoning_effort": "high", "stream": streamed}
            asked["extra_body"] = {"ponder": {"knobs": {"n": 5, "stop": "never"}}}
            done = await server.chat(ASK, **asked)
            if streamed:
                state = ChatCompletionStreamState()
                told = ""
                async for chunk in done:
                    state.handle_chunk(chunk)
                    told += getattr(chunk.choices[0].delta, "reasoning", None) or ""
                done = state.get_final_completion()
                assert f"The vote: get_weather({PARIS}) has 3" in told
        [made] = done.choices[0].message.tool_calls or []
        assert (made.id, made.function.arguments) == ("y", PARIS)
        assert len(model.requests) == 5
        assert {request.max_tokens for request in model.requests} == {4096}
        assert all(not request.messages[-1].content.count("boxed") for request in model.requests)


async def test_auto_looks_at_calls_as_well() -> None:
    async with serving(agent()) as server:
        done = await server.chat(ASK, model="scripted:auto", tools=TOOLS)
    assert done.ponder["strategy"] == "auto"
    assert done.choices[0].finish_reason == "tool_calls"


async def test_of_a_strategy_that_compares_no_whole_samples_it_is_refused() -> None:
    model = agent()
    async with serving(model) as server:
        with pytest.raises(openai.BadRequestError, match="'beam_search' cannot call tools"):
            await server.chat(ASK, tools=TOOLS, extra_body={"ponder": {"strategy": "beam_search"}})
    assert not model.requests


async def test_a_question_with_a_comparable_answer_is_not_searched_where_tools_are_given() -> None:
    model = answering("42")
    async with serving(model) as server:
        done = await server.chat(NUMBER, tools=TOOLS)
    assert len(model.requests) == 1
    assert done.choices[0].message.content == "42"


@pytest.mark.parametrize(
    ("choice", "parallel", "wanted"),
    [
        (None, None, Toolset((Tool("get_weather"),))),
        ("none", None, Toolset((Tool("get_weather"),), "none")),
        ("required", False, Toolset((Tool("get_weather"),), "required", parallel=False)),
        (
            {"type": "function", "function": {"name": "get_weather"}},
            True,
            Toolset((Tool("get_weather"),), "get_weather"),
        ),
        (allowed("get_weather"), None, Toolset((Tool("get_weather"),))),
        (
            allowed("get_weather", mode="required"),
            False,
            Toolset((Tool("get_weather"),), "required", parallel=False),
        ),
    ],
)
async def test_the_choice_of_tools_reaches_the_model(
    choice: Any, parallel: bool | None, wanted: Toolset
) -> None:
    model = scripted(lambda request: calls(call("{}")))
    plain = {"type": "function", "function": {"name": "get_weather"}}
    given = {"tool_choice": choice, "parallel_tool_calls": parallel}
    asked = {name: value for name, value in given.items() if value is not None}
    async with serving(model) as server:
        await server.chat(ASK, tools=[plain], **asked)
    assert model.requests[0].messages[0].tools == wanted


async def test_a_call_that_was_asked_for_and_does_not_come_is_no_reply() -> None:
    cut = calls(call('{"city": "Pa'), finish="length")
    async with serving(replying("Sunny.", cut)) as server:
        with pytest.raises(openai.InternalServerError, match="no sample called a tool") as caught:
            await server.chat(ASK, tools=TOOLS, tool_choice="required")
        done = await server.chat(ASK, tools=TOOLS, tool_choice="required")
    assert caught.value.code == "no_valid_answer"
    assert done.choices[0].finish_reason == "length"
    assert done.choices[0].message.tool_calls[0].function.arguments == '{"city": "Pa'


async def test_json_or_a_call() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    async with serving(replying(calls(call(PARIS)), 'so ```json\n{"n": 3}\n```')) as server:
        first = await server.chat(ASK, tools=TOOLS, response_format=form)
        second = await server.chat(ASK, tools=TOOLS, response_format=form)
    assert first.choices[0].finish_reason == "tool_calls"
    assert second.choices[0].message.content == '{"n": 3}'


async def test_images_reach_the_upstream_unchanged_and_are_not_fetched() -> None:
    book, far = Book(), "https://images.example/cat.png?size=9&x=%20y"
    content = [
        {"type": "text", "text": "Which is a cat?"},
        {"type": "image_url", "image_url": {"url": far, "detail": "low"}},
        {"type": "image_url", "image_url": {"url": PNG}},
    ]
    async with (
        upstream(application(calling.chat, book)) as url,
        serving(config=endpoint(url, "tools", "images"), names=("mine",)) as server,
    ):
        asked = {"model": "mine", "tools": TOOLS, "tool_choice": "auto"}
        done = await server.chat([{"role": "user", "content": content}], **asked)
        state = ChatCompletionStreamState()
        async for chunk in await server.chat(ASK, **asked, stream=True):
            state.handle_chunk(chunk)
    sent = book.requests[0].body
    assert sent["messages"] == [{"role": "user", "content": [*content[1:], content[0]]}]
    assert [tool["function"]["name"] for tool in sent["tools"]] == ["get_weather", "get_time"]
    assert sent["tools"][0]["function"]["parameters"] == CITY
    for message in (done.choices[0].message, state.get_final_completion().choices[0].message):
        assert message.content == calling.TEXT
        assert [(one.id, one.function.arguments) for one in message.tool_calls or []] == [
            ("call_1", calling.PARIS),
            ("call_2", calling.TIME),
        ]


def endpoint(url: str, *able: Any) -> Config:
    """One endpoint, whose server is not asked what it can do."""
    base = f"{url}/v1"
    settings = {"name": "mine", "base_url": base, "model": "m", "capabilities": frozenset(able)}
    return Config(endpoints={"mine": EndpointConfig("mine", base, "m", settings, told=False)})


async def test_a_model_without_images_or_tools_refuses_them() -> None:
    picture = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": PNG}}]}]

    def never(asked: Asked) -> Reply:
        raise AssertionError("nothing is asked")

    book = Book()
    async with (
        upstream(application(never, book)) as url,
        serving(config=endpoint(url), names=("mine",)) as server,
    ):
        for asked, words in (
            ({"messages": picture}, "not known to see images"),
            ({"messages": ASK, "tools": TOOLS}, "not known to call tools"),
        ):
            for streamed in (False, True):
                said = await server.post(model="mine", stream=streamed, **asked)
                error = said.json()["error"]
                assert (said.status_code, error["code"]) == (400, "unsupported_by_model")
                assert words in error["message"]
    assert not book.requests


@pytest.fixture(scope="module")
def calling_engine(small_model: Path) -> Iterator[OpenVINO]:
    """Qwen2.5-Coder-0.5B, the smallest model of the catalog that calls tools."""
    path = small_model.with_name("qwen2.5-coder-0.5b.gguf")
    if not path.is_file():
        pytest.skip("no model: 'ponder models pull qwen2.5-coder-0.5b' gets it")
    if importlib.util.find_spec("openvino_genai") is None:
        pytest.skip("needs the extra 'local'")
    model = load(path, name="qwen2.5-coder-0.5b")
    yield model
    asyncio.run(model.close())


async def test_a_real_model_calls_a_tool(calling_engine: OpenVINO) -> None:
    asked: dict[str, Any] = {"model": "qwen2.5-coder-0.5b", "tools": [WEATHER], "temperature": 0}
    state = ChatCompletionStreamState()
    async with serving(calling_engine) as server:
        forced = {"tool_choice": "required", "max_tokens": 32, "stream": True}
        async for chunk in await server.chat(ASK, **asked, **forced):
            state.handle_chunk(chunk)
        choice = state.get_final_completion().choices[0]
        [made] = choice.message.tool_calls or []
        result = {"role": "tool", "tool_call_id": made.id, "content": "21 degrees"}
        chat = [*ASK, turn(choice.message), result]
        told = await server.chat(chat, **asked, tool_choice="none", max_tokens=8)
    assert choice.finish_reason == "tool_calls"
    assert made.function.name == "get_weather"
    assert "Paris" in json.loads(made.function.arguments)["city"]
    assert told.choices[0].message.content
    assert told.choices[0].message.tool_calls is None


CALLED = {
    "role": "assistant",
    "content": None,
    "tool_calls": [
        {"id": "c", "type": "function", "function": {"name": "get_time", "arguments": "{}"}}
    ],
}
RESULT = {"role": "tool", "tool_call_id": "c", "content": "noon"}


def picture(url: str, role: str = "user", **more: Any) -> dict[str, Any]:
    part = {"type": "image_url", "image_url": {"url": url, **more}}
    return {"messages": [{"role": role, "content": [part]}]}


def chosen(choice: Any) -> dict[str, Any]:
    return {"tools": TOOLS, "tool_choice": choice}


@pytest.mark.parametrize(
    ("body", "param", "words"),
    [
        ({"tools": [{"type": "custom", "custom": {}}]}, "tools[0].type", "one parameter"),
        ({"tools": [{"type": "web"}]}, "tools[0].type", "'web' are not supported"),
        ({"tools": [{"type": "function"}]}, "tools[0].function", "missing"),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools", "no name"),
        ({"tools": [TIME, TIME]}, "tools", "name of its own"),
        (chosen({"type": "allowed_tools", "allowed_tools": {}}), "tool_choice", 'expected "none"'),
        (chosen(allowed()), "tool_choice", 'expected "none"'),
        (chosen(allowed("get_weather", mode="none")), "tool_choice", 'expected "none"'),
        (chosen(allowed("f")), "tool_choice", "allows 'f', which is none of the tools"),
        (chosen({"type": "custom", "custom": {"name": "f"}}), "tool_choice", "'custom'"),
        (chosen("any"), "tool_choice", 'expected "none"'),
        (chosen({"type": "function", "function": {}}), "tool_choice", 'expected "none"'),
        (chosen({"type": "function", "function": {"name": "f"}}), "tool_choice", "'f'"),
        ({"tool_choice": "required"}, "tool_choice", "no tools"),
        ({"functions": []}, "functions", "older form"),
        ({"function_call": "auto"}, "function_call", "older form"),
        ({"messages": [*ASK, {"role": "function"}]}, "messages[1].role", "older form"),
        (
            {"messages": [*ASK, {"role": "assistant", "function_call": {}}]},
            "messages[1].function_call",
            "older form",
        ),
        ({"messages": [*ASK, {"role": "tool", "content": "x"}]}, "messages[1]", "tool_call_id"),
        ({"messages": [*ASK, RESULT]}, "messages[1].tool_call_id", "does not follow"),
        ({"messages": [*ASK, CALLED, RESULT, RESULT]}, "messages[3].tool_call_id", "each result"),
        ({"messages": [*ASK, CALLED]}, "messages[1]", "has no result"),
        ({"messages": [*ASK, CALLED, *ASK]}, "messages[1]", "has no result"),
        ({"messages": [{**USER[0], "name": "Ann"}]}, "messages[0]", "'name' is not supported"),
        ({"messages": [{**CALLED, "role": "user"}]}, "messages[0]", "the role 'assistant'"),
        ({"messages": [{**RESULT, "role": "user"}]}, "messages[0]", "the role 'tool'"),
        (picture(PNG, "assistant"), "messages[0]", "the role 'user'"),
        (picture("http://h/a.png"), "messages[0].content[0].image_url.url", "https://"),
        (picture("file:///etc/passwd"), "messages[0].content[0].image_url.url", "no image"),
        (picture("data:text/html,x"), "messages[0].content[0].image_url.url", "no image"),
        (picture(PNG, detail="huge"), "messages[0].content[0].image_url.detail", "'auto'"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            "messages[0].content[0]",
            "is needed there",
        ),
    ],
)
async def test_what_does_not_go_together_is_refused_by_name(
    body: dict[str, Any], param: str, words: str
) -> None:
    model = answering("no")
    async with serving(model) as server:
        said = await server.post(**{"model": "scripted", "messages": USER, **body})
    error = said.json()["error"]
    assert said.status_code == 400, error
    assert error["param"] == param, error
    assert words in error["message"], error
    assert not model.requests
