"""All models that can be asked now: configured endpoints, local servers, vendors with a key."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Literal

from ponder.core.errors import UsageError
from ponder.models.config import Config, EndpointConfig
from ponder.models.discovery.discover import provider_of
from ponder.models.discovery.facts import names
from ponder.models.http.asking import asking
from ponder.models.http.endpoint import Endpoint
from ponder.models.presets import providers
from ponder.models.presets.providers import PROVIDERS, Provider

_WHOLE = {"messages": "?limit=1000", "gemini": "?pageSize=1000"}
"""Parameters that make a list come on one page."""
State = Literal["ready", "silent", "absent", "unasked", "invalid"]


@dataclass(frozen=True, slots=True)
class Found:
    """A model that can be asked, or the reason why not."""

    name: str
    """As ``--model`` takes it; ``PROVIDER:MODEL`` where any model of the vendor's may be named."""
    address: str
    state: State
    """``absent``: the server answers, and has no model of that name."""
    note: str = ""


async def reachable(config: Config, *, remote: bool = False) -> list[Found]:
    """Return all models that can be asked now, asked for in parallel.

    Vendors that are paid are asked for their lists only if ``remote``; they are free of charge.
    """
    rows = await asyncio.gather(
        *(_configured(endpoint, remote) for endpoint in config.endpoints.values()),
        *(_served(provider) for provider in PROVIDERS if provider.local),
        *(_hosted(provider, remote) for provider in PROVIDERS if not provider.local),
    )
    return [row for group in rows for row in group]


async def _configured(endpoint: EndpointConfig, remote: bool) -> list[Found]:
    url = endpoint.base_url
    if endpoint.refusal or not endpoint.trusted:
        note = "a project's endpoint: it is asked when you name it"
        return [Found(endpoint.name, url, "unasked", note)]
    if provider_of(endpoint) and not remote:
        return [Found(endpoint.name, url, "unasked", "a vendor: ask with --remote")]
    try:
        listed = await _listed(Endpoint(**endpoint.settings))
    except UsageError as error:
        return [Found(endpoint.name, url, "invalid", str(error))]
    if listed is None:
        return [Found(endpoint.name, url, "silent", "nothing answers there")]
    absent = bool(listed) and endpoint.model not in listed
    note = f"there is no {endpoint.model!r}, but {', '.join(listed[:3])}" if absent else ""
    return [Found(endpoint.name, url, "absent" if absent else "ready", note)]


async def _served(provider: Provider) -> list[Found]:
    """Return the models of a local server; nothing if it is not running where it usually is."""
    try:
        named = providers.endpoint(f"{provider.name}:")
        assert named
        listed = await _listed(Endpoint(**named.settings))
    except UsageError as error:
        return [Found(f"{provider.name}:", "", "invalid", str(error))]
    return [Found(f"{provider.name}:{m}", named.base_url, "ready") for m in listed or ()]


async def _hosted(provider: Provider, remote: bool) -> list[Found]:
    """Return a vendor's models if its key is set."""
    if not providers.has_key(provider):
        return []
    name = f"{provider.name}:MODEL"
    try:
        named = providers.endpoint(name)
        assert named
        if not remote:
            note = f"{named.settings['key_env']} is set"
            return [Found(name, named.base_url, "unasked", note)]
        listed = await _listed(Endpoint(**named.settings))
    except UsageError as error:
        return [Found(name, "", "invalid", str(error))]
    if listed is None:
        return [Found(name, named.base_url, "silent", "nothing answers there")]
    return [Found(f"{provider.name}:{m}", named.base_url, "ready") for m in listed]


async def _listed(endpoint: Endpoint) -> tuple[str, ...] | None:
    """Return the names of the models at an endpoint; None if nothing answers."""
    async with asking(endpoint) as ask:
        answer = await ask.get("models" + _WHOLE.get(endpoint.api, ""))
    if not answer.status:
        return None
    bare = answer.body if isinstance(answer.body, list) else []
    gemini = [row["name"] for row in answer.rows("models") if isinstance(row.get("name"), str)]
    found = names(answer.rows("data") or bare)
    return found or tuple(name.removeprefix("models/") for name in gemini)
