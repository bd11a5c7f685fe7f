"""OpenAI's server: who may ask, the models API, and which API answers."""

from __future__ import annotations

from typing import Any

from tests.support.vendors import chat
from tests.support.vendors.openai import completions, responses
from tests.support.vendors.openai.table import MODELS, error, unknown_model
from tests.support.vendors.serving import Asked, Reply

KEY = "sk-test-0123456789"
APIS = {"/v1/chat/completions": completions.reply, "/v1/responses": responses.reply}


def reply(asked: Asked, *, size: int = 1) -> Reply:
    """Answer one request; deltas of a stream have ``size`` tokens."""
    if refused := _unauthorised(asked.headers.get("authorization")):
        return refused
    if (asked.method, asked.path) == ("GET", "/v1/models"):
        return chat.listing(*map(_listed, MODELS))
    if asked.method == "GET" and asked.path.startswith("/v1/models/"):
        name = asked.path.removeprefix("/v1/models/")
        return Reply(body=_listed(name)) if name in MODELS else unknown_model(name)
    if asked.method != "POST" or asked.path not in APIS:
        return error(404, f"Invalid URL ({asked.method} {asked.path})")
    body = asked.body
    if not isinstance(body, dict):
        return error(400, "We could not parse the JSON body of your request.")
    if "model" not in body:
        return error(400, "you must provide a model parameter")
    if body["model"] not in MODELS:
        return unknown_model(body["model"])
    return APIS[asked.path](MODELS[body["model"]], body, size)


def _listed(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": chat.CREATED, "owned_by": "system"}


def _unauthorised(header: str | None) -> Reply | None:
    if header is None:
        return error(401, "You didn't provide an API key. You need to provide your API key.")
    if header == f"Bearer {KEY}":
        return None
    key = header.removeprefix("Bearer ")
    message = f"Incorrect API key provided: {key[:3]}***."
    return error(401, message, code="invalid_api_key")
