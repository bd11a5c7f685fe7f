"""Gemini's wire, driven against the vendor's API on loopback: streamed and not."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from base64 import b64decode
from typing import Any

import pytest

from ponder.core.errors import (
    CapabilityError,
    MalformedReply,
    ModelError,
    ModelUnreachable,
    RateLimited,
    RequestRefused,
    ServerFault,
)
from ponder.core.problem import Message
from ponder.core.thinking import Thinking
from ponder.core.trace import Delta
from ponder.models.gemini.families import preset
from ponder.models.gemini.generate import Generate, GenerateReader
from ponder.models.http.endpoint import Endpoint
from ponder.models.http.stream import Stream
from tests.support.deltas import costs
from tests.support.vendors.driving import ASK, Pauses, Vendor, after, check_bill, told, turn_of
from tests.support.vendors.gemini import KEY, MODELS, SIGNATURE, TEXT, THOUGHT, server
from tests.support.vendors.serving import Billed, Book

HIGH: dict[str, Any] = {"thinking": Thinking("high")}
OFF: dict[str, Any] = {"thinking": Thinking("off")}
GENAI = "needs Gemini's client (the extra 'dev')"
WORDS = len(TEXT.split())
PLAIN, FLASH, LITE, PRO = "gemini-2.0-flash", "gemini-2.5-flash", "gemini-2.5-flash-lite", (
    "gemini-2.5-pro"
)  # fmt: skip
PRO3, FLASH3, LATEST = "gemini-3-pro-preview", "gemini-3.5-flash", "gemini-3.8-flash"

talking = Vendor(server, Generate, preset, KEY, "/v1beta").talking
SAID = (TEXT, "", "stop")
THOUGHTFUL = (TEXT, THOUGHT, "stop")
REPLIES: list[tuple[str, str, dict[str, Any], tuple[str, str, str], int]] = [
    ("gemini-plain", PLAIN, {}, SAID, 0),
    ("gemini-budget", FLASH, {}, THOUGHTFUL, 40),
    ("gemini-budget", FLASH, OFF, SAID, 0),
    ("gemini-budget", FLASH, HIGH, THOUGHTFUL, 40),
    ("gemini-budget", FLASH, {"thinking": Thinking("auto")}, THOUGHTFUL, 40),
    ("gemini-budget", FLASH, {"thinking": Thinking(tokens=25)}, THOUGHTFUL, 25),
    ("gemini-budget", FLASH, {"thinking": Thinking(tokens=10**6), "max_tokens": 60_000},
     THOUGHTFUL, 40),
    ("gemini-budget-always", PRO, OFF, THOUGHTFUL, 40),
    ("gemini-budget-always", PRO, {"thinking": Thinking(tokens=5)}, THOUGHTFUL, 40),
    ("gemini-budget-quiet", LITE, {}, SAID, 0),
    ("gemini-budget-quiet", LITE, {"thinking": Thinking(tokens=5)}, THOUGHTFUL, 40),
    ("gemini-level", LATEST, {}, THOUGHTFUL, 40),
    ("gemini-level", LATEST, OFF, THOUGHTFUL, 40),
    ("gemini-level", LATEST, {"thinking": Thinking("auto")}, THOUGHTFUL, 40),
    ("gemini-level", LATEST, {"thinking": Thinking("minimal")}, THOUGHTFUL, 40),
    ("gemini-level", LATEST, {"thinking": Thinking(tokens=8000)}, THOUGHTFUL, 40),
    ("gemini-level-pro", PRO3, {"thinking": Thinking("medium")}, THOUGHTFUL, 40),
    ("gemini-level-minimal", FLASH3, OFF, THOUGHTFUL, 40),
    ("gemini-level-minimal", FLASH3, {"thinking": Thinking("max")}, THOUGHTFUL, 40),
    ("gemini-eats-length", FLASH, {"max_tokens": 30}, ("", THOUGHT, "length"), 30),
    ("gemini-budget", FLASH, {"max_tokens": 12, **HIGH},
     ("Six times seven ", THOUGHT, "length"), 9),
    ("gemini-parts", LATEST, {}, ("First, " + TEXT, THOUGHT, "stop"), 40),
    ("gemini-cached", FLASH, OFF, SAID, 0),
    ("gemini-cached", FLASH, {}, THOUGHTFUL, 40),
    ("gemini-plain", PLAIN, {"stop": ("\n\n",)}, ("Six times seven is 42.", "", "stop"), 0),
    ("gemini-plain", PLAIN, {"stop": tuple("vwxyz")}, ("Si", "", "stop"), 0),
    ("gemini-plain", PLAIN, {"temperature": 2.0, "top_p": 0.5, "seed": 7}, SAID, 0),
    ("gemini-quiet", PLAIN, {}, ("", "", "stop"), 0),
    ("gemini-blocks-prompt", PLAIN, {}, ("", "", "refusal"), 0),
    ("gemini-unsafe", PLAIN, {}, ("", "", "refusal"), 0),
    ("gemini-unsafe-midway", FLASH, {}, ("Well, first you", THOUGHT, "refusal"), 40),
    ("gemini-recites", PLAIN, {}, ("It was the best of", "", "refusal"), 0),
    ("gemini-prohibited", PLAIN, {}, ("", "", "refusal"), 0),
    ("gemini-blocklist", PLAIN, {}, ("", "", "refusal"), 0),
    ("gemini-personal", PLAIN, {}, ("", "", "refusal"), 0),
    ("gemini-language", PLAIN, {}, ("", "", "refusal"), 0),
    ("gemini-other", PLAIN, {}, ("", "", "error"), 0),
    ("gemini-malformed", PLAIN, {}, ("", "", "error"), 0),
    ("gemini-malformed-call", PLAIN, {}, ("", "", "error"), 0),
]  # fmt: skip


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("scenario", "model", "fields", "expected", "thinking"), REPLIES)
async def test_a_reply_and_its_bill(
    monkeypatch: pytest.MonkeyPatch,
    scenario: str,
    model: str,
    fields: dict[str, Any],
    expected: tuple[str, str, str],
    thinking: int,
    stream: bool,
) -> None:
    monkeypatch.setitem(MODELS, model, MODELS[scenario])
    book, pauses = Book(), Pauses()
    async with talking(book, model, stream=stream, pauses=pauses) as client:
        done = await told(client, **fields)
    [reply] = book.replies  # nothing was refused
    assert reply.status == 200
    assert (done.text, done.reasoning, done.finish) == expected
    assert done.stopped_at == (None if "stop" in fields else "") or done.finish == "refusal"
    check_bill(done, reply.billed)
    assert done.reasoning_tokens == thinking
    assert pauses == []


@pytest.mark.parametrize("stream", [False, True])
async def test_what_is_sent(monkeypatch: pytest.MonkeyPatch, stream: bool) -> None:
    monkeypatch.setitem(MODELS, FLASH3, MODELS["gemini-level"])
    book = Book()
    turns = (
        Message("system", "Be brief."),
        Message("user", "Hello"),
        Message("assistant", "Hello."),
        Message("system", "Be kind."),
        Message("user", "What is six times seven?"),
    )
    async with talking(book, FLASH3, stream=stream) as client:
        done = await told(client, messages=turns, stop=("Q:", "\n"), seed=4, **HIGH)
    [asked] = book.requests
    assert asked.path == f"/v1beta/models/{FLASH3}:" + (
        "streamGenerateContent" if stream else "generateContent"
    )
    assert asked.query == ({"alt": "sse"} if stream else {})
    assert asked.headers["x-goog-api-key"] == KEY
    assert asked.body == {
        "systemInstruction": {"parts": [{"text": "Be brief."}, {"text": "Be kind."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "Hello"}]},
            {"role": "model", "parts": [{"text": "Hello."}]},
            {"role": "user", "parts": [{"text": "What is six times seven?"}]},
        ],
        "generationConfig": {
            "maxOutputTokens": 2000,
            "temperature": 0.8,
            "topP": 1.0,
            "seed": 4,
            "stopSequences": ["Q:", "\n"],
            "thinkingConfig": {"includeThoughts": True, "thinkingLevel": "HIGH"},
        },
    }
    assert done.prompt_tokens == book.billed.prompt


async def test_no_more_than_five_stop_strings() -> None:
    book = Book()
    async with talking(book, "gemini-plain") as client:
        with pytest.raises(CapabilityError, match="at most 5 stop strings, not 6: give fewer"):
            await told(client, stop=tuple("abcdef"))
    assert book.requests == []


@pytest.mark.parametrize("write", [None, 1, 50])
@pytest.mark.parametrize("delta", [1, 7, 1000])
async def test_chunking_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, delta: int, write: int | None
) -> None:
    monkeypatch.setitem(MODELS, LATEST, MODELS["gemini-parts"])
    async with talking(Book(), LATEST, delta=delta, write=write) as client:
        done = await told(client, **HIGH)
    assert (done.text, done.reasoning) == ("First, " + TEXT, THOUGHT)
    assert turn_of(done) == [
        {"text": THOUGHT, "thought": True},
        {"text": "First, " + TEXT},
        {"text": "", "thoughtSignature": SIGNATURE},  # as it came
    ]
    assert (done.completion_tokens, done.reasoning_tokens) == (41 + WORDS, 40)


@pytest.mark.filterwarnings("ignore:'_UnionGenericAlias' is deprecated:DeprecationWarning")
@pytest.mark.parametrize("stream", [False, True])
async def test_a_conversation_goes_on_with_the_parts(
    monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    monkeypatch.setitem(MODELS, LATEST, MODELS["gemini-parts"])
    monkeypatch.setitem(MODELS, FLASH, MODELS["gemini-budget"])
    book = Book()
    async with talking(book, FLASH, stream=stream) as client:
        assert (await told(client)).blocks == ""  # no signature, no need
    async with talking(book, LATEST, stream=stream) as client:
        done = await told(client, **HIGH)
        await told(client, messages=after(done))
    assert [reply.status for reply in book.replies] == [200] * 3
    [question, turn, sure] = book.requests[2].body["contents"]
    assert question == {"role": "user", "parts": [{"text": "What is six times seven?"}]}
    assert turn == {"role": "model", "parts": turn_of(done)}
    assert sure == {"role": "user", "parts": [{"text": "Sure?"}]}
    types = pytest.importorskip("google.genai.types", reason=GENAI)
    parts = types.Content.model_validate(turn).parts
    assert [part.thought_signature for part in parts][-1] == b64decode(SIGNATURE)
    assert "".join(part.text or "" for part in parts if not part.thought) == done.text


async def test_parts_that_the_server_refuses_are_left_out_from_then_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(MODELS, LATEST, MODELS["gemini-level"])
    book = Book()
    async with talking(book, LATEST) as client:
        done = await told(client, **HIGH)
        forged = done.blocks.replace(SIGNATURE, "b3RoZXI=")
        for _ in range(2):
            await told(client, messages=after(done, blocks=forged))
        assert f"{LATEST} does not take signed thinking: left out." in client.info.remarks
    assert [reply.status for reply in book.replies] == [200, 400, 200, 200]
    assert book.requests[3].body["contents"][1] == {"role": "model", "parts": [{"text": TEXT}]}


async def test_usage_is_known_from_first_to_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODELS, LATEST, MODELS["gemini-level"])
    seen: list[Delta] = []
    async with talking(Book(), LATEST, write=50) as client:
        await client.generate(dataclasses.replace(ASK, **HIGH), seen.append)
    counts = [delta.tokens for delta in seen]
    assert counts[0] == 0
    assert counts[-1] == 40 + WORDS


def test_usage_is_known_while_the_sample_grows() -> None:
    stream = Stream(ASK, GenerateReader(ASK), 10_000)
    counts = []
    for thoughts, words in ((0, 0), (13, 0), (40, 0), (40, 2)):
        usage = {"thoughtsTokenCount": thoughts, "candidatesTokenCount": words}
        part = {"text": "six ", "thought": not words}
        candidate = {"index": 0, "content": {"role": "model", "parts": [part]}}
        chunk = {"candidates": [candidate], "usageMetadata": usage}
        stream.feed(b"data: " + json.dumps(chunk).encode() + b"\n\n")
        counts.append(stream.tokens)
    assert counts == [1, 13, 40, 42]


@pytest.mark.parametrize("stream", [False, True])
async def test_several_candidates_share_a_request(
    monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    monkeypatch.setitem(MODELS, FLASH, MODELS["gemini-candidates"])
    book = Book()
    able = frozenset({"n", "native_thinking"})
    async with talking(book, FLASH, stream=stream, capabilities=able) as client:
        done = await asyncio.gather(*(told(client) for _ in range(3)))
    assert book.requests[0].body["generationConfig"]["candidateCount"] == 3
    assert [(one.text, one.reasoning) for one in done] == [(TEXT, THOUGHT)] * 3
    assert sum(one.prompt_tokens for one in done) == book.billed.prompt
    assert sum(one.completion_tokens for one in done) == book.billed.completion
    assert sum(one.reasoning_tokens for one in done) == book.billed.thinking


# -- what a refusal teaches ------------------------------------------------------------------------

LESSONS: list[tuple[str, dict[str, Any], int, set[str], tuple[str, ...]]] = [
    ("gemini-plain", HIGH, 0, {"thinkingConfig"}, ()),
    ("gemini-budget", HIGH, 40, {"thinkingLevel"}, ()),
    ("gemini-budget", OFF, 0, {"thinkingLevel"}, ()),
    ("gemini-budget-always", OFF, 40, {"thinkingLevel", "thinkingBudget=0", "thinkingBudget"}, ()),
    ("gemini-level-pro", {"thinking": Thinking("medium")}, 40, set(), ("low", "high")),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("model", "fields", "thinking", "drop", "efforts"), LESSONS)
async def test_a_refusal_teaches_what_an_unknown_model_takes(
    model: str,
    fields: dict[str, Any],
    thinking: int,
    drop: set[str],
    efforts: tuple[str, ...],
    stream: bool,
) -> None:
    book, pauses = Book(), Pauses()
    async with talking(book, model, stream=stream, pauses=pauses) as client:
        before = client.endpoint
        done = await told(client, **fields)
        lessons = len(book.requests)
        await told(client, **fields)
        assert client.endpoint.drop == before.drop | drop
        assert client.endpoint.efforts == (efforts or before.efforts)
    assert lessons > 1
    assert len(book.requests) == lessons + 1  # it asks no more than once
    assert (done.text, done.reasoning_tokens) == (TEXT, thinking)
    assert done.completion_tokens * 2 == book.billed.completion
    assert pauses == []


async def test_a_model_without_log_probabilities_is_not_asked_for_them_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(MODELS, FLASH, MODELS["gemini-budget"])
    book = Book()
    able = frozenset({"logprobs", "top_logprobs"})
    async with talking(book, FLASH, capabilities=able) as client:
        with pytest.raises(RequestRefused, match="Logprobs is not enabled"):
            await told(client, logprobs=True, top_logprobs=3)
        with pytest.raises(RequestRefused, match="refuses 'logprobs', which this request needs"):
            await told(client, logprobs=True, top_logprobs=3)
        assert (await told(client)).text == TEXT
    refused, _ = (asked.body["generationConfig"] for asked in book.requests)
    assert (refused["responseLogprobs"], refused["logprobs"]) == (True, 3)


def test_log_probabilities_are_read() -> None:
    result = {
        "chosenCandidates": [
            {"token": "4", "logProbability": -0.25},
            {"token": "2", "logProbability": -0.125},
        ],
        "topCandidates": [
            {"candidates": [{"token": "4", "logProbability": -0.25},
                            {"token": "5", "logProbability": -1.5}]},
            {"candidates": [{"token": "2", "logProbability": -0.125},
                            {"token": "2", "logProbability": -9.0}]},
        ],
    }  # fmt: skip
    candidate = {
        "content": {"parts": [{"text": "42"}]},
        "finishReason": "STOP",
        "logprobsResult": result,
    }
    request = dataclasses.replace(ASK, logprobs=True, top_logprobs=2, pieces=True)
    wire = Generate(Endpoint(name="e", base_url="http://h", model=FLASH))
    [whole] = wire.read({"candidates": [candidate]}, request, 1).choices
    piece = wire.reader(request).read({"candidates": [candidate]})
    for tokens in (whole.tokens, piece.tokens):  # type: ignore[union-attr]
        assert tokens.count == 2
        assert tokens.logprobs == (-0.25, -0.125)
        assert tokens.top == ({"4": -0.25, "5": -1.5}, {"2": -0.125})
        assert tokens.pieces == (b"4", b"2")


@pytest.mark.parametrize("stream", [False, True])
async def test_the_most_tokens_of_a_sample_are_learned(
    monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    monkeypatch.setitem(MODELS, FLASH, MODELS["gemini-budget"])
    book = Book()
    async with talking(book, FLASH, stream=stream) as client:
        for _ in range(2):
            done = await told(client, max_tokens=100_000, **HIGH)
            assert done.text == TEXT
        remark = f"{FLASH} generates at most 65,536 tokens a sample."
        assert remark in client.info.remarks
    assert [reply.status for reply in book.replies] == [400, 200, 200]
    lengths = [asked.body["generationConfig"]["maxOutputTokens"] for asked in book.requests]
    assert lengths == [100_000, 65_536, 65_536]


# -- what goes wrong -------------------------------------------------------------------------------

FAULTS: list[tuple[str, type[ModelError], str, int]] = [
    ("gemini-elsewhere", RequestRefused, "400: User location is not supported", 1),
    ("gemini-forbidden", RequestRefused, "403: Your project was denied access", 1),
    ("gemini-unheard-of", RequestRefused, "404: models/gemini-unheard-of is not found .*$", 1),
    ("gemini-limited", RateLimited, "429: You exceeded your current quota", 3),
    ("gemini-fails", ServerFault, "500: An internal error", 3),
    ("gemini-overloaded", ServerFault, "503: The model is overloaded", 3),
    ("gemini-times-out", ServerFault, "504: Deadline expired", 3),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("scenario", "error", "message", "attempts"), FAULTS)
async def test_an_error_costs_nothing(
    monkeypatch: pytest.MonkeyPatch,
    scenario: str,
    error: type[ModelError],
    message: str,
    attempts: int,
    stream: bool,
) -> None:
    book, pauses = Book(), Pauses()
    able = frozenset({"stop"})  # it asks for no thoughts
    async with talking(
        book, scenario, stream=stream, capabilities=able, retries=2, pauses=pauses
    ) as client:
        with pytest.raises(error, match=message) as caught:
            await told(client)
    assert "base_url" not in str(caught.value)
    assert len(book.requests) == attempts
    assert pauses == [7.0 if scenario == "gemini-limited" else 0.0] * (attempts - 1)
    assert (caught.value.prompt_tokens, caught.value.completion_tokens) == (0, 0)
    assert book.billed == Billed()


@pytest.mark.parametrize("write", [None, 1, 50])
async def test_an_error_in_the_middle_of_a_stream(
    monkeypatch: pytest.MonkeyPatch, write: int | None
) -> None:
    monkeypatch.setitem(MODELS, FLASH, MODELS["gemini-breaks"])
    book = Book()
    async with talking(book, FLASH, write=write) as client:
        with pytest.raises(ServerFault, match="503: The model is overloaded") as caught:
            await told(client, **HIGH)
    assert len(book.requests) == 1
    assert caught.value.prompt_tokens == book.billed.prompt
    assert 0 < caught.value.completion_tokens < 40 + WORDS


async def test_so_without_a_stream_it_is_free_of_charge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODELS, FLASH, MODELS["gemini-breaks"])
    book = Book()
    async with talking(book, FLASH, stream=False, retries=1) as client:
        with pytest.raises(ServerFault, match="503") as caught:
            await told(client)
    assert (len(book.requests), caught.value.completion_tokens) == (2, 0)


async def test_a_stream_that_breaks_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODELS, FLASH, MODELS["gemini-cut"])
    book = Book()
    async with talking(book, FLASH) as client:
        with pytest.raises(ModelUnreachable) as caught:
            await told(client)
        bound = client.prompt_bound(ASK.messages)
    assert len(book.requests) == 1
    assert caught.value.prompt_tokens == bound
    assert 0 < caught.value.completion_tokens < 40 + WORDS


async def test_a_stream_that_never_says_that_it_ended_is_lost_and_booked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(MODELS, PLAIN, MODELS["gemini-endless"])
    book = Book()
    async with talking(book, PLAIN) as client:
        with pytest.raises(MalformedReply, match="ended before the sample did") as caught:
            await told(client)
    assert len(book.requests) == 1
    lost = caught.value
    assert (
        (lost.prompt_tokens, lost.completion_tokens)
        == (5, WORDS)
        == (
            book.billed.prompt,
            book.billed.completion,
        )
    )


@pytest.mark.parametrize("stream", [False, True])
async def test_a_cancelled_sample_ends_at_its_source(
    monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    monkeypatch.setitem(MODELS, FLASH, MODELS["gemini-hangs"])
    book, seen, grown = Book(), list[tuple[int, int]](), asyncio.Event()

    def progress(delta: Delta) -> None:
        seen.append(costs(delta))
        if delta.reasoning or not stream:
            grown.set()

    async with talking(book, FLASH, stream=stream) as client:
        task = asyncio.create_task(client.generate(ASK, progress))
        await grown.wait()
        await book.until_asked(1)
        task.cancel()
        await book.until_abandoned()
    completion = seen[-1][1]
    assert 0 < completion < 40 + WORDS if stream else completion == ASK.max_tokens


async def test_a_wrong_key_is_refused_and_not_told() -> None:
    async with talking(Book(), FLASH, key="AIza-other") as client:
        with pytest.raises(RequestRefused, match="400: API key not valid"):
            await told(client)


@pytest.mark.parametrize("body", [{}, {"candidates": "42"}, {"candidates": []}])
def test_a_reply_without_candidates_is_malformed(body: dict[str, Any]) -> None:
    with pytest.raises(Exception, match="it has no candidates"):
        Generate(Endpoint(name="e", base_url="http://h", model=FLASH)).read(body, ASK, 1)
