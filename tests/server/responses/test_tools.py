"""Tools and images in the Responses API, as the official client sees them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import DefaultHttpxClient, OpenAI
from openai.types.responses import ResponseFunctionToolCall

from ponder.core.problem import Message
from ponder.core.tools import Image, Tool, Toolset
from ponder.models.config import Config, EndpointConfig
from ponder.server.settings import Settings
from tests.support.responding import RESPONSE, check, deltas, events, kinds, streamed
from tests.support.serving import Served, answering, scripted, serving
from tests.support.telling_runs import keys
from tests.support.tooling import CITY, FAR, LYON, PARIS, PNG, agent, call, calls, replying
from tests.support.vendors import calling
from tests.support.vendors.serving import Asked, Book, Reply, application
from tests.support.vendors.serving import serving as upstream

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "Weather of a city.",
    "parameters": CITY,
}
TIME = {"type": "function", "name": "get_time", "strict": True}
TOOLS: list[Any] = [WEATHER, TIME]
TOOLSET = Toolset(
    (Tool("get_weather", "Weather of a city.", json.dumps(CITY)), Tool("get_time", strict=True))
)
OFFERED = Message("system", "", tools=TOOLSET)
QUESTION = "How is Paris?"
ASK = Message("user", QUESTION)
CALLING = Message("assistant", "I look.", calls=(call(PARIS),))
SUNNY = Message("tool", "sunny", call="call_1")


def output(told: Any = "sunny", id: str = "call_1", **more: Any) -> Any:
    return {"type": "function_call_output", "call_id": id, "output": told, **more}


def called(id: str = "call_1", arguments: str = PARIS) -> dict[str, Any]:
    return {"type": "function_call", "call_id": id, "name": "get_weather", "arguments": arguments}


def user(content: Any = QUESTION) -> dict[str, Any]:
    return {"role": "user", "content": content}


def allowed(*names: str, mode: str = "auto") -> dict[str, Any]:
    tools = [{"type": "function", "name": name} for name in names]
    return {"type": "allowed_tools", "mode": mode, "tools": tools}


async def ask(server: Served, given: Any = QUESTION, **more: Any) -> Any:
    done = await server.openai.responses.create(
        **{"model": "scripted", "input": given, "tools": TOOLS, **more}
    )
    RESPONSE.validate_python(done.to_dict())
    return done


async def test_a_tool_is_called_and_its_output_answered() -> None:
    model = agent()
    async with serving(model) as server:
        first = await ask(server)
        said, made = first.output
        sent = [item.model_dump() for item in first.output]
        told = await ask(server, [user(), *sent, output(name="get_weather")], store=False)
        later = await ask(server, [output()], previous_response_id=first.id)
    assert (first.status, said.type, first.output_text) == ("completed", "message", "I look.")
    assert isinstance(made, ResponseFunctionToolCall)
    assert (made.call_id, made.name, made.arguments) == ("call_1", "get_weather", PARIS)
    assert made.status == "completed"
    assert first.ponder["decided"] == ["direct: a step with tools: one sample"]
    assert told.output_text == later.output_text == "It is sunny."
    assert [item.type for item in later.output] == ["message"]
    assert [request.messages for request in model.requests] == [
        (OFFERED, ASK),
        (OFFERED, ASK, CALLING, SUNNY),
        (OFFERED, ASK, CALLING, SUNNY),
    ]
    shown = [tool.to_dict() for tool in first.tools]
    assert shown[0] == {**WEATHER, "strict": False}
    assert shown[1] == {**TIME, "description": None, "parameters": None}
    assert (first.tool_choice, first.parallel_tool_calls) == ("auto", True)


async def test_stored_items_are_named_instead_of_sent() -> None:
    """As the AI SDK of Vercel does, unless it is told not to store."""
    model = agent()
    settings = Settings(keys=keys("ann", "bob"))
    async with serving(model, settings, key="ann") as server:
        first = await ask(server, reasoning={"summary": "auto", "effort": "low"})
        named = [{"type": "item_reference", "id": item.id} for item in first.output]
        told = await ask(server, [user(), *named, output()])
        hidden = await ask(server, store=False)
        foreign = server.openai.with_options(api_key="bob")
        for client, item in (
            (server.openai, hidden.output[0]),
            (foreign, first.output[1]),
            (server.openai, first),
        ):
            given: Any = [{"type": "item_reference", "id": item.id}, output()]
            with pytest.raises(openai.BadRequestError, match="there is no stored item") as caught:
                await client.responses.create(model="scripted", input=given)
            assert caught.value.code == "item_not_found"
    assert [item.type for item in first.output] == ["reasoning", "message", "function_call"]
    assert told.output_text == "It is sunny."
    sent = [request.messages for request in model.requests]
    assert (OFFERED, ASK, CALLING, SUNNY) in sent


async def test_a_whole_loop_by_the_official_client_that_blocks() -> None:
    """Question, call, output, answer: whole, then as a stream, each on the last response."""

    def loop(url: str) -> list[str]:
        with OpenAI(
            base_url=f"{url}/v1", api_key="none", http_client=DefaultHttpxClient(verify=False)
        ) as client:
            fields: Any = {"model": "scripted", "tools": TOOLS}
            done = client.responses.create(input=QUESTION, **fields)
            [made] = [item for item in done.output if item.type == "function_call"]
            last = client.responses.create(
                input=[output(json.loads(made.arguments)["city"], made.call_id)],
                previous_response_id=done.id,
                **fields,
            )
            found = [last.output_text]
            with client.responses.stream(input=QUESTION, **fields) as stream:
                grown = [
                    e.delta for e in stream if e.type == "response.function_call_arguments.delta"
                ]
                done = stream.get_final_response()
            assert "".join(grown) == PARIS
            [made] = [item for item in done.output if item.type == "function_call"]
            with client.responses.stream(
                input=[output("rainy", made.call_id)], previous_response_id=done.id, **fields
            ) as stream:
                found.append(
                    "".join(e.delta for e in stream if e.type == "response.output_text.delta")
                )
            return found

    async with serving(agent()) as server:
        assert await asyncio.to_thread(loop, server.url) == ["It is Paris.", "It is rainy."]


@pytest.mark.parametrize("said", ["I look.", ""])
async def test_calls_are_streamed_after_the_text_in_their_order(said: str) -> None:
    both = calls(call(PARIS, id="a"), call("{}", id="b", name="get_time"), text=said)
    async with serving(scripted(lambda request: both)) as server:
        whole = await ask(server)
        found = await streamed(server, input=QUESTION, tools=TOOLS)
    one = ["output_item.added", "function_call_arguments.delta", "function_call_arguments.done",
           "output_item.done"]  # fmt: skip
    text = ["output_item.added", "content_part.added", "output_text.delta", "output_text.done",
            "content_part.done", "output_item.done"]  # fmt: skip
    assert kinds(found) == [
        "created", "in_progress", *(text if said else []), *one, *one, "completed",
    ]  # fmt: skip
    assert deltas(found, "arguments") == [PARIS, "{}"]
    assert "".join(deltas(found, "output_text")) == said
    begun = [e["item"] for e in found if e["type"] == "response.output_item.added"][-2:]
    assert [(item["call_id"], item["arguments"], item["status"]) for item in begun] == [
        ("a", "", "in_progress"),
        ("b", "", "in_progress"),
    ]

    def plain(items: Any) -> list[dict[str, Any]]:
        return [{**item, "id": ""} for item in items]

    assert plain(found[-1]["response"]["output"]) == plain(i.to_dict() for i in whole.output)


async def test_parallel_calls_are_one_turn_and_their_outputs_follow_in_any_order() -> None:
    model = answering("Fine.")
    given = [user(), called("a"), called("b", LYON), output("x", "b"), output("y", "a")]
    async with serving(model) as server:
        await ask(server, given)
        await ask(server, [user(), called("a"), output("x", "a"), called("b"), output("y", "b")])
    apart, one = Message("tool", "x", call="b"), Message("tool", "y", call="a")
    made = (call(PARIS, id="a"), call(LYON, id="b"))
    assert model.requests[0].messages[2:] == (Message("assistant", "", calls=made), apart, one)
    assert [len(m.calls) for m in model.requests[1].messages[2:]] == [1, 0, 1, 0]


@pytest.mark.parametrize("mode", ["effort", "pro"])
async def test_equal_calls_are_one_vote_where_thinking_is_asked_for(mode: str) -> None:
    model = replying(
        calls(call(LYON, id="x")),
        calls(call(PARIS, id="y")),
        "Sunny, I think.",
        calls(call('{ "city":"Paris" }', id="z")),
        calls(call(PARIS, id="w")),
    )
    wished = {"effort": "high"} if mode == "effort" else {"mode": "pro"}
    dial = {"knobs": {"n": 5, "stop": "never"}}
    async with serving(model) as server:
        found = await streamed(
            server,
            input=QUESTION,
            tools=TOOLS,
            reasoning={**wished, "summary": "concise"},
            ponder=dial,
        )
    thought, made = found[-1]["response"]["output"]
    assert f"The vote: get_weather({PARIS}) has 3" in thought["summary"][0]["text"]
    assert (made["call_id"], made["arguments"]) == ("y", PARIS)
    assert found[-1]["response"]["ponder"]["strategy"] == "self_consistency"
    assert len(model.requests) == 5


@pytest.mark.parametrize(
    ("choice", "parallel", "wanted"),
    [
        (None, None, TOOLSET),
        ("none", None, Toolset(TOOLSET.tools, "none")),
        ("required", False, Toolset(TOOLSET.tools, "required", parallel=False)),
        ({"type": "function", "name": "get_time"}, True, Toolset(TOOLSET.tools, "get_time")),
        (allowed("get_time"), None, Toolset(TOOLSET.tools[1:])),
        (allowed("get_time", mode="required"), None, Toolset(TOOLSET.tools[1:], "required")),
    ],
)
async def test_the_choice_of_tools_reaches_the_model_and_is_repeated(
    choice: Any, parallel: bool | None, wanted: Toolset
) -> None:
    model = scripted(lambda request: calls(call("{}", name="get_time")))
    given = {"tool_choice": choice, "parallel_tool_calls": parallel}
    async with serving(model) as server:
        done = await ask(server, **{name: it for name, it in given.items() if it is not None})
    assert model.requests[0].messages[0].tools == wanted
    shown = done.to_dict()
    assert shown["tool_choice"] == (choice or "auto")
    assert [tool["name"] for tool in shown["tools"]] == ["get_weather", "get_time"]
    assert shown["parallel_tool_calls"] is (parallel is not False)


async def test_a_call_that_was_cut_off_is_incomplete_and_one_that_does_not_come_no_reply() -> None:
    cut = calls(call('{"city": "Pa'), finish="length")
    async with serving(replying(cut, cut, "Sunny.")) as server:
        whole = await ask(server, tool_choice="required")
        found = await streamed(server, input=QUESTION, tools=TOOLS)
        with pytest.raises(openai.InternalServerError, match="no sample called a tool"):
            await ask(server, tool_choice="required")
    for done in (whole.to_dict(), found[-1]["response"]):
        [item] = done["output"]
        assert (done["status"], item["status"]) == ("incomplete", "incomplete")
        assert item["arguments"] == '{"city": "Pa'


async def test_a_call_in_the_background_is_read_again_and_gone_on_from_after_a_restart(
    tmp_path: Path,
) -> None:
    model, journal = agent(), tmp_path / "runs.sqlite"
    async with serving(model, journal=journal) as server:
        found = await streamed(server, input=QUESTION, tools=TOOLS, background=True)
    name = found[0]["response"]["id"]
    async with serving(model, journal=journal) as server:
        path = f"/v1/responses/{name}?stream=true&starting_after=1"
        again = [event async for event in events(server, "GET", path)]
        done = await ask(server, [output()], previous_response_id=name)
    assert again == found[2:]
    check(again, 2)
    assert done.output_text == "It is sunny."
    assert model.requests[-1].messages == (OFFERED, ASK, CALLING, SUNNY)


def endpoint(url: str, *able: Any, api: str = "responses") -> Config:
    """One endpoint, whose server is not asked what it can do."""
    base = f"{url}/v1"
    settings = {
        "name": "mine", "base_url": base, "model": "m", "capabilities": frozenset(able), "api": api,
    }  # fmt: skip
    return Config(endpoints={"mine": EndpointConfig("mine", base, "m", settings, told=False)})


@pytest.mark.parametrize("stored", [True, False])
async def test_the_vendor_s_own_thinking_goes_on_after_the_output(stored: bool) -> None:
    """Encrypted thinking does not leave the server, and is sent back with its calls."""
    book = Book()
    outputs = [output("fine", id) for id in calling.IDS]
    async with (
        upstream(application(calling.responses, book)) as url,
        serving(config=endpoint(url, "tools"), names=("mine",)) as server,
    ):
        first = await ask(server, model="mine", store=stored)
        if stored:
            await ask(server, outputs, model="mine", previous_response_id=first.id)
        else:
            sent = [item.model_dump(exclude_none=True) for item in first.output]
            await ask(server, [user(), *sent, *outputs], model="mine")
    assert "gAAAA" not in first.to_json()
    asked = book.requests[1].body["input"]
    assert [item.get("type", "message") for item in asked] == [
        "message", "reasoning", "message", "function_call", "function_call",
        "function_call_output", "function_call_output",
    ]  # fmt: skip
    assert asked[1]["encrypted_content"] == "gAAAA"


PICTURE = {"type": "input_image", "image_url": PNG}
TEXT = {"type": "input_text", "text": "A map."}


async def test_images_of_the_user_and_of_outputs_reach_the_model() -> None:
    model = answering("A cat.")
    far = {"type": "input_image", "image_url": FAR, "detail": "low"}
    async with serving(model) as server:
        await ask(server, [user([TEXT, PICTURE, far])])
        await ask(server, [user(), called(), output([TEXT, PICTURE])])
        await ask(server, [user(), called(), output([far])], previous_response_id=None)
    images = (Image(PNG), Image(FAR, "low"))
    assert model.requests[0].messages[1] == Message("user", "A map.", images=images)
    told = Message("tool", "A map.", call="call_1", images=images[:1])
    assert model.requests[1].messages[-1] == told
    assert model.requests[2].messages[-1] == Message("tool", "", call="call_1", images=images[1:])


async def test_a_model_without_tools_or_images_refuses_them_before_anything_is_asked() -> None:
    def never(asked: Asked) -> Reply:
        raise AssertionError("nothing is asked")

    async with (
        upstream(application(never, Book())) as url,
        serving(config=endpoint(url, "tools"), names=("mine",)) as server,
    ):
        for given in ([user([PICTURE])], [user(), called(), output([PICTURE])]):
            with pytest.raises(openai.BadRequestError, match="not known to see images"):
                await ask(server, given, model="mine")


async def test_a_call_in_the_background_is_retrieved() -> None:
    async with serving(agent()) as server:
        begun = await ask(server, background=True)
        while (done := await server.openai.responses.retrieve(begun.id)).status != "completed":
            pass
    assert [item.type for item in done.output] == ["message", "function_call"]


def chosen(choice: Any) -> dict[str, Any]:
    return {"tools": TOOLS, "tool_choice": choice}


def given(*items: dict[str, Any]) -> dict[str, Any]:
    return {"input": [user(), *items]}


def deep(levels: int) -> object:
    return [deep(levels - 1)] if levels > 1 else {}


@pytest.mark.parametrize(
    ("body", "param", "words"),
    [
        ({"tools": [{"type": "web_search"}]}, "tools[0].type", "'web_search' are not supported"),
        ({"tools": [{"type": "function"}]}, "tools[0].name", "missing"),
        ({"tools": [{**TIME, "name": "a b"}]}, "tools", "no name of a tool"),
        ({"tools": [TIME, TIME]}, "tools", "name of its own"),
        ({"tools": [{**TIME, "defer_loading": True}]}, "tools[0].defer_loading", "not valid"),
        ({"tools": [{**TIME, "output_schema": {}}]}, "tools[0].output_schema", "not supported"),
        ({"tools": [{**TIME, "parameters": {"a": deep(64)}}]}, "tools[0].parameters", "64 levels"),
        ({"tools": [{"type": "custom", "name": "f"}]}, "tools[0].type", "one parameter"),
        (chosen({"type": "custom", "name": "f"}), "tool_choice", "'custom' are not supported"),
        (chosen({"type": "allowed_tools", "mode": "auto"}), "tool_choice", 'expected "none"'),
        (chosen(allowed()), "tool_choice", 'expected "none"'),
        (chosen(allowed("get_time", mode="none")), "tool_choice", 'expected "none"'),
        (chosen(allowed("get_time", "f")), "tool_choice", "allows 'f', which is none of the tools"),
        (chosen({**allowed("get_time"), "name": "x"}), "tool_choice", 'expected "none"'),
        (chosen({"type": "function"}), "tool_choice", 'expected "none"'),
        (chosen({"type": "function", "name": "auto"}), "tool_choice", 'expected "none"'),
        (chosen({"type": "function", "name": "f"}), "tool_choice", "'f'"),
        ({"tool_choice": "required"}, "tool_choice", "there are no tools"),
        (given(output()), "input", "'call_1' does not follow"),
        (given(called()), "input", "'call_1' has no result: send an item 'function_call_output'"),
        (given(called(), user()), "input", "'call_1' has no result"),
        (given(called(), output(), output()), "input", "each result once"),
        (given({**called(), "role": "user"}), "input[1]", "'role' does not belong"),
        (given(called(), {"type": "function_call_output", "output": "x"}), "input[2]", "needs"),
        (given({"role": "assistant", "content": [PICTURE]}, user()), "input[1]", "the role 'user'"),
        (given(user([{**PICTURE, "image_url": "http://h/a.png"}])), "input[1].content[0].image_url",
         "https://"),
        (given(user([{**PICTURE, "file_id": "f"}])), "input[1].content[0].file_id", "no files"),
        (given(user([{"type": "input_image"}])), "input[1].content[0]", "is needed there"),
        (given(called(), output([{"type": "input_file"}])), "input[2].output", "'input_file'"),
        ({"tools": TOOLS, "ponder": {"strategy": "beam_search"}}, None, "cannot call tools"),
    ],
)  # fmt: skip
async def test_what_does_not_go_together_is_refused(
    body: dict[str, Any], param: str | None, words: str
) -> None:
    model = answering("no")
    async with serving(model) as server:
        asked = {"model": "scripted", "input": QUESTION, **body}
        said = await server.post("/v1/responses", **asked)
    error = said.json()["error"]
    assert (said.status_code, error["param"]) == (400, param), error
    assert words in error["message"], error
    assert not model.requests
