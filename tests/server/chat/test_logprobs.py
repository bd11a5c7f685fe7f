"""Log-probabilities of a reply's tokens, as the official client sees them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import TypeAdapter

from ponder.core.problem import Message, Problem
from ponder.core.trace import Trace
from ponder.models.base import Capability, Completion, ModelInfo, Shape
from ponder.models.config import Config, EndpointConfig
from ponder.models.fakes.scripted import Scripted
from ponder.models.fakes.simulated import Simulated
from ponder.server.chat.logprobs import TOGETHER, spelled
from ponder.server.telling.answered import Reply, Tokens
from tests.support.serving import NUMBER, USER, Served, answering, scripted, serving
from tests.support.telling_runs import VOTE
from tests.support.vendors.compatible import vllm
from tests.support.vendors.model import ANSWER
from tests.support.vendors.serving import Book, application
from tests.support.vendors.serving import serving as upstream

ASK: dict[str, Any] = {"logprobs": True, "top_logprobs": 2}
SPLIT = Completion(
    "I say 漢.",
    "stop",
    4,
    5,
    logprobs=(-0.5, -0.25, -1.0, -2.0, -0.125),
    pieces=(b" I", b" say", b" \xe6\xbc", b"\xa2", b".\n"),
    top=({" I": -0.5, "You": -3.0, "We": -2.0}, {}, {" \ufffd": -1.0}, {}, {".\n": -0.125}),
)


def reply(
    text: str, pieces: list[bytes], *, content: str | None = None, thought: str = ""
) -> Reply:
    chances = tuple(-float(at) for at in range(len(pieces)))
    trace = Trace(
        Problem((Message("user", "?"),)),
        text,
        len(pieces),
        "stop",
        logprobs=chances,
        reasoning=thought,
        pieces=tuple(pieces),
    )
    return Reply(text.strip() if content is None else content, thought, "stop", Tokens(), {}, trace)


def listed(one: Reply) -> list[str]:
    return [token["token"] for part in spelled(one, 0) for token in part.tokens]


async def gathered(server: Served, messages: Any = None, **more: Any) -> tuple[Any, list[Any]]:
    """A stream's completion as the client puts it together, and its chunks as they came."""
    state, found = ChatCompletionStreamState(), []
    async for chunk in await server.chat(messages, stream=True, **more):
        TypeAdapter(ChatCompletionChunk).validate_python(chunk.model_dump(), strict=False)
        state.handle_chunk(chunk)
        found.append(chunk)
    return state.get_final_completion(), found


async def test_each_token_of_the_answer_is_told_with_its_alternatives() -> None:
    async with serving(scripted(lambda request: SPLIT)) as server:
        done = await server.chat(**ASK)
        said = await server.post(model="scripted", messages=USER, **ASK)
    ChatCompletion.model_validate(said.json(), strict=True)
    assert done.choices[0].message.content == "I say 漢."
    assert said.json()["choices"][0]["logprobs"] == {
        "refusal": None,
        "content": [
            {
                "token": " I",
                "bytes": [32, 73],
                "logprob": -0.5,
                "top_logprobs": [
                    {"token": " I", "bytes": [32, 73], "logprob": -0.5},
                    {"token": "We", "bytes": [87, 101], "logprob": -2.0},
                ],
            },
            {"token": " say", "bytes": list(b" say"), "logprob": -0.25, "top_logprobs": []},
            {
                "token": " \ufffd",
                "bytes": [32, 0xE6, 0xBC],
                "logprob": -1.0,
                "top_logprobs": [{"token": " \ufffd", "bytes": None, "logprob": -1.0}],
            },
            {"token": "\ufffd", "bytes": [0xA2], "logprob": -2.0, "top_logprobs": []},
            {
                "token": ".\n",
                "bytes": [46, 10],
                "logprob": -0.125,
                "top_logprobs": [{"token": ".\n", "bytes": [46, 10], "logprob": -0.125}],
            },
        ],
    }


async def test_without_the_wish_nothing_is_asked_kept_or_told(tmp_path: Path) -> None:
    model = answering("Hello.")
    async with serving(model, journal=tmp_path / "runs.sqlite") as server:
        plain = await server.chat()
        none = await server.chat(logprobs=False, top_logprobs=0)
    assert [one.choices[0].logprobs for one in (plain, none)] == [None, None]
    assert not any(request.logprobs or request.pieces for request in model.requests)
    with closing(sqlite3.connect(tmp_path / "runs.sqlite")) as db:
        assert "pieces" not in "\n".join(db.iterdump())


async def test_a_stream_tells_the_tokens_with_the_content_that_they_spell() -> None:
    text = "  " + " ".join(f"word{at}" for at in range(2 * TOGETHER + 3))
    async with serving(answering(text)) as server:
        whole = await server.chat(**ASK)
        done, chunks = await gathered(server, **ASK)
    told = [chunk.choices[0] for chunk in chunks if chunk.choices and chunk.choices[0].logprobs]
    assert len(told) == 3
    for choice in told:
        tokens = "".join(token.token for token in choice.logprobs.content)
        assert choice.delta.content.strip() == tokens.strip()
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert said == whole.choices[0].message.content == text.strip()
    assert done.choices[0].logprobs.content == whole.choices[0].logprobs.content


async def test_of_a_search_the_tokens_of_the_sample_that_won_are_told() -> None:
    replies = ["it is \\boxed{41}", *["so \\boxed{42}"] * 3]
    for streamed in (False, True):
        async with serving(answering(*replies)) as server:
            more: dict[str, Any] = {"extra_body": {"ponder": VOTE}, "logprobs": True}
            if streamed:
                done, _ = await gathered(server, NUMBER, **more)
            else:
                done = await server.chat(NUMBER, **more)
        assert done.choices[0].message.content == "so \\boxed{42}"
        tokens = done.choices[0].logprobs.content
        assert [token.token for token in tokens] == ["so", " \\boxed{42}"]
        assert [token.top_logprobs for token in tokens] == [[], []]


async def test_several_choices_have_tokens_of_their_own() -> None:
    async with serving(answering("Hello there.", "Good day.")) as server:
        done, _ = await gathered(server, n=2, logprobs=True)
    for choice in done.choices:
        tokens = "".join(token.token for token in choice.logprobs.content)
        assert tokens == choice.message.content


async def test_of_json_the_tokens_of_the_answer_alone_are_told() -> None:
    asked: dict[str, Any] = {"response_format": {"type": "json_object"}, "logprobs": True}
    async with serving(answering('Here it is: {"a": 1}')) as server:
        done = await server.chat(NUMBER, **asked)
        found, _ = await gathered(server, NUMBER, **asked)
    for one in (done, found):
        assert one.choices[0].message.content == '{"a": 1}'
        tokens = [token.token for token in one.choices[0].logprobs.content]
        assert tokens == [' {"a":', " 1}"]


@pytest.mark.parametrize(
    ("able", "asked", "word"),
    [("seed", {"logprobs": True}, "logprobs"), ("logprobs", ASK, "top_logprobs")],
)
async def test_a_model_that_cannot_refuses(
    able: Capability, asked: dict[str, Any], word: str
) -> None:
    model = Scripted(["no"], info=ModelInfo("scripted", frozenset({able}), Shape(1), local=True))
    async with serving(model) as server:
        for streamed in (False, True):
            said = await server.post(model="scripted", messages=USER, stream=streamed, **asked)
            error = said.json()["error"]
            assert (said.status_code, error["code"]) == (400, "unsupported_by_model")
            assert error["message"].startswith(f"{word} are asked for, which scripted does not")
    assert not model.requests


async def test_a_simulated_model_counts_words() -> None:
    model = Simulated(accuracy=1.0, length=12, thinking=5)
    async with serving(model) as server:
        said = await server.post(model="simulated", messages=NUMBER, logprobs=True)
    [choice] = said.json()["choices"]
    told = "".join(token["token"] for token in choice["logprobs"]["content"])
    assert told.strip() == choice["message"]["content"]


async def test_an_endpoints_own_tokens_are_passed_on() -> None:
    book = Book()
    async with upstream(application(vllm.reply, book)) as url:
        able = frozenset({"logprobs", "top_logprobs", "stop"})
        name = "Qwen/Qwen2.5-1.5B-Instruct"
        settings = {"name": "mine", "base_url": f"{url}/v1", "model": name, "capabilities": able}
        mine = EndpointConfig("mine", f"{url}/v1", name, settings, told=False)
        async with serving(config=Config(endpoints={"mine": mine}), names=("mine",)) as server:
            whole = await server.chat(model="mine", max_tokens=100, **ASK)
            done, _ = await gathered(server, model="mine", max_tokens=100, **ASK)
    assert [one.body["top_logprobs"] for one in book.requests] == [2, 2]
    for one in (whole, done):
        tokens = one.choices[0].logprobs.content
        assert "".join(token.token for token in tokens) == one.choices[0].message.content == ANSWER
        assert [token.logprob for token in tokens] == [-len(token.token) / 8 for token in tokens]
        assert [len(token.top_logprobs) for token in tokens] == [2] * len(tokens)


async def test_a_run_that_is_taken_up_again_tells_the_same(tmp_path: Path) -> None:
    key = {"Idempotency-Key": "one"}
    body: dict[str, Any] = {"model": "scripted", "messages": USER, **ASK}
    model = scripted(lambda request: SPLIT)
    found = []
    for _ in range(2):
        async with serving(model, journal=tmp_path / "runs.sqlite") as server:
            said = await server.http.post("/v1/chat/completions", json=body, headers=key)
            found.append(said.json()["choices"])
        with closing(sqlite3.connect(tmp_path / "runs.served.sqlite")) as db, db:
            db.execute("update requests set reply = null, body = null")
    assert found[0] == found[1]
    assert found[0][0]["logprobs"]["content"][2]["bytes"] == [32, 0xE6, 0xBC]
    assert len(model.requests) == 1


# Places -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "tokens"),
    [
        (reply("a b", [b"a", b" b", b""]), ["a", " b"]),
        (reply("\n a b \n", [b"\n ", b"a", b" b", b" \n"]), ["a", " b"]),
        (reply("a b", [b" a", b" b", b"\n\nHuman:"]), [" a", " b"]),  # a stop string's token
        (reply("4", [b"4", b" 4"]), ["4"]),  # the text ends before the second
        (reply("4", [b"<think>", b"4", b"</think>", b"\n4"], thought="4"), ["\n4"]),
        (
            reply("think", [b"<", b"think", b">x</", b"think", b">", b"think"], thought="x"),
            ["think"],
        ),
        (reply("yes", [b"yes"], thought="told apart"), ["yes"]),
        (reply('x {"a": 1}', [b"x", b' {"a"', b": 1}"], content='{"a": 1}'), [' {"a"', ": 1}"]),
        (reply("1 or 1", [b"1", b" or", b" 1"], content="1"), []),  # either of two places
        (reply("a", [b"a"], content="a\n\nb"), []),  # written by Ponder
        (reply("a c", [b"a", b" b"]), []),  # another text than was generated
        (reply("", [b"</s>"]), []),
    ],
)
def test_the_tokens_of_a_content(one: Reply, tokens: list[str]) -> None:
    assert listed(one) == tokens


def test_lists_of_different_lengths_tell_nothing() -> None:
    one = reply("a b", [b"a", b" b"])
    for name, value in (("logprobs", (-1.0,)), ("logprobs", None), ("pieces", None)):
        fields = {"problem": one.trace.problem, "text": "a b", "pieces": (b"a", b" b")}
        trace = Trace(**{**fields, "logprobs": (-1.0, -2.0), name: value})  # type: ignore[arg-type]
        assert spelled(Reply("a b", "", "stop", Tokens(), {}, trace), 0) == []


@given(st.text(min_size=1, max_size=40), st.lists(st.integers(1, 5), min_size=1))
def test_stretches_join_to_the_content_and_their_tokens_too(text: str, sizes: list[int]) -> None:
    raw, pieces = text.encode(), list[bytes]()
    while raw:
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(raw[:size])
        raw = raw[size:]
    found = spelled(reply(text, pieces, content=text), 0)
    assert "".join(part.content for part in found) == text
    assert all(part.content for part in found)
    told = [bytes(token["bytes"]) for part in found for token in part.tokens]
    assert told == pieces
