"""Configuration of an OpenAI-compatible endpoint: address, key, proxy, dialect."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Literal

from yarl import URL

from ponder.core import jsontext
from ponder.core.errors import CapabilityError, UsageError
from ponder.core.problem import Message
from ponder.core.thinking import Thinking
from ponder.models.base import Capability, Request
from ponder.models.received import least_tokens

PROMPTS = 256  # prompts whose encoding and exact size are remembered
PER_MESSAGE, PER_PROMPT = 16, 128  # tokens that a chat template may add


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The address of a model, and the dialect of its server."""

    name: str
    base_url: str
    model: str
    key_env: str = ""
    """Environment variable with the key (empty: no key)."""
    key: str = field(default="", repr=False)
    """The key itself; it takes precedence over ``key_env``."""
    capabilities: frozenset[Capability] = frozenset({"seed", "stop"})
    prefill: Literal["none", "final_message", "continue_final_message"] = "none"
    """Method to make the server continue the last message; any but ``none`` implies that
    capability.
    """
    max_tokens_field: str = "max_tokens"
    """The server's name for the limit of a completion."""
    stream: bool = False
    """True to stream tokens, so that a cancelled sample is booked for what it used. Requests for
    several samples at once (capability ``n``) are never streamed.
    """
    extra_body: Mapping[str, object] = field(default_factory=dict)
    """Added to every request."""
    context: int = 0
    """As in ``ModelInfo``."""
    parameters: int = 0
    """As in ``Shape``."""
    attention: int = 0
    """As in ``Shape``."""
    local: bool = False
    timeout: float = 600.0
    """Seconds for one attempt as a whole."""
    connect_timeout: float = 10.0
    """Seconds to open a connection."""
    idle_timeout: float = 120.0
    """Seconds between two chunks of a stream."""
    retries: int = 4
    """Number of attempts after the first."""
    concurrency: int = 64
    """Most HTTP requests in flight."""


@dataclass(slots=True)
class Prompt:
    """An encoded prompt."""

    body: bytes
    """Its messages as JSON."""
    tokens: int
    """Most tokens that it can have."""
    least: int = 0
    """Fewest tokens that it can have."""


class Encoder:
    """Encodes requests as JSON, in the dialect of one endpoint; parts shared by samples
    are cached.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        fixed = json.dumps({"model": endpoint.model, **endpoint.extra_body})
        self._head = fixed[:-1].encode() + b', "messages": '
        self._prompts: dict[tuple[tuple[Message, ...], str], Prompt] = {}

    def prompt(self, messages: tuple[Message, ...], prefix: str) -> Prompt:
        """Return the same object for the same prompt, so that its exact size can be
        recorded in it.
        """
        prompt = self._prompts.pop((messages, prefix), None)
        if prompt is None:
            turns = [{"role": m.role, "content": m.content} for m in messages]
            if prefix:
                turns.append({"role": "assistant", "content": prefix})
            size = sum(len(t["content"].encode(errors="surrogatepass")) for t in turns)
            bound = size + PER_MESSAGE * len(turns) + PER_PROMPT
            least = least_tokens(sum(len(t["content"]) for t in turns))
            prompt = Prompt(jsontext.dumps(turns).encode(), bound, max(1, least))
            if len(self._prompts) >= PROMPTS:
                del self._prompts[next(iter(self._prompts))]
        self._prompts[messages, prefix] = prompt  # last in order: the least recently used is first
        return prompt

    def body(self, request: Request, prompt: Prompt, samples: int, stream: bool) -> bytes:
        """Return the HTTP request's body."""
        endpoint = self._endpoint
        fields: dict[str, object] = {
            endpoint.max_tokens_field: request.max_tokens,
            "temperature": request.temperature,
            "top_p": request.top_p,
        }
        if "seed" in endpoint.capabilities:
            fields["seed"] = request.seed
        if request.stop:
            fields["stop"] = request.stop
        if request.logprobs or request.top_logprobs:
            # llama.cpp reads 0 as none at all, and sends 20 by default
            fields |= {"logprobs": True, "top_logprobs": max(1, request.top_logprobs)}
        if samples > 1:
            fields["n"] = samples
        if stream:
            fields |= {"stream": True, "stream_options": {"include_usage": True}}
        if request.thinking is not None:
            fields |= effort(request.thinking)
        if request.prefix and endpoint.prefill == "continue_final_message":
            fields |= {"continue_final_message": True, "add_generation_prompt": False}
        return self._head + prompt.body + b", " + jsontext.dumps(fields)[1:].encode()


def effort(thinking: Thinking) -> dict[str, object]:
    """Return the protocol's fields for thinking; ``CapabilityError`` for a number, which it cannot
    express.
    """
    if thinking.tokens:
        raise CapabilityError(
            f"thinking={thinking} is a number of tokens, and this protocol knows efforts alone: "
            "say low, medium or high."
        )
    if thinking.level == "auto":
        return {}
    return {"reasoning_effort": {"off": "none", "max": "xhigh"}.get(thinking.level, thinking.level)}


def chat_url(endpoint: Endpoint) -> URL:
    """Return the URL of chat completions; ``UsageError`` if ``base_url`` is not a valid address."""
    try:
        url = URL(endpoint.base_url.rstrip("/") + "/chat/completions")
    except ValueError:
        url = URL()
    if url.scheme not in ("http", "https") or not url.host or url.user or url.query_string:
        raise UsageError(
            f"endpoint {endpoint.name!r}: base_url must look like http://host:8000/v1, without "
            "a user or a query."
        )
    return url


def find_key(endpoint: Endpoint) -> str:
    """Return the key, '' if none is needed; ``UsageError`` if it is not set or invalid."""
    name = endpoint.key_env
    key = (endpoint.key or (os.environ.get(name, "") if name else "")).strip()
    if name and not key:
        raise UsageError(
            f"endpoint {endpoint.name!r} needs its key in the environment variable {name}, "
            f"which is not set: export {name}=..."
        )
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise UsageError(
            f"the key of endpoint {endpoint.name!r} holds characters that no key has "
            "(spaces, line breaks, letters beyond ASCII): copy it again."
        )
    return key


def find_proxy(url: URL) -> str | None:
    """Return the environment's proxy for this URL. Never for loopback; .netrc is not read."""
    host = url.host or ""
    try:
        loopback = ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost" or host.endswith(".localhost")
    if loopback or urllib.request.proxy_bypass(host):
        return None
    return urllib.request.getproxies().get(url.scheme)
