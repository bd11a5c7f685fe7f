"""The body of ``POST /v1/responses``: every field is honoured, inert by its nature, or refused with
a sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, field_validator, model_validator

from ponder.server.asking.dial import Dial, Effort
from ponder.server.body import WHOLE, Count, Form, Nucleus
from ponder.server.responses.items import Input
from ponder.server.responses.tools import Choice, Offered, check_choice, check_levels

Summary = Literal["auto", "concise", "detailed"]
LABEL = 64
"""Most characters of a key of the metadata."""
WORD = 512
"""Most characters of a value of the metadata."""


class Reasoning(Form):
    """Wishes about the thinking."""

    effort: Effort | None = None
    summary: Summary | None = None
    generate_summary: Summary | None = None
    mode: Literal["standard", "pro"] | None = None
    context: Literal["auto", "current_turn"] | None = None

    @field_validator("context", mode="before")
    @classmethod
    def _context(cls, context: object) -> object:
        if context == "all_turns":
            raise ValueError("no model is shown the thinking of earlier turns: say 'current_turn'")
        return context

    @model_validator(mode="after")
    def _agree(self) -> Reasoning:
        if None not in (given := (self.summary, self.generate_summary)) and given[0] != given[1]:
            raise ValueError("'summary' and 'generate_summary' differ: give one of them")
        return self

    @property
    def told(self) -> Summary | None:
        """The summary that is asked for."""
        return self.summary or self.generate_summary


class Format(Form):
    """The form of the answer."""

    type: Literal["text", "json_object", "json_schema"]
    name: str | None = None
    description: str | None = None
    schema_: Mapping[str, JsonValue] | None = Field(default=None, alias="schema")
    strict: bool | None = None

    @model_validator(mode="after")
    def _whole(self) -> Format:
        named = self.name is not None and self.schema_ is not None
        parts = (self.name, self.schema_, self.description, self.strict)
        if self.type == "json_schema" and not named:
            raise ValueError("the type 'json_schema' needs 'name' and 'schema'")
        if self.type != "json_schema" and any(part is not None for part in parts):
            raise ValueError(f"the type {self.type!r} has no other members: leave them out")
        check_levels(self.schema_)
        return self


class Text(Form):
    """Wishes about the answer."""

    format: Format = Format(type="text")
    verbosity: Literal["medium"] | None = None


class StreamOptions(Form):
    """Options of a stream."""

    include_obfuscation: Literal[False] | None = None


def _included(schema: dict[str, Any]) -> None:
    schema["enum"] = sorted(INCLUDABLE)


class ResponseBody(Form):
    """The body of a request."""

    model: str
    input: Annotated[str | list[Input], Field(json_schema_extra={"minLength": 1, "minItems": 1})]
    # Honoured.
    instructions: str | None = None
    previous_response_id: str | None = None
    reasoning: Reasoning = Reasoning()
    max_output_tokens: Count | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Nucleus | None = None
    text: Text = Text()
    tools: list[Offered] | None = None
    tool_choice: Choice | None = None
    parallel_tool_calls: bool | None = None
    metadata: dict[str, str] | None = None
    include: list[Annotated[str, Field(json_schema_extra=_included)]] | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20), WHOLE] | None = None
    store: bool | None = None
    background: bool | None = None
    stream: bool | None = None
    ponder: Dial = Dial()
    # Inert: they say nothing about the answer, or speak of tools that the vendor runs, which there
    # are none of.
    user: str | None = None
    safety_identifier: str | None = None
    client_metadata: dict[str, str] | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    max_tool_calls: Count | None = None
    # At the only value that can be honoured.
    stream_options: StreamOptions | None = None
    service_tier: Literal["auto", "default"] | None = None
    truncation: Literal["disabled"] | None = None
    conversation: None = None
    prompt: None = None
    prompt_cache_options: None = None
    context_management: None = None
    background_options: None = None
    moderation: None = None
    access_programs: None = None
    image: None = None

    @field_validator("reasoning", "text", "ponder", mode="before")
    @classmethod
    def _none(cls, given: object) -> object:
        return {} if given is None else given

    @field_validator("input", mode="after")
    @classmethod
    def _something(cls, given: str | list[Input]) -> str | list[Input]:
        if not given:
            raise ValueError("it is empty: expected a text, or items")
        return given

    @field_validator("metadata")
    @classmethod
    def _labels(cls, given: dict[str, str] | None) -> dict[str, str] | None:
        pairs = (given or {}).items()
        if len(pairs) > 16 or any(len(k) > LABEL or len(v) > WORD for k, v in pairs):
            raise ValueError(
                f"expected up to 16 pairs, names of up to {LABEL} characters and values of up to "
                f"{WORD}"
            )
        return given

    @field_validator("truncation", mode="before")
    @classmethod
    def _no_cutting(cls, given: object) -> object:
        if given == "auto":
            raise ValueError("no part of the input is left out here: say 'disabled'")
        return given

    @field_validator("include")
    @classmethod
    def _included(cls, given: list[str] | None) -> list[str] | None:
        if unknown := set(given or ()) - INCLUDABLE:
            raise ValueError(f"there is no {min(unknown)[:60]!r} to include: leave it out")
        return given

    @field_validator("tool_choice", mode="before")
    @classmethod
    def _choice(cls, choice: object) -> object:
        return check_choice(choice)

    @property
    def alternatives(self) -> int | None:
        """The number of alternatives to tell of each token; None if not even its own
        log-probability is asked for.
        """
        return (self.top_logprobs or 0) if LOGPROBS in (self.include or ()) else None

    @model_validator(mode="after")
    def _agree(self) -> ResponseBody:
        if self.top_logprobs and self.alternatives is None:
            raise ValueError(
                f'\'top_logprobs\' belongs to log-probabilities: say "include": ["{LOGPROBS}"]'
            )
        if self.background and self.store is False:
            raise ValueError("'background' needs a stored response: leave 'store' out")
        if self.stream_options is not None and not self.stream:
            raise ValueError("'stream_options' belongs to a stream: say \"stream\": true")
        if self.ponder.events and not self.stream:
            raise ValueError("'ponder.events' belongs to a stream: say \"stream\": true")
        if self.reasoning.mode == "pro" and self.ponder.strategy is not None:
            raise ValueError(
                "'reasoning.mode' and 'ponder.strategy' both choose the search: give one of them"
            )
        return self


LOGPROBS = "message.output_text.logprobs"
"""The wish for log-probabilities, among what is included."""
INCLUDABLE = {
    LOGPROBS,
    # Earlier thinking is shown to no model, so it needs no encrypted copy to be sent back.
    "reasoning.encrypted_content",
    # Members of items that never come, since no tools are run here, or of the input's images.
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
}
