"""OpenAI's Chat Completions, by the types of the package openai 3.57."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.support.vendors import chat
from tests.support.vendors.model import generate, prompt_tokens
from tests.support.vendors.openai.table import (
    BROKEN,
    Model,
    above,
    below,
    broken,
    error,
    fault,
    listed,
    unknown_parameter,
)
from tests.support.vendors.serving import Reply

FIELDS = frozenset(
    {
        "audio",
        "frequency_penalty",
        "function_call",
        "functions",
        "logit_bias",
        "logprobs",
        "max_completion_tokens",
        "max_tokens",
        "messages",
        "metadata",
        "modalities",
        "model",
        "n",
        "parallel_tool_calls",
        "prediction",
        "presence_penalty",
        "prompt_cache_key",
        "prompt_cache_retention",
        "reasoning_effort",
        "response_format",
        "safety_identifier",
        "seed",
        "service_tier",
        "stop",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "user",
        "verbosity",
        "web_search_options",
    }
)
"""Names that a request may have."""
NOT_WHILE_REASONING = (
    "top_p",
    "logprobs",
    "top_logprobs",
    "stop",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
)
DIALECT = chat.Dialect(
    refusal=True,
    usage=chat.subset,
    usage_null=True,
    in_message=lambda _: {"annotations": []},
    in_reply=lambda *_: {"service_tier": "default", "system_fingerprint": "fp_44709d6fcb"},
    first={"role": "assistant", "content": "", "refusal": None},
)


def reply(model: Model, body: Mapping[str, Any], size: int) -> Reply:
    """Answer a request for this model."""
    if refused := _malformed(body) or _unsupported(model, body) or fault(model):
        return refused
    prompt = prompt_tokens(body["messages"])
    limit = chat.limit(body)
    if refused := _too_long(model, prompt, limit):
        return refused
    sample = generate(
        model.script,
        effort=body.get("reasoning_effort"),
        limit=min(limit or model.most_output, model.context - prompt),
        stop=chat.stops(body),
    )
    samples = [sample] * (body.get("n") or 1)
    answered = chat.answer(
        DIALECT,
        body,
        prompt,
        samples,
        cached=min(model.script.cached, prompt),
        top=chat.top(body),
        size=size,
    )
    return _spoilt(model, answered)


def _spoilt(model: Model, answered: Reply) -> Reply:
    """The reply of a model that fails, or whose connection breaks, when half is said.

    A failure costs nothing; a broken connection what it would have cost.
    """
    half = answered.events[: len(answered.events) // 2]
    if model.fault in {"fails", "errs"}:
        if not half:
            return error(500, BROKEN, kind="server_error")
        failed = {"message": BROKEN, "type": "server_error", "param": None, "code": None}
        return Reply(events=(*half, *chat.events([{"error": failed}], done=False)))
    if model.fault == "breaks off":
        return broken(half, answered.billed)
    if model.fault == "hangs":
        return Reply(events=half, hang=True, billed=answered.billed)
    return answered


def _malformed(body: Mapping[str, Any]) -> Reply | None:
    if unknown := body.keys() - FIELDS:
        return unknown_parameter(min(unknown))
    if not body.get("messages"):
        message = "Missing required parameter: 'messages'."
        return error(400, message, param="messages", code="missing_required_parameter")
    if body.get("stream_options") is not None and not body.get("stream"):
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        return error(400, message, param="stream_options")
    if {"max_tokens", "max_completion_tokens"} <= body.keys():
        message = (
            "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported."
        )
        return error(400, message, param="max_tokens", code="invalid_parameter_combination")
    for name in ("max_tokens", "max_completion_tokens", "n"):
        if body.get(name) is not None and body[name] < 1:
            return below(name, 1, body[name])
    if (body.get("n") or 1) > 128:
        return above("n", 128, body["n"])
    if (body.get("top_logprobs") or 0) > 20:
        return above("top_logprobs", 20, body["top_logprobs"])
    if body.get("top_logprobs") is not None and not body.get("logprobs"):
        message = "'top_logprobs' is only allowed when 'logprobs' is enabled."
        return error(400, message, param="top_logprobs")
    if len(marks := chat.stops(body)) > 4:
        message = (
            "Invalid 'stop': array too long. Expected an array with maximum length 4, "
            f"but got an array with length {len(marks)} instead."
        )
        return error(400, message, param="stop", code="array_above_max_length")
    return None


def _unsupported(model: Model, body: Mapping[str, Any]) -> Reply | None:
    """The refusal of a parameter that other models take."""
    if not model.efforts:
        if "reasoning_effort" in body:
            return error(400, "Unrecognized request argument supplied: reasoning_effort")
        return None
    if body.get("max_tokens") is not None:
        message = (
            "Unsupported parameter: 'max_tokens' is not supported with this model. "
            "Use 'max_completion_tokens' instead."
        )
        return error(400, message, param="max_tokens", code="unsupported_parameter")
    for name in NOT_WHILE_REASONING:
        if body.get(name):
            message = f"Unsupported parameter: '{name}' is not supported with this model."
            return error(400, message, param=name, code="unsupported_parameter")
    for name, most in (("temperature", 1), ("n", model.most_n)):
        value = body.get(name)
        if value is not None and (value != 1 if name == "temperature" else value > most):
            message = (
                f"Unsupported value: '{name}' does not support {value} with this model. "
                "Only the default (1) value is supported."
            )
            return error(400, message, param=name, code="unsupported_value")
    effort = body.get("reasoning_effort")
    if effort is not None and effort not in model.efforts:
        message = (
            f"Unsupported value: 'reasoning_effort' does not support '{effort}' with this model. "
            f"Supported values are: {listed(model.efforts)}."
        )
        return error(400, message, param="reasoning_effort", code="unsupported_value")
    return None


def _too_long(model: Model, prompt: int, limit: int | None) -> Reply | None:
    if limit is not None and limit > model.most_output:
        message = (
            f"max_tokens is too large: {limit}. This model supports at most {model.most_output} "
            f"completion tokens, whereas you provided {limit}."
        )
        return error(400, message, param="max_tokens", code="invalid_value")
    if prompt >= model.context:
        message = (
            f"This model's maximum context length is {model.context} tokens. However, your "
            f"messages resulted in {prompt} tokens. Please reduce the length of the messages."
        )
        return error(400, message, param="messages", code="context_length_exceeded")
    return None
