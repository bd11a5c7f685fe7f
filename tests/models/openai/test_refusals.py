"""What a refusal teaches, in every server's words, and that the request is then accepted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ponder.core.errors import RequestRefused
from ponder.core.problem import Message
from ponder.core.thinking import Thinking
from ponder.models.base import Request
from ponder.models.http.endpoint import Endpoint
from ponder.models.http.failures import error_message, fault_of, reason_of
from ponder.models.http.wire import Change
from ponder.models.openai.client import OpenAICompat
from ponder.models.openai.refusals import ENCRYPTED, THINKING, read
from tests.support.loopback import Loopback, answer, choice, usage
from tests.support.vendors.compatible import (
    deepseek,
    llamacpp,
    lmstudio,
    mistral,
    ollama,
    openrouter,
    qwen,
    sglang,
    vllm,
    xai,
)
from tests.support.vendors.model import ANSWER
from tests.support.vendors.serving import Billed, Book
from tests.support.vendors.wires import ASK, check_bill, failed, sent, speaking, told


def dropping(*fields: str) -> Change:
    return Change(drop=frozenset(fields))


WORDS = [
    # fields
    ("Unsupported parameter: 'top_p' is not supported with this model.", dropping("top_p")),
    ("Unrecognized request argument supplied: reasoning_effort", dropping("reasoning_effort")),
    ("deepseek-reasoner does not support the parameter logprobs", dropping("logprobs")),
    ("Argument not supported on this model: reasoningEffort", dropping("reasoning_effort")),
    ("Argument not supported on this model: stop", dropping("stop")),
    ("reasoning_effort is not enabled for this model", dropping("reasoning_effort")),
    (
        "thinking_token_budget is set but reasoning_config is not configured.",
        dropping("thinking_token_budget"),
    ),
    ('"llama3.2:1b" does not support thinking', Change(drop=THINKING)),
    ("Encrypted content is not supported with this model.", dropping(ENCRYPTED)),
    ("n must be 1 when using greedy sampling, got 4.", dropping("n")),
    ("n must be 1", dropping("n")),
    (
        "Unsupported value: 'n' does not support 4 with this model. Only the default (1) value is "
        "supported.",
        dropping("n"),
    ),
    (
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
        "'max_completion_tokens' instead.",
        Change(max_tokens_field="max_completion_tokens"),
    ),
    # levels
    (
        "Unsupported value: 'reasoning_effort' does not support 'minimal' with this model. "
        "Supported values are: 'none', 'low', 'medium', and 'high'.",
        Change(efforts=("off", "low", "medium", "high")),
    ),
    (
        "Unsupported value: 'low' is no reasoning_effort here. Supported values are: 'high'.",
        Change(efforts=("high",)),
    ),
    ("reasoning_effort must be one of high, max", Change(efforts=("high", "max"))),
    (
        "reasoning_effort=low is not supported: use 'none' or 'high'",
        Change(efforts=("off", "high")),
    ),
    (
        'invalid reasoning value: \'max\' (must be "high", "medium", "low", or "none")',
        Change(efforts=("off", "low", "medium", "high")),
    ),
    (
        "Reasoning is mandatory for this endpoint and cannot be disabled.",
        Change(efforts=("minimal", "low", "medium", "high", "xhigh", "max")),
    ),
    # streams
    (
        "parameter.enable_thinking must be set to false for non-streaming calls",
        Change(stream=True),
    ),
    ("This model only supports streaming.", Change(stream=True)),
    # lengths; 200 tokens were asked for
    (
        "max_tokens is too large: 200. This model supports at most 32 completion tokens, whereas "
        "you provided 200.",
        Change(most_tokens=32),
    ),
    (
        "This model's maximum context length is 4096 tokens. However, your messages resulted in "
        "5000 tokens. Please reduce the length of the messages.",
        Change(context=4096, prompt=5000),
    ),
    (
        "This model's maximum context length is 4096 tokens. However, you requested 4200 tokens "
        "(4000 in the messages, 200 in the completion).",
        Change(context=4096, prompt=4000),
    ),
    (
        "This model's maximum context length is 4096 tokens. However, you requested 200 output "
        "tokens and your prompt contains at least 4000 input tokens, for a total of at least 4200 "
        "tokens.",
        Change(context=4096, prompt=4000),
    ),
    (
        "Requested token count exceeds the model's maximum context length of 4096 tokens. You "
        "requested a total of 4200 tokens.",
        Change(context=4096, prompt=4000),
    ),
    (
        "Requested token count exceeds the model's maximum context length of 4096 tokens. You "
        "requested a total of 4200 tokens: 4000 tokens from the input messages and 200 tokens for "
        "the completion.",
        Change(context=4096, prompt=4000),
    ),
    (
        "The input (9000 tokens) is longer than the model's context length (4096 tokens).",
        Change(context=4096, prompt=9000),
    ),
    (
        "request (6009 tokens) exceeds the available context size (4096 tokens), try increasing it",
        Change(context=4096, prompt=6009),
    ),
    (
        "This endpoint's maximum context length is 131,072 tokens. However, you requested about "
        "131,100 tokens (130,900 of text input, 200 in the output).",
        Change(context=131072, prompt=130900),
    ),
    # nothing to learn
    ("Your input exceeds the context window of this model.", None),
    ("Invalid prompt: your prompt was flagged as potentially violating our policy.", None),
    ("The model `stop` does not exist.", None),
    ("Unexpected endpoint or method. (POST /chat/completions)", None),
    ("Incorrect API key provided.", None),
]


@pytest.mark.parametrize(("words", "change"), WORDS)
def test_a_refusal_teaches_what_it_names(words: str, change: Change | None) -> None:
    shapes: list[Any] = [
        {"error": {"message": words, "type": "invalid_request_error", "param": None}},
        {"error": words, "code": "Client specified an invalid argument"},
        {"object": "error", "message": words, "code": 400},
        {"detail": words},
    ]
    for shape in shapes:
        assert read(400, json.dumps(shape).encode(), ASK) == change
    assert read(400, words.encode(), ASK) == change


@pytest.mark.parametrize(
    ("body", "change"),
    [
        (
            {"error": {"message": "Unsupported parameter.", "param": "temperature"}},
            dropping("temperature"),
        ),
        (
            {"error": {"message": "logprobs are not supported.", "param": "include"}},
            dropping("logprobs", "top_logprobs"),
        ),
        (
            {
                "error": {
                    "message": "Your organization must be verified to generate summaries.",
                    "param": "reasoning.summary",
                }
            },
            dropping("reasoning.summary"),
        ),
        (
            {
                "object": "error",
                "message": {
                    "detail": [
                        {
                            "type": "extra_forbidden",
                            "loc": ["body", "seed"],
                            "msg": "Extra inputs are not permitted",
                        }
                    ]
                },
            },
            dropping("seed"),
        ),
        (
            {"detail": [{"loc": ["body", "top_k"], "msg": "Extra inputs are not permitted"}]},
            dropping("top_k"),
        ),
        (
            {"detail": [{"loc": ["body", "max_completion_tokens"], "msg": "Extra inputs"}]},
            Change(max_tokens_field="max_tokens"),
        ),
        ({"detail": [{"loc": ["body", "messages", 0], "msg": "Field required"}]}, None),
        ({"error": {"message": "Unsupported parameter: 'messages'", "param": "messages"}}, None),
    ],
)
def test_the_place_that_a_refusal_names_is_the_field(body: Any, change: Change | None) -> None:
    assert read(422, json.dumps(body).encode(), ASK) == change


@pytest.mark.parametrize("status", [401, 402, 403, 500])
def test_other_errors_teach_nothing(status: int) -> None:
    assert read(status, b'{"error": "Unsupported parameter: \'top_p\'"}', ASK) is None


# -- learned on the way ----------------------------------------------------------------------------

SMALL = {"max_tokens": 200}
LEARNED = [
    # a server, a model, settings, wishes, number of refusals, part of a remark
    (qwen, "qwen3-8b", {}, {}, 1, ""),
    (qwen, "qwen-plus", {}, {"thinking": Thinking("low")}, 0, ""),
    (vllm, "Qwen/Qwen2.5-1.5B-Instruct-small", {}, SMALL, 1, ""),
    (sglang, "Qwen/Qwen2.5-1.5B-Instruct-small", {}, SMALL, 1, ""),
    (openrouter, "meta-llama/llama-3.3-70b-instruct-small", {}, SMALL, 1, ""),
    (
        vllm, "Qwen/Qwen3-8B-unparsed", {}, {"thinking": Thinking(tokens=900)}, 1,
        "takes no number of tokens to think",
    ),
    (
        openrouter, "deepseek/deepseek-r1", {}, {"thinking": Thinking("off")}, 1,
        "minimal is the nearest",
    ),
    (xai, "grok-4", {}, {"thinking": Thinking("low")}, 1, "does not take reasoning_effort"),
    (
        mistral, "magistral-medium-latest", {}, {"thinking": Thinking("high")}, 1,
        "does not take reasoning_effort",
    ),
    (mistral, "mistral-large-latest", {"dialect": "openai"}, {}, 1, "does not take seed"),
    (mistral, "mistral-large-latest", {"max_tokens_field": "max_completion_tokens"}, {}, 1, ""),
    (
        mistral, "mistral-small-latest", {"efforts": ("low", "medium")},
        {"thinking": Thinking("low")}, 1, "off is the nearest",
    ),
    (
        ollama, "qwen3:8b", {"efforts": ("minimal", "low")}, {"thinking": Thinking("minimal")}, 1,
        "off is the nearest",
    ),
    (
        ollama, "llama3.2:1b", {}, {"thinking": Thinking("low")}, 1,
        "does not take chat_template_kwargs",
    ),
    (
        deepseek, "deepseek-reasoner", {"efforts": ("low", "high")}, {"thinking": Thinking("low")},
        1, "high is the nearest",
    ),
]  # fmt: skip


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("server", "name", "settings", "wishes", "refusals", "remark"), LEARNED)
async def test_a_refused_request_is_sent_again_as_the_server_wants_it(
    server: Any, name: str, settings: Any, wishes: Any, refusals: int, remark: str, stream: bool
) -> None:
    book = Book()
    if server is qwen:
        refusals = 0 if stream else refusals
    async with speaking(server, name, book, stream=stream, **settings) as client:
        done = await told(client, **wishes)
        first = len(book.requests)
        again = await told(client, **wishes)
        assert any(remark in one for one in client.info.remarks) or not remark
    assert done.text == again.text == ANSWER
    assert first == 1 + refusals
    assert len(book.requests) == 2 + refusals, "what was learned is kept"
    paid = book.replies[-1].billed
    assert (done.prompt_tokens, done.completion_tokens) == (paid.prompt, paid.completion)


@pytest.mark.parametrize(
    ("server", "name", "wishes", "words"),
    [
        (deepseek, "deepseek-reasoner", {"logprobs": True}, "does not support the parameter"),
        (xai, "grok-4", {"stop": ("x",)}, "Argument not supported on this model: stop"),
        (mistral, "mistral-large-latest", {"logprobs": True}, "logprobs: Extra inputs are not"),
    ],
)
async def test_a_field_with_a_meaning_that_is_refused_fails_in_one_sentence(
    server: Any, name: str, wishes: Any, words: str
) -> None:
    book, able = Book(), frozenset({"stop", "logprobs", "top_logprobs"})
    async with speaking(server, name, book, capabilities=able) as client:
        error = await failed(client, **wishes)
        assert isinstance(error, RequestRefused)
        assert words in str(error)
        assert not wishes.keys() & client.info.capabilities
        assert "which this request needs" in str(await failed(client, **wishes))
        assert (await told(client)).text == ANSWER
    assert len(book.requests) == 2
    check_bill(error, Billed())


@pytest.mark.parametrize(
    ("server", "name", "words", "context"),
    [
        (vllm, "Qwen/Qwen2.5-1.5B-Instruct-small", "maximum context length is 32 tokens", 32),
        (sglang, "Qwen/Qwen2.5-1.5B-Instruct-small", "maximum context length of 32 tokens", 32),
        (llamacpp, "smollm2-135m-small", "exceeds the available context size (32 tokens)", 32),
        (
            openrouter, "meta-llama/llama-3.3-70b-instruct-small",
            "maximum context length is 32 tokens", 32,
        ),
    ],
)  # fmt: skip
async def test_a_prompt_that_fits_nowhere_is_one_sentence_and_its_context_is_known(
    server: Any, name: str, words: str, context: int
) -> None:
    book = Book()
    long = (Message("user", "word " * 60),)
    async with speaking(server, name, book) as client:
        error = await failed(client, messages=long)
        assert client.info.context == context
    assert isinstance(error, RequestRefused)
    assert words in str(error)
    assert len(book.requests) == 1


@pytest.mark.parametrize(("counted", "words"), [(40, 1), (400, 0)])
async def test_a_prompt_that_was_cut_in_silence_is_said(counted: int, words: int) -> None:
    step = answer(choice("42"), usage=usage(counted, 5))
    async with Loopback(step) as server:
        client = OpenAICompat(Endpoint(name="e", model="m", base_url=server.url))
        long = (Message("user", "word " * 400),)
        await client.generate(Request(long, 20))
        assert sum("OLLAMA_CONTEXT_LENGTH" in one for one in client.info.remarks) == words
        await client.close()


async def test_an_address_that_the_server_does_not_know_is_said_although_its_status_is_200() -> (
    None
):
    book = Book()
    async with speaking(lmstudio, "qwen3-8b", book, base="") as client:
        error = await failed(client)
    assert isinstance(error, RequestRefused)
    assert "Unexpected endpoint or method" in str(error)
    assert "base_url that ends in /v1" in str(error)
    assert len(book.requests) == 1


async def test_a_last_message_to_continue_is_told_to_be_a_beta_feature() -> None:
    book = Book()
    async with speaking(deepseek, "deepseek-chat", book, prefill="final_message") as client:
        error = await failed(client, prefix="Six")
    assert "use the base URL that ends in /beta" in str(error)
    assert sent(book)["messages"][-1] == {"role": "assistant", "content": "Six", "prefix": True}


# -- the shapes of errors --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "message", "status"),
    [
        ({"error": {"message": "no", "code": 429}}, "no", 429),
        ({"error": {"message": "no", "type": "invalid_request_error", "code": None}}, "no", 400),
        ({"error": {"message": "no", "code": "server_error"}}, "no", 500),
        ({"error": {"message": "no", "code": "rate_limit_exceeded"}}, "no", 429),
        ({"error": {"message": "no", "code": "503"}}, "no", 503),
        ({"error": "model not loaded"}, "model not loaded", 404),
        ({"error": "Unexpected endpoint or method."}, "Unexpected endpoint or method.", 404),
        ({"error": "the context canceled"}, "the context canceled", 500),
        (
            {"code": "Client specified an invalid argument", "error": "Incorrect API key"},
            "Incorrect API key", 400,
        ),
        ({"object": "error", "message": "no", "type": "BadRequestError", "code": 400}, "no", 400),
        (
            {
                "object": "error", "type": "invalid_request_error",
                "message": {"detail": [{"loc": ["body", "n"], "msg": "is wrong"}]},
            },
            "n: is wrong", 400,
        ),
        ({"code": "InvalidApiKey", "message": "no", "request_id": "x"}, "no", 401),
        (
            {"error": {"message": "Provider returned error", "code": 502,
                       "metadata": {"raw": "no room"}}},
            "Provider returned error: no room", 502,
        ),
        (
            {"error": {"object": "error", "message": "too long", "type": "BadRequestError",
                       "param": None, "code": 400}},
            "too long", 400,
        ),
    ],
)  # fmt: skip
def test_the_words_and_the_status_of_an_error_are_found(
    body: Any, message: str, status: int
) -> None:
    fault = fault_of(body)
    assert fault
    assert (fault.message, fault.status) == (message, status)
    assert reason_of(json.dumps(body).encode()) == message


@pytest.mark.parametrize(
    "body",
    [
        {"choices": [], "code": "x", "message": "y"},
        {"choices": [], "error": None},
        {"object": "chat.completion", "message": "hello"},
        {"output": [], "code": "x", "message": "y"},
    ],
)
def test_a_reply_with_samples_is_no_error(body: Any) -> None:
    assert fault_of(body) is None


def test_an_error_as_deep_as_can_be_read_is_no_traceback() -> None:
    deep: Any = "no"
    for _ in range(100_000):
        deep = {"message": deep}
    assert error_message({"error": deep}) == "no reason that could be read"
