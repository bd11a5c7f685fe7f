"""The body of ``POST /v1/chat/completions``: every field is honoured, inert by its nature, or
refused with a sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, field_validator, model_validator

from ponder.planning.presets import PRESETS
from ponder.server.body import Form

Count = Annotated[int, Field(ge=1, le=10**6)]


class Text(Form):
    """A part of a message that is text."""

    type: Literal["text", "input_text", "output_text", "refusal"]
    text: str = ""
    refusal: str = ""


class Turn(Form):
    """One message."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[Text] | None = None
    name: None = None
    refusal: str | None = None
    # Members that this and other servers put into their replies, which clients send back.
    reasoning: str | None = None
    reasoning_content: str | None = None
    annotations: list[JsonValue] | None = None
    audio: None = None
    function_call: None = None
    tool_calls: None = None

    @field_validator("role", mode="before")
    @classmethod
    def _role(cls, role: object) -> object:
        if role in ("tool", "function"):
            raise ValueError(f"messages of the role {role!r} are not supported yet")
        return role

    @field_validator("content", mode="before")
    @classmethod
    def _parts(cls, content: object) -> object:
        for part in content if isinstance(content, list) else ():
            kind = part.get("type") if isinstance(part, dict) else None
            if kind in ("image_url", "input_audio", "file"):
                raise ValueError(f"parts of the type {kind!r} are not supported yet: send text")
        return content


class Schema(Form):
    """A named JSON Schema."""

    name: str = ""
    description: str | None = None
    schema_: Mapping[str, JsonValue] = Field(default_factory=dict, alias="schema")
    strict: bool | None = None


class Format(Form):
    """The form of the reply."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: Schema | None = None

    @model_validator(mode="after")
    def _whole(self) -> Format:
        if (self.type == "json_schema") != (self.json_schema is not None):
            raise ValueError("'json_schema' belongs to the type 'json_schema', and is needed there")
        return self


class StreamOptions(Form):
    """Options of a stream."""

    include_usage: bool = False
    include_obfuscation: bool | None = None


class Limits(Form):
    """A request's own budget."""

    tokens: Annotated[int, Field(ge=1)] | None = None
    usd: Annotated[float, Field(gt=0)] | None = None
    seconds: Annotated[float, Field(gt=0)] | None = None


class Dial(Form):
    """The ``ponder`` object: the dial, with all its settings."""

    strategy: str | None = None
    knobs: dict[str, str | int | float | bool | None] = Field(default_factory=dict)
    verifier: str | None = None
    budget: Limits = Limits()
    worth: float | int | str | None = None
    answer_type: Literal["auto", "number", "math", "choice", "code", "text", "json"] = "auto"
    choices: list[str] = Field(default_factory=list)
    events: bool = False


class ChatBody(Form):
    """The body of a request."""

    model: str
    messages: Annotated[list[Turn], Field(min_length=1)]
    # Honoured.
    reasoning_effort: str | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    max_tokens: Count | None = None
    max_completion_tokens: Count | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    n: Annotated[int, Field(ge=1)] | None = None
    response_format: Format | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    ponder: Dial = Dial()
    # Inert: they say nothing about the reply.
    user: str | None = None
    safety_identifier: str | None = None
    metadata: dict[str, str] | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    parallel_tool_calls: bool | None = None
    # At the only value that can be honoured.
    store: Literal[False] | None = None
    service_tier: Literal["auto", "default"] | None = None
    modalities: list[Literal["text"]] | None = None
    logprobs: Literal[False] | None = None
    top_logprobs: Literal[0] | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    verbosity: Literal["medium"] | None = None
    tools: list[JsonValue] | None = None
    tool_choice: Literal["none", "auto"] | None = None
    functions: None = None
    function_call: None = None
    audio: None = None
    prediction: None = None
    web_search_options: None = None

    @field_validator("reasoning_effort")
    @classmethod
    def _effort(cls, effort: str | None) -> str | None:
        if effort is not None and effort not in PRESETS:
            raise ValueError(f"expected one of {', '.join(PRESETS)}, not {effort[:40]!r}")
        return effort

    @field_validator("frequency_penalty", "presence_penalty")
    @classmethod
    def _no_penalty(cls, penalty: float | None) -> float | None:
        if penalty:
            raise ValueError("no model here takes penalties: leave it out, or say 0")
        return penalty

    @field_validator("logit_bias")
    @classmethod
    def _no_bias(cls, bias: dict[str, float] | None) -> dict[str, float] | None:
        if bias:
            raise ValueError("no model here takes a bias: leave it out")
        return bias

    @field_validator("tools")
    @classmethod
    def _no_tools(cls, tools: list[Any] | None) -> list[Any] | None:
        if tools:
            raise ValueError("tools are not supported yet: leave them out")
        return tools

    @field_validator("logprobs", mode="before")
    @classmethod
    def _no_logprobs(cls, asked: object) -> object:
        if asked is True:
            raise ValueError("log-probabilities are not passed through: leave it out, or say false")
        return asked

    @field_validator("stop")
    @classmethod
    def _stops(cls, stop: str | list[str] | None) -> str | list[str] | None:
        stops = [stop] if isinstance(stop, str) else stop or []
        if len(stops) > 16 or not all(stops):
            raise ValueError("expected a text, or up to 16 texts, none of them empty")
        return stop

    @model_validator(mode="after")
    def _agree(self) -> ChatBody:
        if None not in (given := (self.max_tokens, self.max_completion_tokens)) and (
            given[0] != given[1]
        ):
            raise ValueError("'max_tokens' and 'max_completion_tokens' differ: give one of them")
        if self.stream_options is not None and not self.stream:
            raise ValueError("'stream_options' belongs to a stream: say \"stream\": true")
        return self
