"""Chat Completions, as the official client sees them."""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any

import openai
import pytest

from ponder.core.budget import Budget
from ponder.core.errors import ModelError, RateLimited
from ponder.core.problem import Message
from ponder.models.base import Completion
from ponder.server.settings import Settings
from tests.support.serving import NUMBER, USER, Gate, answering, scripted, serving


async def test_an_ordinary_chat_is_shown_as_it_is_and_costs_one_sample() -> None:
    model = answering("Hello, reader.")
    async with serving(model) as server:
        done = await server.chat(
            [
                {"role": "developer", "content": "Be brief."},
                {"role": "user", "content": "Hi"},
                {"role": "assistant", "content": "Yes?"},
                {"role": "user", "content": [{"type": "text", "text": "Say 2 words."}]},
            ]
        )
    assert done.choices[0].message.content == "Hello, reader."
    assert done.choices[0].finish_reason == "stop"
    [asked] = model.requests
    assert asked.messages == (
        Message("system", "Be brief."),
        Message("user", "Hi"),
        Message("assistant", "Yes?"),
        Message("user", "Say 2 words."),
    )
    assert asked.thinking is None
    assert done.usage.prompt_tokens == 7
    assert (done.usage.completion_tokens, done.usage.total_tokens) == (2, 9)
    assert done.usage.completion_tokens_details.reasoning_tokens == 0
    assert done.ponder["strategy"] == "direct"
    assert "one sample" in done.ponder["decided"][0]


async def test_a_question_with_a_comparable_answer_is_searched() -> None:
    model = answering("it is \\boxed{41}", *["so \\boxed{42}"] * 3)
    async with serving(model) as server:
        done = await server.chat(NUMBER, reasoning_effort="low")
        other = await server.chat(NUMBER, model="scripted:low")
    assert done.choices[0].message.content == "so \\boxed{42}"
    assert done.ponder["strategy"] == "self_consistency"
    assert done.ponder["answer"] == "42"
    assert done.ponder["effort"] == other.ponder["effort"] == "low"
    spent = done.ponder["receipt"]["total"]
    assert done.usage.prompt_tokens == spent["prompt_tokens"]
    made = spent["completion_tokens"] + spent["wasted_tokens"]
    assert done.usage.completion_tokens == made
    assert done.usage.completion_tokens_details.reasoning_tokens == made - 2


BEGUN = [*NUMBER, {"role": "assistant", "content": "It is six"}]


@pytest.mark.parametrize(
    ("question", "strategy"),
    [
        ("Translate this: I have 3 cats and 2 dogs.", "direct"),
        ("hello", "direct"),
        ("What is 3 + 4?", "self_consistency"),
        ("Solve $x^2 = 4$ for x.", "self_consistency"),
    ],
)
async def test_a_figure_alone_is_no_question_to_compute(question: str, strategy: str) -> None:
    async with serving(answering("so \\boxed{7}")) as server:
        done = await server.chat([{"role": "user", "content": question}])
    assert done.ponder["strategy"] == strategy


async def test_the_effort_none_asks_once_with_nothing_added() -> None:
    model = answering("42")
    async with serving(model) as server:
        done = await server.chat(NUMBER, reasoning_effort="none")
    assert [request.messages for request in model.requests] == [
        (Message("user", NUMBER[0]["content"]),)
    ]
    assert done.choices[0].message.content == "42"


async def test_every_setting_reaches_the_model() -> None:
    model = answering("one two three END four")
    async with serving(model) as server:
        done = await server.chat(
            temperature=0.3, top_p=0.9, max_completion_tokens=7, seed=2**40 + 5, stop=["END"]
        )
        short = await server.chat(max_tokens=2)
    request = model.requests[0]
    assert (request.temperature, request.top_p, request.max_tokens) == (0.3, 0.9, 7)
    assert request.stop == ("END",)
    assert done.choices[0].message.content == "one two three"
    assert short.choices[0].message.content == "one two"
    assert short.choices[0].finish_reason == "length"
    assert short.choices[0].message.refusal is None


async def test_a_refusal_is_where_clients_look_for_it() -> None:
    async with serving(scripted(lambda request: Completion("No.", "refusal", 4, 1))) as server:
        done = await server.chat()
    [choice] = done.choices
    assert (choice.finish_reason, choice.message.refusal) == ("content_filter", "No.")


async def test_a_reply_that_has_begun_is_continued() -> None:
    model = answering(" seven eight")
    async with serving(model) as server:
        done = await server.chat(BEGUN)
        stream = await server.chat(BEGUN, stream=True)
        parts = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert done.choices[0].message.content == "".join(parts) == " seven eight"
    assert {request.prefix for request in model.requests} == {"It is six"}
    assert done.ponder["strategy"] == "direct"


async def test_equal_seeds_ask_for_equal_samples_and_none_for_different_ones() -> None:
    model = answering("yes")
    async with serving(model) as server:
        for seed in (3, 3, None, None):
            await server.chat(**({} if seed is None else {"seed": seed}))
    first, second, third, fourth = [request.seed for request in model.requests]
    assert first == second
    assert third != fourth


async def test_thinking_comes_back_under_both_names_and_is_counted() -> None:
    thought = Completion("Hello.", "stop", 4, 5, reasoning="They greet me.", reasoning_tokens=4)
    async with serving(scripted(lambda request: thought, thinks=True)) as server:
        done = await server.chat()
    message = done.choices[0].message
    assert message.reasoning == message.reasoning_content == "They greet me."
    assert done.usage.completion_tokens_details.reasoning_tokens == 4


async def test_a_schema_gives_json_alone() -> None:
    model = answering('thus ```json\n{"n": 3}\n```')
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema, "strict": True}}
    async with serving(model) as server:
        done = await server.chat(response_format=form, reasoning_effort="none")
        assert done.choices[0].message.content == '{"n": 3}'
        model._reply = lambda request: '```json\n{"n": "three"}\n```'
        with pytest.raises(openai.InternalServerError) as caught:
            await server.chat(response_format=form, reasoning_effort="none")
    assert caught.value.code == "no_valid_answer"


async def test_only_what_satisfies_the_schema_can_win() -> None:
    model = answering('{"n": "3"}', '{"n": "3"}', '{"n": 4}', "no JSON")
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    how = {"extra_body": {"ponder": {"knobs": {"n": 4, "stop": "never"}}}}
    async with serving(model) as server:
        done = await server.chat(response_format=form, **how)
        free = await server.chat(response_format={"type": "json_object"}, **how)
    assert done.choices[0].message.content == '{"n": 4}'
    assert free.choices[0].message.content == '{"n": "3"}'
    assert [request.schema for request in model.requests] == [json.dumps(schema)] * 4 + [""] * 4


async def test_several_choices_are_runs_of_their_own() -> None:
    model = answering("one", "two", "three")
    async with serving(model) as server:
        done = await server.chat(n=3, seed=1)
    assert [choice.message.content for choice in done.choices] == ["one", "two", "three"]
    assert len({request.seed for request in model.requests}) == 3
    assert done.usage.completion_tokens == 3
    assert len(done.ponder["runs"]) == 3


async def test_the_dial_in_the_body() -> None:
    model = answering("a \\boxed{1}", "b \\boxed{2}")
    dial = {"strategy": "best_of_n", "knobs": {"n": 2}, "verifier": "mean_logprob"}
    async with serving(model) as server:
        done = await server.chat(NUMBER, extra_body={"ponder": {**dial, "budget": {"tokens": 500}}})
    assert done.ponder["strategy"] == "best_of_n"
    assert len(model.requests) == 2


async def test_a_request_cannot_raise_the_ceiling() -> None:
    model = answering("so \\boxed{42}")
    low = Settings(ceiling=Budget(tokens=20))
    async with serving(model, low) as server:
        with pytest.raises(openai.BadRequestError, match="budget of 20 tokens is too small"):
            await server.chat(NUMBER, extra_body={"ponder": {"budget": {"tokens": 10**6}}})
    assert not model.requests


@pytest.mark.parametrize(
    ("body", "param", "words"),
    [
        ({"top_k": 5}, "top_k", "not supported"),
        ({"messages": []}, "messages", "at least 1"),
        ({"messages": None}, "messages", "valid"),
        ({"temperature": 3}, "temperature", "less than or equal to 2"),
        ({"temperature": "0.5"}, "temperature", "number"),
        ({"temperature": True}, "temperature", "number"),
        ({"logprobs": 1}, "logprobs", "boolean"),
        ({"top_logprobs": 3}, "body", "belongs to log-probabilities"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs", "less than or equal to 20"),
        ({"presence_penalty": 1}, "presence_penalty", "takes penalties"),
        ({"logit_bias": {"50": 1}}, "logit_bias", "takes a bias"),
        ({"reasoning_effort": "enormous"}, "reasoning_effort", "one of none, minimal"),
        ({"max_tokens": 1, "max_completion_tokens": 2}, "body", "differ"),
        ({"stop": [""]}, "stop", "none of them empty"),
        ({"store": True}, "store", "False"),
        ({"n": 17}, "n", "at most 16"),
        ({"model": "scripted:low", "reasoning_effort": "high"}, "reasoning_effort", "one of them"),
        ({"ponder": {"url": "http://evil"}}, "ponder.url", "not supported"),
        ({"ponder": {"strategy": "magic"}}, None, "unknown strategy 'magic'"),
        (
            {"ponder": {"knobs": {"temperature": 1}}, "temperature": 1},
            "ponder.knobs.temperature",
            "given twice",
        ),
        ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content", "valid"),
        (
            {"messages": [{"role": "user", "content": [{"type": "file"}]}]},
            "messages[0].content",
            "'file'",
        ),
        ({"messages": [*USER, {"role": "system", "content": "y"}]}, "messages[1]", "user's"),
        ({"messages": BEGUN, "reasoning_effort": "low"}, "messages[1]", "has begun"),
        ({"messages": BEGUN, "response_format": {"type": "json_object"}}, "messages[1]", "begun"),
    ],
)
async def test_what_cannot_be_honoured_is_refused_by_name(
    body: dict[str, Any], param: str | None, words: str
) -> None:
    model = answering("no")
    async with serving(model) as server:
        said = await server.post(**{"model": "scripted", "messages": USER, **body})
    error = said.json()["error"]
    assert said.status_code == 400, error
    assert error["param"] == param, error
    assert words in error["message"], error
    assert error["type"] == "invalid_request_error"
    assert not model.requests


@pytest.mark.parametrize("file", ["/etc/passwd", "rubric.txt"])
async def test_a_request_names_no_file_script_or_model_of_its_own(file: str) -> None:
    model = answering("so \\boxed{42}")
    async with serving(model) as server:
        for verifier in (f"script({file}, f)", f"learned({file})", "judge(qwen2.5-coder-1.5b)"):
            said = await server.post(
                model="scripted",
                messages=NUMBER,
                ponder={"strategy": "best_of_n", "verifier": verifier},
            )
            assert "does not offer" in said.json()["error"]["message"], verifier
        members = {"strategies": "direct@qwen2.5-coder-1.5b"}
        dial = {"strategy": "mixture", "knobs": members}
        said = await server.post(model="scripted", messages=NUMBER, ponder=dial)
        assert "names the model 'qwen2.5-coder-1.5b'" in said.json()["error"]["message"]
    assert not model.requests


@pytest.mark.parametrize("body", [b"{", b"[]", b"[" * 5000, b'{"model": NaN}', b"\xff", b""])
async def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    async with serving(answering("no")) as server:
        said = await server.http.post(
            "/v1/chat/completions", content=body, headers={"content-type": "application/json"}
        )
    assert said.status_code == 400
    assert "the body" in said.json()["error"]["message"]


async def test_a_body_beyond_the_limit_is_refused() -> None:
    async with serving(answering("no"), Settings(body=100)) as server:
        said = await server.post(model="scripted", messages=USER * 100)
    assert said.status_code == 413
    assert "may have 100 bytes" in said.json()["error"]["message"]


async def test_a_model_that_fails_is_told_once_and_not_repeated_by_the_client() -> None:
    model = scripted(lambda request: ModelError("the wire is cut."))
    async with serving(model) as server:
        said = await server.post(model="scripted", messages=USER)
    assert said.status_code == 502
    assert said.headers["x-should-retry"] == "false"
    assert said.json()["error"]["message"] == "no sample came back: the wire is cut."


@pytest.mark.parametrize(("after", "told"), [(0.0, "5"), (6.5, "7"), (math.inf, "3600")])
async def test_a_limit_of_the_models_endpoint_is_passed_on(after: float, told: str) -> None:
    def limited(request: object) -> ModelError:
        error = RateLimited("endpoint 'a' answered 429: slow down.")
        error.after = after
        return error

    async with serving(scripted(limited)) as server:
        for asked in (USER, NUMBER):
            said = await server.post(model="scripted", messages=asked)
            assert said.status_code == 429, said.text
            assert said.headers["retry-after"] == told
            assert "x-should-retry" not in said.headers
            error = said.json()["error"]
            assert (error["type"], error["code"]) == ("rate_limit_error", "run_failed")
            assert error["ponder"]["receipt"]["total"]["failed"] >= 1


async def test_a_limit_after_something_was_spent_is_not_repeated_by_the_client() -> None:
    spent = RateLimited("slow down.", prompt_tokens=5)
    async with serving(scripted(lambda request: spent)) as server:
        said = await server.post(model="scripted", messages=USER)
    assert said.status_code == 429
    assert (said.headers["x-should-retry"], said.headers["retry-after"]) == ("false", "5")


async def test_a_client_that_hangs_up_ends_the_run() -> None:
    model = scripted(lambda request: "late", gate=Gate())
    gate = model.gate
    assert isinstance(gate, Gate)
    async with serving(model) as server:
        asking = asyncio.ensure_future(server.chat(NUMBER))
        await gate.reached()
        asking.cancel()
        await gate.left()
        assert model.running == 0
    assert server.engine.spent.tokens > 0
