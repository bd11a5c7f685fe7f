"""llama.cpp's server: it serves one file, and says of it what a client must know.

The name of the model in a request is that of the scenario; the server itself takes any.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tests.support.vendors import chat
from tests.support.vendors.compatible.common import Model, half, prefix_of, request, respond
from tests.support.vendors.model import Generated, Script, content, prompt_tokens, tokens
from tests.support.vendors.serving import Asked, Reply

RAW = "<think>\n{thinking}\n</think>\n\n{text}"
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n"
    "{% endif %}{% endif %}"
)

MODELS = {
    "smollm2-135m": Model(),
    "smollm2-135m-cached": Model(Script(cached=8)),
    "smollm2-135m-small": Model(context=32),
    "smollm2-135m-loading": Model(fault="busy"),
    "smollm2-135m-hangs": Model(fault="hangs"),
    "smollm2-135m-breaks-off": Model(fault="breaks off"),
    "qwen3-0.6b": Model(Script(effort="medium"), thinks=True),
}
"""The scenarios."""


def _usage(prompt: int, cached: int, samples: Sequence[Generated]) -> chat.Json:
    """The first choice alone, however many there are."""
    return chat.bare(prompt, cached, samples[:1]) | {
        "prompt_tokens_details": {"cached_tokens": cached}
    }


def _timings(prompt: int, samples: Sequence[Generated]) -> chat.Json:
    generated = samples[0].tokens
    timings = {
        "cache_n": 0,
        "prompt_n": prompt,
        "prompt_ms": 10.0 * prompt,
        "prompt_per_token_ms": 10.0,
        "prompt_per_second": 100.0,
        "predicted_n": generated,
        "predicted_ms": 20.0 * generated,
        "predicted_per_token_ms": 20.0,
        "predicted_per_second": 50.0,
    }
    return {"system_fingerprint": "b7214-1c2d3e4f", "timings": timings}


DIALECT = chat.Dialect(
    thinking="reasoning_content",
    usage=_usage,
    in_reply=_timings,
    first={"role": "assistant", "content": None},
)


def error(status: int, message: str, kind: str = "invalid_request_error", **more: Any) -> Reply:
    kind = {404: "not_found_error", 503: "unavailable_error"}.get(status, kind)
    body = {"error": {"code": status, "message": message, "type": kind, **more}}
    return Reply(status, body=body)


def reply(asked: Asked, *, size: int = 1) -> Reply:
    """Answer one request."""
    if asked.method == "GET":
        return _told(asked.path)
    if asked.path in {"/tokenize", "/apply-template"} and isinstance(asked.body, dict):
        return _tokenized(asked.body) if asked.path == "/tokenize" else _applied(asked.body)
    body = request(asked, MODELS, error)
    if isinstance(body, Reply):
        return body
    model = MODELS[body["model"]]
    if refused := _invalid(model, body):
        return refused
    if model.thinks and body.get("reasoning_format") == "none":
        model = replace(model, raw=RAW)
    effort = model.script.effort if _thinks(model, body) else "none"
    prefix = prefix_of(body)
    answered = respond(DIALECT, model, body, effort=effort, prefix=prefix, size=size)
    if model.fault == "hangs":
        return Reply(events=half(answered), hang=True, billed=answered.billed)
    if model.fault == "breaks off" and answered.events:
        return Reply(events=half(answered), cut=True, billed=answered.billed)
    return answered


def _thinks(model: Model, body: Mapping[str, Any]) -> bool:
    switches = body.get("chat_template_kwargs") or {}
    return bool(model.thinks and switches.get("enable_thinking", True))


def _invalid(model: Model, body: Mapping[str, Any]) -> Reply | None:
    if model.fault == "busy":
        return error(503, "Loading model")
    roles = [message["role"] for message in body["messages"]]
    if roles[-2:] == ["assistant", "assistant"]:
        return error(400, "Cannot have 2 or more assistant messages at the end of the list.")
    if roles[-1] == "assistant" and _thinks(model, body):
        return error(400, "Assistant response prefill is incompatible with enable_thinking.")
    prompt = prompt_tokens(body["messages"])
    if prompt >= model.context:
        message = (
            f"request ({prompt} tokens) exceeds the available context size "
            f"({model.context} tokens), try increasing it"
        )
        kind = "exceed_context_size_error"
        return error(400, message, kind, n_prompt_tokens=prompt, n_ctx=model.context)
    return None


def _told(path: str) -> Reply:
    """The server of itself."""
    if path == "/health":
        return Reply(body={"status": "ok"})
    if path == "/props":
        return Reply(
            body={
                "default_generation_settings": {
                    "id": 0,
                    "id_task": -1,
                    "n_ctx": 4096,
                    "is_processing": False,
                    "params": {"temperature": 0.8, "top_k": 40, "top_p": 0.95, "min_p": 0.05},
                },
                "total_slots": 4,
                "model_path": "models/qwen3-0.6b-q8_0.gguf",
                "chat_template": TEMPLATE,
                "chat_template_caps": {},
                "modalities": {"vision": False, "audio": False},
                "build_info": "b7214-1c2d3e4f",
                "is_sleeping": False,
            }
        )
    if path != "/v1/models":
        return error(404, "File Not Found")
    about = {"object": "model", "created": chat.CREATED, "owned_by": "llamacpp"}
    meta = {"vocab_type": 2, "n_vocab": 151936, "n_ctx_train": 40960, "n_embd": 1024}
    return chat.listing({"id": "models/qwen3-0.6b-q8_0.gguf", **about, "meta": meta})


def _tokenized(body: Mapping[str, Any]) -> Reply:
    if "content" not in body:
        return error(400, '"content" must be provided')
    words = tokens(content(body))
    if body.get("with_pieces"):
        pieces = [{"id": place, "piece": word} for place, word in enumerate(words)]
        return Reply(body={"tokens": pieces})
    return Reply(body={"tokens": list(range(len(words)))})


def _applied(body: Mapping[str, Any]) -> Reply:
    """The prompt that the template makes of messages."""
    said = [f"<|im_start|>{m['role']}\n{content(m)}<|im_end|>\n" for m in body["messages"]]
    return Reply(body={"prompt": "".join(said) + "<|im_start|>assistant\n"})
