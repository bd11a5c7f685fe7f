"""From the input items of a response to the messages of a problem: the one place for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, JsonValue, field_validator, model_validator

from ponder.core.problem import Message
from ponder.core.tools import Image, ToolCall
from ponder.server.asking.pairing import Caller, check_results
from ponder.server.body import Form, picture
from ponder.server.errors import ApiError

Role = Literal["system", "developer", "user", "assistant"]
Kind = Literal["message", "reasoning", "function_call", "function_call_output", "item_reference"]
_NEEDS: Mapping[str, tuple[str, ...]] = {
    "message": ("role", "content"),
    "reasoning": (),
    "function_call": ("call_id", "name", "arguments"),
    "function_call_output": ("call_id", "output"),
    "item_reference": ("id",),
}
"""Members that each type of item must have."""
_MAY: Mapping[str, tuple[str, ...]] = {
    "message": ("phase",),
    "reasoning": ("content", "summary", "encrypted_content"),
    "function_call": ("caller",),
    "function_call_output": ("name", "caller"),
    "item_reference": (),
}
"""Members that it may have besides."""
_ALL = ("type", "id", "status")
"""Members that all items may have."""


class Part(Form):
    """A part of a message, or of the output of a tool: a text, or an image."""

    type: Literal["input_text", "output_text", "text", "refusal", "input_image"]
    text: str = ""
    refusal: str = ""
    image_url: str | None = None
    detail: Literal["auto", "low", "high", "original"] | None = None
    file_id: None = None
    # Members of parts that this API sent out, which clients send back.
    annotations: list[JsonValue] | None = None
    logprobs: list[JsonValue] | None = None
    parsed: JsonValue = None

    @field_validator("image_url")
    @classmethod
    def _image(cls, url: str | None) -> str | None:
        return None if url is None else picture(url)

    @field_validator("file_id", mode="before")
    @classmethod
    def _no_file(cls, name: object) -> object:
        if name is not None:
            raise ValueError("no files are kept here: send the image as 'image_url'")
        return name

    @model_validator(mode="after")
    def _whole(self) -> Part:
        if (self.type == "input_image") != (self.image_url is not None):
            raise ValueError("'image_url' belongs to the type 'input_image', and is needed there")
        return self

    @property
    def said(self) -> str:
        """The text."""
        return self.text or self.refusal


class Thought(Form):
    """A part of the thinking of an earlier turn."""

    type: Literal["summary_text", "reasoning_text"]
    text: str


class Input(Form):
    """One item: a message, the thinking before one, a call of a tool, its output, or the name of an
    item that is stored.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "allOf": [
                {
                    "if": {"properties": {"type": {"const": kind}}},
                    "then": {
                        "properties": {name: {"not": {"type": "null"}} for name in needed},
                        "required": [*needed],
                    },
                }
                for kind, needed in _NEEDS.items()
                if needed
            ]
        }
    )
    type: Kind = "message"
    role: Role | None = None
    content: str | list[Part] | list[Thought] | None = None
    summary: list[Thought] | None = None
    id: str | None = None
    status: Literal["in_progress", "completed", "incomplete"] | None = None
    phase: Literal["commentary", "final_answer"] | None = None
    encrypted_content: str | None = None
    call_id: Annotated[str, Field(min_length=1)] | None = None
    name: str | None = None
    arguments: str | None = None
    output: str | list[Part] | None = None
    caller: Caller | None = None

    @model_validator(mode="before")
    @classmethod
    def _known(cls, item: object) -> object:
        if not isinstance(item, Mapping):
            return item
        kind = item.get("type", "message")
        if kind not in _NEEDS:
            raise ValueError(
                f"items of the type {str(kind)[:40]!r} are not supported: send 'message', "
                "'reasoning', 'function_call' or 'function_call_output'"
            )
        # The official client sends members back as null that it did not get.
        return {name: value for name, value in item.items() if value is not None}

    @field_validator("content", "output", mode="before")
    @classmethod
    def _parts(cls, content: object) -> object:
        for part in content if isinstance(content, list) else ():
            kind = part.get("type") if isinstance(part, dict) else None
            if kind in ("input_file", "input_audio"):
                raise ValueError(f"parts of the type {kind!r} are not supported: send text")
        return content

    @model_validator(mode="after")
    def _whole(self) -> Input:
        needs = _NEEDS[self.type]
        given = {name for name, value in self if value is not None}
        if {*needs} - given:
            raise ValueError(f"an item of the type {self.type!r} needs {_listed(needs)}")
        if alien := given - {*needs, *_MAY[self.type], *_ALL}:
            raise ValueError(f"{min(alien)!r} does not belong to an item of the type {self.type!r}")
        if self.type == "message" and self._thinks:
            raise ValueError("thinking belongs to items of the type 'reasoning'")
        if self.role not in (None, "user") and self.images:
            raise ValueError("images belong to the role 'user', or to the output of a tool")
        return self

    @property
    def _thinks(self) -> bool:
        parts = self.content if isinstance(self.content, list) else []
        return any(isinstance(part, Thought) for part in parts)

    @property
    def text(self) -> str:
        """The text of a message, or of the output of a tool."""
        said = self.content if self.output is None else self.output
        if isinstance(said, str):
            return said
        return "\n\n".join(part.said for part in said or () if isinstance(part, Part) and part.said)

    @property
    def images(self) -> tuple[Image, ...]:
        """The images of the same."""
        said = self.content if self.output is None else self.output
        parts = said if isinstance(said, list) else []
        return tuple(
            Image(part.image_url, part.detail or "")
            for part in parts
            if isinstance(part, Part) and part.image_url is not None
        )


def _listed(names: Sequence[str]) -> str:
    *some, last = map(repr, names)
    return f"{', '.join(some)} and {last}" if some else last


def turns(given: str | Sequence[Input], record: Callable[[str], str]) -> list[Message]:
    """Return the input, in which stored items stand for themselves, as messages. Calls that follow
    each other, or a text, are one turn.

    ``record`` finds the vendor's record of a turn by the id of its first call. No model is shown
    any other thinking of earlier turns, as its makers do.
    """
    if isinstance(given, str):
        return [Message("user", given)]
    found: list[Message] = []
    for item in given:
        match item.type:
            case "message":
                found.append(Message(_role(item.role), item.text, images=item.images))
            case "function_call":
                _call(found, ToolCall(item.call_id or "", item.name or "", item.arguments or ""))
            case "function_call_output":
                call = item.call_id or ""
                found.append(Message("tool", item.text, call=call, images=item.images))
            case "reasoning" | "item_reference":
                pass
    return [
        replace(turn, blocks=record(turn.calls[0].id)) if turn.calls else turn for turn in found
    ]


def _call(found: list[Message], call: ToolCall) -> None:
    """Add a call to the turn of the assistant that it belongs to."""
    last = found.pop() if found and found[-1].role == "assistant" else Message("assistant", "")
    found.append(replace(last, calls=(*last.calls, call)))


def messages(instructions: str | None, conversation: Sequence[Message]) -> tuple[Message, ...]:
    """Return the chat of a conversation, after the instructions.

    Raises:
        ApiError: it does not end with a message of the user's or with the output of a call, or
            calls and outputs do not go together.
    """
    last = conversation[-1] if conversation else Message("system", "")
    said = last.role == "user" and (last.content.strip() or last.images)
    if not (said or last.calls or last.call):
        raise ApiError(
            "the input must end with a message of the user's, with text or an image, or with the "
            "output of a call: a reply that has begun is not continued here.",
            param="input",
        )
    check_results(
        conversation,
        stray=lambda at: "input",
        missing=lambda at: "input",
        advice="send an item 'function_call_output' for each call",
    )
    head = [Message("system", instructions)] if instructions else []
    return (*head, *conversation)


def _role(role: Role | None) -> Literal["system", "user", "assistant"]:
    match role:
        case "user" | "assistant":
            return role
    return "system"
