"""The words of servers that speak Chat Completions, for the model's own thinking."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from yarl import URL

from ponder.core.errors import UnknownName
from ponder.core.thinking import Thinking
from ponder.models.http.endpoint import Endpoint
from ponder.models.thinking import level_of, nearest

Json = Any


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one kind of server is asked for thinking."""

    name: str
    hosts: tuple[str, ...]
    """Hosts that speak it, whole or as the end of a name."""
    thinking: Callable[[Thinking, Endpoint], dict[str, Json]]
    """Returns the fields that ask for it."""


def _efforts(thinking: Thinking, endpoint: Endpoint) -> dict[str, Json]:
    if thinking.level == "auto":
        return {}
    level = level_of(thinking)
    if endpoint.efforts:
        level = nearest(level, ["off" if name == "none" else name for name in endpoint.efforts])
    return {"reasoning_effort": "none" if level == "off" else level}


DIALECTS = (Dialect("openai", ("api.openai.com",), _efforts),)


def dialect_of(endpoint: Endpoint) -> Dialect:
    """Return the dialect that an endpoint names, or else that of its host."""
    host = URL(endpoint.base_url).host or ""
    for dialect in DIALECTS:
        if endpoint.dialect == dialect.name:
            return dialect
        if not endpoint.dialect and any(host == h or host.endswith("." + h) for h in dialect.hosts):
            return dialect
    if endpoint.dialect:
        raise UnknownName("dialect", endpoint.dialect, [dialect.name for dialect in DIALECTS])
    return DIALECTS[0]
