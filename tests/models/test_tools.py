"""Tools, calls and images through the wires of all vendors."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import openai
import pytest

from ponder.core.errors import CapabilityError
from ponder.core.problem import Message
from ponder.core.thinking import Thinking
from ponder.core.tools import Image, Tool, ToolCall, Toolset
from ponder.models.anthropic.messages import Messages
from ponder.models.base import Capability, Request
from ponder.models.calls import MADE
from ponder.models.gemini.generate import Generate
from ponder.models.http.client import HttpModel
from ponder.models.http.endpoint import Endpoint
from ponder.models.http.wire import Wire
from ponder.models.openai.chat import Chat
from ponder.models.openai.responses import Responses
from tests.support.vendors import calling, driving
from tests.support.vendors.serving import Asked, Book, Reply, application, serving

anthropic = pytest.importorskip("anthropic", reason="needs Anthropic's client (the extra 'dev')")
genai = pytest.importorskip("google.genai", reason="needs Gemini's client (the extra 'dev')")

pytestmark = pytest.mark.filterwarnings(
    # The client's own classes derive from aiohttp's.
    "ignore:Inheritance class AiohttpClientSession:DeprecationWarning"
)

CITY = '{"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}'
WEATHER, TIME = Tool("get_weather", "Weather of a city.", CITY), Tool("get_time")
TOOLS = Toolset((WEATHER, TIME))
OFFERED = Message("system", "", tools=TOOLS)
ASKED = Message("user", "How is Paris?")
ASK = Request((OFFERED, ASKED), 200, watched=True)
ABLE: frozenset[Capability] = frozenset({"tools", "images", "schema", "native_thinking"})
CALLS = (ToolCall("call_1", "get_weather", calling.PARIS), ToolCall("call_2", "get_time", "{}"))


@dataclass(frozen=True)
class Vendor:
    """A vendor's wire, and its fixture."""

    api: Any
    wire: Callable[[Endpoint], Wire]
    reply: Callable[[Asked], Reply]
    model: str = "m"


VENDORS = {
    "chat": Vendor("chat", Chat, calling.chat),
    "responses": Vendor("responses", Responses, calling.responses),
    "messages": Vendor("messages", Messages, calling.messages, "claude-sonnet-4-5"),
    "gemini": Vendor("gemini", Generate, calling.gemini, "gemini-3-pro-preview"),
}
EACH = pytest.mark.parametrize("name", VENDORS)


def talking(name: str, book: Book, **settings: Any) -> Any:
    vendor = VENDORS[name]
    app = application(vendor.reply, book)
    known = {"api": vendor.api, "model": vendor.model, "capabilities": ABLE, "key": "k"}
    return driving.connected(app, vendor.wire, known | settings, base="/v1")


def body(name: str, *messages: Message, **fields: Any) -> dict[str, Any]:
    """The body of a request."""
    vendor = VENDORS[name]
    settings: dict[str, Any] = {"api": vendor.api, "capabilities": ABLE}
    endpoint = Endpoint(name="e", base_url="http://h/v1", model=vendor.model, **settings)
    wire, request = vendor.wire(endpoint), replace(ASK, messages=messages, **fields)
    return {**wire.prompt(messages, ""), **wire.fields(request, 1, streamed=False)}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@EACH
async def test_calls_arrive_joined_and_are_counted_once(name: str, stream: bool) -> None:
    book = Book()
    async with talking(name, book, stream=stream) as client:
        done = await driving.told(client, ask=ASK)
        assert (done.text, done.finish) == (calling.TEXT, "stop")
        assert (done.prompt_tokens, done.completion_tokens) == calling.COUNTS
        made = [ToolCall("", call.name, call.arguments) for call in done.calls]
        assert made == [replace(call, id="") for call in CALLS]
        ids = [call.id for call in done.calls]
        if name == "gemini":
            assert all(one.startswith(MADE) for one in ids)
            assert len({*ids}) == 2
        else:
            assert tuple(ids) == calling.IDS
        said = Message("assistant", done.text, done.blocks, done.calls)
        results = [Message("tool", "sunny", call=ids[0]), Message("tool", "noon", call=ids[1])]
        await client.generate(replace(ASK, messages=(OFFERED, ASKED, said, *results)))
    sent = json.dumps(book.requests[-1].body)
    signed = {"responses": "gAAAA", "messages": calling.SIGNATURE, "gemini": calling.SIGNATURE}
    assert signed.get(name, "") in sent  # the record went back to its maker
    assert sent.count('"sunny"') == 1


GOLDEN: dict[str, dict[str, Any]] = {
    "chat": {
        "messages": [
            {"role": "user", "content": "How is Paris?"},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "get_weather", "arguments": calling.PARIS},
                    }
                ],
            },
            {"role": "tool", "content": "sunny", "tool_call_id": "call_1"},
        ],
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "get_weather",
                    "description": "Weather of a city.",
                    "parameters": json.loads(CITY),
                },
            },
            {
                "type": "function",
                "function": {
                    "name": "get_time",
                    "parameters": {"type": "object", "properties": {}},
                },
            },
        ],
    },
    "responses": {
        "input": [
            {"role": "user", "content": "How is Paris?"},
            {
                "type": "function_call",
                "call_id": "call_1",
                "name": "get_weather",
                "arguments": calling.PARIS,
            },
            {"type": "function_call_output", "call_id": "call_1", "output": "sunny"},
        ],
        "tools": [
            {
                "name": "get_weather",
                "description": "Weather of a city.",
                "type": "function",
                "parameters": json.loads(CITY),
                "strict": False,
            },
            {
                "name": "get_time",
                "type": "function",
                "parameters": {"type": "object", "properties": {}},
                "strict": False,
            },
        ],
    },
    "messages": {
        "messages": [
            {"role": "user", "content": "How is Paris?"},
            {
                "role": "assistant",
                "content": [
                    {
                        "type": "tool_use",
                        "id": "call_1",
                        "name": "get_weather",
                        "input": {"city": "Paris"},
                    }
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "call_1", "content": "sunny"},
                    {"type": "text", "text": "In one word."},
                ],
            },
        ],
        "tools": [
            {
                "name": "get_weather",
                "description": "Weather of a city.",
                "input_schema": json.loads(CITY),
            },
            {"name": "get_time", "input_schema": {"type": "object", "properties": {}}},
        ],
    },
    "gemini": {
        "contents": [
            {"role": "user", "parts": [{"text": "How is Paris?"}]},
            {
                "role": "model",
                "parts": [
                    {
                        "functionCall": {
                            "name": "get_weather",
                            "args": {"city": "Paris"},
                            "id": "call_1",
                        },
                        "thoughtSignature": "skip_thought_signature_validator",
                    }
                ],
            },
            {
                "role": "user",
                "parts": [
                    {
                        "functionResponse": {
                            "name": "get_weather",
                            "response": {"result": "sunny"},
                            "id": "call_1",
                        }
                    },
                    {"text": "In one word."},
                ],
            },
        ],
        "tools": [
            {
                "functionDeclarations": [
                    {
                        "name": "get_weather",
                        "description": "Weather of a city.",
                        "parametersJsonSchema": json.loads(CITY),
                    },
                    {"name": "get_time"},
                ]
            }
        ],
    },
}


@EACH
def test_a_chat_with_calls_is_written_as_the_vendor_reads_it(name: str) -> None:
    turn = Message("assistant", "", calls=CALLS[:1])
    chat = [OFFERED, ASKED, turn, Message("tool", "sunny", call="call_1")]
    if name in ("messages", "gemini"):
        chat.append(Message("user", "In one word."))
    sent = body(name, *chat)
    assert {key: sent[key] for key in GOLDEN[name]} == GOLDEN[name]


NAMED = {"type": "function", "function": {"name": "get_time"}}
CHOICES: list[tuple[str, Toolset, dict[str, Any]]] = [
    ("chat", TOOLS, {}),
    ("chat", replace(TOOLS, choice="none"), {"tool_choice": "none"}),
    ("chat", replace(TOOLS, choice="required", parallel=False),
     {"tool_choice": "required", "parallel_tool_calls": False}),
    ("chat", replace(TOOLS, choice="get_time"), {"tool_choice": NAMED}),
    ("responses", replace(TOOLS, choice="get_time"),
     {"tool_choice": {"type": "function", "name": "get_time"}}),
    ("responses", replace(TOOLS, choice="required"), {"tool_choice": "required"}),
    ("messages", TOOLS, {}),
    ("messages", replace(TOOLS, parallel=False),
     {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}),
    ("messages", replace(TOOLS, choice="none"), {"tool_choice": {"type": "none"}}),
    ("messages", replace(TOOLS, choice="required"), {"tool_choice": {"type": "any"}}),
    ("messages", replace(TOOLS, choice="get_time"),
     {"tool_choice": {"type": "tool", "name": "get_time"}}),
    ("gemini", TOOLS, {}),
    ("gemini", replace(TOOLS, choice="none"),
     {"toolConfig": {"functionCallingConfig": {"mode": "NONE"}}}),
    ("gemini", replace(TOOLS, choice="get_time"),
     {"toolConfig": {"functionCallingConfig":
                     {"mode": "ANY", "allowedFunctionNames": ["get_time"]}}}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "tools", "fields"), CHOICES)
def test_the_choice_of_tools(name: str, tools: Toolset, fields: dict[str, Any]) -> None:
    sent = body(name, replace(OFFERED, tools=tools), ASKED)
    names = ("tool_choice", "parallel_tool_calls", "toolConfig")
    assert {key: sent[key] for key in names if key in sent} == fields


DATA = "data:image/png;base64,iVBORw0KGgo="
FAR = "https://h/a.png"


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("chat", [
            {"type": "image_url", "image_url": {"url": DATA}},
            {"type": "image_url", "image_url": {"url": FAR, "detail": "low"}},
            {"type": "text", "text": "What?"}]),
        ("responses", [
            {"type": "input_image", "image_url": DATA, "detail": "auto"},
            {"type": "input_image", "image_url": FAR, "detail": "low"},
            {"type": "input_text", "text": "What?"}]),
        ("messages", [
            {"type": "image", "source":
             {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
            {"type": "image", "source": {"type": "url", "url": FAR}},
            {"type": "text", "text": "What?"}]),
        ("gemini", [
            {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}},
            {"fileData": {"fileUri": FAR}},
            {"text": "What?"}]),
    ],
)  # fmt: skip
def test_images_are_passed_through(name: str, parts: list[Any]) -> None:
    seen = Message("user", "What?", images=(Image(DATA), Image(FAR, "low")))
    sent = body(name, seen)
    if name == "gemini":
        assert sent["contents"] == [{"role": "user", "parts": parts}]
    else:
        turns = sent["input"] if name == "responses" else sent["messages"]
        assert turns == [{"role": "user", "content": parts}]


PNG64 = "iVBORw0KGgo="
SOURCE = {"type": "base64", "media_type": "image/png", "data": PNG64}
ITEM = {"type": "input_image", "image_url": DATA, "detail": "auto"}


@pytest.mark.parametrize(
    ("name", "turns"),
    [
        ("chat", [
            {"role": "tool", "content": "A map.", "tool_call_id": "call_1"},
            {"role": "tool", "content": "", "tool_call_id": "call_2"},
            {"role": "user", "content": [
                {"type": "image_url", "image_url": {"url": DATA}},
                {"type": "image_url", "image_url": {"url": FAR, "detail": "low"}},
                {"type": "text", "text": "And?"}]}]),
        ("responses", [
            {"type": "function_call_output", "call_id": "call_1",
             "output": [{"type": "input_text", "text": "A map."}, ITEM]},
            {"type": "function_call_output", "call_id": "call_2",
             "output": [{**ITEM, "image_url": FAR, "detail": "low"}]},
            {"role": "user", "content": "And?"}]),
        ("messages", [{"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "call_1", "content": [
                {"type": "text", "text": "A map."}, {"type": "image", "source": SOURCE}]},
            {"type": "tool_result", "tool_use_id": "call_2", "content": [
                {"type": "image", "source": {"type": "url", "url": FAR}}]},
            {"type": "text", "text": "And?"}]}]),
        ("gemini", [{"role": "user", "parts": [
            {"functionResponse": {"name": "get_weather", "response": {"result": "A map."},
                                  "id": "call_1"}},
            {"inlineData": {"mimeType": "image/png", "data": PNG64}},
            {"functionResponse": {"name": "get_time", "response": {"result": ""}, "id": "call_2"}},
            {"fileData": {"fileUri": FAR}},
            {"text": "And?"}]}]),
    ],
)  # fmt: skip
def test_images_of_results_stand_where_each_vendor_takes_them(name: str, turns: list[Any]) -> None:
    results = (
        Message("tool", "A map.", call="call_1", images=(Image(DATA),)),
        Message("tool", "", call="call_2", images=(Image(FAR, "low"),)),
    )
    made = Message("assistant", "", calls=CALLS)
    place = {"responses": "input", "gemini": "contents"}.get(name, "messages")
    assert body(name, ASKED, made, *results, Message("user", "And?"))[place][-len(turns) :] == turns
    if name == "chat":  # nothing of the user's follows, or a turn of the assistant
        for more in ((), (Message("assistant", "Well."),)):
            sent = body(name, ASKED, made, *results, *more)["messages"]
            assert sent[4] == {"role": "user", "content": turns[2]["content"][:2]}
            assert len(sent) == 5 + len(more)


CLOSED = {**json.loads(CITY), "additionalProperties": False}


@pytest.mark.parametrize(
    ("name", "place", "form"),
    [
        ("chat", "response_format", {"type": "json_schema", "json_schema":
                                     {"name": "answer", "schema": CLOSED, "strict": True}}),
        ("responses", "text", {"format": {"type": "json_schema", "name": "answer",
                                          "schema": CLOSED, "strict": True}}),
        ("messages", "output_config", {"format": {"type": "json_schema", "schema": CLOSED}}),
    ],
)  # fmt: skip
def test_a_schema_is_the_servers_to_keep(name: str, place: str, form: Any) -> None:
    assert body(name, ASKED, schema=json.dumps(CLOSED))[place] == form
    assert place not in body(name, ASKED)
    assert place not in body(name, ASKED, schema="true")
    if name != "messages":  # an open object is no strict form
        loose = json.dumps(body(name, ASKED, schema=CITY)[place])
        assert '"strict": false' in loose


def test_gemini_keeps_a_schema() -> None:
    config = body("gemini", ASKED, schema=CITY)["generationConfig"]
    assert config["responseJsonSchema"] == json.loads(CITY)
    assert config["responseMimeType"] == "application/json"


@EACH
async def test_what_a_model_cannot_do_is_refused_before_it_is_asked(name: str) -> None:
    book = Book()
    async with talking(name, book, capabilities=frozenset({"stop"})) as client:
        with pytest.raises(CapabilityError, match="not known to call tools: take a model that"):
            await client.generate(ASK)
        seen = Message("user", "What?", images=(Image(DATA),))
        with pytest.raises(CapabilityError, match="not known to see images"):
            await client.generate(replace(ASK, messages=(seen,)))
    assert not book.requests


def test_the_prompt_is_bounded_with_all_that_it_holds() -> None:
    vendor = VENDORS["chat"]
    endpoint = Endpoint(name="e", base_url="http://h/v1", model="m", capabilities=ABLE)
    client = HttpModel(endpoint, vendor.wire)
    bare = client.prompt_bound((ASKED,))
    tools = client.prompt_bound((OFFERED, ASKED))
    assert tools > bare + len(CITY)
    called = (OFFERED, ASKED, Message("assistant", "", calls=CALLS))
    assert client.prompt_bound(called) > tools + len(calling.PARIS)
    seen = Message("user", ASKED.content, images=(Image(FAR),))
    assert client.prompt_bound((seen,)) >= bare + 5_000


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_the_vendors_own_clients_read_the_same(stream: bool) -> None:
    asked: Any = [{"role": "user", "content": "?"}]
    for name, base in (("chat", "/v1"), ("responses", "/v1"), ("messages", ""), ("gemini", "")):
        async with serving(application(VENDORS[name].reply, Book())) as url:
            found = await _vendors(name, url + base, asked, stream)
        assert found == [("get_weather", {"city": "Paris"}), ("get_time", {})], name


async def _vendors(name: str, url: str, asked: Any, stream: bool) -> list[tuple[str, Any]]:
    """The calls that a vendor's client reads."""
    if name == "gemini":
        client = genai.Client(api_key="k", http_options={"base_url": url, "api_version": "v1"})
        try:
            models = client.aio.models
            if stream:
                chunks = await models.generate_content_stream(model="m", contents="?")
                calls = [call async for chunk in chunks for call in chunk.function_calls or []]
            else:
                whole = await models.generate_content(model="m", contents="?")
                calls = whole.function_calls or []
            return [(call.name or "", call.args) for call in calls]
        finally:
            await client.aio.aclose()
            client.close()
    if name == "messages":
        async with anthropic.AsyncAnthropic(base_url=url, api_key="k", max_retries=0) as one:
            async with one.messages.stream(model="m", max_tokens=9, messages=asked) as events:
                last = await events.get_final_message()
            if not stream:
                last = await one.messages.create(model="m", max_tokens=9, messages=asked)
        return [(block.name, block.input) for block in last.content if block.type == "tool_use"]
    async with openai.AsyncOpenAI(base_url=url, api_key="k", max_retries=0) as asking:
        if name == "responses" and stream:
            async with asking.responses.stream(model="m", input="?") as told:
                output = (await told.get_final_response()).output
        elif name == "responses":
            output = (await asking.responses.create(model="m", input="?")).output
        elif stream:
            async with asking.chat.completions.stream(model="m", messages=asked) as heard:
                message = (await heard.get_final_completion()).choices[0].message
            return _functions(message)
        else:
            said = await asking.chat.completions.create(model="m", messages=asked)
            return _functions(said.choices[0].message)
    return [(i.name, json.loads(i.arguments)) for i in output if i.type == "function_call"]


def _functions(message: Any) -> list[tuple[str, Any]]:
    calls = message.tool_calls or []
    return [(call.function.name, json.loads(call.function.arguments)) for call in calls]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("chat", "Invalid schema for response_format 'answer': In context=(), ..."),
        ("chat", "Invalid parameter: 'response_format' of type 'json_schema' is not supported."),
        ("responses", "Invalid schema for response_format 'answer': In context=(), ..."),
        ("messages", "output_config.format: this model does not support structured outputs"),
    ],
)
async def test_a_server_that_refuses_a_schema_is_asked_without(name: str, reason: str) -> None:
    book, vendor = Book(), VENDORS[name]

    def picky(asked: Asked) -> Reply:
        held = {"response_format", "text"} & asked.body.keys()
        if held or "format" in asked.body.get("output_config", {}):
            kind = {"type": "invalid_request_error", "message": reason}
            return Reply(400, body={"type": "error", "error": kind})
        return vendor.reply(asked)

    known: dict[str, Any] = {"api": vendor.api, "model": vendor.model, "capabilities": ABLE}
    app = application(picky, book)
    async with driving.connected(app, vendor.wire, known | {"key": "k"}, base="/v1") as client:
        done = await client.generate(replace(ASK, schema=CITY))
        assert done.calls
        assert "schema" not in client.info.capabilities
        assert any("does not take" in remark for remark in client.info.remarks)
    assert len(book.requests) == 2


def test_claude_does_not_think_where_it_cannot() -> None:
    vendor, high = VENDORS["messages"], Thinking("high")
    able: dict[str, Any] = {"api": "messages", "capabilities": ABLE}
    drop = frozenset({"thinking.adaptive"})
    endpoint = Endpoint(name="e", base_url="http://h", model=vendor.model, drop=drop, **able)
    wire, asked = vendor.wire(endpoint), replace(ASK, thinking=high, max_tokens=9_000)
    assert wire.fields(asked, 1, streamed=False)["thinking"]["type"] == "enabled"
    forced = replace(OFFERED, tools=replace(TOOLS, choice="required"))
    turn = Message("assistant", "", calls=CALLS[:1])
    foreign = (OFFERED, ASKED, turn, Message("tool", "sunny", call="call_1"))
    for chat, why in (((forced, ASKED), "where it must"), (foreign, "after calls without")):
        one = replace(asked, messages=chat)
        assert wire.fields(one, 1, streamed=False)["thinking"] == {"type": "disabled"}
        assert any(f"does not think {why}" in remark for remark in wire.remarks(one))
