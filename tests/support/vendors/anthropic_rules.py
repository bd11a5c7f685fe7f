"""What Anthropic's Messages API refuses, in its own words where they are known."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

from tests.support.vendors.serving import Asked

KEY = "sk-ant-api03-test"
VERSIONS = ("2023-06-01", "2026-10-21")
EFFORTS = ("low", "medium", "high", "xhigh", "max")
HIDDEN = base64.b64encode(b"hidden").decode()
"""The data of thinking that is not shown."""
SAMPLING = ("temperature", "top_p", "top_k")
COUNTED = {
    "cache_control",
    "messages",
    "model",
    "output_config",
    "speed",
    "system",
    "thinking",
    "tool_choice",
    "tools",
}
"""Fields of a request to count tokens."""
CREATED = COUNTED | {
    "container",
    "diagnostics",
    "inference_geo",
    "max_tokens",
    "metadata",
    "service_tier",
    "stop_sequences",
    "stream",
    "user_profile_id",
    *SAMPLING,
}
"""Fields of a request for a message."""


class Refused(Exception):
    """An answer with an error."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status, self.kind, self.message = status, kind, message


@dataclass(frozen=True)
class Takes:
    """What a model takes. As it stands: Claude 4.7 to 5."""

    thinking: tuple[str, ...] = ("adaptive", "disabled")
    """Values of thinking.type."""
    thinks: bool = False
    """True if it thinks, adaptively, when a request has no ``thinking``."""
    efforts: tuple[str, ...] = EFFORTS
    sampling: bool = False
    """True if it takes temperature, top_p or top_k under the old API version."""
    prefill: bool = False
    display: str = "omitted"
    """The default of thinking.display."""
    context: int = 200_000
    longest: int = 64_000
    """The most that max_tokens may be."""


def invalid(message: str) -> Refused:
    return Refused(400, "invalid_request_error", message)


def signed(thinking: str) -> str:
    """The signature of a block of thinking."""
    return base64.b64encode(f"signed:{thinking}".encode()).decode()


def tokens(value: Any) -> int:
    """Words in a text, or in all texts within a value."""
    match value:
        case str():
            return len(value.split())
        case {"type": "text" | "thinking", **fields}:
            return tokens(fields.get("text", fields.get("thinking")))
        case list():
            return sum(map(tokens, value))
    return 0


def prompt_tokens(body: dict[str, Any]) -> int:
    return tokens(body.get("system")) + sum(tokens(m["content"]) for m in body["messages"])


def thinking_of(body: dict[str, Any], takes: Takes) -> dict[str, Any] | None:
    """The configuration of thinking in force; None if there is none."""
    config: dict[str, Any] = body.get("thinking") or {
        "type": "adaptive" if takes.thinks else "disabled"
    }
    return None if config["type"] == "disabled" else config


def prefilled(body: dict[str, Any]) -> str:
    """The text that the reply has to continue."""
    last = body["messages"][-1]
    if last["role"] != "assistant":
        return ""
    content = last["content"]
    if isinstance(content, str):
        return content
    return "".join(block["text"] for block in content if block["type"] == "text")


def check_headers(asked: Asked) -> None:
    bearer = asked.headers.get("authorization", "").removeprefix("Bearer ")
    key = asked.headers.get("x-api-key", bearer)  # the client sends it as the latter since 2.0
    if not key:
        raise Refused(401, "authentication_error", "x-api-key header is required")
    if key != KEY:
        raise Refused(401, "authentication_error", "invalid x-api-key")
    version = asked.headers.get("anthropic-version")
    if version is None:
        raise invalid("anthropic-version: header is required")
    if version not in VERSIONS:
        raise invalid(f'anthropic-version: "{version}" is not a valid version')


def checked_body(asked: Asked, known: set[str]) -> dict[str, Any]:
    """The body, which has the fields it must have, and none that are unknown."""
    if not isinstance(asked.body, dict):
        raise invalid("The request body is not valid JSON.")
    required = ["messages", "model"] + (["max_tokens"] if "max_tokens" in known else [])
    for name in required:
        if name not in asked.body:
            raise invalid(f"{name}: Field required")
    for name in asked.body.keys() - known:
        raise invalid(f"{name}: Extra inputs are not permitted")
    return asked.body


def check(body: dict[str, Any], takes: Takes, asked: Asked) -> None:
    """Raise Refused unless the model takes the request."""
    _check_messages(body, takes)
    _check_length(body, takes)
    _check_thinking(body, takes)
    _check_effort(body, takes)
    _check_sampling(body, takes, asked.headers["anthropic-version"])
    for mark in body.get("stop_sequences") or ():
        if not mark.strip():
            raise invalid("stop_sequences: each stop sequence must contain non-whitespace")


def _check_messages(body: dict[str, Any], takes: Takes) -> None:
    messages = body["messages"]
    if not messages:
        raise invalid("messages: at least one message is required")
    for at, message in enumerate(messages):
        if message["role"] not in ("user", "assistant", "system"):
            raise invalid(f"messages.{at}.role: Input should be 'user', 'assistant' or 'system'")
        content = message["content"]
        if not content and not (message["role"] == "assistant" and at == len(messages) - 1):
            raise invalid(f"messages.{at}: all messages must have non-empty content")
        for index, block in enumerate(content if isinstance(content, list) else ()):
            if block["type"] == "text" and not block["text"].strip():
                raise invalid("messages: text content blocks must contain non-whitespace text")
            place = f"messages.{at}.content.{index}"
            if block["type"] == "thinking" and block["signature"] != signed(block["thinking"]):
                raise invalid(f"{place}: Invalid `signature` in `thinking` block")
            if block["type"] == "redacted_thinking" and block["data"] != HIDDEN:
                raise invalid(f"{place}: Invalid `data` in `redacted_thinking` block")
        if isinstance(content, list) and content[-1]["type"].endswith("thinking"):
            raise invalid(
                f"messages.{at}: The final block in an assistant message cannot be `thinking`."
            )
    if messages[0]["role"] == "assistant":
        raise invalid('messages: first message must use the "user" role')
    if messages[-1]["role"] == "assistant":
        if not takes.prefill:
            raise invalid(
                "This model does not support assistant message prefill. "
                "The conversation must end with a user message."
            )
        if thinking_of(body, takes):
            raise invalid("When thinking is enabled, the final message must not be prefilled.")
        if prefilled(body) != prefilled(body).rstrip():
            raise invalid("messages: final assistant content cannot end with trailing whitespace")
    if (length := prompt_tokens(body)) > takes.context:
        raise invalid(f"prompt is too long: {length} tokens > {takes.context} maximum")


def _check_length(body: dict[str, Any], takes: Takes) -> None:
    length = body.get("max_tokens", 0)
    if not isinstance(length, int):
        raise invalid("max_tokens: Input should be a valid integer")
    if length < 0:
        raise invalid("max_tokens: must be greater than or equal to 0")
    if length > takes.longest:
        raise invalid(
            f"max_tokens: {length} > {takes.longest}, which is the maximum allowed number of "
            f"output tokens for {body['model']}"
        )


def _check_thinking(body: dict[str, Any], takes: Takes) -> None:
    config = body.get("thinking")
    if config is None:
        return
    kind = config.get("type")
    if kind not in ("adaptive", "between_tools", "disabled", "enabled"):
        raise invalid(f"thinking: Input tag '{kind}' does not match any of the expected tags")
    if kind not in takes.thinking:
        raise invalid(
            "adaptive thinking is not supported on this model"
            if kind == "adaptive"
            else f'"thinking.type.{kind}" is not supported for this model.'
        )
    if config.get("display") not in (None, "summarized", "omitted"):
        raise invalid(f"thinking.{kind}.display: Input should be 'summarized' or 'omitted'")
    if kind != "enabled":
        if "budget_tokens" in config:
            raise invalid(f"thinking.{kind}.budget_tokens: Extra inputs are not permitted")
        return
    if "budget_tokens" not in config:
        raise invalid("thinking.enabled.budget_tokens: Field required")
    if config["budget_tokens"] < 1024:
        raise invalid(
            "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"
        )
    if "max_tokens" in body and config["budget_tokens"] >= body["max_tokens"]:
        raise invalid("`max_tokens` must be greater than `thinking.budget_tokens`.")


def _check_effort(body: dict[str, Any], takes: Takes) -> None:
    effort = (body.get("output_config") or {}).get("effort")
    if effort is None:
        return
    if effort not in EFFORTS:
        raise invalid(f"output_config.effort: Input should be one of {', '.join(EFFORTS)}")
    if not takes.efforts:
        raise invalid("This model does not support the effort parameter.")
    if effort not in takes.efforts:
        raise invalid(
            f"This model does not support effort level '{effort}'. "
            f"Supported levels: {', '.join(sorted(takes.efforts))}."
        )


def _check_sampling(body: dict[str, Any], takes: Takes, version: str) -> None:
    sent = {name: body[name] for name in SAMPLING if name in body}
    if not sent:
        return
    first = next(iter(sent))
    if version != VERSIONS[0]:
        raise invalid(f"{first}: Extra inputs are not permitted")
    if not 0 <= sent.get("temperature", 1) <= 1:
        raise invalid("temperature: range: 0..1")
    if "temperature" in sent and "top_p" in sent:
        raise invalid("`temperature` and `top_p` cannot both be specified for this model.")
    if not takes.sampling and sent != {"temperature": 1}:
        raise invalid(f"`{first}` is deprecated for this model.")
    if not thinking_of(body, takes):
        return
    if sent.get("temperature", 1) != 1:
        raise invalid("`temperature` may only be set to 1 when thinking is enabled.")
    if not 0.95 <= sent.get("top_p", 1) <= 1:
        raise invalid("`top_p` must be greater than or equal to 0.95 when thinking is enabled.")
    if "top_k" in sent:
        raise invalid("`top_k` must be unset when thinking is enabled.")
