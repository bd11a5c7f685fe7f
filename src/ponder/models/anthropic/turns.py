"""The assistant's turn as Anthropic sends it: blocks, whole or in pieces."""

from __future__ import annotations

import json
from typing import Any

from ponder.core.problem import Message
from ponder.models.base import Request
from ponder.models.http.carried import texts, unchanged

Json = Any  # what json.loads returns; nothing below trusts it

_KEPT = {
    "text": ("text",), "thinking": ("thinking", "signature"), "redacted_thinking": ("data",),
}  # fmt: skip
"""Fields of the blocks that a conversation is continued with."""


def blank_stops(request: Request) -> tuple[str, ...]:
    """Return the stop strings of white space alone, which the API refuses."""
    return tuple(stop for stop in request.stop if stop and not stop.strip())


def content_of(message: Message) -> Json:
    """Return the content of a turn that has ended: with its thinking, if it has a record of it.

    The API refuses blank text, and a turn that ends with thinking.
    """
    blocks = [
        block
        for block in json.loads(message.blocks or "[]")
        if block.get("type") != "text" or texts([block]).strip()
    ]
    text = texts(block for block in blocks if block.get("type") == "text")
    if blocks and not text:
        blocks.append({"type": "text", "text": message.content})
    ended = bool(blocks) and blocks[-1].get("type") == "text"
    return blocks if ended and unchanged(message, text) else message.content


class Joint:
    """Joins the text of a reply to the prefix that it continues, and ends it where it must end.

    The API refuses white space at the end of a prefix, so it is left out there; if the reply
    begins with it, it is left out here. A stop string that the API refuses ends the text here.
    """

    def __init__(self, request: Request) -> None:
        prefix = request.prefix
        self._owed = prefix[len(prefix.rstrip()) :]
        self._stops = blank_stops(request)
        self._reach = max(map(len, self._stops), default=1) - 1
        self._held = ""
        self.stopped_at: str | None = None

    def feed(self, text: str) -> str:
        """Return the text that is certain once ``text`` has arrived."""
        if self.stopped_at is not None:
            return ""
        while self._owed and text:
            same = text[0] == self._owed[0]
            text = text[1:] if same else text
            self._owed = self._owed[1:] if same else ""
        text = self._held + text
        found = [(at + len(stop), at, stop) for stop in self._stops if (at := text.find(stop)) >= 0]
        if found:  # the first that is complete counts, as in a server
            _, end, self.stopped_at = min(found)
        else:  # a stop string may have begun in the white space at the end
            end = max(len(text.rstrip()), len(text) - self._reach)
        self._held = "" if found else text[end:]
        return text[:end]

    def end(self) -> str:
        """Return the rest, at the end of the reply."""
        rest, self._held = self._held, ""
        return rest


class Turn:
    """Collects the blocks of one reply."""

    def __init__(self, request: Request) -> None:
        self.joint = Joint(request)
        self.size = 0
        """Number of characters that were generated, as far as they were shown."""
        self._blocks: list[dict[str, Any]] = []
        self._parts: dict[str, list[str]] = {}
        self._thought = False
        self._apart = False

    def start(self, block: Json) -> tuple[str, str]:
        """Begin a block; return the text and the reasoning that it holds already."""
        block = block if isinstance(block, dict) else {}
        kind = block.get("type")
        kind = kind if isinstance(kind, str) else ""
        self._close()
        self._blocks.append({"type": kind})
        self._apart = self._thought
        text = reasoning = ""
        for name in _KEPT.get(kind, ()):
            added = self.add(name, block.get(name))
            text, reasoning = text + added[0], reasoning + added[1]
        return text, reasoning

    def add(self, name: str, value: Json) -> tuple[str, str]:
        """Add to a field of the last block; return what that adds to the text and the reasoning."""
        if not isinstance(value, str):
            return "", ""
        self._parts.setdefault(name, []).append(value)
        if name == "text":
            self.size += len(value)
            return self.joint.feed(value), ""
        if name != "thinking" or not value:
            return "", ""
        self.size += len(value)
        between = "\n\n" if self._apart else ""
        self._thought, self._apart = True, False
        return "", between + value

    def blocks(self) -> str:
        """Return the blocks as JSON, if the conversation needs them to go on; else ''."""
        self._close()
        kept = [
            block
            for block in self._blocks
            if (names := _KEPT.get(block["type"]))
            and block.keys() > {*names}
            and "" not in (block.get("text"), block.get("signature"))  # cut off within it
        ]
        if self.joint.stopped_at is not None or all(block["type"] == "text" for block in kept):
            return ""
        return json.dumps(kept)

    def _close(self) -> None:
        if self._blocks:
            self._blocks[-1].update((name, "".join(parts)) for name, parts in self._parts.items())
        self._parts = {}
