"""Encoded prompts, remembered: samples of one question share one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ponder.core import jsontext
from ponder.core.problem import Message
from ponder.models.http.endpoint import Endpoint
from ponder.models.http.received import least_tokens
from ponder.models.http.replies import SHORT, WIDEST
from ponder.models.http.wire import Wire

PROMPTS = 256  # prompts that are remembered
PER_MESSAGE, PER_PROMPT = 16, 128  # tokens that a chat template may add


@dataclass(slots=True)
class Prompt:
    """An encoded prompt."""

    body: bytes
    """Its fields as JSON, without the braces around them."""
    tokens: int
    """Most tokens that it can have."""
    least: int = 0
    """Fewest tokens that it can have."""
    exact: bool = False
    """True once the server has counted it."""
    characters: int = 0
    """Length of its texts."""

    def is_cut(self, tokens: int) -> bool:
        """Return True if a server that counts so many tokens can't have read all of it."""
        return tokens * WIDEST + SHORT < self.characters


class Prompts:
    """The latest prompts of one endpoint."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._prompts: dict[tuple[tuple[Message, ...], str], Prompt] = {}

    def get(self, messages: Sequence[Message], prefix: str) -> Prompt:
        """Return the same object for the same prompt, so that its exact size can be
        recorded in it.
        """
        key = tuple(messages), prefix
        prompt = self._prompts.pop(key, None)
        if prompt is None:
            contents = [m.content for m in messages] + ([prefix] if prefix else [])
            size = sum(len(content.encode(errors="surrogatepass")) for content in contents)
            bound = size + PER_MESSAGE * len(contents) + PER_PROMPT
            characters = sum(map(len, contents))
            least = max(1, least_tokens(characters))
            body = jsontext.dumps(self._wire.prompt(messages, prefix))[1:-1].encode()
            prompt = Prompt(body, bound, least, characters=characters)
            if len(self._prompts) >= PROMPTS:
                del self._prompts[next(iter(self._prompts))]
        self._prompts[key] = prompt  # last in order: the least recently used is first
        return prompt


def encode(prompt: Prompt, fields: Mapping[str, Any], endpoint: Endpoint) -> bytes:
    """Return the body of a request: without the fields that are dropped, and with the user's own,
    which win.
    """
    sent = {name: value for name, value in fields.items() if name not in endpoint.drop}
    for name, value in endpoint.extra_body.items():
        own = sent.get(name)
        merged = isinstance(own, dict) and isinstance(value, Mapping)
        sent[name] = {**own, **value} if merged else value  # type: ignore[dict-item]
    return b"{" + prompt.body + b", " + jsontext.dumps(sent)[1:].encode()
