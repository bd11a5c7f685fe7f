"""vLLM's server: its words for thinking, and what it tells of itself.

Fields by its protocol of November 2026, the errors as its servers send them. Fields that it does
not know it ignores.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.support.vendors import chat
from tests.support.vendors.compatible.common import Model, half, prefix_of, request, respond
from tests.support.vendors.model import Generated, Script, content, prompt_tokens, tokens
from tests.support.vendors.serving import Asked, Reply

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
THINKS = Script(effort="medium")

MODELS = {
    "Qwen/Qwen2.5-1.5B-Instruct": Model(),
    "Qwen/Qwen2.5-1.5B-Instruct-small": Model(context=32),
    "Qwen/Qwen2.5-1.5B-Instruct-fails": Model(fault="fails"),
    "Qwen/Qwen2.5-1.5B-Instruct-hangs": Model(fault="hangs"),
    "Qwen/Qwen2.5-1.5B-Instruct-breaks-off": Model(fault="breaks off"),
    "Qwen/Qwen3-8B": Model(THINKS, thinks=True),
    "Qwen/Qwen3-8B-unparsed": Model(THINKS, True, "<think>\n{thinking}\n</think>\n\n{text}"),
    "deepseek-ai/R1-unparsed": Model(THINKS, True, "{thinking}\n</think>\n\n{text}"),
    "openai/gpt-oss-20b-unparsed": Model(
        THINKS,
        True,
        "<|channel|>analysis<|message|>{thinking}<|end|>"
        "<|start|>assistant<|channel|>final<|message|>{text}",
    ),
}
"""The scenarios. Those that are unparsed run without a reasoning parser, the second of them with a
template that opens the thinking itself.
"""


def _stop_reason(sample: Generated) -> chat.Json:
    return {"stop_reason": sample.stop, "token_ids": None}


def _usage(prompt: int, cached: int, samples: Any) -> chat.Json:
    return chat.bare(prompt, cached, samples) | {"prompt_tokens_details": None}


DIALECT = chat.Dialect(
    thinking="reasoning",
    empty=None,
    usage=_usage,
    in_choice=_stop_reason,
    first={"role": "assistant", "content": ""},
)
SILENT = chat.Dialect(
    empty=None, usage=_usage, in_choice=_stop_reason, first={"role": "assistant", "content": ""}
)
"""Without ``include_reasoning``: the thinking is generated and not told."""


def error(status: int, message: str, param: str | None = None) -> Reply:
    kind = {404: "NotFoundError", 500: "InternalServerError"}.get(status, "BadRequestError")
    body = {"error": {"message": message, "type": kind, "param": param, "code": status}}
    return Reply(status, body=body)


def reply(asked: Asked, *, size: int = 1) -> Reply:
    """Answer one request."""
    if asked.method == "GET":
        return _told(asked.path)
    if (asked.method, asked.path) == ("POST", "/tokenize"):
        return _tokenized(asked.body)
    body = request(asked, MODELS, error)
    if isinstance(body, Reply):
        return body
    model = MODELS[body["model"]]
    if refused := _invalid(model, body):
        return refused
    answered = respond(
        DIALECT if body.get("include_reasoning", True) else SILENT,
        model,
        body,
        effort=_effort(model, body),
        budget=body.get("thinking_token_budget"),
        prefix=prefix_of(body) if body.get("continue_final_message") else "",
        size=size,
    )
    if model.fault == "hangs":
        return Reply(events=half(answered), hang=True, billed=answered.billed)
    if model.fault == "breaks off" and answered.events:
        return Reply(events=half(answered), cut=True, billed=answered.billed)
    if model.fault == "fails":
        failed = error(500, "EngineCore encountered an issue. See stack trace for the root cause.")
        if not answered.events:
            return failed
        return Reply(events=(*half(answered), *chat.events([failed.body])))
    return answered


def _effort(model: Model, body: Mapping[str, Any]) -> str:
    """The level that reaches the template: both switches do, and the template's own wins."""
    if not model.thinks:
        return "none"
    effort: str = body.get("reasoning_effort") or model.script.effort
    switch = (body.get("chat_template_kwargs") or {}).get("enable_thinking", effort != "none")
    if not switch:
        return "none"
    return model.script.effort if effort == "none" else effort


def _invalid(model: Model, body: Mapping[str, Any]) -> Reply | None:
    if body.get("stream_options") and not body.get("stream"):
        message = "Stream options can only be defined when `stream=True`."
        return error(400, message, "stream_options")
    if body.get("continue_final_message") and body.get("add_generation_prompt"):
        message = "Cannot set both `continue_final_message` and `add_generation_prompt` to True."
        return error(400, message)
    if body.get("top_logprobs") and not body.get("logprobs"):
        message = "when using `top_logprobs`, `logprobs` must be set to true."
        return error(400, message, "top_logprobs")
    if body.get("reasoning_effort") not in (None, *EFFORTS):
        return error(400, f"Input should be {', '.join(EFFORTS)}", "reasoning_effort")
    if body.get("thinking_token_budget") is not None and (model.raw or not model.thinks):
        message = (
            "thinking_token_budget is set but reasoning_config is not configured. "
            "Please set --reasoning-config to use thinking_token_budget."
        )
        return error(400, message, "thinking_token_budget")
    if (body.get("n") or 1) > 1 and body.get("temperature") == 0:
        return error(400, f"n must be 1 when using greedy sampling, got {body['n']}.", "n")
    prompt, wanted = prompt_tokens(body["messages"]), chat.limit(body) or 0
    if prompt + max(wanted, 1) > model.context:
        message = (
            f"This model's maximum context length is {model.context} tokens. However, you "
            f"requested {wanted} output tokens and your prompt contains at least {prompt} input "
            f"tokens, for a total of at least {prompt + wanted} tokens."
        )
        return error(400, message, "input_tokens")
    return None


def _told(path: str) -> Reply:
    """The server of itself."""
    if path == "/version":
        return Reply(body={"version": "0.32.0"})
    if path != "/v1/models":
        return Reply(404, body={"detail": "Not Found"})
    about = {"object": "model", "created": chat.CREATED, "owned_by": "vllm", "parent": None}
    return chat.listing(
        *(
            {"id": name, **about, "root": name, "max_model_len": model.context, "permission": []}
            for name, model in MODELS.items()
        )
    )


def _tokenized(body: Any) -> Reply:
    """Token numbers of a prompt, or of messages with the chat template around them."""
    if not isinstance(body, dict) or not {"prompt", "messages"} & body.keys():
        return error(400, "Field required: prompt")
    model = MODELS.get(body.get("model") or "Qwen/Qwen3-8B")
    if model is None:
        return error(404, f"The model `{body['model']}` does not exist.", "model")
    if "prompt" in body:
        count = len(tokens(content({"content": body["prompt"]})))
    else:
        count = prompt_tokens(body["messages"])
    numbers = list(range(count))
    told = {"count": count, "max_model_len": model.context, "tokens": numbers, "token_strs": None}
    return Reply(body=told)
