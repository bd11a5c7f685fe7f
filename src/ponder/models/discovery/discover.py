"""Facts about an endpoint before its first request: configured, told, probed, assumed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from ponder.core.errors import UsageError
from ponder.models.config import EndpointConfig, Price, is_loopback
from ponder.models.discovery import memory, servers, vendors
from ponder.models.discovery.facts import Facts, assumed, configured, misfits, settings_of
from ponder.models.discovery.probing import probe
from ponder.models.http.asking import Asker, asking
from ponder.models.http.endpoint import Endpoint
from ponder.models.presets import providers
from ponder.models.presets.families import preset
from ponder.models.presets.providers import Provider

UNSURE = ("ollama", "lmstudio", "")
"""Local servers that do not tell if they continue a message."""


async def discover(
    config: EndpointConfig,
    *,
    wake: Callable[[str], None] | None = None,
    probing: bool | None = None,
) -> Facts:
    """Return what is known of an endpoint.

    ``wake`` as in ``servers.tell``. ``probing`` is True to probe now, False to probe never, and
    None to probe local servers that do not tell, once.

    Raises:
        UsageError: it is named by its provider, and nothing answers, or it has no such model; or
            its key is not set.
    """
    endpoint = Endpoint(**config.settings)
    provider = provider_of(config)
    own, server = Facts() if config.vendor else configured(config.settings), Facts()
    async with asking(endpoint) as ask:
        if provider and not provider.local:
            known = assumed(preset(provider, endpoint.model))
            facts = (await _vendor(ask, provider, endpoint)).joined(known)
        else:
            facts = server = await _server(ask, config, provider, wake)
            if provider and not facts.server:
                facts = facts.having("assumed", "its name", dialect=provider.dialect)
        facts = facts.joined(own)
        used = replace(endpoint, model=facts.model or endpoint.model)
        if endpoint.api == "chat" and not config.reward:
            probed = await _probed(ask, used, facts, probing, woken=bool(wake))
            facts, server = facts.joined(probed), server.joined(probed)
    return replace(facts, remarks=misfits(config.name, own, server))


def described(config: EndpointConfig, facts: Facts) -> EndpointConfig:
    """Return the endpoint with the facts in its settings, named by the model that it has."""
    settings: dict[str, Any] = settings_of(facts, config.settings)
    name = config.name
    if config.vendor and not config.model:
        name = f"{config.vendor}:{facts.model}"
    settings["name"] = name
    told = facts.value("price")
    price = None
    if told:
        exact = {kind: Decimal(amount) for kind, amount in told.items()}
        price = Price(**{"cached_input": exact["input"], **exact})
    return replace(config, name=name, model=settings["model"], settings=settings, told_price=price)


def provider_of(config: EndpointConfig) -> Provider | None:
    """Return the provider that an endpoint names, or else the vendor at its address."""
    if config.vendor:
        return providers.find(config.vendor)
    host = urlsplit(config.base_url).hostname
    hosted = (one for one in providers.PROVIDERS if not one.local)
    return next((one for one in hosted if urlsplit(one.base_url).hostname == host), None)


async def _vendor(ask: Asker, provider: Provider, endpoint: Endpoint) -> Facts:
    tell = vendors.TELLERS.get(provider.name)
    if tell is None:
        return Facts(provider.name, "", endpoint.model)
    held = memory.recall(endpoint.base_url, endpoint.model, "told", memory.LIFE)
    if held:
        return replace(held, model=endpoint.model)
    facts = await tell(ask, endpoint.model)
    if facts.found:
        memory.remember(endpoint.base_url, endpoint.model, "told", facts)
    return facts


async def _server(
    ask: Asker,
    config: EndpointConfig,
    provider: Provider | None,
    wake: Callable[[str], None] | None,
) -> Facts:
    try:
        return await servers.tell(ask, config.model, hint=_hint(provider), wake=wake)
    except UsageError:
        if config.vendor:
            raise
        return Facts(model=config.model)  # the first request will show what is wrong


def _hint(provider: Provider | None) -> str:
    if provider is None:
        return "check base_url"
    return f"start it (`{provider.start}`), or say in {provider.address} where it is"


async def _probed(
    ask: Asker, endpoint: Endpoint, facts: Facts, probing: bool | None, *, woken: bool
) -> Facts:
    about = f"probed {facts.server} {facts.version}"
    held = memory.recall(endpoint.base_url, endpoint.model, about, memory.PROBED)
    if held and not probing:
        return held
    here = endpoint.local or is_loopback(endpoint.base_url)
    told = facts.server not in UNSURE or facts.value("prefill") is not None
    known = told or not facts.models
    if probing is False or (probing is None and (known or not here or not woken)):
        return Facts()
    found = await probe(ask, endpoint)
    if found.found:
        memory.remember(endpoint.base_url, endpoint.model, about, found)
    return found
