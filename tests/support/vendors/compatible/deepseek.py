"""DeepSeek: two models, one of which thinks; what was cached and what was not is said apart."""

from __future__ import annotations

from collections.abc import Sequence

from tests.support.vendors import chat
from tests.support.vendors.compatible.common import Model, prefix_of, request, respond, wrong_key
from tests.support.vendors.model import Generated, Script
from tests.support.vendors.serving import Asked, Reply

EFFORTS = ("high", "max")
KEEP_ALIVE = b": keep-alive\n\n"

MODELS = {
    "deepseek-chat": Model(Script(cached=8)),
    "deepseek-reasoner": Model(Script(effort="high"), thinks=True),
    "deepseek-reasoner-starved": Model(
        Script("Six times seven", effort="high"), thinks=True, fault="fails"
    ),
    "deepseek-chat-unpaid": Model(fault="unpaid"),
}
"""The scenarios; ``starved`` ends with a finish reason of DeepSeek's own."""


def _usage(prompt: int, cached: int, samples: Sequence[Generated]) -> chat.Json:
    thinking = sum(len(sample.thinking) for sample in samples)
    return chat.bare(prompt, cached, samples) | {
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": thinking},
        "prompt_cache_hit_tokens": cached,
        "prompt_cache_miss_tokens": prompt - cached,
    }


def _starved(_: Generated) -> chat.Json:
    return {"finish_reason": "insufficient_system_resource"}


def _in_delta(thinking: str, text: str) -> chat.Json:
    return {"content": None} if thinking else {"content": text, "reasoning_content": None}


def _dialect(model: Model) -> chat.Dialect:
    return chat.Dialect(
        thinking="reasoning_content",
        usage=_usage,
        usage_comes="with the end",
        in_choice=_starved if model.fault == "fails" else chat.nothing,
        in_delta=_in_delta if model.thinks else chat.nothing,
        in_reply=lambda *_: {"system_fingerprint": "fp_ffc7281d48"},
        first={"role": "assistant", "content": None if model.thinks else ""},
    )


def error(status: int, message: str) -> Reply:
    kind = "authentication_error" if status == 401 else "invalid_request_error"
    if status == 402:
        kind = "unknown_error"
    body = {"message": message, "type": kind, "param": None, "code": "invalid_request_error"}
    return Reply(status, body={"error": body})


def reply(asked: Asked, *, size: int = 1) -> Reply:
    """Answer one request; ``/beta`` continues a last message that is marked as a prefix."""
    if wrong_key(asked):
        return error(401, "Authentication Fails, Your api key is invalid")
    if (asked.method, asked.path) == ("GET", "/models"):
        about = {"object": "model", "owned_by": "deepseek"}
        return chat.listing(*({"id": name, **about} for name in MODELS))
    beta = asked.path.startswith("/beta/")
    path = "/beta/chat/completions" if beta else "/chat/completions"
    body = request(asked, MODELS, error, path)
    if isinstance(body, Reply):
        return body
    model, last = MODELS[body["model"]], body["messages"][-1]
    if model.fault == "unpaid":
        return error(402, "Insufficient Balance")
    if last.get("prefix") and not beta:
        return error(400, "prefix is a beta feature: use the base URL that ends in /beta")
    if body.get("reasoning_effort") not in (None, *EFFORTS):
        return error(400, f"reasoning_effort must be one of {', '.join(EFFORTS)}")
    switch = (body.get("thinking") or {}).get("type", "enabled" if model.thinks else "disabled")
    effort = (body.get("reasoning_effort") or "high") if switch == "enabled" else "none"
    if effort != "none" and body.get("logprobs"):
        return error(400, "deepseek-reasoner does not support the parameter logprobs")
    answered = respond(
        _dialect(model),
        model,
        body,
        effort=effort,
        prefix=prefix_of(body) if last.get("prefix") else "",
        n=1,
        size=size,
    )
    if answered.events:
        return Reply(events=(KEEP_ALIVE, *answered.events), billed=answered.billed)
    return answered
