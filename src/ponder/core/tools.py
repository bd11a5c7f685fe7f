"""Tools that a model may call, its calls, and the images of a chat."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from ponder.core.errors import UnknownName, UsageError

CHOICES = ("auto", "none", "required")
_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,128}", re.ASCII)
_DATA = re.compile(r"data:(image/[a-z0-9.+-]+);base64,([A-Za-z0-9+/=_-]+)", re.ASCII)
_DETAILS = ("", "auto", "low", "high", "original")


@dataclass(frozen=True, slots=True)
class Tool:
    """A function of the caller's that a model may ask to have called."""

    name: str
    description: str = ""
    """Its purpose, for the model."""
    parameters: str = ""
    """A JSON Schema of its arguments, an object, as JSON text (empty: it takes none)."""
    strict: bool = False
    """True if the model's server must hold the arguments to the schema, where it can."""

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema of its arguments, as an object."""
        found: dict[str, Any] = json.loads(self.parameters or "{}")
        return found or {"type": "object", "properties": {}}

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise UsageError(
                f"{self.name!r} is no name of a tool: expected letters, digits and '_ - . :', at "
                "most 128 of them."
            )
        try:
            found = json.loads(self.parameters or "{}")
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise UsageError(
                f"the parameters of the tool {self.name!r} must be a JSON Schema of an object, as "
                "JSON text."
            )


@dataclass(frozen=True, slots=True)
class Toolset:
    """The tools of one question, and the caller's wishes about them."""

    tools: tuple[Tool, ...]
    choice: str = "auto"
    """``auto``: the model decides; ``none``: it calls none; ``required``: it calls at least one; or
    the name of the one that it must call.
    """
    parallel: bool = True
    """True if one turn may call several."""

    @property
    def only(self) -> str:
        """Name of the tool that must be called; '' if that is not fixed."""
        return "" if self.choice in CHOICES else self.choice

    @property
    def forced(self) -> bool:
        """True if the model must call a tool."""
        return self.choice not in ("auto", "none")

    def __post_init__(self) -> None:
        names = [tool.name for tool in self.tools]
        if not names or len({*names}) < len(names):
            raise UsageError("tools must be at least one, each with a name of its own.")
        if self.only and self.only not in names:
            raise UnknownName("tool to call", self.only, [*CHOICES, *names])


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model's request to have a tool called."""

    id: str
    """Name under which its result is given."""
    name: str
    """The tool."""
    arguments: str = "{}"
    """JSON text, as the model wrote it; it may be invalid."""

    @property
    def values(self) -> dict[str, Any] | None:
        """The arguments; None if they are not a JSON object."""
        try:
            found = json.loads(self.arguments.strip() or "{}")
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None


@dataclass(frozen=True, slots=True)
class Image:
    """An image of a user's turn, or of the result of a call."""

    url: str
    """An address, or the image itself: ``data:image/png;base64,...``."""
    detail: str = ""
    """OpenAI's word for its resolution: auto, low, high or original ('' leaves it out)."""

    @property
    def media(self) -> str:
        """Media type, such as ``image/png``; '' if only its server knows it."""
        found = _DATA.fullmatch(self.url)
        return found[1] if found else ""

    @property
    def data(self) -> str:
        """The image itself in base64; '' if it has an address."""
        found = _DATA.fullmatch(self.url)
        return found[2] if found else ""

    def __repr__(self) -> str:
        """Leave out what is not set, as a message does."""
        return f"Image({self.url!r}{f', detail={self.detail!r}' if self.detail else ''})"

    def __post_init__(self) -> None:
        if not self.url.startswith(("https://", "http://")) and not _DATA.fullmatch(self.url):
            raise UsageError(
                f"{self.url[:40]!r} is no image: expected an address that begins with https://, or "
                "data:image/png;base64,... (or another type of image)."
            )
        if self.detail not in _DETAILS:
            raise UnknownName("detail of an image", self.detail, _DETAILS[1:])
