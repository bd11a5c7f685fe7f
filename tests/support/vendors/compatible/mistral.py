"""Mistral: content as a list of thinking and text, and no field that it does not know."""

from __future__ import annotations

from tests.support.vendors import chat
from tests.support.vendors.compatible.common import Model, prefix_of, request, respond, wrong_key
from tests.support.vendors.model import Script
from tests.support.vendors.serving import Asked, Reply

FIELDS = frozenset(
    {
        "frequency_penalty",
        "guardrails",
        "max_tokens",
        "messages",
        "metadata",
        "model",
        "n",
        "parallel_tool_calls",
        "prediction",
        "presence_penalty",
        "prompt_cache_key",
        "prompt_mode",
        "random_seed",
        "reasoning_effort",
        "response_format",
        "safe_prompt",
        "stop",
        "stream",
        "stream_options",
        "temperature",
        "tool_choice",
        "tools",
        "top_p",
    }
)
"""Names that a request may have."""

MODELS = {
    "mistral-large-latest": Model(),
    "mistral-small-latest": Model(Script(), thinks=True),
    "magistral-medium-latest": Model(Script(effort="medium"), thinks=True),
}
"""The scenarios: one never thinks, one if it is told to, one always."""

DIALECT = chat.Dialect(
    parts=True,
    usage_comes="with the end",
    in_message=lambda _: {"tool_calls": None, "prefix": False},
    first={"role": "assistant", "content": ""},
)


def error(status: int, message: str) -> Reply:
    if status == 401:
        return Reply(401, body={"detail": message})
    kind, code = ("invalid_model", "1500") if status == 404 else ("invalid_request_error", None)
    body = {"object": "error", "message": message, "type": kind, "param": None, "code": code}
    return Reply(400 if status == 404 else status, body=body)


def forbidden(name: str, value: object) -> Reply:
    """The refusal of a field that it does not know."""
    extra = {"type": "extra_forbidden", "loc": ["body", name], "input": value}
    detail = [{**extra, "msg": "Extra inputs are not permitted"}]
    kind = {"type": "invalid_request_error", "param": None, "code": None}
    return Reply(422, body={"object": "error", "message": {"detail": detail}, **kind})


def reply(asked: Asked, *, size: int = 1) -> Reply:
    """Answer one request; a last message that is marked as a prefix comes back before the text."""
    if wrong_key(asked):
        return error(401, "Unauthorized")
    if (asked.method, asked.path) == ("GET", "/v1/models"):
        return chat.listing(*(_listed(name) for name in MODELS))
    body = request(asked, MODELS, error)
    if isinstance(body, Reply):
        return body
    if unknown := body.keys() - FIELDS:
        return forbidden(min(unknown), body[min(unknown)])
    model, last = MODELS[body["model"]], body["messages"][-1]
    effort = body.get("reasoning_effort")
    if effort not in (None, "none", "high"):
        return error(400, f"reasoning_effort={effort} is not supported: use 'none' or 'high'")
    if effort is not None and body["model"] != "mistral-small-latest":
        return error(400, "reasoning_effort is not enabled for this model")
    if last["role"] == "assistant" and not last.get("prefix"):
        message = "Expected last role User or Tool (or Assistant with prefix True) for serving"
        return error(400, f"{message} but got assistant")
    prefix = prefix_of(body)
    return respond(DIALECT, model, body, effort=effort, prefix=prefix, echo=True, size=size)


def _listed(name: str) -> chat.Json:
    model = MODELS[name]
    about = {"object": "model", "created": chat.CREATED, "owned_by": "mistralai", "name": name}
    abilities = {"completion_chat": True, "reasoning": model.thinks}
    length = model.context
    return {"id": name, **about, "max_context_length": length, "capabilities": abilities}
