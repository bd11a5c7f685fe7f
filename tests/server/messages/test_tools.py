"""Tools and images in the Messages API, as the vendor's client sees them."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import pytest
from anthropic import beta_async_tool

from ponder.core.problem import Message
from ponder.core.tools import Image, Tool, Toolset
from ponder.models.anthropic.families import preset
from ponder.models.anthropic.messages import Messages
from ponder.models.base import ModelInfo, Shape
from ponder.models.fakes.scripted import EVERYTHING, Scripted
from tests.support.messaging import ADAPTIVE, ask, events, joined, request, talking, thinking
from tests.support.serving import NUMBER, USER, answering, scripted, serving
from tests.support.tooling import CITY, FAR, LYON, PARIS, agent, call, calls, replying
from tests.support.vendors import calling
from tests.support.vendors.anthropic import KEY
from tests.support.vendors.driving import Vendor
from tests.support.vendors.serving import Book, application

WEATHER = {"name": "get_weather", "description": "Weather of a city.", "input_schema": CITY}
TIME = {"name": "get_time", "type": "custom", "strict": True, "input_schema": {"type": "object"}}
TOOLS = [WEATHER, TIME]
TOOLSET = Toolset(
    (
        Tool("get_weather", "Weather of a city.", json.dumps(CITY)),
        Tool("get_time", "", '{"type": "object"}', strict=True),
    )
)
OFFERED = Message("system", "", tools=TOOLSET)
ASK = [{"role": "user", "content": "How is Paris?"}]
EPHEMERAL = {"type": "ephemeral", "ttl": "1h"}


def use(id: str = "call_1", **more: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": id, "name": "get_time", "input": {}, **more}


def result(id: str = "call_1", **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": id, **more}


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


def picture(**source: Any) -> dict[str, Any]:
    return {"type": "image", "source": source}


DOT = picture(type="base64", media_type="image/png", data="iVBORw0KGgo=")
LINK = picture(type="url", url=FAR)


def user(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": [*blocks]}


def assistant(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": [*blocks]}


async def test_a_tool_is_called_and_its_result_answered() -> None:
    model = agent()
    async with serving(model) as server:
        first = await ask(server, messages=ASK, tools=TOOLS)
        chat = [*ASK, {"role": "assistant", "content": first.content}]
        chat.append(user(result(content="sunny", cache_control=EPHEMERAL)))
        second = await ask(
            server, messages=chat, tools=[{**WEATHER, "cache_control": EPHEMERAL}, TIME]
        )
    assert [block.model_dump(exclude_none=True) for block in first.content] == [
        text("I look."),
        use(name="get_weather", input={"city": "Paris"}),
    ]
    assert (first.stop_reason, first.stop_sequence) == ("tool_use", None)
    assert first.ponder["decided"] == ["direct: a step with tools: one sample"]
    assert (second.stop_reason, second.content[0].text) == ("end_turn", "It is sunny.")
    assert [request.messages for request in model.requests] == [
        (OFFERED, Message("user", "How is Paris?")),
        (
            OFFERED,
            Message("user", "How is Paris?"),
            Message("assistant", "I look.", calls=(call(PARIS),)),
            Message("tool", "sunny", call="call_1"),
        ),
    ]


async def test_the_client_s_own_loop_calls_the_tool() -> None:
    seen = []

    @beta_async_tool  # type: ignore[untyped-decorator]
    async def get_weather(city: str) -> str:
        """Weather of a city."""
        seen.append(city)
        return "sunny"

    model = agent()
    async with serving(model) as server, talking(server) as client:
        runner = client.beta.messages.tool_runner(
            model="scripted",
            max_tokens=50,
            tools=[get_weather],
            messages=[{"role": "user", "content": "How is Paris?"}],
        )
        done = await runner.until_done()
    # Having heard that no threads are kept here, it has sent all messages again.
    assert len(model.requests) == 2
    assert seen == ["Paris"]
    assert [block.to_dict() for block in done.content] == [
        {"citations": None, **text("It is sunny.")}
    ]


async def test_every_form_of_turn_reaches_the_model() -> None:
    model = answering("noon")
    chat = [
        user(text("When?")),
        assistant(text("I look.")),
        assistant(use("a"), use("b", caller={"type": "direct"}), use("c", cache_control=EPHEMERAL)),
        user(result("b", content=[text("one"), text("two")]), result("a")),
        user(result("c", content="broken", is_error=True), text("Well?"), LINK, DOT),
        user(text("Say.")),
    ]
    async with serving(model) as server:
        await ask(server, messages=chat)
    made = tuple(call("{}", id=id, name="get_time") for id in "abc")
    images = (Image(FAR), Image("data:image/png;base64,iVBORw0KGgo="))
    assert model.requests[0].messages == (
        Message("user", "When?"),
        Message("assistant", "I look.", calls=made),
        Message("tool", "one\n\ntwo", call="b"),
        Message("tool", "", call="a"),
        Message("tool", "Error: broken", call="c"),
        Message("user", "Well?\n\nSay.", images=images),
    )


@pytest.mark.parametrize("said", ["", "I look."])
async def test_several_calls_whole_and_in_a_stream(said: str) -> None:
    both = calls(call(PARIS, id="a"), call("", id="b", name="get_time"), text=said)
    async with serving(scripted(lambda request: both)) as server:
        whole = await ask(server, messages=ASK, tools=TOOLS)
        found = await events(server, messages=ASK, tools=TOOLS)
        async with (
            talking(server) as client,
            client.messages.stream(**request(messages=ASK, tools=TOOLS)) as stream,
        ):
            grown = [event.snapshot async for event in stream if event.type == "input_json"]
            done = await stream.get_final_message()
    plain = whole.content
    assert [block.type for block in plain] == ["text", "tool_use", "tool_use"][not said :]
    assert [(block.id, block.input) for block in plain[-2:]] == [
        ("a", {"city": "Paris"}),
        ("b", {}),
    ]
    same = {"parsed_output", "citations"}
    assert [block.model_dump(exclude=same) for block in done.content] == [
        block.model_dump(exclude=same) for block in plain
    ]
    assert (done.stop_reason, done.usage.output_tokens) == ("tool_use", whole.usage.output_tokens)
    assert grown == [{"city": "Paris"}, {}]
    assert joined(found, "partial_json") == PARIS + "{}"
    assert joined(found, "text") == said


async def test_arguments_that_are_no_object_come_as_text() -> None:
    broken = calls(call('{"city": "Pa'), finish="length")
    async with serving(scripted(lambda request: broken)) as server:
        whole = await ask(server, messages=ASK, tools=TOOLS)
        found = await events(server, messages=ASK, tools=TOOLS)
    assert whole.content[0].input == {"INVALID_JSON": '{"city": "Pa'}
    assert json.loads(joined(found, "partial_json")) == whole.content[0].input
    assert whole.stop_reason == found[-2]["delta"]["stop_reason"] == "max_tokens"


@pytest.mark.parametrize("streamed", [False, True])
async def test_equal_calls_are_one_vote_where_an_effort_is_named(streamed: bool) -> None:
    model = replying(
        calls(call(LYON, id="x")),
        calls(call(PARIS, id="y")),
        "Sunny, I think.",
        calls(call('{ "city":"Paris" }', id="z")),
        calls(call(PARIS, id="w")),
    )
    dial = {"ponder": {"knobs": {"n": 5, "stop": "never"}}}
    fields = {"messages": ASK, "tools": TOOLS, "output_config": {"effort": "high"}}
    async with serving(model) as server:
        if streamed:
            found = await events(server, thinking=ADAPTIVE, **fields, **dial)
            assert f"The vote: get_weather({PARIS}) has 3" in joined(found, "thinking")
            [used] = [
                event["content_block"]
                for event in found
                if event["type"] == "content_block_start"
                and event["content_block"]["type"] == "tool_use"
            ]
            assert (used["id"], joined(found, "partial_json")) == ("y", PARIS)
        else:
            done = await ask(server, **fields, extra_body=dial)
            assert [block.to_dict() for block in done.content] == [
                use("y", name="get_weather", input={"city": "Paris"})
            ]
            assert done.stop_reason == "tool_use"
    assert len(model.requests) == 5


@pytest.mark.parametrize(
    ("choice", "wanted"),
    [
        (None, Toolset(TOOLSET.tools)),
        ({"type": "auto"}, Toolset(TOOLSET.tools)),
        ({"type": "none"}, Toolset(TOOLSET.tools, "none")),
        (
            {"type": "any", "disable_parallel_tool_use": True},
            Toolset(TOOLSET.tools, "required", parallel=False),
        ),
        ({"type": "tool", "name": "get_time"}, Toolset(TOOLSET.tools, "get_time")),
    ],
)
async def test_the_choice_of_tools_reaches_the_model(choice: Any, wanted: Toolset) -> None:
    model = scripted(lambda request: calls(call("{}", name="get_time")))
    asked = {"tool_choice": choice} if choice else {}
    async with serving(model) as server:
        await ask(server, messages=NUMBER, tools=TOOLS, **asked)
    [made] = model.requests
    assert made.messages == (
        Message("system", "", tools=wanted),
        Message("user", NUMBER[0]["content"]),
    )


async def test_a_call_that_was_asked_for_and_does_not_come_is_no_reply() -> None:
    async with serving(answering("Sunny.")) as server:
        with pytest.raises(anthropic.InternalServerError, match="no sample called a tool"):
            await ask(server, messages=ASK, tools=TOOLS, tool_choice={"type": "any"})


def upstream() -> Vendor:
    """The vendor, which calls two tools after signed thinking."""
    return Vendor(
        lambda book, **pieces: application(calling.messages, book), Messages, preset, KEY, "/v1"
    )


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("asked", [{}, {"thinking": thinking(1024)}])
async def test_images_and_signed_thinking_reach_the_vendor(
    asked: dict[str, Any], streamed: bool
) -> None:
    book = Book()
    async with (
        upstream().talking(book, "claude-bridge") as model,
        serving(model) as server,
        talking(server) as client,
    ):
        fields = {"model": model.info.name, "tools": TOOLS, **asked}
        chat = [user(text("Which is a cat?"), LINK, DOT)]
        if streamed:
            async with client.messages.stream(**request(messages=chat, **fields)) as stream:
                done = await stream.get_final_message()
        else:
            done = await client.messages.create(**request(messages=chat, **fields))
        results = [result(id, content="fine") for id in calling.IDS]
        chat += [{**done.to_param()}, user(*results, text("And?"))]
        await ask(server, messages=chat, **fields)
    kinds = ["thinking", "text", "tool_use", "tool_use"]
    assert [block.type for block in done.content] == kinds[not asked :]
    assert calling.SIGNATURE not in done.model_dump_json()
    first, second = (sent.body for sent in book.requests)
    assert first["messages"] == [user(LINK, DOT, text("Which is a cat?"))]
    assert first["tools"] == [WEATHER, {k: v for k, v in TIME.items() if k != "type"}]
    assert second["messages"][1:] == [
        assistant(
            {"type": "thinking", "thinking": "Two tools.", "signature": calling.SIGNATURE},
            text(calling.TEXT),
            use(calling.IDS[0], name="get_weather", input={"city": "Paris"}),
            use(calling.IDS[1]),
        ),
        user(*results, text("And?")),
    ]


async def test_images_of_results_reach_the_vendor_within_them() -> None:
    book = Book()
    told = [text("A map."), DOT, LINK]
    async with upstream().talking(book, "claude-bridge") as model, serving(model) as server:
        chat = [*ASK, assistant(use()), user(result(content=told), text("And?"))]
        await ask(server, messages=chat, model=model.info.name, tools=TOOLS)
    assert book.requests[0].body["messages"][-1]["content"] == chat[-1]["content"]


async def test_a_model_that_sees_no_images_is_not_asked_about_one_in_a_result() -> None:
    info = ModelInfo("scripted", EVERYTHING - {"images"}, Shape(1), local=True)
    model = Scripted(lambda request: "no", info=info)
    chat = [*ASK, assistant(use()), user(result(content=[DOT]))]
    async with serving(model) as server:
        with pytest.raises(anthropic.BadRequestError, match="not known to see images"):
            await ask(server, messages=chat, tools=TOOLS)
    assert not model.requests


async def test_tools_and_images_are_counted() -> None:
    async with (
        upstream().talking(Book(), "claude-bridge") as model,
        serving(model) as server,
        talking(server) as client,
    ):
        counts = []
        for fields in ({}, {"tools": TOOLS}, {"messages": [user(text("How is Paris?"), DOT)]}):
            body: dict[str, Any] = {"model": model.info.name, "messages": ASK, **fields}
            counts.append((await client.messages.count_tokens(**body)).input_tokens)
    assert counts[1] > counts[0] + len("Weather of a city.")
    assert counts[2] > counts[0] + 100


def chosen(**choice: Any) -> dict[str, Any]:
    return {"tools": TOOLS, "tool_choice": choice}


def pictured(**source: Any) -> dict[str, Any]:
    return {"messages": [user(picture(**source))]}


def chatting(*turns: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [*ASK, *turns]}


PNG = {"type": "base64", "media_type": "image/png"}
AT = r"messages\[0\].content\[0\]"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (
            {"tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 3}]},
            r"'tools\[0\].type'.*'web_search_20250305' are the vendor's own",
        ),
        ({"tools": [{"name": "f"}]}, r"'tools\[0\].input_schema' is missing"),
        ({"tools": [{**TIME, "input_examples": [{}]}]}, "input_examples' is not supported"),
        ({"tools": [{**TIME, "defer_loading": True}]}, "defer_loading' is not valid"),
        ({"tools": [{**TIME, "name": "a b"}]}, "'a b' is no name of a tool"),
        ({"tools": [TIME, TIME]}, "name of its own"),
        (chosen(type="tool"), "'tool_choice' is not valid: the 'name'"),
        (chosen(type="tool", name="auto"), "'tool_choice' is not valid: the 'name'"),
        (chosen(type="any", name="get_time"), "'tool_choice' is not valid: the 'name'"),
        (chosen(type="tool", name="f"), "unknown tool to call 'f'"),
        ({"tool_choice": {"type": "any"}}, "there are no tools"),
        (chatting(user(result())), "'call_1' does not follow"),
        (chatting(assistant(use())), "the last message must be the user's"),
        (chatting(assistant(use()), *ASK), "'call_1' has no result"),
        (chatting(assistant(use()), user(text("x"), result())), "'call_1' has no result"),
        (chatting(assistant(use(), use("b")), user(result())), "'b' has no result"),
        (chatting(assistant(use()), user(result(), result())), "each result once"),
        ({"messages": [user(use())]}, "'tool_use' belong to turns of the assistant"),
        (chatting(assistant(result())), "'tool_result' belong to turns of the user"),
        (chatting(assistant(LINK)), "'image' belong to turns of the user"),
        (chatting(assistant(use(input=None))), "'tool_use' has 'id' and 'input' and 'name'"),
        (chatting(user(result(content=[use()]))), "no blocks of the type 'tool_use'"),
        ({"messages": [user({"type": "document", "source": {}})]}, "the type 'document' are not"),
        ({"system": [DOT]}, "'system'.*text alone"),
        (pictured(type="file", file_id="f"), f"{AT}.source.type'.*no files are kept"),
        (pictured(type="url", url="http://h/a.png"), f"{AT}.source'.*begins with https://"),
        (pictured(type="url", url="file:///etc/passwd"), f"{AT}.source'.*begins with https://"),
        (pictured(**PNG, data="?"), f"{AT}.source'.*is no image"),
        (pictured(**PNG, url=FAR), f"{AT}.source'.*has data and media_type alone"),
    ],
)
async def test_what_does_not_go_together_is_refused(body: dict[str, Any], told: str) -> None:
    model = answering("no")
    async with serving(model) as server, talking(server) as client:
        with pytest.raises(anthropic.BadRequestError, match=told) as caught:
            await client.messages.create(**request(messages=USER), extra_body=body)
    assert caught.value.type == "invalid_request_error"
    assert not model.requests
