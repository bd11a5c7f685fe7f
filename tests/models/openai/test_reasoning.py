"""Reasoning, refusals and wishes about thinking, as servers of this protocol write them."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from ponder.core.problem import Message
from ponder.core.thinking import Thinking
from ponder.core.trace import Delta
from ponder.models.base import Capability, Completion, Request
from ponder.models.http.endpoint import Endpoint
from ponder.models.openai.client import OpenAICompat
from tests.support.deltas import check
from tests.support.loopback import Loopback, Step, answer, choice, delta, sse, usage

ASK = Request((Message("user", "What is 6 x 7?"),), 20, watched=True)
ABLE: frozenset[Capability] = frozenset({"n", "native_thinking"})
DETAILS = {"completion_tokens_details": {"reasoning_tokens": 3}}


def model(url: str, **settings: Any) -> OpenAICompat:
    settings = {"capabilities": ABLE, "retries": 0, **settings}
    return OpenAICompat(Endpoint(name="e", base_url=url, model="m", **settings))


async def told(step: Step, ask: Request = ASK, **settings: Any) -> Completion:
    seen: list[Delta] = []
    async with Loopback(step) as server:
        client = model(server.url, **settings)
        done = await client.generate(ask, seen.append)
        await client.close()
    check(seen, done)
    return done


def thoughtful(name: str, text: Any, thoughts: Any, finish: str = "stop") -> dict[str, Any]:
    message = {"role": "assistant", "content": text, name: thoughts}
    return {"message": message, "finish_reason": finish}


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
async def test_reasoning_is_kept_apart_from_the_text(name: str) -> None:
    done = await told(answer(thoughtful(name, "42", "six times"), usage=usage(9, 5, **DETAILS)))
    assert (done.text, done.reasoning) == ("42", "six times")
    assert (done.completion_tokens, done.reasoning_tokens) == (5, 3)


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
async def test_so_it_is_in_a_stream(name: str) -> None:
    thoughts = [{"choices": [{"index": 0, "delta": {name: t}}]} for t in ("six", " times \ud83d",
                                                                         "\ude42")]  # fmt: skip
    end = {"choices": [], "usage": usage(9, 5, **DETAILS)}
    done = await told(sse(*thoughts, delta("4"), delta("2", "stop"), end), stream=True)
    assert (done.text, done.reasoning) == ("42", "six times 🙂")
    assert (done.completion_tokens, done.reasoning_tokens) == (5, 3)


async def test_thinking_that_is_cut_off_is_a_text_of_nothing() -> None:
    done = await told(answer(thoughtful("reasoning", None, "hm", "length")))
    assert (done.text, done.reasoning, done.finish) == ("", "hm", "length")


async def test_a_refusal_is_one_whatever_the_word_for_its_end() -> None:
    done = await told(answer(thoughtful("refusal", None, "I will not.")))
    assert (done.text, done.finish) == ("I will not.", "refusal")
    said = [{"choices": [{"index": 0, "delta": {"refusal": t}}]} for t in ("I will", " not.")]
    done = await told(sse(*said, delta(None, "stop")), stream=True)
    assert (done.text, done.finish) == ("I will not.", "refusal")


async def test_an_empty_word_in_a_stream_ends_nothing_before_the_stream_does() -> None:
    done = await told(sse(delta("4", ""), delta("2", "")), stream=True)
    assert (done.text, done.finish) == ("42", "stop")
    assert (await told(answer(choice("42", finish="")))).finish == "stop"


@pytest.mark.parametrize(
    ("thinking", "sent"),
    [("off", "none"), ("low", "low"), ("max", "max"), ("auto", None), ("800", "low")],
)
async def test_thinking_is_asked_for_as_an_effort(thinking: str, sent: str | None) -> None:
    async with Loopback(answer()) as server:
        client = model(server.url)
        await client.generate(dataclasses.replace(ASK, thinking=Thinking.read(thinking)))
        await client.close()
    assert server.requests[0].json.get("reasoning_effort") == sent


CONTINUED = [
    # a prefix; what its server calls thinking; the text and the thinking that it is
    ("The answer is \\boxed{", "42}.", "42}.", ""),
    ("<think>\nsix times\n</think>\n\nThe answer is ", "42", "42", ""),
    ("<think>\nsix times", " seven", "", " seven"),
    ("", "six times", "", "six times"),
]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("prefix", "thoughts", "text", "reasoning"), CONTINUED)
async def test_what_continues_a_text_is_no_thinking(
    prefix: str, thoughts: str, text: str, reasoning: str, stream: bool
) -> None:
    step = answer(thoughtful("reasoning", None, thoughts), usage=usage(9, 5))
    if stream:
        parts = (
            {"choices": [{"index": 0, "delta": {"reasoning": t}}]}
            for t in (thoughts[:1], thoughts[1:])
        )
        step = sse(*parts, delta("", "stop"), {"choices": [], "usage": usage(9, 5)})
    ask = dataclasses.replace(ASK, prefix=prefix)
    settings: dict[str, Any] = {"prefill": "continue_final_message", "stream": stream}
    done = await told(step, ask=ask, **settings)
    assert (done.text, done.reasoning) == (text, reasoning)
    assert done.completion_tokens == 5
