"""OpenRouter, by the types of the package openrouter 1.3.84."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.support.vendors import chat
from tests.support.vendors.compatible.common import Model as Plain
from tests.support.vendors.compatible.common import half, request, respond, wrong_key
from tests.support.vendors.model import PER_MESSAGE, SENTENCES, Generated, Script, prompt_tokens
from tests.support.vendors.serving import Asked, Reply

PATH = "/api/v1/chat/completions"
COMMENT = b": OPENROUTER PROCESSING\n\n"
PROMPT_PRICE, COMPLETION_PRICE = 0.00000025, 0.000002
PER_SENTENCE = 6
"""Tokens of one sentence of thinking."""


@dataclass(frozen=True)
class Model(Plain):
    """A model of the table, and what the models API says of its thinking."""

    mandatory: bool = False
    efforts: tuple[str, ...] = ()
    takes_tokens: bool = False
    """True if it takes a number of tokens to think."""
    signs: bool = False
    """True if its thinking is signed."""


THINKS = Script(effort="medium")

MODELS = {
    "meta-llama/llama-3.3-70b-instruct": Model(),
    "meta-llama/llama-3.3-70b-instruct-small": Model(context=32),
    "meta-llama/llama-3.3-70b-instruct-busy": Model(fault="busy"),
    "meta-llama/llama-3.3-70b-instruct-unpaid": Model(fault="unpaid"),
    "meta-llama/llama-3.3-70b-instruct-down": Model(fault="broken with 200"),
    "meta-llama/llama-3.3-70b-instruct-fails": Model(fault="fails"),
    "meta-llama/llama-3.3-70b-instruct-breaks-off": Model(fault="breaks off"),
    "openai/gpt-5-mini": Model(
        THINKS, True, mandatory=True, efforts=("minimal", "low", "medium", "high")
    ),
    "anthropic/claude-sonnet-4.5": Model(
        Script(), True, efforts=("low", "medium", "high"), takes_tokens=True, signs=True
    ),
    "deepseek/deepseek-r1": Model(THINKS, True, mandatory=True, takes_tokens=True),
}
"""The scenarios. ``down`` answers with an error and status 200."""


def _usage(prompt: int, cached: int, samples: Sequence[Generated]) -> chat.Json:
    usage = chat.subset(prompt, cached, samples)
    cost = prompt * PROMPT_PRICE + usage["completion_tokens"] * COMPLETION_PRICE
    details = {
        "upstream_inference_cost": None,
        "upstream_inference_prompt_cost": prompt * PROMPT_PRICE,
        "upstream_inference_completions_cost": usage["completion_tokens"] * COMPLETION_PRICE,
    }
    return {**usage, "cost": cost, "is_byok": False, "cost_details": details}


def _in_message(sample: Generated) -> chat.Json:
    thinking = "".join(sample.thinking)
    said: chat.Json = {"refusal": None, "reasoning": thinking or None}
    return said | ({"reasoning_details": [_detail(thinking)]} if thinking else {})


def _in_delta(thinking: str, text: str) -> chat.Json:
    said: chat.Json = {"role": "assistant", "content": text}
    return said | ({"reasoning_details": [_detail(thinking)]} if thinking else {})


def _detail(text: str, signature: str | None = None) -> chat.Json:
    kind = {"type": "reasoning.text", "format": "anthropic-claude-v1", "index": 0}
    return {**kind, "text": text, "signature": signature, "id": None}


def signed(thinking: str) -> str:
    """The signature of thinking."""
    return f"signed:{len(thinking)}"


def _signed_message(sample: Generated) -> chat.Json:
    said, thinking = _in_message(sample), "".join(sample.thinking)
    return said | ({"reasoning_details": [_detail(thinking, signed(thinking))]} if thinking else {})


def _signature(sample: Generated) -> chat.Json:
    """The signature as a stream has it, in a piece of its own."""
    thinking = "".join(sample.thinking)
    return {"reasoning_details": [_detail("", signed(thinking))]} if thinking else {}


def _native(sample: Generated) -> chat.Json:
    return {"native_finish_reason": "max_tokens" if sample.finish == "length" else sample.finish}


DIALECT = chat.Dialect(
    thinking="reasoning",
    usage=_usage,
    usage_comes="always",
    in_message=_in_message,
    in_delta=_in_delta,
    in_choice=_native,
    in_reply=lambda *_: {"provider": "Provider", "system_fingerprint": None},
)
SIGNED = replace(DIALECT, in_message=_signed_message, last=_signature)
EXCLUDED = chat.Dialect(
    usage=_usage,
    usage_comes="always",
    in_message=lambda _: {"refusal": None, "reasoning": None},
    in_choice=_native,
    in_reply=lambda *_: {"provider": "Provider", "system_fingerprint": None},
)
"""With ``exclude``: the thinking is billed and not told."""


def error(status: int, message: str, *, sent_as: int | None = None, **metadata: Any) -> Reply:
    """An error; it may be sent with status 200."""
    body: chat.Json = {"message": message, "code": status}
    if metadata:
        body["metadata"] = metadata
    return Reply(sent_as or status, body={"error": body, "user_id": "user_x"})


def reply(asked: Asked, *, size: int = 1) -> Reply:
    """Answer one request."""
    if (asked.method, asked.path) == ("GET", "/api/v1/models"):
        listed = [_listed(name) for name in MODELS]
        return Reply(body={"data": listed, "links": {"next": None}, "total_count": len(listed)})
    if wrong_key(asked):
        return error(401, "User not found.")
    body = request(asked, MODELS, error, PATH)
    if isinstance(body, Reply):
        return body
    model = MODELS[body["model"]]
    wish = dict(body.get("reasoning") or {})
    if "reasoning_effort" in body:
        wish.setdefault("effort", body["reasoning_effort"])
    if refused := _invalid(model, body, wish) or _fault(model):
        return refused
    effort, budget = _thinking(model, wish)
    dialect = EXCLUDED if wish.get("exclude") else SIGNED if model.signs else DIALECT
    answered = respond(dialect, model, body, effort=effort, budget=budget, size=size)
    if not answered.events:
        return answered
    if model.fault == "breaks off":
        return Reply(events=half(answered), cut=True, billed=answered.billed)
    if model.fault == "fails":
        return Reply(events=(*half(answered), *_failed(body["model"])), billed=answered.billed)
    return Reply(events=(COMMENT, COMMENT, *answered.events), billed=answered.billed)


def _thinking(model: Model, wish: Mapping[str, Any]) -> tuple[str, int | None]:
    """Level and number of tokens; a level that a model lacks is the nearest that it has."""
    if not model.thinks:
        return "none", None
    wanted = wish.get("effort")
    if wish.get("max_tokens") and model.takes_tokens:
        return "max", wish["max_tokens"]
    if wish.get("max_tokens"):
        wanted = min(SENTENCES, key=lambda e: abs(SENTENCES[e] * PER_SENTENCE - wish["max_tokens"]))
    if wish.get("enabled") and not wanted and model.script.effort == "none":
        wanted = "medium"
    if not wanted:
        return model.script.effort, None
    levels = [e for e in model.efforts or SENTENCES if e != "none" or wanted == "none"]
    if wanted == "none":
        return "none", None
    return min(levels, key=lambda e: abs(SENTENCES[e] - SENTENCES[wanted])), None


def _invalid(model: Model, body: Mapping[str, Any], wish: Mapping[str, Any]) -> Reply | None:
    if wish.get("effort") and wish.get("max_tokens"):
        return error(
            400, 'Only one of "reasoning.effort" and "reasoning.max_tokens" may be specified'
        )
    if wish.get("effort") not in (None, *SENTENCES):
        return error(400, f"Invalid option: expected one of {', '.join(SENTENCES)}")
    off = wish.get("effort") == "none" or wish.get("enabled") is False
    if model.mandatory and off:
        return error(400, "Reasoning is mandatory for this endpoint and cannot be disabled.")
    for message in body["messages"]:
        for detail in message.get("reasoning_details", ()):
            if not model.signs or detail["signature"] != signed(detail["text"]):
                raw = "messages.1.content.0: Invalid `signature` in `thinking` block"
                return error(400, "Provider returned error", raw=raw, provider_name="Provider")
    prompt, wanted = prompt_tokens(body["messages"]), chat.limit(body) or 0
    if prompt + max(wanted, 1) > model.context:
        return error(
            400,
            f"This endpoint's maximum context length is {model.context} tokens. However, you "
            f"requested about {prompt + wanted} tokens ({prompt} of text input, {wanted} in the "
            "output). Please reduce the length of either one.",
            provider_name=None,
        )
    return None


def _fault(model: Model) -> Reply | None:
    if model.fault == "busy":
        raw = "model is temporarily rate-limited upstream. Please retry shortly."
        return error(429, "Provider returned error", raw=raw, provider_name="Provider")
    if model.fault == "unpaid":
        return error(402, "Insufficient credits. Add more using the settings page")
    if model.fault == "broken with 200":
        raw = "upstream connect error"
        return error(502, "Provider returned error", sent_as=200, raw=raw, provider_name="P")
    return None


def _failed(name: str) -> list[bytes]:
    """The chunk of an error in mid-stream, which has choices beside it."""
    end = {"index": 0, "delta": {"content": ""}, "finish_reason": "error"}
    head = {"id": chat.ID, "object": "chat.completion.chunk", "created": chat.CREATED}
    failed = {"code": 502, "message": "Provider disconnected"}
    return chat.events([{**head, "model": name, "error": failed, "choices": [end]}], done=False)


def _listed(name: str) -> chat.Json:
    """A model as the models API shows it; one that does not think has no ``reasoning``."""
    model = MODELS[name]
    out: chat.Json = {
        "id": name,
        "canonical_slug": name,
        "name": name,
        "created": chat.CREATED,
        "description": "",
        "context_length": model.context,
        "architecture": {
            "modality": "text->text",
            "input_modalities": ["text"],
            "output_modalities": ["text"],
            "tokenizer": "Other",
            "instruct_type": None,
        },
        "pricing": {"prompt": f"{PROMPT_PRICE:.8f}", "completion": f"{COMPLETION_PRICE:.6f}"},
        "top_provider": {
            "context_length": model.context,
            "max_completion_tokens": model.context - PER_MESSAGE,
            "is_moderated": False,
        },
        "per_request_limits": None,
        "supported_parameters": ["max_tokens", "stop", "temperature", "top_p"],
        "default_parameters": {},
        "supported_voices": None,
        "links": {"details": f"/api/v1/models/{name}/endpoints"},
    }
    if model.thinks:
        out["supported_parameters"] += ["include_reasoning", "reasoning"]
        out["reasoning"] = {
            "mandatory": model.mandatory,
            "default_effort": model.script.effort if model.mandatory else None,
            "default_enabled": model.script.effort != "none",
            "supported_efforts": list(model.efforts) or None,
            "supports_max_tokens": model.takes_tokens,
        }
    return out
