"""The body of ``POST /v1/chat/completions``: every field is honoured, inert by its nature, or
refused with a sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, JsonValue, field_validator, model_validator
from pydantic.config import JsonDict

from ponder.server.asking.dial import Dial, Effort
from ponder.server.body import WHOLE, Count, Form, Nucleus, picture
from ponder.server.chat.tools import Allowed, Call, Choice, Named, Offered, check_choice


class Picture(Form):
    """An image: its address, which the model's server fetches, or the image itself."""

    url: Annotated[str, Field(json_schema_extra={"pattern": "^(https://|data:image/)"})]
    detail: Literal["auto", "low", "high", "original"] | None = None

    @field_validator("url")
    @classmethod
    def _image(cls, url: str) -> str:
        return picture(url)


class Part(Form):
    """A part of a message: a text, or an image."""

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"type": {"const": "image_url"}}},
            "then": {"properties": {"image_url": {"type": "object"}}, "required": ["image_url"]},
            "else": {"properties": {"image_url": {"type": "null"}}},
        }
    )
    type: Literal["text", "input_text", "output_text", "refusal", "image_url"]
    text: str = ""
    refusal: str = ""
    image_url: Picture | None = None

    @model_validator(mode="after")
    def _whole(self) -> Part:
        if (self.type == "image_url") != (self.image_url is not None):
            raise ValueError("'image_url' belongs to the type 'image_url', and is needed there")
        return self


class Turn(Form):
    """One message."""

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"role": {"const": "tool"}}},
            "then": {
                "properties": {"tool_call_id": {"type": "string", "minLength": 1}},
                "required": ["tool_call_id"],
            },
            "else": {
                "properties": {"tool_call_id": {"enum": [None, ""]}, "name": {"type": "null"}}
            },
        }
    )
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[Part] | None = None
    name: str | None = None  # of a tool, which the call's id says already
    tool_calls: list[Call] | None = None
    tool_call_id: str | None = None
    refusal: str | None = None
    # Members that this and other servers put into their replies, which clients send back.
    reasoning: str | None = None
    reasoning_content: str | None = None
    annotations: list[JsonValue] | None = None
    audio: None = None
    function_call: None = None

    @property
    def pictures(self) -> list[Picture]:
        """Its images."""
        parts = self.content if isinstance(self.content, list) else []
        return [part.image_url for part in parts if part.image_url is not None]

    @field_validator("role", mode="before")
    @classmethod
    def _role(cls, role: object) -> object:
        if role == "function":
            raise ValueError("the role 'function' is of an older form: send the role 'tool'")
        return role

    @field_validator("function_call", mode="before")
    @classmethod
    def _no_older_call(cls, call: object) -> object:
        if call is not None:
            raise ValueError("calls of this older form are not supported: send 'tool_calls'")
        return call

    @field_validator("content", mode="before")
    @classmethod
    def _parts(cls, content: object) -> object:
        for part in content if isinstance(content, list) else ():
            kind = part.get("type") if isinstance(part, dict) else None
            if kind in ("input_audio", "file"):
                raise ValueError(f"parts of the type {kind!r} are not supported: send text")
        return content

    @model_validator(mode="after")
    def _belong(self) -> Turn:
        if (self.role == "tool") != bool(self.tool_call_id):
            raise ValueError("'tool_call_id' belongs to the role 'tool', and is needed there")
        if self.name is not None and self.role != "tool":
            raise ValueError("'name' is not supported here: leave it out")
        if self.tool_calls and self.role != "assistant":
            raise ValueError("'tool_calls' belong to the role 'assistant'")
        if self.pictures and self.role != "user":
            raise ValueError("images belong to the role 'user'")
        return self


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


_NO_PENALTY: JsonDict = {"enum": [0, None]}


class ChatBody(Form):
    """The body of a request."""

    model: str
    messages: Annotated[list[Turn], Field(min_length=1)]
    # Honoured.
    reasoning_effort: Effort | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Nucleus | None = None
    max_tokens: Count | None = None
    max_completion_tokens: Count | None = None
    stop: str | list[str] | None = None
    seed: Annotated[int, WHOLE] | None = None
    n: Annotated[int, Field(ge=1), WHOLE] | None = None
    response_format: Format | None = None
    tools: list[Offered] | None = None
    tool_choice: Choice | Named | Allowed | None = None
    parallel_tool_calls: bool | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    ponder: Dial = Dial()
    # Inert: they say nothing about the reply.
    user: str | None = None
    safety_identifier: str | None = None
    metadata: dict[str, str] | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    # At the only value that can be honoured.
    store: Literal[False] | None = None
    service_tier: Literal["auto", "default"] | None = None
    modalities: list[Literal["text"]] | None = None
    frequency_penalty: float | None = Field(None, json_schema_extra=_NO_PENALTY)
    presence_penalty: float | None = Field(None, json_schema_extra=_NO_PENALTY)
    logit_bias: dict[str, float] | None = Field(None, json_schema_extra={"maxProperties": 0})
    verbosity: Literal["medium"] | None = None
    functions: None = None
    function_call: None = None
    audio: None = None
    prediction: None = None
    web_search_options: None = None

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

    @field_validator("tool_choice", mode="before")
    @classmethod
    def _choice(cls, choice: object) -> object:
        return check_choice(choice)

    @field_validator("functions", "function_call", mode="before")
    @classmethod
    def _no_older_tools(cls, given: object) -> object:
        if given is not None:
            raise ValueError("this older form is not supported: send 'tools' and 'tool_choice'")
        return given

    @field_validator("stop")
    @classmethod
    def _stops(cls, stop: str | list[str] | None) -> str | list[str] | None:
        stops = [stop] if isinstance(stop, str) else stop or []
        if len(stops) > 16 or not all(stops):
            raise ValueError("expected a text, or up to 16 texts, none of them empty")
        return stop

    @property
    def alternatives(self) -> int | None:
        """The number of alternatives to tell of each token; None if not even its own
        log-probability is asked for.
        """
        return (self.top_logprobs or 0) if self.logprobs else None

    @model_validator(mode="after")
    def _agree(self) -> ChatBody:
        if None not in (given := (self.max_tokens, self.max_completion_tokens)) and (
            given[0] != given[1]
        ):
            raise ValueError("'max_tokens' and 'max_completion_tokens' differ: give one of them")
        if self.top_logprobs and not self.logprobs:
            raise ValueError("'top_logprobs' belongs to log-probabilities: say \"logprobs\": true")
        if self.stream_options is not None and not self.stream:
            raise ValueError("'stream_options' belongs to a stream: say \"stream\": true")
        return self
