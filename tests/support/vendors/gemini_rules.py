"""What the Gemini API refuses, in its own words where they are known."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Any

from tests.support.vendors.serving import Asked

KEY = "AIzaSy-test"
LEVELS = ("MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH")
SIGNATURE = base64.b64encode(b"signed by the model").decode()
REQUEST = {
    "cachedContent",
    "contents",
    "generationConfig",
    "labels",
    "model",
    "safetySettings",
    "serviceTier",
    "store",
    "systemInstruction",
    "toolConfig",
    "tools",
}
CONFIG = {
    "candidateCount",
    "enableEnhancedCivicAnswers",
    "frequencyPenalty",
    "imageConfig",
    "logprobs",
    "maxOutputTokens",
    "mediaResolution",
    "presencePenalty",
    "responseFormat",
    "responseJsonSchema",
    "responseLogprobs",
    "responseMimeType",
    "responseModalities",
    "responseSchema",
    "seed",
    "speechConfig",
    "stopSequences",
    "temperature",
    "thinkingConfig",
    "topK",
    "topP",
}
THINKING = {"includeThoughts", "thinkingBudget", "thinkingLevel"}


class Refused(Exception):
    """An answer with an error."""

    def __init__(self, code: int, status: str, message: str, *details: dict[str, Any]) -> None:
        super().__init__(message)
        self.code, self.status, self.message, self.details = code, status, message, details


@dataclass(frozen=True)
class Takes:
    """What a model takes. As it stands: no thinking at all."""

    levels: tuple[str, ...] = ()
    """Values of thinkingLevel."""
    budget: tuple[int, int] | None = None
    """The least and the most of thinkingBudget, less 0 and -1; None if it takes no budget."""
    off: bool = False
    """True if a budget of 0 is taken."""
    thinks: bool = True
    """True if it thinks when the request says nothing of it."""
    candidates: int = 1
    context: int = 1_048_576
    longest: int = 65_536
    """The most that maxOutputTokens may be."""

    @property
    def thinking(self) -> bool:
        return bool(self.levels or self.budget)


def invalid(message: str, *details: dict[str, Any]) -> Refused:
    return Refused(400, "INVALID_ARGUMENT", message, *details)


def named(value: Any) -> Any:
    """The JSON value with all names of fields in lowerCamelCase: both spellings are taken."""
    match value:
        case dict():
            return {re.sub(r"_(\w)", lambda m: m[1].upper(), k): named(v) for k, v in value.items()}
        case list():
            return [named(item) for item in value]
    return value


def tokens(content: dict[str, Any] | None) -> int:
    """Words in all text of a content."""
    return sum(len(part.get("text", "").split()) for part in (content or {}).get("parts", ()))


def prompt_tokens(body: dict[str, Any]) -> int:
    return tokens(body.get("systemInstruction")) + sum(map(tokens, body["contents"]))


def thinks(config: dict[str, Any], takes: Takes) -> bool:
    """True if the model thinks on a request with this generationConfig."""
    said = config.get("thinkingConfig") or {}
    if not takes.thinking or said.get("thinkingBudget") == 0:
        return False
    return takes.thinks or "thinkingBudget" in said or "thinkingLevel" in said


def check_key(asked: Asked) -> None:
    key = asked.headers.get("x-goog-api-key", asked.query.get("key"))
    if not key:
        raise Refused(
            403,
            "PERMISSION_DENIED",
            "Method doesn't allow unregistered callers (callers without established identity). "
            "Please use API Key or other form of API consumer identity to call this API.",
        )
    if key != KEY:
        raise invalid(
            "API key not valid. Please pass a valid API key.",
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "API_KEY_INVALID",
                "domain": "googleapis.com",
                "metadata": {"service": "generativelanguage.googleapis.com"},
            },
        )


def checked_body(asked: Asked) -> dict[str, Any]:
    """The body, with no field that is unknown."""
    if not isinstance(asked.body, dict):
        raise invalid("Invalid JSON payload received. Unexpected token.")
    body: dict[str, Any] = named(asked.body)
    config = body.get("generationConfig") or {}
    _check_names(body, REQUEST, "")
    _check_names(config, CONFIG, "generation_config")
    _check_names(config.get("thinkingConfig") or {}, THINKING, "generation_config.thinking_config")
    return body


def check(body: dict[str, Any], name: str, takes: Takes) -> None:
    """Raise Refused unless the model takes the request."""
    if not body.get("contents"):
        raise invalid("* GenerateContentRequest.contents: contents is not specified\n")
    for content in body["contents"]:
        if content.get("role", "user") not in ("user", "model"):
            raise invalid("Please use a valid role: user, model.")
        if not content.get("parts"):
            raise invalid("* GenerateContentRequest.contents.parts: contents.parts is not set\n")
        for part in content["parts"]:
            if part.get("thoughtSignature", SIGNATURE) != SIGNATURE:
                raise invalid("Corrupted thought signature.")
    if (length := prompt_tokens(body)) > takes.context:
        raise invalid(
            f"The input token count ({length}) exceeds the maximum number of tokens allowed "
            f"({takes.context})."
        )
    _check_config(body.get("generationConfig") or {}, name, takes)


def _check_names(fields: dict[str, Any], known: set[str], place: str) -> None:
    for name in fields.keys() - known:
        at = f" at '{place}'" if place else ""
        said = f'Invalid JSON payload received. Unknown name "{name}"{at}: Cannot find field.'
        violation = {"field": place, "description": said}
        kind = "type.googleapis.com/google.rpc.BadRequest"
        raise invalid(said, {"@type": kind, "fieldViolations": [violation]})


def _check_config(config: dict[str, Any], name: str, takes: Takes) -> None:
    place = "* GenerateContentRequest.generation_config"
    if len(config.get("stopSequences") or ()) > 5:
        raise invalid(f"{place}.stop_sequences: the number of stop_sequences must not exceed 5\n")
    if not 0 <= config.get("temperature", 1) <= 2:
        raise invalid(f"{place}.temperature: temperature must be in the range [0.0, 2.0].\n")
    if not 0 <= config.get("topP", 1) <= 1:
        raise invalid(f"{place}.top_p: top_p must be in the range [0.0, 1.0].\n")
    if config.get("maxOutputTokens", 1) < 1:
        raise invalid(f"{place}.max_output_tokens: max_output_tokens must be positive.\n")
    if config.get("maxOutputTokens", 1) > takes.longest:
        raise invalid(
            "Unable to submit request because it has a maxOutputTokens value of "
            f"{config['maxOutputTokens']} but the supported range is from 1 (inclusive) to "
            f"{takes.longest + 1} (exclusive). Update the value and try again."
        )
    if config.get("candidateCount", 1) > takes.candidates:
        raise invalid("Multiple candidates is not enabled for this model")
    if config.get("responseLogprobs"):
        raise invalid(f"Logprobs is not enabled for models/{name}")
    if config.get("thinkingConfig"):
        _check_thinking(config["thinkingConfig"], name, takes)


def _check_thinking(config: dict[str, Any], name: str, takes: Takes) -> None:
    level, budget = config.get("thinkingLevel"), config.get("thinkingBudget")
    if not takes.thinking:
        raise invalid(f"Thinking is not enabled for models/{name}")
    if level is not None and budget is not None:
        raise invalid("You can only set only one of thinking budget and thinking level.")
    if level is not None:
        level = level.upper()
        if level not in LEVELS:
            raise invalid(f"Invalid value at 'generation_config.thinking_config.{level}'")
        if not takes.levels:
            raise invalid("Thinking level is not supported for this model.")
        if level not in takes.levels:
            raise invalid(
                f"Thinking level {level} is not supported for this model. "
                "Please retry with other thinking level."
            )
    if budget is None or budget == -1:
        return
    if budget == 0 and not takes.off:
        raise invalid("Budget 0 is invalid. This model only works in thinking mode.")
    if takes.budget is None:
        raise invalid("Thinking budget is not supported for this model.")
    least, most = takes.budget
    if budget != 0 and not least <= budget <= most:
        raise invalid(
            f"The thinking budget {budget} is invalid. "
            f"Please choose a value between {least} and {most}."
        )
