"""Kinds of oddity that servers in the field have shown, and what is right for each."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from typing import Any

import pytest

from ponder.core.errors import ModelError, RateLimited, RequestRefused, ServerFault
from ponder.core.problem import Message
from ponder.models.base import Completion, Request
from ponder.models.http.endpoint import Endpoint
from ponder.models.openai.client import OpenAICompat
from tests.support.loopback import Loopback, Step, answer, delta, sse

ASK = Request((Message("user", "How many are three dozen?"),), 300, watched=True)
BOUND = 25 + 16 + 128
TEXT = r"Three dozen are \boxed{36}"
USAGE = {"prompt_tokens": 40, "completion_tokens": 15, "total_tokens": 55}


async def no_pause(seconds: float) -> None:
    assert seconds >= 0


async def outcome(
    *steps: Step, ask: Request = ASK, **settings: Any
) -> tuple[Completion | ModelError, int]:
    """What became of one sample, and the number of requests that it took."""
    settings = {"retries": 1, "name": "e", "model": "m", **settings}
    async with Loopback(*steps) as server:
        client = OpenAICompat(Endpoint(base_url=server.url, **settings), sleep=no_pause)
        try:
            done: Completion | ModelError = await client.generate(ask)
        except ModelError as error:
            done = error
        await client.close()
    return done, len(server.requests)


def said(content: Any, finish: Any = "stop", **message: Any) -> dict[str, Any]:
    return {
        "message": {"role": "assistant", "content": content, **message},
        "finish_reason": finish,
    }


def thought(tokens: int) -> dict[str, Any]:
    return {"completion_tokens_details": {"reasoning_tokens": tokens}}


COUNTS = [
    # thinking beside the completion; within it; without any total
    ({"prompt_tokens": 40, "completion_tokens": 15, "total_tokens": 755, **thought(700)}, 40, 715),
    ({"prompt_tokens": 40, "completion_tokens": 715, "total_tokens": 755, **thought(700)}, 40, 715),
    ({"prompt_tokens": 40, "completion_tokens": 715, **thought(700)}, 40, 715),
    ({"prompt_tokens": 40, "completion_tokens": 15, **thought(700)}, 40, 715),
    # partly missing, null, of another type
    ({"prompt_tokens": 40, "total_tokens": 55}, 40, 15),
    ({"completion_tokens": 15, "total_tokens": 55}, 40, 15),
    ({"completion_tokens": 15}, BOUND, 15),
    ({"prompt_tokens": 40}, 40, 300),
    ({"prompt_tokens": None, "completion_tokens": None, "total_tokens": 0}, BOUND, 300),
    ({"prompt_tokens": 40.0, "completion_tokens": 15.0}, 40, 15),
    ({"prompt_tokens": "many", "completion_tokens": [15]}, BOUND, 300),
    ({}, BOUND, 300),
    (None, BOUND, 300),
]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("usage", "prompt", "completion"), COUNTS)
async def test_a_text_is_kept_and_its_counts_are_what_was_said_or_the_worst(
    usage: Any, prompt: int, completion: int, stream: bool
) -> None:
    step = answer(said(TEXT), usage=usage)
    if stream:
        step = sse(delta(TEXT), delta(None, "stop"), {"choices": [], "usage": usage})
    done, requests = await outcome(step, stream=stream)
    assert isinstance(done, Completion)
    assert (done.text, done.finish, requests) == (TEXT, "stop", 1)
    assert (done.prompt_tokens, done.completion_tokens) == (prompt, completion)


SAYINGS = [
    # a choice; its text, its reasoning, its finish reason
    (said(None, "length"), "", "", "length"),
    (said(None), "", "", "stop"),
    (said(""), "", "", "stop"),
    ({"finish_reason": "length"}, "", "", "length"),
    (said(None, reasoning_content=f"3 x 12, so {TEXT}"), "", f"3 x 12, so {TEXT}", "stop"),
    (said("", reasoning="3 x 12"), "", "3 x 12", "stop"),
    (said(None, refusal="No."), "No.", "", "refusal"),
    (said("", "content_filter"), "", "", "refusal"),
    (said(None, "tool_calls", tool_calls=[{"id": "1"}]), "", "", "stop"),
    (said([{"type": "text", "text": TEXT}]), TEXT, "", "stop"),
    (
        said(
            [
                {"type": "thinking", "thinking": [{"type": "text", "text": r"\boxed{35}?"}]},
                {"type": "text", "text": TEXT},
            ]
        ),
        TEXT, r"\boxed{35}?", "stop",
    ),
    (said("<think>35? no, wait", "length"), "", "35? no, wait", "length"),
    (said(f"35? no.</think>{TEXT}"), TEXT, "35? no.", "stop"),
    (said(f"<thinking>35?</thinking>{TEXT}"), TEXT, "35?", "stop"),
    (said(f"<reasoning>35?</reasoning>{TEXT}"), TEXT, "35?", "stop"),
    (said(f"[THINK]35?[/THINK]{TEXT}"), TEXT, "35?", "stop"),
    (said(f"<seed:think>35?</seed:think>{TEXT}"), TEXT, "35?", "stop"),
    (said(f"◁think▷35?◁/think▷{TEXT}"), TEXT, "35?", "stop"),
    (
        said(
            "<|channel|>analysis<|message|>35?<|end|><|start|>assistant<|channel|>final<|message|>"
            f"{TEXT}<|return|>"
        ),
        TEXT, "35?", "stop",
    ),
    (said(TEXT, None), TEXT, "", "stop"),
    (said(TEXT, ""), TEXT, "", "stop"),
    (said(TEXT, "eos"), TEXT, "", "stop"),
    (said("Three dozen: 3", "error"), "Three dozen: 3", "", "error"),
    (said("Three dozen: 3", "max_tokens"), "Three dozen: 3", "", "length"),
    (said("Three dozen: 3", "abort"), "Three dozen: 3", "", "error"),
]  # fmt: skip


@pytest.mark.parametrize(("choice", "text", "reasoning", "finish"), SAYINGS)
async def test_whatever_a_choice_holds_is_one_sample_and_paid_once(
    choice: Any, text: str, reasoning: str, finish: str
) -> None:
    done, requests = await outcome(answer(choice, usage=USAGE))
    assert isinstance(done, Completion)
    assert (done.text, done.reasoning, done.finish) == (text, reasoning, finish)
    assert (done.prompt_tokens, done.completion_tokens, requests) == (40, 15, 1)


async def test_a_filter_that_leaves_no_choice_is_a_refusal() -> None:
    body = json.dumps({"choices": [], "usage": USAGE}).encode()
    done, requests = await outcome(Step(body=body))
    assert isinstance(done, Completion)
    assert (done.text, done.finish, done.completion_tokens, requests) == ("", "refusal", 15, 1)


END = {"choices": [], "usage": USAGE}
STREAMS = [
    sse(delta("", ""), delta("Three dozen", ""), delta(" are 36", ""), delta(None, "stop"), END),
    sse(delta("Three dozen", "null"), delta(" are 36", "null"), delta(None, "stop"), END),
    sse(delta("Three dozen"), delta(" are 36"), END),
    sse(
        delta("Three dozen are 36"),
        {"choices": [{"index": 0, "delta": None, "finish_reason": "stop"}]},
        END,
    ),
    sse(delta("Three dozen are 36"), {"choices": [{"index": 0, "finish_reason": "stop"}]}, END),
    sse(delta("Three dozen are 36"), delta(None, "stop"), END, done=False),
    sse({"choices": [], "usage": None}, delta("Three dozen are 36", "stop"), END),
    answer(said("Three dozen are 36"), usage=USAGE),
]


@pytest.mark.parametrize("step", STREAMS)
async def test_a_stream_that_ends_in_any_way_of_the_field_is_a_sample(step: Step) -> None:
    done, requests = await outcome(step, stream=True)
    assert isinstance(done, Completion)
    assert (done.text, done.finish) == ("Three dozen are 36", "stop")
    assert (done.prompt_tokens, done.completion_tokens, requests) == (40, 15, 1)


@pytest.mark.parametrize("reason", ["", None, "null"])
async def test_a_stream_that_breaks_off_is_a_lost_sample(reason: Any) -> None:
    done, requests = await outcome(
        sse(delta("Three dozen", reason), delta(" are 3", reason), done=False), stream=True
    )
    assert isinstance(done, ModelError)
    assert (done.completion_tokens, requests) == (2, 1)


async def test_a_stream_whose_last_word_is_an_error_is_no_complete_text() -> None:
    done, _ = await outcome(sse(delta("The answer is 3"), delta("", "error")), stream=True)
    assert isinstance(done, Completion)
    assert done.finish == "error"


FRAMES = [b"data: ", b"data:"]


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"])
@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf", b": ping\n\n", b"data:\n\ndata: \n\n"])
async def test_a_stream_is_read_in_any_frame(before: bytes, frame: bytes, end: bytes) -> None:
    chunk = json.dumps(delta("Three\u2028dozen are 36"), ensure_ascii=False).encode()
    events = [chunk, json.dumps(delta(None, "stop")).encode(), json.dumps(END).encode(), b"[DONE]"]
    body = before + b"".join(frame + event + end for event in events)
    done, _ = await outcome(Step(body=body), stream=True)
    assert isinstance(done, Completion)
    assert (done.text, done.completion_tokens) == ("Three\u2028dozen are 36", 15)


ERRORS = [
    # an error with status 200; the words that are said; the kind; the requests with one retry
    ({"error": {"message": "overloaded", "code": 429}}, "overloaded", RateLimited, 2),
    ({"error": "model not loaded"}, "model not loaded", RequestRefused, 1),
    (
        {"object": "error", "message": "too long for 8 tokens", "type": "BadRequestError",
         "code": 400},
        "too long for 8 tokens", RequestRefused, 1,
    ),
    (
        {"object": "error", "message": "The maximum context length is 8 tokens.", "code": 400},
        "maximum context length is 8 tokens", RequestRefused, 1,
    ),
    (
        {"error": {"object": "error", "message": "The input (9000 tokens) is longer than the "
                   "model's context length (4096 tokens).", "code": 400}},
        "9000 tokens", RequestRefused, 1,
    ),
    (
        {"error": {"message": "gone", "code": 502}, "choices": [said("half", "error")]},
        "gone", ServerFault, 2,
    ),
]  # fmt: skip


@pytest.mark.parametrize("how", ["whole", "event", "unframed"])
@pytest.mark.parametrize(("body", "words", "kind", "sent"), ERRORS)
async def test_an_error_with_status_200_is_said_and_costs_nothing(
    body: Any, words: str, kind: type[ModelError], sent: int, how: str
) -> None:
    step = sse(body) if how == "event" else Step(body=json.dumps(body).encode())
    done, requests = await outcome(step, stream=how != "whole")
    assert isinstance(done, kind)
    assert words in str(done)
    assert (done.prompt_tokens, done.completion_tokens, requests) == (0, 0, sent)


async def test_an_error_in_mid_stream_is_said_and_what_came_is_booked() -> None:
    failed = {"error": {"message": "Provider disconnected", "code": 502}, **delta("", "error")}
    done, requests = await outcome(sse(delta("Three dozen"), failed), stream=True)
    assert isinstance(done, ServerFault)
    assert "Provider disconnected" in str(done)
    assert (done.completion_tokens, requests) == (1, 1)


NOT_A_NUMBER = [float("nan"), float("-inf"), float("inf"), None, "x"]


@pytest.mark.parametrize("value", NOT_A_NUMBER)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_log_probability_that_is_no_number_leaves_the_sample(
    value: Any, stream: bool
) -> None:
    listed = {"content": [{"token": "a", "logprob": value, "top_logprobs": []},
                          {"token": "b", "logprob": -0.5}]}  # fmt: skip
    step = answer({**said(TEXT), "logprobs": listed}, usage=USAGE)
    if stream:
        step = sse(delta(TEXT, logprobs=listed), delta(None, "stop"), END)
    ask = dataclasses.replace(ASK, logprobs=True)
    done, _ = await outcome(step, ask=ask, stream=stream, capabilities=frozenset({"logprobs"}))
    assert isinstance(done, Completion)
    assert (done.text, done.logprobs, done.completion_tokens) == (TEXT, None, 15)


@pytest.mark.parametrize(
    "listed", [None, {}, {"content": None}, {"tokens": ["a"], "token_logprobs": [-0.1]}]
)
async def test_log_probabilities_in_another_shape_leave_the_sample(listed: Any) -> None:
    ask = dataclasses.replace(ASK, logprobs=True)
    step = answer({**said(TEXT), "logprobs": listed}, usage=USAGE)
    done, _ = await outcome(step, ask=ask, capabilities=frozenset({"logprobs"}))
    assert isinstance(done, Completion)
    assert (done.text, done.logprobs) == (TEXT, None)


async def test_a_field_of_ones_own_is_sent_once_and_wins() -> None:
    extra = {"temperature": 1, "stop": ["Z"], "top_k": 20}
    async with Loopback(answer(said(TEXT), usage=USAGE)) as server:
        endpoint = Endpoint(name="e", model="m", base_url=server.url, extra_body=extra)
        client = OpenAICompat(endpoint)
        await client.generate(dataclasses.replace(ASK, stop=("Q",)))
        await client.close()
    pairs = json.loads(server.requests[0].body, object_pairs_hook=list)
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names))
    assert extra.items() <= dict(pairs).items()


@pytest.mark.parametrize("refused", [True, False], ids=["refused", "ignored"])
async def test_samples_of_a_server_with_one_a_request_are_all_had(refused: bool) -> None:
    no = Step(400, body=b'{"error": {"message": "n must be 1"}}')
    one = answer(said(TEXT), usage=USAGE)
    able: Any = frozenset({"n"})
    async with Loopback(*([no] if refused else []), one) as server:
        endpoint = Endpoint(name="e", model="m", base_url=server.url, capabilities=able, retries=0)
        client = OpenAICompat(endpoint, sleep=no_pause)
        ended = await asyncio.gather(*(client.generate(ASK) for _ in range(3)))
        assert "n" not in client.info.capabilities
        assert "one by one" in client.info.remarks[0]
        await client.generate(ASK)
        await client.close()
    # each was a request of its own, but for one that came although three were asked for
    assert [(done.prompt_tokens, done.completion_tokens) for done in ended] == [(40, 15)] * 3
    assert [seen.json.get("n", 1) for seen in server.requests] == (
        [3, 1, 1, 1, 1] if refused else [3, 1, 1, 1]
    )


async def test_a_context_that_is_too_short_gives_the_sample_what_is_left() -> None:
    words = (
        "This model's maximum context length is 300 tokens. However, you requested 340 tokens "
        "(40 in the messages, 300 in the completion)."
    )
    no = Step(400, body=json.dumps({"object": "error", "message": words, "code": 400}).encode())
    async with Loopback(no, answer(said(TEXT), usage=USAGE)) as server:
        client = OpenAICompat(Endpoint(name="e", model="m", base_url=server.url))
        done = await client.generate(ASK)
        again = await client.generate(ASK)
        await client.close()
    assert [seen.json["max_tokens"] for seen in server.requests] == [300, 260, 260]
    assert done.text == again.text == TEXT
