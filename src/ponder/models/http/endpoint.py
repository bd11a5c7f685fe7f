"""Configuration of an endpoint: address, key, proxy, API, dialect."""

from __future__ import annotations

import os
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Literal

from yarl import URL

from ponder.core.errors import CapabilityError, UsageError
from ponder.models.base import Api, Capability, ModelInfo, Request, Stores


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The address of a model, and the dialect of its server.

    Raises:
        UsageError: it claims to continue a prefix without saying how.
    """

    name: str
    base_url: str
    model: str
    api: Api = "chat"
    dialect: str = ""
    """The server's own words for thinking, by name (see ``models.openai.dialects``; empty: told
    from ``base_url``).
    """
    efforts: tuple[str, ...] = ()
    """Levels of thinking that the model takes, weakest first (empty: unknown)."""
    beside: int = 0
    """As in ``ModelInfo``."""
    think_open: bool = False
    """True if the chat template begins the thinking, so that a reply has only its closing mark."""
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
    most_tokens: int = 0
    """Most tokens of a completion that the server allows (0: unknown)."""
    stream: bool = False
    """True to stream tokens, so that a cancelled sample is booked for what it used. Requests for
    several samples at once (capability ``n``) are never streamed.
    """
    drop: frozenset[str] = frozenset()
    """Fields that the server refuses, and that are left out of requests."""
    extra_body: Mapping[str, object] = field(default_factory=dict)
    """Added to every request; its fields replace Ponder's own of the same name."""
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

    def __post_init__(self) -> None:
        if self.prefill == "none" and "prefill" in self.capabilities:
            raise UsageError(
                f"endpoint {self.name!r} claims 'prefill' without saying how: set prefill to "
                "'final_message' (llama.cpp) or 'continue_final_message' (vLLM, SGLang)."
            )

    @property
    def able(self) -> frozenset[Capability]:
        """Its capabilities, without those that its API has no words for."""
        prefill: frozenset[Capability] = frozenset({"prefill"})
        able = self.capabilities if self.prefill == "none" else self.capabilities | prefill
        return able - LACKS.get(self.api, frozenset())

    def length(self, wanted: int) -> int:
        """Return the number of tokens to ask for where so many are wanted."""
        return min(wanted, self.most_tokens or wanted)

    @property
    def stores(self) -> Stores:
        """As in ``ModelInfo``: Anthropic's API stores what it is asked to, the others by
        themselves.
        """
        if self.api != "messages":
            return "" if self.local or self.api == "gemini" else "5m"
        asked = repr(self.extra_body)
        return "" if "cache_control" not in asked else "1h" if "1h" in asked else "5m"

    @property
    def most_beside(self) -> int:
        """Most tokens that one sample may cost beside the length that was asked for."""
        least = LEAST if self.api == "responses" else 1
        return max(self.beside, least - 1)


LACKS: Mapping[Api, frozenset[Capability]] = {
    "responses": frozenset({"n", "prefill", "seed", "stop"}),
}
"""Capabilities that an API has no words for, whatever the model."""
LEAST = 16
"""Fewest tokens that a request to the Responses API may allow a sample."""


def check(request: Request, info: ModelInfo) -> None:
    """Refuse a request that the endpoint does not declare it can answer.

    Raises:
        CapabilityError: it lacks a capability; the message says how to declare it.
    """
    info.check(request.thinking)
    info.takes(request.messages)
    if not (request.logprobs or request.top_logprobs or request.prefix or request.stop):
        return
    wanted = {"logprobs": request.logprobs, "prefill": request.prefix, "stop": request.stop}
    wanted["top_logprobs"] = request.top_logprobs
    for capability, value in wanted.items():
        if value and capability not in info.capabilities:
            has = ", ".join(sorted(info.capabilities)) or "none"
            how = "set prefill" if capability == "prefill" else "add it to capabilities"
            raise CapabilityError(
                f"endpoint {info.name!r} does not declare {capability!r} (it has: {has}); "
                f"if the server can do it, {how} in the endpoint's configuration."
            )


def url_of(endpoint: Endpoint, path: str) -> URL:
    """Return the address of ``path`` there; ``UsageError`` if ``base_url`` is not valid."""
    try:
        base = URL(endpoint.base_url.rstrip("/"))
    except ValueError:
        base = URL()
    if base.scheme not in ("http", "https") or not base.host or base.user or base.query_string:
        raise UsageError(
            f"endpoint {endpoint.name!r}: base_url must look like http://host:8000/v1, without "
            "a user or a query."
        )
    return URL(str(base) + path)


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
