"""SGLang's server: thinking as ``reasoning_content``, errors in an older shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.support.vendors import chat
from tests.support.vendors.compatible.common import Model, half, prefix_of, request, respond
from tests.support.vendors.model import Generated, Script, prompt_tokens
from tests.support.vendors.serving import Asked, Reply

MODELS = {
    "Qwen/Qwen2.5-1.5B-Instruct": Model(),
    "Qwen/Qwen2.5-1.5B-Instruct-small": Model(context=32),
    "Qwen/Qwen2.5-1.5B-Instruct-fails": Model(fault="fails"),
    "Qwen/Qwen3-8B": Model(Script(effort="medium"), thinks=True),
}
"""The scenarios."""
THOUGHTS = "<think>\n{thinking}\n</think>\n\n{text}"


def _usage(prompt: int, cached: int, samples: Sequence[Generated]) -> chat.Json:
    thinking = sum(len(sample.thinking) for sample in samples)
    more = {"prompt_tokens_details": None, "reasoning_tokens": thinking}
    return chat.bare(prompt, cached, samples) | more


def _matched(sample: Generated) -> chat.Json:
    return {"matched_stop": sample.stop}


DIALECT = chat.Dialect(
    thinking="reasoning_content",
    usage=_usage,
    in_choice=_matched,
    in_message=lambda sample: {
        "reasoning_content": "".join(sample.thinking) or None,
        "tool_calls": None,
    },
    in_reply=lambda *_: {"metadata": {"weight_version": "default"}},
    first={"role": "assistant", "content": ""},
)


def error(status: int, message: str) -> Reply:
    kind = {404: "NotFoundError", 500: "InternalServerError"}.get(status, "BadRequestError")
    body = {"object": "error", "message": message, "type": kind, "param": None, "code": status}
    return Reply(status, body=body)


def reply(asked: Asked, *, size: int = 1) -> Reply:
    """Answer one request."""
    if asked.method == "GET":
        return _told(asked.path)
    body = request(asked, MODELS, error)
    if isinstance(body, Reply):
        return body
    model = MODELS[body["model"]]
    prompt, wanted = prompt_tokens(body["messages"]), chat.limit(body) or 1
    if prompt + wanted > model.context:
        return error(
            400,
            f"Requested token count exceeds the model's maximum context length of {model.context} "
            f"tokens. You requested a total of {prompt + wanted} tokens.",
        )
    if model.thinks and not body.get("separate_reasoning", True):
        model = Model(model.script, True, THOUGHTS, model.context)
    answered = respond(
        DIALECT,
        model,
        body,
        effort=_effort(model, body),
        prefix=prefix_of(body) if body.get("continue_final_message") else "",
        size=size,
    )
    if model.fault == "fails":
        failed = error(500, "Internal server error: the scheduler died.")
        if not answered.events:
            return failed
        return Reply(events=(*half(answered), *chat.events([{"error": failed.body}])))
    return answered


def _effort(model: Model, body: Mapping[str, Any]) -> str:
    switches = body.get("chat_template_kwargs") or {}
    return model.script.effort if model.thinks and switches.get("enable_thinking", True) else "none"


def _told(path: str) -> Reply:
    """The server of itself."""
    if path == "/get_model_info":
        name = "Qwen/Qwen3-8B"
        about = {"model_path": name, "tokenizer_path": name, "is_generation": True}
        return Reply(body={**about, "preferred_sampling_params": None, "weight_version": "default"})
    if path != "/v1/models":
        return Reply(404, body={"detail": "Not Found"})
    about = {"object": "model", "created": chat.CREATED, "owned_by": "sglang"}
    return chat.listing(
        *(
            {"id": name, **about, "root": name, "max_model_len": model.context}
            for name, model in MODELS.items()
        )
    )
