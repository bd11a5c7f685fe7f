"""Programs that people use against ``ponder serve`` on the embedded model. All ask it the same,
greedily, and must get the same text; ``test_programs.py`` has them with a model that knows more.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import shlex
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Literal

import anthropic
import httpx
import httpx2
import openai
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from pydantic import BaseModel

from tests.support import node
from tests.support.served import CLIENTS, PAGE, example, program, served

MODEL = "smollm2-135m"
PLAIN = f"{MODEL}:none"
"""The name by which it is asked for one sample."""
QUESTION = "How many is six times seven?"
MESSAGES: list[Any] = [{"role": "user", "content": QUESTION}]
TOKENS = 8
LIMITS: dict[str, Any] = {"max_tokens": TOKENS, "temperature": 0}
SEARCHING = f"Searching with self_consistency on {MODEL}."
NO_TOOLS = "unsupported_by_model"
"""The code of the refusal: this model's template has no place for tools."""
VOTE = {"ponder": {"knobs": {"n": 2}}}
"""The smallest search."""
WEATHER: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}
TOOL: Any = {"type": "function", "function": {"name": "get_weather", "parameters": WEATHER}}


class Number(BaseModel):
    n: Literal[41, 42]


@pytest.fixture(scope="module")
def url(small_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of ``ponder serve``."""
    folder = tmp_path_factory.mktemp("serve")
    config = folder / "ponder.toml"
    config.touch()
    with served(folder, MODEL, PONDER_CONFIG=str(config)) as address:
        yield address


@pytest.fixture(scope="module")
def expected(url: str) -> str:
    """The text that every client must get."""
    said = httpx.post(
        f"{url}/chat/completions",
        json={"model": PLAIN, "messages": MESSAGES, **LIMITS},
        timeout=240,
    )
    text: str = said.json()["choices"][0]["message"]["content"]
    assert text
    return text


@pytest.fixture
async def client(url: str) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as found:
        yield found


def test_openai(url: str, expected: str) -> None:
    with openai.OpenAI(base_url=url, api_key="none", max_retries=0) as client:
        whole = client.chat.completions.create(model=PLAIN, messages=MESSAGES, **LIMITS)
        chunks = list(
            client.chat.completions.create(
                model=PLAIN,
                messages=MESSAGES,
                stream=True,
                stream_options={"include_usage": True},
                **LIMITS,
            )
        )
        with pytest.raises(openai.BadRequestError, match="capabilities") as refused:
            client.chat.completions.create(model=PLAIN, messages=MESSAGES, tools=[TOOL], **LIMITS)
    *parts, last = chunks
    assert whole.choices[0].message.content == expected
    assert "".join(part.choices[0].delta.content or "" for part in parts) == expected
    assert whole.choices[0].finish_reason == parts[-1].choices[0].finish_reason
    assert whole.choices[0].finish_reason in ("stop", "length")
    for usage in (whole.usage, last.usage):
        assert usage is not None
        assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
        assert 0 < usage.completion_tokens <= TOKENS
    receipt: Any = (whole.model_extra or {})["ponder"]["receipt"]
    assert whole.usage is not None
    assert receipt["total"]["completion_tokens"] == whole.usage.completion_tokens
    assert refused.value.code == NO_TOOLS


async def test_openai_shows_a_search_while_it_goes_on(client: openai.AsyncOpenAI) -> None:
    asked: dict[str, Any] = {"model": f"{MODEL}:low", "messages": MESSAGES, "max_tokens": TOKENS}
    stream: Any = await client.chat.completions.create(
        **asked, stream=True, stream_options={"include_usage": True}, extra_body=VOTE
    )
    chunks = [chunk async for chunk in stream]
    deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
    extras = [delta.model_extra or {} for delta in deltas]
    thinking = "".join(extra.get("reasoning", "") for extra in extras)
    pairs = zip(deltas, extras, strict=True)
    order = [
        "thinking" if extra.get("reasoning") else "answer"
        for delta, extra in pairs
        if extra.get("reasoning") or delta.content
    ]
    usage = chunks[-1].usage
    last = [chunk.model_extra or {} for chunk in chunks]
    [ponder] = [extra["ponder"] for extra in last if "ponder" in extra]
    assert thinking.startswith(SEARCHING)
    assert order == sorted(order, reverse=True)
    assert usage.completion_tokens_details.reasoning_tokens > 0
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert ponder["receipt"]["total"]["calls"] >= 2


async def test_openai_with_a_schema(client: openai.AsyncOpenAI) -> None:
    asked: list[Any] = [{"role": "user", "content": 'Repeat this alone: {"n": 42}'}]
    parsing = client.chat.completions.parse(
        model=PLAIN, messages=asked, response_format=Number, max_tokens=16, temperature=0
    )
    done: Any
    [done] = await asyncio.gather(parsing, return_exceptions=True)
    if isinstance(done, openai.APIStatusError):
        assert (done.status_code, done.code) == (502, "no_valid_answer")
    else:
        assert not isinstance(done, BaseException), done
        assert done.choices[0].message.parsed is not None


async def test_openai_with_responses(client: openai.AsyncOpenAI, expected: str) -> None:
    asked: dict[str, Any] = {
        "model": PLAIN,
        "input": QUESTION,
        "max_output_tokens": TOKENS,
        "temperature": 0,
    }
    whole, stream = await asyncio.gather(
        client.responses.create(**asked), client.responses.create(**asked, stream=True)
    )
    events = [event async for event in stream]
    again = await client.responses.retrieve(whole.id)
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas) == whole.output_text == again.output_text == expected
    assert whole.status in ("completed", "incomplete")
    assert events[-1].type == f"response.{whole.status}"
    assert whole.usage.total_tokens == whole.usage.input_tokens + whole.usage.output_tokens


def test_openai_for_javascript(url: str, npm: Path, expected: str) -> None:
    shutil.copy(CLIENTS / "openai.mjs", npm)
    told = json.loads(node.run(npm, "openai.mjs", url, MODEL, PLAIN, QUESTION, str(TOKENS)))
    assert told["stream"]["thinking"].startswith("Searching with self_consistency")
    usage = told["stream"]["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert told["whole"] == told["response"]["text"] == told["again"] == expected
    assert told["parsed"] in ({"n": 41}, {"n": 42}, {"refused": "no_valid_answer"})
    assert told["tools"] == {"refused": NO_TOOLS}
    assert told["events"]["thinking"].startswith("Searching with self_consistency")
    assert told["events"]["types"][-1] in ("response.completed", "response.incomplete")


def test_anthropic(url: str, expected: str) -> None:
    asked: dict[str, Any] = {"max_tokens": TOKENS, "messages": MESSAGES}
    base, greedy = url.removesuffix("/v1"), {"temperature": 0}
    with anthropic.Anthropic(base_url=base, api_key="none", max_retries=0) as client:
        whole = client.messages.create(model=PLAIN, **asked, extra_body=greedy)
        with client.messages.stream(model=PLAIN, **asked, extra_body=greedy) as stream:
            streamed = stream.get_final_text()
        counted = client.messages.count_tokens(model=MODEL, messages=MESSAGES)
        effort: Any = {"effort": "low"}
        with client.messages.stream(
            model=MODEL,
            **asked,
            thinking={"type": "adaptive"},
            output_config=effort,
            extra_body=VOTE,
        ) as stream:
            kinds = [event.type for event in stream if event.type in ("thinking", "text")]
            searched = stream.get_final_message()
        with pytest.raises(anthropic.BadRequestError, match="capabilities"):
            client.messages.create(
                model=PLAIN, **asked, tools=[{"name": "get_weather", "input_schema": WEATHER}]
            )
    [block] = whole.content
    assert block.type == "text"
    assert block.text == streamed == expected
    assert whole.stop_reason in ("end_turn", "max_tokens")
    assert 0 < whole.usage.output_tokens <= TOKENS
    cached = whole.usage.cache_read_input_tokens or 0
    assert counted.input_tokens == whole.usage.input_tokens + cached
    assert kinds == sorted(kinds, reverse=True)
    thought = searched.content[0]
    assert thought.type == "thinking"
    assert thought.thinking.startswith(SEARCHING)
    assert thought.signature


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
def test_the_examples_of_curl(url: str) -> None:
    commands = [line for line in PAGE.splitlines() if line.startswith("curl ")]
    said = []
    for command in commands:
        command = command.replace("http://127.0.0.1:8000/v1", url)
        command = command.replace("qwen2.5-coder-1.5b:high", f"{MODEL}:low")
        limits = json.dumps({"stream": True, "max_tokens": TOKENS, **VOTE})[1:-1]
        command = command.replace('"stream": true', limits)
        done = subprocess.run(shlex.split(command), capture_output=True, text=True, timeout=240)
        assert done.returncode == 0
        said.append(done.stdout)
    models, stream = said
    assert MODEL in [one["id"] for one in json.loads(models)["data"]]
    *events, last = stream.strip().split("\n\n")
    assert last == "data: [DONE]"
    assert any(SEARCHING in event for event in events)


def test_llm(url: str, expected: str, tmp_path: Path) -> None:
    pytest.importorskip("llm")
    (tmp_path / "extra-openai-models.yaml").write_text(example("yaml", url, PLAIN))
    limits = ["-o", "max_tokens", str(TOKENS), "-o", "temperature", "0"]
    said = program(
        "-m",
        "llm",
        "-m",
        "ponder",
        QUESTION,
        *limits,
        LLM_USER_PATH=str(tmp_path),
        OPENAI_API_KEY="-",
    )
    assert said.strip() == expected.strip()


def test_langchain(url: str, expected: str) -> None:
    pytest.importorskip("langchain_openai")
    script = str(CLIENTS / "langchain_chat.py")
    told = json.loads(program(script, url, PLAIN, QUESTION, json.dumps(LIMITS)))
    assert told.pop("tools") == {"refused": NO_TOOLS}
    for form, seen in told.items():
        assert seen["answer"] == seen["stream"] == expected, form
        usage = seen["usage"]
        assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
        assert seen["structured"] in ({"n": 41}, {"n": 42}, {"refused": "no_valid_answer"})


def test_litellm(url: str, expected: str) -> None:
    if importlib.util.find_spec("litellm") is None:
        pytest.skip("needs litellm")
    told = json.loads(program(str(CLIENTS / "litellm_chat.py"), url, MODEL, QUESTION))
    for form in ("chat", "anthropic"):
        seen = told[form]
        assert seen["answer"] == seen["stream"] == expected, form
        assert seen["finish"] in ("stop", "length")
        usage = seen["usage"]
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert told["async"] == [expected, expected]
    assert told["search"]["thinking"].startswith(SEARCHING)
    assert told["search"]["order"] == sorted(told["search"]["order"], reverse=True)
    assert "is not known to call tools" in told["refused"]


def test_inspect(url: str, data: Path, tmp_path: Path) -> None:
    if importlib.util.find_spec("inspect_ai") is None:
        pytest.skip("needs inspect-ai")
    model = ["--model", f"openai-api/ponder/{MODEL}:low", "-M", "stream=true"]
    limits = ["--max-tokens", str(TOKENS), "--display", "none", "--log-format", "json"]
    shutil.copy(CLIENTS / "gsm8k.py", tmp_path)
    problems = (data / "gsm8k" / "test.jsonl").resolve()
    program(
        *("-m", "inspect_ai", "eval", "gsm8k.py", "-T", f"path={problems}", "--log-dir", "."),
        *(*model, *limits),
        folder=tmp_path,
        PONDER_API_KEY="none",
        PONDER_BASE_URL=url,
    )
    [path] = tmp_path.glob("*.json")
    log = json.loads(path.read_text("utf-8"))
    assert log["status"] == "success"
    assert len(log["samples"]) == 2
    for sample in log["samples"]:
        assert sample["scores"]["match"]["value"] in ("C", "I")
        [choice] = sample["output"]["choices"]
        thought, answer = choice["message"]["content"]
        assert thought["reasoning"].startswith(SEARCHING)
        assert answer["type"] == "text"
        used = sample["output"]["usage"]
        assert used["reasoning_tokens"] > 0
        parts = ("input_tokens", "input_tokens_cache_read", "output_tokens")
        assert used["total_tokens"] == sum(used.get(part, 0) for part in parts)


async def test_mcp(url: str) -> None:
    heard: list[str | None] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append(message)

    at = f"{url.removesuffix('/v1')}/mcp"
    asked = {"question": "How many is 6 times 7?", "effort": "low", "budget": {"tokens": 300}}
    async with (
        httpx2.AsyncClient(timeout=240) as http,
        Client(streamable_http_client(at, http_client=http)) as client,
    ):
        result = await client.call_tool("solve", asked, progress_callback=hear)
    assert heard[0] == SEARCHING
    assert 0 < result.structured_content["receipt"]["total"]["completion_tokens"] <= 300
