"""LM Studio: the OpenAI-compatible API, and the list of its own API, which has context lengths."""

from __future__ import annotations

from tests.support.vendors import chat
from tests.support.vendors.compatible.common import Model, request, respond
from tests.support.vendors.model import Script
from tests.support.vendors.serving import Asked, Reply

MODELS = {
    "meta-llama-3.1-8b-instruct": Model(),
    "qwen3-8b": Model(Script(effort="medium"), thinks=True),
    "qwen3-8b-unparsed": Model(
        Script(effort="medium"), True, "<think>\n{thinking}\n</think>\n\n{text}"
    ),
}
"""The scenarios; a setting of the server has it leave thinking within the text."""

DIALECT = chat.Dialect(
    thinking="reasoning_content",
    usage=chat.subset,
    in_reply=lambda *_: {"stats": {}, "system_fingerprint": "qwen3-8b"},
    first={"role": "assistant"},
)


def error(status: int, message: str) -> Reply:
    body = {"message": message, "type": "invalid_request_error", "param": "model", "code": None}
    return Reply(status, body={"error": body})


def reply(asked: Asked, *, size: int = 1) -> Reply:
    """Answer one request; an address that it does not know it answers with status 200."""
    if (asked.method, asked.path) == ("GET", "/v1/models"):
        about = {"object": "model", "owned_by": "organization_owner"}
        return chat.listing(*({"id": name, **about} for name in MODELS))
    if (asked.method, asked.path) == ("GET", "/api/v0/models"):
        return chat.listing(*(_listed(name) for name in MODELS))
    if asked.path != "/v1/chat/completions":
        where = f"{asked.method} {asked.path}"
        return Reply(body={"error": f"Unexpected endpoint or method. ({where})"})
    body = request(asked, MODELS, error)
    if isinstance(body, Reply):
        return body
    return respond(DIALECT, MODELS[body["model"]], body, n=1, size=size)


def _listed(name: str) -> chat.Json:
    model = MODELS[name]
    loaded = {"state": "loaded", "loaded_context_length": model.context}
    return {
        "id": name,
        "object": "model",
        "type": "llm",
        "publisher": "lmstudio-community",
        "arch": "qwen3" if model.thinks else "llama",
        "compatibility_type": "gguf",
        "quantization": "Q4_K_M",
        **(loaded if model.thinks else {"state": "not-loaded"}),
        "max_context_length": 32768 if model.thinks else 131072,
    }
