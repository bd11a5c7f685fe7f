"""Encoded prompts, remembered: samples of one question share one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ponder.core.errors import MalformedReply, UsageError
from ponder.core.problem import Message
from ponder.core.text import jsontext
from ponder.models.base import Completion, Request
from ponder.models.calls import beside
from ponder.models.http.carried import own
from ponder.models.http.endpoint import Endpoint
from ponder.models.http.received import least_tokens
from ponder.models.http.replies import SHORT, WIDEST
from ponder.models.http.wire import Wire
from ponder.util.encoding import encode as quickly

PROMPTS = 256  # prompts that are remembered
RECENT = 64  # conversations, and texts of each, whose size is remembered for their continuations
PER_MESSAGE, PER_PROMPT = 16, 128  # tokens that a chat template may add
SPARE = 4  # tokens that a sampled text may have more if it is tokenized anew, and one in 32


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
    """The latest prompts of one endpoint.

    A prompt that the server has not counted, but whose beginning it has, takes at most one token
    for each byte beyond that.
    """

    def __init__(self, wire: Wire, endpoint: Endpoint) -> None:
        self._wire = wire
        self._endpoint = endpoint
        self._grows = not endpoint.able.isdisjoint(("prefill", "native_thinking"))
        self._prompts: dict[tuple[tuple[Message, ...], str], Prompt] = {}
        self._latest: tuple[tuple[Message, ...], Prompt] | None = None
        self._counted: dict[tuple[Message, ...], dict[str, int]] = {}

    def get(self, messages: Sequence[Message], prefix: str) -> Prompt:
        """Return the same object for the same prompt, so that its exact size can be
        recorded in it.
        """
        if self._latest and messages is self._latest[0] and not prefix:
            return self._latest[1]  # samples of one question share its messages
        key = tuple(messages), prefix
        prompt = self._prompts.pop(key, None)
        if prompt is None:
            messages = own(messages, self._endpoint)
            contents = [m.content for m in messages] + ([prefix] if prefix else [])
            size = sum(len(content.encode(errors="surrogatepass")) for content in contents)
            size += sum(len(message.blocks) for message in messages)  # ASCII
            size += sum(beside(message) for message in messages)
            bound = size + PER_MESSAGE * len(contents) + PER_PROMPT
            characters = sum(map(len, contents))
            least = max(1, least_tokens(characters))
            body = jsontext.dumps(self._wire.prompt(messages, prefix))[1:-1].encode()
            prompt = Prompt(body, bound, least, characters=characters)
            if len(self._prompts) >= PROMPTS:
                del self._prompts[next(iter(self._prompts))]
        self._prompts[key] = prompt  # last in order: the least recently used is first
        self._latest = None if prefix else (key[0], prompt)
        if prefix and not prompt.exact:
            for begun, tokens in self._counted.get(key[0], {}).items():
                if prefix.startswith(begun):
                    further = len(prefix[len(begun) :].encode(errors="surrogatepass"))
                    prompt.tokens = max(prompt.least, min(prompt.tokens, tokens + further))
        return prompt

    def grew(
        self, prompt: Prompt, request: Request, outcomes: Sequence[Completion | MalformedReply]
    ) -> None:
        """Record the number of tokens of the text by which a model has continued a prompt, if its
        continuations may be asked for.
        """
        done, messages, prefix = outcomes[0], request.messages, request.prefix
        if not self._grows or not prompt.exact:
            return
        if len(outcomes) > 1 or isinstance(done, MalformedReply):
            return
        text, tokens = done.text, done.completion_tokens
        size = prompt.tokens + (0 if prefix else PER_MESSAGE)
        counted = self._counted.pop(messages, {})
        counted |= {prefix.rstrip(): size}  # a cue follows the text without its last blanks
        if not done.reasoning:
            counted[(prefix + text).rstrip()] = size + tokens + SPARE + tokens // 32
        while len(counted) > RECENT:
            del counted[next(iter(counted))]
        self._counted[messages] = counted
        if len(self._counted) > RECENT:
            del self._counted[next(iter(self._counted))]


def encode(prompt: Prompt, fields: Mapping[str, Any], endpoint: Endpoint) -> bytes:
    """Return the body of a request: without the fields that are dropped, and with the user's own,
    which win.
    """
    if not (endpoint.drop or endpoint.extra_body):
        return b"{" + prompt.body + b", " + quickly(fields)[1:]
    sent = {name: value for name, value in fields.items() if name not in endpoint.drop}
    for name, value in endpoint.extra_body.items():
        own = sent.get(name)
        merged = isinstance(own, dict) and isinstance(value, Mapping)
        sent[name] = {**own, **value} if merged else value  # type: ignore[dict-item]
    return b"{" + prompt.body + b", " + jsontext.dumps(sent)[1:].encode()


def forbid(endpoint: Endpoint, wire: Wire) -> None:
    """Refuse an endpoint whose ``extra_body`` holds fields of the prompt, in either spelling.

    Raises:
        UsageError: it does.
    """
    prompt = wire.prompt((Message("system", "?"), Message("user", "?")), "")
    written = set(map(_bare, prompt))
    if shared := [name for name in endpoint.extra_body if _bare(name) in written]:
        raise UsageError(
            f"endpoint {endpoint.name!r}: extra_body must not hold {min(shared)!r}, which is the "
            "prompt."
        )


def _bare(name: str) -> str:
    return name.replace("_", "").lower()
