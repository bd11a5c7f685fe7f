"""Ollama: its own API, by the types of the package ollama 0.6, and its OpenAI-compatible one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tests.support.vendors import chat
from tests.support.vendors.compatible.common import Model, half, prefix_of, request, respond
from tests.support.vendors.model import Generated, Script, generate, pieces, prompt_tokens
from tests.support.vendors.serving import Asked, Reply

AT = "2026-11-27T12:00:00.123456Z"
THINK = ("low", "medium", "high")
CONTEXT = 4096
"""Tokens that a model is loaded with unless ``num_ctx`` says otherwise: a longer prompt is cut."""

MODELS = {
    "llama3.2:1b": Model(),
    "llama3.2:1b-fails": Model(fault="fails"),
    "llama3.2:1b-breaks-off": Model(fault="breaks off"),
    "qwen3:8b": Model(Script(effort="medium"), thinks=True),
    "gpt-oss:20b": Model(Script(effort="medium"), thinks=True),
}
"""The scenarios of both APIs; gpt-oss cannot be kept from thinking."""
LENGTHS = {"llama": 131072, "qwen3": 40960, "gptoss": 131072}
FAILURE = "an error was encountered while running the model: unexpected EOF"

DIALECT = chat.Dialect(
    thinking="reasoning",
    in_reply=lambda *_: {"system_fingerprint": "fp_ollama"},
    in_delta=lambda _, text: {"role": "assistant", "content": text},
)


def error(status: int, message: str) -> Reply:
    return Reply(status, body={"error": message})


def compatible_error(status: int, message: str) -> Reply:
    kind = {404: "not_found_error", 400: "invalid_request_error"}.get(status, "api_error")
    body = {"error": {"message": message, "type": kind, "param": None, "code": None}}
    return Reply(status, body=body)


def reply(asked: Asked, *, size: int = 1) -> Reply:
    """Answer one request."""
    if asked.path.startswith("/v1"):
        return _compatible(asked, size)
    if asked.method == "GET":
        return _told(asked.path)
    body = asked.body
    if asked.path not in {"/api/chat", "/api/show"}:
        return Reply(404, body="404 page not found")
    if not isinstance(body, dict) or not body.get("model"):
        return error(400, "model is required")
    if body["model"] not in MODELS:
        return error(404, f"model '{body['model']}' not found")
    return _chat(body, size) if asked.path == "/api/chat" else _shown(body["model"])


def _effort(name: str, model: Model, think: Any) -> str:
    """The level of a switch that may be unset, a bool or a word."""
    if not model.thinks:
        return "none"
    if isinstance(think, str):
        return think if name.startswith("gpt-oss") else model.script.effort
    return "none" if think is False and not name.startswith("gpt-oss") else model.script.effort


def _chat(body: Mapping[str, Any], size: int) -> Reply:
    name, options = body["model"], body.get("options") or {}
    model, think = MODELS[name], body.get("think")
    if isinstance(think, str) and think not in THINK:
        message = (
            f'invalid think value: "{think}" (must be "high", "medium", "low", true, or false)'
        )
        return error(400, message)
    if think and not model.thinks:
        return error(400, f'"{name}" does not support thinking')
    context = options.get("num_ctx", CONTEXT)
    prompt = min(prompt_tokens(body["messages"]), context)
    wanted = options.get("num_predict", -1)
    sample = generate(
        model.script,
        effort=_effort(name, model, think),
        limit=wanted if wanted > 0 else None,
        stop=options.get("stop") or (),
        prefix=prefix_of(body),
    )
    billed = chat.bill(prompt, 0, [sample])
    if not body.get("stream", True):
        if model.fault:
            return error(500, FAILURE)
        said = _said("".join(sample.text), "".join(sample.thinking))
        whole = _ended(name, prompt, sample) | {"message": said}
        if body.get("logprobs"):
            whole |= {"logprobs": _logprobs(sample.text, body)}
        return Reply(body=whole, billed=billed)
    lines = [_line(name, _said("", piece)) for piece in pieces(sample.thinking, size)]
    for at in range(0, len(sample.text), size):
        words = sample.text[at : at + size]
        line = _line(name, _said("".join(words)))
        lines.append(line | ({"logprobs": _logprobs(words, body)} if body.get("logprobs") else {}))
    lines.append(_ended(name, prompt, sample))
    events = tuple(json.dumps(line).encode() + b"\n" for line in lines)
    kind = {"Content-Type": "application/x-ndjson"}
    if model.fault:
        begun = events[: len(events) // 2]
        if model.fault == "breaks off":
            return Reply(headers=kind, events=begun, cut=True, billed=billed)
        failed = json.dumps({"error": FAILURE}).encode() + b"\n"
        return Reply(headers=kind, events=(*begun, failed))
    return Reply(headers=kind, events=events, billed=billed)


def _said(text: str, thinking: str = "") -> chat.Json:
    said = {"role": "assistant", "content": text}
    return said | {"thinking": thinking} if thinking else said


def _line(name: str, message: chat.Json) -> chat.Json:
    return {"model": name, "created_at": AT, "message": message, "done": False}


def _ended(name: str, prompt: int, sample: Generated) -> chat.Json:
    """The last line, with the counts."""
    return {
        "model": name,
        "created_at": AT,
        "message": _said(""),
        "done": True,
        "done_reason": sample.finish,
        "total_duration": 4_000_000_000,
        "load_duration": 1_000_000_000,
        "prompt_eval_count": prompt,
        "prompt_eval_duration": 1_000_000_000,
        "eval_count": sample.tokens,
        "eval_duration": 2_000_000_000,
    }


def _logprobs(words: Sequence[str], body: Mapping[str, Any]) -> list[chat.Json]:
    entries: list[chat.Json] = chat.logprobs(words, body.get("top_logprobs") or 0)["content"]
    return entries


def _family(name: str) -> str:
    return {"ll": "llama", "qw": "qwen3", "gp": "gptoss"}[name[:2]]


def _shown(name: str) -> Reply:
    family = _family(name)
    thinks = ["thinking"] if MODELS[name].thinks else []
    return Reply(
        body={
            "modelfile": f"FROM {name}",
            "parameters": 'stop "<|im_end|>"',
            "template": "{{ .Prompt }}",
            "details": _details(name),
            "model_info": {
                "general.architecture": family,
                "general.parameter_count": 8_190_735_360,
                f"{family}.context_length": LENGTHS[family],
                f"{family}.embedding_length": 4096,
            },
            "capabilities": ["completion", "tools", *thinks],
            "modified_at": AT,
        }
    )


def _details(name: str) -> chat.Json:
    family = _family(name)
    return {
        "parent_model": "",
        "format": "gguf",
        "family": family,
        "families": [family],
        "parameter_size": "8.2B",
        "quantization_level": "Q4_K_M",
    }


def _told(path: str) -> Reply:
    """The server of itself."""
    if path == "/api/version":
        return Reply(body={"version": "0.14.2"})
    if path != "/api/tags":
        return Reply(404, body="404 page not found")
    about = {"modified_at": AT, "size": 5_225_388_164, "digest": "500a1f067a9f"}
    listed = [{"name": n, "model": n, **about, "details": _details(n)} for n in MODELS]
    return Reply(body={"models": listed})


def _compatible(asked: Asked, size: int) -> Reply:
    """The OpenAI-compatible API: one sample a request, whatever ``n`` says."""
    if (asked.method, asked.path) == ("GET", "/v1/models"):
        about = {"object": "model", "created": chat.CREATED, "owned_by": "library"}
        return chat.listing(*({"id": name, **about} for name in MODELS))
    body = request(asked, MODELS, compatible_error)
    if isinstance(body, Reply):
        return body
    name = body["model"]
    model, effort = MODELS[name], body.get("reasoning_effort")
    if effort not in (None, "none", *THINK):
        words = '"high", "medium", "low", or "none"'
        return compatible_error(400, f"invalid reasoning value: '{effort}' (must be {words})")
    if effort not in (None, "none") and not model.thinks:
        return compatible_error(400, f'"{name}" does not support thinking')
    if model.fault and not body.get("stream"):
        return compatible_error(500, FAILURE)
    answered = respond(
        DIALECT,
        model,
        body,
        effort=_effort(name, model, False if effort == "none" else effort),
        prefix=prefix_of(body),
        n=1,
        size=size,
    )
    if model.fault == "breaks off":
        return Reply(events=half(answered), cut=True, billed=answered.billed)
    if model.fault == "fails":
        failed = compatible_error(500, FAILURE).body
        return Reply(events=(*half(answered), *chat.events([failed], done=False)))
    return answered
