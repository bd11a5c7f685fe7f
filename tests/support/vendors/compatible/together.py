"""Together: ``reasoning`` beside the content, or thinking within it, and ``eos`` for an end."""

from __future__ import annotations

from collections.abc import Sequence

from tests.support.vendors import chat
from tests.support.vendors.compatible.common import Model, request, respond, wrong_key
from tests.support.vendors.model import Generated, Script
from tests.support.vendors.serving import Asked, Reply

EFFORTS = ("low", "medium", "high")

MODELS = {
    "meta-llama/Llama-3.3-70B-Instruct-Turbo": Model(Script(cached=8)),
    "openai/gpt-oss-120b": Model(Script(effort="medium"), thinks=True),
    "deepseek-ai/DeepSeek-R1": Model(
        Script(effort="medium"), True, "<think>\n{thinking}\n</think>\n\n{text}"
    ),
}
"""The scenarios."""


def _usage(prompt: int, cached: int, samples: Sequence[Generated]) -> chat.Json:
    return chat.bare(prompt, cached, samples) | {"cached_tokens": cached}


def _ended(sample: Generated) -> chat.Json:
    word = "eos" if sample.finish == "stop" and sample.stop is None else sample.finish
    return {"finish_reason": word, "seed": 7}


DIALECT = chat.Dialect(
    thinking="reasoning",
    usage=_usage,
    usage_comes="with the end",
    in_message=lambda _: {"tool_calls": []},
    in_choice=_ended,
    in_reply=lambda *_: {"prompt": []},
    first={"role": "assistant", "content": ""},
)


def error(status: int, message: str) -> Reply:
    code = {401: "invalid_api_key", 404: "model_not_available"}.get(status)
    body = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return Reply(status, body={"id": "o7x", "error": body})


def reply(asked: Asked, *, size: int = 1) -> Reply:
    """Answer one request; the models API has a bare list, with context lengths."""
    if wrong_key(asked):
        return error(401, "Invalid API key provided.")
    if (asked.method, asked.path) == ("GET", "/v1/models"):
        return Reply(body=[_listed(name) for name in MODELS])
    body = request(asked, MODELS, error)
    if isinstance(body, Reply):
        return body
    model, effort = MODELS[body["model"]], body.get("reasoning_effort")
    if effort not in (None, *EFFORTS):
        return error(400, f"Invalid value for reasoning_effort: {effort}")
    return respond(DIALECT, model, body, effort=effort if model.thinks else None, size=size)


def _listed(name: str) -> chat.Json:
    about = {"object": "model", "created": chat.CREATED, "type": "chat", "organization": "x"}
    prices = {"hourly": 0, "input": 0.88, "output": 0.88, "base": 0, "finetune": 0}
    length = MODELS[name].context
    return {"id": name, **about, "context_length": length, "pricing": prices}
