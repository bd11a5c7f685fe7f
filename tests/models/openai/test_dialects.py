"""Ponder's client of every OpenAI-compatible server: text, thinking, ends, counts, and the bill."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from ponder.core.errors import ModelUnreachable, RequestRefused, ServerFault, UnknownName
from ponder.core.thinking import Thinking
from ponder.models.http.endpoint import Endpoint
from ponder.models.openai.dialects import DIALECTS, dialect_of
from tests.support.vendors.compatible import (
    deepseek,
    llamacpp,
    lmstudio,
    mistral,
    ollama,
    openrouter,
    qwen,
    sglang,
    together,
    vllm,
    xai,
)
from tests.support.vendors.model import ANSWER, thoughts, tokens
from tests.support.vendors.serving import Billed, Book
from tests.support.vendors.wires import (
    BASES,
    STREAMED,
    check_bill,
    failed,
    name_of,
    paid,
    sent,
    speaking,
    told,
)

HIDDEN = {"grok-4", "grok-4-untold"}
SILENT = {llamacpp, mistral, ollama, together, vllm}
"""Servers that do not tell how much of a completion was thinking."""
SCENARIOS = [
    pytest.param(server, name, id=f"{name_of(server)}-{name}")
    for server in BASES
    for name, model in server.MODELS.items()
    if model.fault is None
]
OPENED = {"deepseek-ai/R1-unparsed"}
"""Models whose template begins the thinking."""


def tells(server: ModuleType, name: str) -> bool:
    return server not in SILENT and not server.MODELS[name].raw and name != "grok-4-untold"


def billed(book: Book, server: ModuleType, name: str) -> Billed:
    """What was billed, as far as this server tells of its cache."""
    bill = book.billed
    told_cached = server in {deepseek, llamacpp, qwen, together, openrouter, xai}
    cached = bill.cached if told_cached else 0
    return Billed(bill.prompt, cached, completion=bill.completion, thinking=bill.thinking)


@STREAMED
@pytest.mark.parametrize("size", [1, 4])
@pytest.mark.parametrize(("server", "name"), SCENARIOS)
async def test_a_sample_is_what_was_said_and_billed(
    server: Any, name: str, size: int, stream: bool
) -> None:
    book, model = Book(), server.MODELS[name]
    opened = name in OPENED
    async with speaking(
        server, name, book, size=size, stream=stream, think_open=opened, write=7
    ) as client:
        done = await told(client)
    assert done.text == ANSWER
    reasoning = done.reasoning.rstrip() if model.raw else done.reasoning
    assert reasoning == ("" if name in HIDDEN else thoughts(model.script.effort))
    assert done.finish == "stop"
    assert paid(book) == 1
    check_bill(done, billed(book, server, name), thinking=tells(server, name))


@STREAMED
@pytest.mark.parametrize(("server", "name"), SCENARIOS)
async def test_a_length_that_ends_the_thinking_is_a_sample_without_an_answer(
    server: Any, name: str, stream: bool
) -> None:
    book, model = Book(), server.MODELS[name]
    opened = name in OPENED
    async with speaking(server, name, book, stream=stream, think_open=opened) as client:
        done = await told(client, max_tokens=3)
    assert done.finish == "length"
    thinks = model.script.effort != "none"
    assert done.text == ("" if thinks else "Six times seven")
    assert paid(book) == 1
    check_bill(done, billed(book, server, name), thinking=tells(server, name))


@STREAMED
@pytest.mark.parametrize("server", [vllm, sglang, llamacpp, deepseek, together, mistral, ollama])
async def test_a_stop_string_ends_a_sample_and_its_tokens_are_billed(
    server: Any, stream: bool
) -> None:
    name, book = next(iter(server.MODELS)), Book()
    async with speaking(server, name, book, stream=stream) as client:
        done = await told(client, stop=(" seven",))
    assert (done.text, done.finish, done.completion_tokens) == ("Six times", "stop", 3)
    assert book.billed.completion == 3


# -- thinking --------------------------------------------------------------------------------------

LEVELS = [
    # a server and one of its models; the setting; what is sent; the tokens of thinking; the remark
    (vllm, "Qwen/Qwen3-8B", "off", {"chat_template_kwargs": {"enable_thinking": False}}, 0, ""),
    (vllm, "Qwen/Qwen3-8B", "low", {"reasoning_effort": "low"}, 12, ""),
    (vllm, "Qwen/Qwen3-8B", "xhigh", {"reasoning_effort": "xhigh"}, 72, ""),
    (vllm, "Qwen/Qwen3-8B", 5, {"thinking_token_budget": 5}, 5, ""),
    (vllm, "Qwen/Qwen3-8B", "auto", {}, 24, ""),
    (sglang, "Qwen/Qwen3-8B", "off", {"chat_template_kwargs": {"enable_thinking": False}}, 0, ""),
    (sglang, "Qwen/Qwen3-8B", "max", {"reasoning_effort": "high"}, 24, "high is the nearest"),
    (
        sglang, "Qwen/Qwen3-8B", 800, {"chat_template_kwargs": {"enable_thinking": True}}, 24,
        "takes no number of tokens",
    ),
    (llamacpp, "qwen3-0.6b", "off", {"chat_template_kwargs": {"enable_thinking": False}}, 0, ""),
    (
        llamacpp, "qwen3-0.6b", "high",
        {"chat_template_kwargs": {"enable_thinking": True, "reasoning_effort": "high"}}, 24, "",
    ),
    (ollama, "qwen3:8b", "off", {"reasoning_effort": "none"}, 0, ""),
    (ollama, "qwen3:8b", "minimal", {"reasoning_effort": "none"}, 0, "off is the nearest"),
    (ollama, "gpt-oss:20b", "off", {"reasoning_effort": "low"}, 12, "low is the nearest"),
    (ollama, "gpt-oss:20b", "max", {"reasoning_effort": "high"}, 48, "high is the nearest"),
    (ollama, "gpt-oss:20b", 20_000, {"reasoning_effort": "high"}, 48, "no number of tokens"),
    (deepseek, "deepseek-reasoner", "off", {"thinking": {"type": "disabled"}}, 0, ""),
    (
        deepseek, "deepseek-reasoner", "low",
        {"thinking": {"type": "enabled"}, "reasoning_effort": "high"}, 48, "high is the nearest",
    ),
    (deepseek, "deepseek-chat", "max", {"reasoning_effort": "max"}, 96, ""),
    (qwen, "qwen-plus", "off", {"enable_thinking": False}, 0, ""),
    (qwen, "qwen-plus", "low", {"enable_thinking": True, "thinking_budget": 1024}, 96, ""),
    (qwen, "qwen-plus", 7, {"enable_thinking": True, "thinking_budget": 7}, 7, ""),
    (xai, "grok-3-mini", "high", {"reasoning_effort": "high"}, 48, ""),
    (xai, "grok-3-mini", "off", {"reasoning_effort": "low"}, 12, "low is the nearest"),
    (together, "openai/gpt-oss-120b", "low", {"reasoning_effort": "low"}, 12, ""),
    (together, "openai/gpt-oss-120b", "off", {"reasoning_effort": "low"}, 12, "low is the nearest"),
    (mistral, "mistral-small-latest", "medium", {"reasoning_effort": "high"}, 48, "high is the"),
    (mistral, "mistral-small-latest", "off", {"reasoning_effort": "none"}, 0, ""),
    (openrouter, "openai/gpt-5-mini", "high", {"reasoning": {"effort": "high"}}, 48, ""),
    (openrouter, "anthropic/claude-sonnet-4.5", 9, {"reasoning": {"max_tokens": 9}}, 9, ""),
    (openrouter, "anthropic/claude-sonnet-4.5", "off", {"reasoning": {"effort": "none"}}, 0, ""),
    (lmstudio, "qwen3-8b", "max", {"reasoning_effort": "xhigh"}, 24, "xhigh is the nearest"),
]  # fmt: skip


@STREAMED
@pytest.mark.parametrize(("server", "name", "setting", "asked", "thinking", "remark"), LEVELS)
async def test_thinking_is_asked_for_in_the_servers_words(
    server: Any, name: str, setting: Any, asked: Any, thinking: int, remark: str, stream: bool
) -> None:
    book = Book()
    async with speaking(server, name, book, stream=stream) as client:
        done = await told(client, thinking=Thinking.read(setting))
        said = [one for one in client.info.remarks if "thinking=" in one]
    body = sent(book)
    for field, value in asked.items():
        assert (
            body[field] == value
            if not isinstance(value, dict)
            else value.items() <= body[field].items()
        )
    assert done.text == ANSWER
    assert book.billed.thinking == thinking
    assert len(tokens(done.reasoning)) == thinking
    assert (len(said) == 1 and remark in said[0]) if remark else not said
    check_bill(done, billed(book, server, name), thinking=tells(server, name))


# -- what a server must be told, so that it draws from the distribution that was asked for ---------


@pytest.mark.parametrize(
    ("server", "fields"),
    [
        (vllm, {"top_k": -1, "min_p": 0, "repetition_penalty": 1}),
        (sglang, {"top_k": -1, "min_p": 0, "repetition_penalty": 1}),
        (llamacpp, {"top_k": 0, "min_p": 0, "repeat_penalty": 1}),
        (lmstudio, {"top_k": 0, "min_p": 0, "repeat_penalty": 1}),
    ],
)
async def test_a_servers_own_limits_on_sampling_are_switched_off(
    server: Any, fields: dict[str, Any]
) -> None:
    book = Book()
    async with speaking(server, next(iter(server.MODELS)), book) as client:
        await told(client)
    assert fields.items() <= sent(book).items()


async def test_what_cannot_be_switched_off_is_said() -> None:
    async with speaking(ollama, "llama3.2:1b", Book()) as client:
        await told(client)
        assert "repeat_penalty" in client.info.remarks[0]


async def test_ones_own_setting_of_such_a_field_wins() -> None:
    book = Book()
    async with speaking(llamacpp, "smollm2-135m", book, extra_body={"top_k": 20}) as client:
        await told(client)
    assert sent(book)["top_k"] == 20


async def test_mistral_calls_the_seed_otherwise() -> None:
    book = Book()
    async with speaking(mistral, "mistral-large-latest", book) as client:
        await told(client, seed=5)
    assert sent(book)["random_seed"] == 5
    assert "seed" not in sent(book)


# -- a prefix --------------------------------------------------------------------------------------

PREFIX = "Six times seven is"


@STREAMED
@pytest.mark.parametrize("write", [7, None])
@pytest.mark.parametrize(
    ("server", "name", "prefill", "base"),
    [
        (vllm, "Qwen/Qwen2.5-1.5B-Instruct", "continue_final_message", "/v1"),
        (sglang, "Qwen/Qwen2.5-1.5B-Instruct", "continue_final_message", "/v1"),
        (llamacpp, "qwen3-0.6b", "final_message", "/v1"),
        (ollama, "llama3.2:1b", "final_message", "/v1"),
        (deepseek, "deepseek-chat", "final_message", "/beta"),
        (mistral, "mistral-large-latest", "final_message", "/v1"),
    ],
)
async def test_a_prefix_is_continued_in_the_servers_way(
    server: Any, name: str, prefill: str, base: str, stream: bool, write: int | None
) -> None:
    book = Book()
    async with speaking(
        server, name, book, prefill=prefill, base=base, stream=stream, write=write
    ) as client:
        done = await told(client, prefix=PREFIX)
    assert done.text == ANSWER.removeprefix(PREFIX)
    assert book.billed.completion == 1
    check_bill(done, billed(book, server, name), thinking=tells(server, name))


@STREAMED
@pytest.mark.parametrize("write", [1, None])
async def test_a_server_that_begins_anew_doubles_no_prefix(stream: bool, write: int | None) -> None:
    book, name = Book(), "Qwen/Qwen2.5-1.5B-Instruct"
    async with speaking(
        vllm, name, book, prefill="final_message", stream=stream, write=write
    ) as client:
        for _ in range(2):
            done = await told(client, prefix=PREFIX)
            assert done.text == ANSWER.removeprefix(PREFIX)
        remarks = client.info.remarks
    assert done.completion_tokens * 2 == book.billed.completion  # all of it is paid for
    remark = (
        f'prefill = "final_message" does not fit the server of {name}: its replies begin with the '
        "text that they are to continue, which is taken out here; write prefill = "
        '"continue_final_message" in ponder.toml, or "none" if that does not help.'
    )
    assert remarks == ((remark,) if stream else ())  # llama.cpp's whole replies do so in order


# -- faults ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("server", [vllm, llamacpp, ollama, openrouter])
async def test_a_stream_that_breaks_off_is_a_lost_sample_and_not_asked_for_again(
    server: Any,
) -> None:
    name = next(name for name in server.MODELS if name.endswith("-breaks-off"))
    book = Book()
    async with speaking(server, name, book, stream=True) as client:
        error = await failed(client)
    assert isinstance(error, ModelUnreachable)
    assert paid(book) == 1
    assert 0 < error.completion_tokens <= book.billed.completion


@pytest.mark.parametrize(
    ("server", "name", "kind", "words"),
    [
        (deepseek, "deepseek-chat-unpaid", RequestRefused, "Insufficient Balance"),
        (openrouter, "meta-llama/llama-3.3-70b-instruct-unpaid", RequestRefused, "credits"),
        (openrouter, "meta-llama/llama-3.3-70b-instruct-down", ServerFault, "upstream connect"),
        (vllm, "Qwen/Qwen2.5-1.5B-Instruct-fails", ServerFault, "EngineCore"),
        (sglang, "Qwen/Qwen2.5-1.5B-Instruct-fails", ServerFault, "scheduler died"),
        (ollama, "llama3.2:1b-fails", ServerFault, "unexpected EOF"),
    ],
)
async def test_an_error_is_said_in_the_servers_words_and_costs_nothing(
    server: Any, name: str, kind: type[Exception], words: str
) -> None:
    book = Book()
    async with speaking(server, name, book, retries=1) as client:
        error = await failed(client)
    assert isinstance(error, kind)
    assert words in str(error)
    assert len(book.requests) == (2 if kind is ServerFault else 1)
    check_bill(error, Billed())


@pytest.mark.parametrize("server", list(BASES))
async def test_an_unknown_model_or_a_wrong_key_is_one_sentence_at_once(server: Any) -> None:
    book = Book()
    async with speaking(server, "no-such", book, retries=1) as client:
        error = await failed(client)
    assert isinstance(error, RequestRefused)
    assert "{" not in str(error)
    assert len(book.requests) == 1


# -- names -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("server", list(BASES))
def test_every_fixture_has_a_row(server: Any) -> None:
    assert name_of(server) in {dialect.name for dialect in DIALECTS}


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://api.openai.com/v1", "openai"),
        ("https://openrouter.ai/api/v1", "openrouter"),
        ("https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "qwen"),
        ("https://api.x.ai/v1", "xai"),
        ("https://notapi.x.ai.example/v1", "openai"),
        ("http://127.0.0.1:8000/v1", "openai"),
    ],
)
def test_a_dialect_is_told_from_the_host(url: str, name: str) -> None:
    assert dialect_of(Endpoint(name="e", base_url=url, model="m")).name == name


def test_an_unknown_dialect_is_refused() -> None:
    with pytest.raises(UnknownName, match="did you mean 'vllm'"):
        dialect_of(Endpoint(name="e", base_url="http://h", model="m", dialect="vlm"))
