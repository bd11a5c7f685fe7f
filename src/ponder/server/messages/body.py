"""The bodies of ``POST /v1/messages`` and ``/v1/messages/count_tokens``: every field is honoured,
inert by its nature, or refused with a sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, JsonValue, field_validator, model_validator

from ponder.server.asking.dial import Dial, Effort
from ponder.server.body import WHOLE, Count, Form, Nucleus
from ponder.server.messages.blocks import Block, Cached
from ponder.server.messages.tools import Offered, ToolChoice

LEAST = 1024
"""Fewest tokens of thinking that may be asked for."""


class Turn(Form):
    """One message."""

    role: Literal["user", "assistant", "system"]
    content: str | list[Block]

    @model_validator(mode="after")
    def _belong(self) -> Turn:
        for block in () if isinstance(self.content, str) else self.content:
            block.check_role(self.role)
        return self


class Thought(Form):
    """The thinking that is asked for."""

    type: Literal["enabled", "disabled", "adaptive"]
    budget_tokens: Annotated[int, Field(ge=LEAST, le=10**6), WHOLE] | None = None
    display: Literal["summarized", "omitted"] | None = None

    @model_validator(mode="after")
    def _whole(self) -> Thought:
        if (self.type == "enabled") != (self.budget_tokens is not None):
            raise ValueError("'budget_tokens' belongs to the type 'enabled', and is needed there")
        if self.type == "disabled" and self.display is not None:
            raise ValueError("'display' belongs to thinking, which is disabled")
        return self


class Format(Form):
    """The form of the reply."""

    type: Literal["json_schema"]
    schema_: Mapping[str, JsonValue] = Field(alias="schema")


class Output(Form):
    """The effort and the form of the reply."""

    effort: Effort | None = None
    format: Format | None = None


class Metadata(Form):
    """A caller's own name for its user."""

    user_id: str | None = None


class CountBody(Form):
    """The body of a request to count tokens."""

    model: str
    messages: Annotated[list[Turn], Field(min_length=1)]
    system: str | list[Block] | None = None
    thinking: Thought | None = None
    output_config: Output | None = None
    tools: list[Offered] | None = None
    tool_choice: ToolChoice | None = None
    # Inert: they say nothing about the reply.
    cache_control: Cached | None = None
    # At the only value that can be honoured.
    speed: Literal["standard"] | None = None
    user_profile_id: None = None
    workspace_id: None = None

    @field_validator("system")
    @classmethod
    def _texts(cls, system: str | list[Block] | None) -> str | list[Block] | None:
        if isinstance(system, list) and any(block.type != "text" for block in system):
            raise ValueError("the system prompt has blocks of text alone")
        return system


class MessagesBody(CountBody):
    """The body of a request for a message."""

    max_tokens: Count
    # Honoured.
    temperature: Annotated[float, Field(ge=0, le=1)] | None = None
    top_p: Nucleus | None = None
    stop_sequences: Annotated[list[str], Field(max_length=16)] | None = None
    stream: bool | None = None
    ponder: Dial = Dial()
    # Inert: they say nothing about the reply.
    metadata: Metadata | None = None
    service_tier: Literal["auto", "standard_only"] | None = None
    # At the only value that can be honoured.
    top_k: None = None
    container: None = None
    thread: None = None
    diagnostics: None = None
    inference_geo: None = None

    @field_validator("top_k", mode="before")
    @classmethod
    def _no_top_k(cls, count: object) -> object:
        if count is not None:
            raise ValueError("no model here takes it: leave it out, or take top_p")
        return count

    @field_validator("thread", mode="before")
    @classmethod
    def _no_thread(cls, thread: object) -> object:
        if thread is not None:
            raise ValueError("no chats are kept here: send all messages")
        return thread

    @field_validator("stop_sequences")
    @classmethod
    def _stops(cls, stops: list[str] | None) -> list[str] | None:
        if not all(stops or ()):
            raise ValueError("an empty text would end every reply at once")
        return stops

    @model_validator(mode="after")
    def _room(self) -> MessagesBody:
        tokens = self.thinking.budget_tokens if self.thinking else None
        if tokens is not None and tokens >= self.max_tokens:
            raise ValueError("'thinking.budget_tokens' must be less than 'max_tokens'")
        return self
