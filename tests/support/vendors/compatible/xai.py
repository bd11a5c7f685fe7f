"""xAI: thinking is beside the completion's tokens, and within the total alone."""

from __future__ import annotations

from collections.abc import Sequence

from tests.support.vendors import chat
from tests.support.vendors.compatible.common import Model, request, respond, wrong_key
from tests.support.vendors.model import Generated, Script
from tests.support.vendors.serving import Asked, Reply

EFFORTS = ("low", "medium", "high")
NOT_WHILE_REASONING = {
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
    "stop": "stop",
}

MODELS = {
    "grok-3": Model(Script(cached=8)),
    "grok-3-mini": Model(Script(effort="low"), thinks=True),
    "grok-4": Model(Script(effort="high"), thinks=True),
    "grok-4-untold": Model(Script(effort="high"), thinks=True),
}
"""The scenarios. grok-4 takes no effort and shows no thoughts; ``untold`` has no details in its
usage, so that the total alone tells its thinking.
"""


def _beside(prompt: int, cached: int, samples: Sequence[Generated]) -> chat.Json:
    usage = chat.subset(prompt, cached, samples)
    usage["completion_tokens"] -= usage["completion_tokens_details"]["reasoning_tokens"]
    usage["prompt_tokens_details"] |= {"text_tokens": prompt, "image_tokens": 0}
    return {**usage, "num_sources_used": 0}


def _untold(prompt: int, cached: int, samples: Sequence[Generated]) -> chat.Json:
    usage = _beside(prompt, cached, samples)
    return {name: usage[name] for name in ("prompt_tokens", "completion_tokens", "total_tokens")}


def _dialect(name: str) -> chat.Dialect:
    return chat.Dialect(
        thinking="reasoning_content" if name == "grok-3-mini" else None,
        usage=_untold if name == "grok-4-untold" else _beside,
        usage_comes="with the end",
        in_message=lambda _: {"refusal": None},
        in_delta=lambda *_: {"role": "assistant"},
        in_reply=lambda *_: {"system_fingerprint": "fp_39c5j0a324"},
    )


def error(status: int, message: str) -> Reply:
    code = "Client specified an invalid argument"
    if status == 404:
        code = "Some requested entity was not found"
    return Reply(status, body={"code": code, "error": message})


def reply(asked: Asked, *, size: int = 1) -> Reply:
    """Answer one request."""
    if wrong_key(asked):
        return error(400, "Incorrect API key provided: sk***.")
    if (asked.method, asked.path) == ("GET", "/v1/models"):
        about = {"object": "model", "created": chat.CREATED, "owned_by": "xai"}
        return chat.listing(*({"id": name, **about} for name in MODELS))
    body = request(asked, MODELS, error)
    if isinstance(body, Reply):
        return body
    name, effort = body["model"], body.get("reasoning_effort")
    if effort is not None and name != "grok-3-mini":
        return error(400, "Argument not supported on this model: reasoningEffort")
    if effort not in (None, *EFFORTS):
        return error(400, f"Invalid reasoning effort: {effort}")
    for field, shown in NOT_WHILE_REASONING.items():
        if MODELS[name].thinks and body.get(field):
            return error(400, f"Argument not supported on this model: {shown}")
    return respond(_dialect(name), MODELS[name], body, effort=effort, size=size)
