"""Qwen at DashScope's compatible address: a switch and a number of tokens, top-level."""

from __future__ import annotations

from tests.support.vendors import chat
from tests.support.vendors.compatible.common import Model, request, respond, wrong_key
from tests.support.vendors.model import Script
from tests.support.vendors.serving import Asked, Reply

BASE = "/compatible-mode/v1"

MODELS = {
    "qwen-plus": Model(Script(), thinks=True),
    "qwen3-8b": Model(Script(effort="medium"), thinks=True),
    "qwen-max": Model(Script(cached=8)),
}
"""The scenarios: one thinks if it is told to, one unless, one never."""

DIALECT = chat.Dialect(
    thinking="reasoning_content",
    usage=chat.subset,
    in_message=lambda sample: {"reasoning_content": "".join(sample.thinking)},
    in_delta=lambda thinking, text: {"content": None} if thinking else {"reasoning_content": None},
    first={"role": "assistant", "content": ""},
)


def error(status: int, message: str) -> Reply:
    code = {401: "invalid_api_key", 404: "model_not_found"}.get(status, "invalid_parameter_error")
    body = {"code": code, "param": None, "message": message, "type": "invalid_request_error"}
    return Reply(status, body={"error": body, "request_id": "9d1b-7a"})


def reply(asked: Asked, *, size: int = 1) -> Reply:
    """Answer one request."""
    if wrong_key(asked):
        return error(401, "Incorrect API key provided.")
    if (asked.method, asked.path) == ("GET", f"{BASE}/models"):
        about = {"object": "model", "created": chat.CREATED, "owned_by": "system"}
        return chat.listing(*({"id": name, **about} for name in MODELS))
    body = request(asked, MODELS, error, f"{BASE}/chat/completions")
    if isinstance(body, Reply):
        return body
    model = MODELS[body["model"]]
    thinks = body.get("enable_thinking", model.script.effort != "none") and model.thinks
    if thinks and model.script.effort != "none" and not body.get("stream"):
        message = "parameter.enable_thinking must be set to false for non-streaming calls"
        return error(400, message)
    budget = body.get("thinking_budget")
    if budget is not None and budget < 1:
        return error(400, "parameter.thinking_budget must be a positive integer")
    effort = "max" if budget else "medium"
    if not thinks:
        effort, budget = "none", None
    return respond(DIALECT, model, body, effort=effort, budget=budget, size=size)
