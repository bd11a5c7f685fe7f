"""Blocks, the parts of a turn: text, thinking, images, calls of tools and their results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, JsonValue, field_validator, model_validator

from ponder.core.errors import UsageError
from ponder.core.tools import Image
from ponder.server.asking.pairing import Caller
from ponder.server.body import Form

_OWN = {
    "text": {"text"},
    "thinking": {"thinking", "signature"},
    "redacted_thinking": {"data"},
    "image": {"source"},
    "tool_use": {"id", "name", "input"},
    "tool_result": {"tool_use_id"},
}
"""Members that each type of block must have."""
_INERT = {"type", "cache_control", "citations"}
"""Members that every block may have."""
_MAY = {"tool_result": {"content", "is_error"}, "tool_use": {"caller"}}
"""Members that it may have besides."""
_OF = {
    "thinking": "assistant",
    "redacted_thinking": "assistant",
    "image": "user",
    "tool_use": "assistant",
    "tool_result": "user",
}
"""Role of the turns that a type of block belongs to; text belongs to all."""


class Cached(Form):
    """A mark that a prompt may be cached up to there: servers of models cache by themselves."""

    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] | None = None


class Source(Form):
    """An image: its address, which the model's server fetches, or the image itself."""

    type: Literal["base64", "url"]
    media_type: Literal["image/jpeg", "image/png", "image/gif", "image/webp"] | None = None
    data: str | None = None
    url: str | None = None

    @field_validator("type", mode="before")
    @classmethod
    def _kind(cls, kind: object) -> object:
        if kind == "file":
            raise ValueError("no files are kept here: send the image as base64, or its address")
        return kind

    @model_validator(mode="after")
    def _whole(self) -> Source:
        own = {"url"} if self.type == "url" else {"media_type", "data"}
        if {name for name, value in self if value is not None} != {"type", *own}:
            raise ValueError(f"the type {self.type!r} has {' and '.join(sorted(own))} alone")
        if self.url is not None and not self.url.startswith("https://"):
            raise ValueError("expected an address that begins with https://")
        try:
            _ = self.image
        except UsageError as error:
            raise ValueError(str(error)) from None
        return self

    @property
    def image(self) -> Image:
        """The image in the words of the house."""
        return Image(self.url or f"data:{self.media_type};base64,{self.data}")


def _by_type(schema: dict[str, Any]) -> None:
    """Say in a published form which members belong to which type of block."""
    content = schema["properties"].keys() - _INERT
    schema["anyOf"] = [
        {
            "properties": {
                "type": {"const": kind},
                **{name: {"not": {"type": "null"}} for name in sorted(own)},
                **{
                    name: {"type": "null"} for name in sorted(content - own - _MAY.get(kind, set()))
                },
            },
            "required": ["type", *sorted(own)],
        }
        for kind, own in _OWN.items()
    ]


class Block(Form):
    """A part of a turn."""

    model_config = ConfigDict(json_schema_extra=_by_type)
    type: Literal["text", "thinking", "redacted_thinking", "image", "tool_use", "tool_result"]
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    source: Source | None = None
    id: Annotated[str, Field(min_length=1)] | None = None
    name: str | None = None
    input: Mapping[str, JsonValue] | None = None
    caller: Caller | None = None
    tool_use_id: Annotated[str, Field(min_length=1)] | None = None
    content: str | list[Block] | None = None
    is_error: bool | None = None
    # Inert: they say nothing about the reply.
    cache_control: Cached | None = None
    citations: Annotated[list[JsonValue], Field(max_length=0)] | None = None
    toolset_name: None = None

    @field_validator("type", mode="before")
    @classmethod
    def _kind(cls, kind: object) -> object:
        if isinstance(kind, str) and kind not in _OWN:
            raise ValueError(f"blocks of the type {kind[:40]!r} are not supported: send text")
        return kind

    @field_validator("content")
    @classmethod
    def _told(cls, content: str | list[Block] | None) -> str | list[Block] | None:
        kinds = {block.type for block in content} if isinstance(content, list) else set()
        if alien := kinds - {"text", "image"}:
            raise ValueError(
                f"a result of a tool has no blocks of the type {min(alien)!r}: send text and images"
            )
        return content

    @model_validator(mode="after")
    def _own(self) -> Block:
        given = {name for name, value in self if value is not None} - _INERT
        if given - _MAY.get(self.type, set()) != _OWN[self.type]:
            own = " and ".join(map(repr, sorted(_OWN[self.type])))
            raise ValueError(f"a block of the type {self.type!r} has {own}, and no other content")
        return self

    def check_role(self, role: str) -> None:
        """Refuse a block that does not belong to the turns of a role.

        Raises:
            ValueError: it belongs to those of another.
        """
        if (own := _OF.get(self.type, role)) != role:
            raise ValueError(f"blocks of the type {self.type!r} belong to turns of the {own}")
