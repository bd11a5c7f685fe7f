"""From the input items of a response to the messages of a problem: the one place for it.

The items of a conversation are kept as they came, so that one that goes on by
``previous_response_id`` is read here again, as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import JsonValue, field_validator, model_validator

from ponder.core.problem import Message
from ponder.server.body import Form
from ponder.server.errors import ApiError

Role = Literal["system", "developer", "user", "assistant"]
Item = dict[str, Any]
"""An item of a conversation as JSON: the members of ``Kept``."""
TOOLS = ("function_call", "function_call_output", "custom_tool_call", "custom_tool_call_output")


@dataclass(frozen=True, slots=True)
class Kept:
    """One message of a conversation, as it is kept."""

    role: Role
    content: str


class Part(Form):
    """A part of a message that is text."""

    type: Literal["input_text", "output_text", "text", "refusal"]
    text: str = ""
    refusal: str = ""
    # Members of parts that this API sent out, which clients send back.
    annotations: list[JsonValue] | None = None
    logprobs: list[JsonValue] | None = None
    parsed: JsonValue = None

    @property
    def said(self) -> str:
        """The text."""
        return self.text or self.refusal


class Thought(Form):
    """A part of the thinking of an earlier turn."""

    type: Literal["summary_text", "reasoning_text"]
    text: str


class Input(Form):
    """One item: a message, or the thinking before one."""

    type: Literal["message", "reasoning"] = "message"
    role: Role | None = None
    content: str | list[Part] | list[Thought] | None = None
    summary: list[Thought] | None = None
    id: str | None = None
    status: Literal["in_progress", "completed", "incomplete"] | None = None
    phase: Literal["commentary", "final_answer"] | None = None
    encrypted_content: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _known(cls, item: object) -> object:
        kind = item.get("type", "message") if isinstance(item, Mapping) else "message"
        if kind in TOOLS:
            raise ValueError(f"items of the type {kind!r} are not supported yet: tools are not")
        if kind == "item_reference":
            raise ValueError("references to items are not supported: send the item itself")
        if kind not in ("message", "reasoning"):
            raise ValueError(
                f"items of the type {str(kind)[:40]!r} are not supported: send 'message' or "
                "'reasoning'"
            )
        return item

    @field_validator("content", mode="before")
    @classmethod
    def _parts(cls, content: object) -> object:
        for part in content if isinstance(content, list) else ():
            kind = part.get("type") if isinstance(part, dict) else None
            if kind in ("input_image", "input_file", "input_audio"):
                raise ValueError(f"parts of the type {kind!r} are not supported yet: send text")
        return content

    @model_validator(mode="after")
    def _whole(self) -> Input:
        if self.type == "message" and (self.role is None or self.content is None):
            raise ValueError("a message needs 'role' and 'content'")
        if self.type == "message" and (self.summary is not None or self._thinks):
            raise ValueError("summaries and thinking belong to items of the type 'reasoning'")
        return self

    @property
    def _thinks(self) -> bool:
        parts = self.content if isinstance(self.content, list) else []
        return any(isinstance(part, Thought) for part in parts)


def listed(given: str | Sequence[Input]) -> list[Item]:
    """Return the input as items. Of the thinking of earlier turns nothing is kept: no model is
    shown it, as its makers do.
    """
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    return [{"role": item.role, "content": _text(item)} for item in given if item.type == "message"]


def messages(instructions: str | None, items: Sequence[Item]) -> tuple[Message, ...]:
    """Return the chat of a conversation, after the instructions.

    Raises:
        ApiError: it does not end with a message of the user's.
    """
    found = [Message(_role(item["role"]), item["content"]) for item in items]
    if not found or found[-1].role != "user" or not found[-1].content.strip():
        raise ApiError(
            "the input must end with a message of the user's, with text: a reply that has begun "
            "is not continued here.",
            param="input",
        )
    head = [Message("system", instructions)] if instructions else []
    return (*head, *found)


def _text(item: Input) -> str:
    if isinstance(item.content, str):
        return item.content
    return "\n\n".join(part.said for part in item.content or () if isinstance(part, Part))


def _role(role: str) -> Literal["system", "user", "assistant"]:
    match role:
        case "user" | "assistant":
            return role
    return "system"
